//! Watching a cluster: every operation on its stacks is followed to its end, whoever began it.
//! Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::{Either, select};
use futures::stream::{FuturesUnordered, StreamExt};

use super::cause::Words;
use super::follow::{Astray, Rest, Subject, follow};
use super::mend::{course, verb};
use super::pulse::Pulse;
use super::run::{finish, over};
use super::tell::Teller;
use super::{Report, Running, Session, verdict};
use crate::cloud::{Cloud, LiveStack, Operation, StackStatus, Store};
use crate::events::{Expected, Outcome, Verb};
use crate::plan::status::{Watches, on_watch};
use crate::plan::{Survey, resources_of};
use crate::stacks::{StackKind, sentence};

/// How often is looked for stacks that begin to move.
const LOOK: Duration = Duration::from_secs(10);
/// How often nothing may be found moving before all counts as at rest: whoever runs takes a moment
/// from one stack to the next.
const QUIET: usize = 2;

/// What is known of the stacks that are watched.
struct Watched<'a, C> {
    survey: &'a Survey,
    session: &'a Session<'a>,
    pulse: Pulse<'a, C>,
    tell: Teller<'a, C>,
    found: std::cell::RefCell<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By ARN, so that a stack made anew is another one.
    followed: BTreeMap<String, StackKind>,
    ended: BTreeMap<StackKind, (Outcome, BTreeMap<String, String>)>,
    lost: BTreeMap<StackKind, String>,
}

/// Follows every stack of a cluster that moves until all rest, or `stop` is ready. Stacks that rest
/// all the while are `Unchanged`.
pub async fn watch<C: Cloud + Store>(
    survey: &Survey,
    cloud: &C,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> Report {
    let watched = Watched {
        survey,
        session,
        pulse: Pulse::new(cloud),
        tell: Teller {
            events: session.events,
            clock: cloud,
        },
        found: std::cell::RefCell::default(),
    };
    let tell = watched.tell;
    tell.run_started(session.run, &survey.cluster, runs(survey), expected(survey));
    let over = over(watched.all(cloud), &watched.pulse, stop).await;
    let mut report = watched.report(over.why());
    finish(&mut report, &over, tell);
    report
}

fn known(found: &[LiveStack]) -> impl Iterator<Item = (StackKind, &LiveStack)> {
    let kind = |found: &LiveStack| StackKind::parse(&found.kind);
    found.iter().filter_map(move |one| Some((kind(one)?, one)))
}

fn moves(found: &LiveStack) -> bool {
    on_watch(&found.status) == Watches::Follow
}

/// What runs, in one word.
fn runs(survey: &Survey) -> Verb {
    let moving = || survey.found.iter().filter(|found| moves(found));
    let verbs = || moving().map(|found| verb(&found.status));
    if moving().next().is_some() && verbs().all(|verb| verb == Verb::Delete) {
        Verb::Delete
    } else if verbs().any(|verb| verb == Verb::Create) {
        Verb::Create
    } else {
        Verb::Update
    }
}

fn expected(survey: &Survey) -> Vec<Expected> {
    let line = |(stack, found): (StackKind, &LiveStack)| Expected {
        operation: moves(found).then(|| verb(&found.status)),
        resources: match survey.templates.get(&found.id) {
            Some(template) if moves(found) => resources_of(template).len(),
            _ => 0,
        },
        needs: Vec::new(),
        span: None,
        stack,
    };
    known(&survey.found).map(line).collect()
}

impl<C: Cloud + Store> Watched<'_, C> {
    /// Follows what moves, and looks now and then for what begins to.
    async fn all(&self, cloud: &C) {
        for (stack, found) in known(&self.survey.found).filter(|(_, found)| !moves(found)) {
            let end = (Outcome::Unchanged, found.outputs.clone());
            self.tell.settled(&stack, &end.0);
            self.found.borrow_mut().ended.insert(stack, end);
        }
        let mut following = FuturesUnordered::new();
        let mut quiet = 0;
        for (stack, found) in self.begun(&self.survey.found) {
            following.push(self.one(stack, found));
        }
        if following.is_empty() {
            return;
        }
        let mut look = Box::pin(cloud.sleep(LOOK));
        while quiet < QUIET {
            let ended = async {
                if following.next().await.is_none() {
                    std::future::pending::<()>().await;
                }
            };
            if let Either::Left(_) = select(std::pin::pin!(ended), &mut look).await {
                continue;
            }
            self.pulse.turn().await;
            // Without an answer nothing is known: it is looked for again.
            if let Ok(found) = cloud.stacks(Some(&self.survey.cluster)).await {
                for (stack, found) in self.begun(&found) {
                    following.push(self.one(stack, found));
                }
                quiet = if following.is_empty() { quiet + 1 } else { 0 };
            }
            look = Box::pin(cloud.sleep(LOOK));
        }
    }

    /// Those that move and are not followed yet.
    fn begun(&self, found: &[LiveStack]) -> Vec<(StackKind, LiveStack)> {
        let mut seen = self.found.borrow_mut();
        known(found)
            .filter(|(_, one)| moves(one))
            .filter(|(stack, one)| {
                let known = seen.followed.insert(one.id.clone(), stack.clone());
                known.is_none()
            })
            .map(|(stack, one)| (stack, one.clone()))
            .collect()
    }

    async fn one(&self, stack: StackKind, found: LiveStack) {
        self.found.borrow_mut().ended.remove(&stack);
        let verb = verb(&found.status);
        self.tell.started(&stack, verb);
        let operation = Operation {
            stack_id: found.id.clone(),
            token: None,
        };
        let template = self.survey.templates.get(&found.id);
        let told = |id: &str| {
            let told = template.and_then(|template| sentence(template, id));
            told.unwrap_or(id).to_owned()
        };
        let explain = |id: &str, path: Option<&str>| (self.session.explain)(&stack, id, path);
        let words = Words {
            sentence: &told,
            explain: &explain,
        };
        let subject = Subject {
            kind: &stack,
            words,
            verb,
            course: course(&found.status),
        };
        let rest = follow(&self.pulse, &operation, &subject, self.tell).await;
        let mut seen = self.found.borrow_mut();
        seen.followed.remove(&found.id);
        match rest {
            Ok(rest) => {
                let outcome = outcome(verb, &rest, &words);
                let outputs = rest.found.map(|found| found.outputs).unwrap_or_default();
                self.tell.settled(&stack, &outcome);
                seen.ended.insert(stack.clone(), (outcome, outputs));
            }
            Err(Astray::Lost(why)) => {
                seen.followed.insert(found.id.clone(), stack.clone());
                seen.lost.insert(stack.clone(), why);
            }
            Err(Astray::Expired(error)) => {
                seen.lost.insert(stack.clone(), error.to_string());
                self.pulse.expire(&error);
            }
        }
    }

    fn report(&self, why: &str) -> Report {
        let seen = self.found.take();
        let mut report = Report::default();
        for (stack, (outcome, outputs)) in seen.ended {
            if outcome.is_good() {
                report.outputs.insert(stack.clone(), outputs);
            }
            report.outcomes.push((stack, outcome));
        }
        let mut running = |stack: StackKind, why: String| {
            report.running.push(Running { stack, why });
        };
        let lost = seen.lost.keys().cloned().collect::<BTreeSet<_>>();
        for (stack, why) in seen.lost {
            running(stack, why);
        }
        for stack in seen.followed.into_values() {
            if !lost.contains(&stack) {
                running(stack, why.to_owned());
            }
        }
        report
    }
}

/// The outcome of an operation that somebody else began; an import is one more kind of update.
fn outcome(verb: Verb, rest: &Rest, words: &Words<'_>) -> Outcome {
    match rest.status {
        StackStatus::ImportComplete => Outcome::Updated,
        StackStatus::ImportRollbackComplete => {
            Outcome::RolledBack(verdict::failure(verb, rest, words))
        }
        _ => verdict::outcome(verb, rest, words),
    }
}
