//! Deleting a cluster: every stack goes as soon as nothing uses it any more, all at once.

use futures::future::join_all;

use super::board::{Board, Place};
use super::cause::Words;
use super::event::{Expected, Outcome, Verb};
use super::follow::{Astray, Rest, Subject, follow};
use super::patience::patiently;
use super::remains::{Remains, remains};
use super::run::{Halt, failed, finish, stopped};
use super::tell::Teller;
use super::{Report, Session, verdict};
use crate::cloud::{Cloud, CloudError, Operation, Protection, Store};
use crate::plan::deletion::{DeletePlan, DeleteStep};
use crate::plan::status::Deletes;
use crate::plan::{resources_of, token};
use crate::stacks::{StackKind, parameter_path};

struct Demolition<'a, C> {
    plan: &'a DeletePlan,
    cloud: &'a C,
    run: &'a str,
    tell: Teller<'a, C>,
    board: Board,
    remains: std::cell::RefCell<Vec<Remains>>,
}

/// Deletes what a plan lists, and what the cluster keeps outside its stacks. A refused plan does
/// nothing. Ends early when `stop` is ready; what has begun goes on in AWS.
pub async fn delete<C: Cloud + Store>(
    plan: &DeletePlan,
    cloud: &C,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> Report {
    let tell = Teller {
        events: session.events,
        clock: cloud,
    };
    tell.run_started(session.run, &plan.cluster, Verb::Delete, expected(plan));
    let work = Demolition {
        plan,
        cloud,
        run: session.run,
        tell,
        board: Board::new(plan.steps.iter().map(|step| &step.kind)),
        remains: std::cell::RefCell::default(),
    };
    let unfinished = std::cell::RefCell::new(Vec::new());
    let all = async {
        join_all(plan.steps.iter().map(|step| work.stack(step))).await;
        if plan.refused.is_none() && work.board.report("").end() == super::End::Done {
            unfinished.replace(work.forget().await);
        }
    };
    stopped(all, stop).await;
    let mut report = work.board.report("the run was stopped here");
    report.remains = work.remains.take();
    report.unfinished = unfinished.take();
    finish(&mut report, tell);
    report
}

fn expected(plan: &DeletePlan) -> Vec<Expected> {
    let line = |step: &DeleteStep| Expected {
        stack: step.kind.clone(),
        operation: (step.action != Deletes::Gone).then_some(Verb::Delete),
        resources: step.template.as_ref().map_or(0, |t| resources_of(t).len()),
        needs: step.after.clone(),
        span: None,
    };
    plan.steps.iter().map(line).collect()
}

impl<C: Cloud + Store> Demolition<'_, C> {
    async fn stack(&self, step: &DeleteStep) {
        let (Ok(end) | Err(end)) = self.advance(step).await;
        self.board.set(&step.kind, end.place(&step.kind, self.tell));
    }

    async fn advance(&self, step: &DeleteStep) -> Result<Halt, Halt> {
        if let Some(why) = &self.plan.refused {
            return Err(failed(format!("{}; {}", why.reason, why.next)));
        }
        match &step.action {
            Deletes::Gone => return Ok(gone()),
            Deletes::Blocked(why) => return Err(failed(format!("{}; {}", why.reason, why.next))),
            Deletes::Follow => {
                let rest = self.follow(step, None, Verb::Delete).await?;
                return Ok(self.settle(step, &rest));
            }
            Deletes::FollowThenDelete => {
                let text = format!("{}: waiting for its end first", step.found.status);
                self.tell.note(Some(&step.kind), text);
                let rest = self.follow(step, None, Verb::Update).await?;
                if rest.found.is_none() {
                    return Ok(gone());
                }
            }
            Deletes::Delete => {}
        }
        self.await_users(step).await?;
        if step.kind == StackKind::Base {
            self.empty_buckets(step).await?;
        }
        self.delete(step).await
    }

    /// Waits until everything that uses this stack is gone.
    async fn await_users(&self, step: &DeleteStep) -> Result<(), Halt> {
        for user in &step.after {
            match self.board.rest(user).await {
                Some(Place::Settled(outcome, _)) if outcome.is_good() => {}
                Some(Place::Settled(..)) => {
                    let needs = user.clone();
                    return Err(Halt::at_rest(Outcome::NotStarted { needs }));
                }
                _ => return Err(Halt::Left),
            }
        }
        Ok(())
    }

    async fn delete(&self, step: &DeleteStep) -> Result<Halt, Halt> {
        let token = token(self.run, &step.found.name, "delete");
        let id = &step.found.id;
        self.board.set(&step.kind, Place::Running);
        if step.found.termination_protection {
            let open = Protection {
                termination: false,
                policy: None,
            };
            let (answer, _) =
                patiently(self.cloud, async || self.cloud.protect(id, &open).await).await;
            answer.map_err(|error| failed(format!("unlocking the leftover: {error}")))?;
        }
        let (answer, _) = patiently(self.cloud, async || self.cloud.delete(id, &token).await).await;
        match answer {
            Ok(()) => {}
            Err(CloudError::NotFound(_)) => return Ok(gone()),
            Err(error @ CloudError::Unreachable { .. }) => {
                return Err(Halt::Lost(format!(
                    "{error}; whether it began is not known"
                )));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
        let rest = self.follow(step, Some(token), Verb::Delete).await?;
        Ok(self.settle(step, &rest))
    }

    async fn follow(
        &self,
        step: &DeleteStep,
        token: Option<String>,
        verb: Verb,
    ) -> Result<Rest, Halt> {
        self.board.set(&step.kind, Place::Running);
        self.tell.started(&step.kind, verb);
        let operation = Operation {
            stack_id: step.found.id.clone(),
            token,
        };
        let subject = Subject {
            kind: &step.kind,
            sentence: &|id| step.sentence(id),
            leaves: verb == Verb::Delete,
        };
        let rest = follow(self.cloud, &operation, &subject, self.tell).await;
        rest.map_err(|Astray(why)| Halt::Lost(why))
    }

    fn settle(&self, step: &DeleteStep, rest: &Rest) -> Halt {
        let outcome = verdict::outcome(
            Verb::Delete,
            rest,
            &Words {
                sentence: &|id| step.sentence(id),
                explain: &|_, _| None,
            },
        );
        let left = remains(step, &rest.events);
        self.remains.borrow_mut().extend(left);
        Halt::at_rest(outcome)
    }

    /// A bucket that is not empty would keep the base from going.
    async fn empty_buckets(&self, step: &DeleteStep) -> Result<(), Halt> {
        let id = &step.found.id;
        let (held, _) = patiently(self.cloud, async || self.cloud.resources(id).await).await;
        let held = held.map_err(|error| failed(error.to_string()))?;
        for bucket in held {
            let there = bucket.status.as_str() != "DELETE_COMPLETE";
            let (true, "AWS::S3::Bucket", Some(name)) =
                (there, bucket.resource_type.as_str(), &bucket.physical_id)
            else {
                continue;
            };
            if step.keeps(&bucket.logical_id) {
                continue;
            }
            let (emptied, _) =
                patiently(self.cloud, async || self.cloud.empty_bucket(name).await).await;
            let objects =
                emptied.map_err(|error| failed(format!("emptying bucket {name}: {error}")))?;
            let text = format!("bucket {name} emptied of {objects} objects");
            self.tell.note(Some(&step.kind), text);
        }
        Ok(())
    }

    /// Deletes the parameters of the cluster. Returns what could not be done.
    async fn forget(&self) -> Vec<String> {
        let path = parameter_path(&self.plan.cluster) + "/";
        let (answer, _) = patiently(self.cloud, async || {
            self.cloud.forget_parameters(&path).await
        })
        .await;
        match answer {
            Ok(names) if names.is_empty() => Vec::new(),
            Ok(names) => {
                let text = format!("{} parameters under {path} deleted", names.len());
                self.tell.note(None, text);
                Vec::new()
            }
            Err(error) => vec![format!(
                "the parameters under {path} are still there: {error}; run the same command again"
            )],
        }
    }
}

fn gone() -> Halt {
    Halt::at_rest(Outcome::Deleted)
}
