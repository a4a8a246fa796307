//! Deleting a cluster: every stack goes as soon as nothing uses it any more, all at once.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::board::{Board, Place};
use super::cause::Words;
use super::follow::{Rest, Subject, follow};
use super::halt::{Halt, failed, unanswered, unbegun};
use super::mend::{course, verb};
use super::patience::{Lost, patiently};
use super::pulse::Pulse;
use super::remains::{Remains, expected_remains, remains};
use super::run::{finish, over};
use super::scheduler::{Claim, Role, Scheduler};
use super::tell::Teller;
use super::{Report, Session, verdict};
use crate::cloud::{Cloud, CloudError, Operation, Protection, Store};
use crate::events::{Expected, Outcome, Verb};
use crate::plan::deletion::{DeletePlan, DeleteStep};
use crate::plan::status::{Deletes, hand};
use crate::plan::{resources_of, token};
use crate::stacks::{StackKind, parameter_path};

struct Demolition<'a, C> {
    plan: &'a DeletePlan,
    cloud: &'a C,
    session: &'a Session<'a>,
    tell: Teller<'a, C>,
    board: Board,
    pulse: Pulse<'a, C>,
    scheduler: Scheduler,
    /// Stacks whose deletion was asked for and is not over yet.
    going: std::cell::RefCell<BTreeSet<StackKind>>,
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
        session,
        tell,
        board: Board::new(plan.steps.iter().map(|step| &step.kind)),
        pulse: Pulse::new(cloud),
        // Nothing that is deleted waits for machines to join.
        scheduler: Scheduler::new(session.parallel, None),
        going: std::cell::RefCell::default(),
        remains: std::cell::RefCell::default(),
    };
    let unfinished = std::cell::RefCell::new(Vec::new());
    let all = async {
        let all = join_all(plan.steps.iter().map(|step| work.stack(step)));
        work.scheduler.run(all).await;
        if plan.refused.is_none() && work.board.report("").end() == super::End::Done {
            unfinished.replace(work.forget().await);
        }
    };
    let over = over(all, &work.pulse, stop).await;
    let mut report = work.board.report(over.why());
    report.remains = work.remains.take();
    // Nobody may see the end of these: what they leave is told before.
    let going = work.going.take();
    let unseen = plan.steps.iter().filter(|step| going.contains(&step.kind));
    report.remains.extend(unseen.flat_map(expected_remains));
    report.unfinished = unfinished.take();
    finish(&mut report, &over, tell);
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
        end.settle(&step.kind, &self.board, &self.pulse, self.tell)
            .await;
    }

    async fn advance(&self, step: &DeleteStep) -> Result<Halt, Halt> {
        if let Some(why) = &self.plan.refused {
            return Err(failed(format!("{}; {}", why.reason, why.next)));
        }
        match &step.action {
            Deletes::Gone => return Ok(gone()),
            Deletes::Blocked(why) => return Err(failed(format!("{}; {}", why.reason, why.next))),
            Deletes::Shell => {
                let why = hand(&step.found.status, &step.found.name);
                return Err(failed(format!("{}; {}", why.reason, why.next)));
            }
            Deletes::Follow => {
                self.board.set(&step.kind, Place::Running);
                return self.see_off(step, None).await;
            }
            Deletes::FollowThenDelete => {
                let status = &step.found.status;
                let text = format!("{status}: waiting for its end first");
                self.tell.note(Some(&step.kind), text);
                let held = format!("its {status} goes on; its deletion has not begun");
                self.board.set(&step.kind, Place::Held(held));
                let rest = self.follow(step, None, verb(status)).await?;
                self.board.set(&step.kind, Place::Waiting);
                if rest.found.is_none() {
                    return Ok(gone());
                }
            }
            Deletes::Delete => {}
        }
        self.await_users(step).await?;
        let claim = Claim {
            role: Role::Alone,
            remaining: self.session.remaining(&step.kind),
        };
        let _permit = self.scheduler.acquire(claim).await;
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
        let token = token(self.session.run, &step.found.name, "delete");
        let id = &step.found.id;
        if step.found.termination_protection {
            let open = Protection {
                termination: false,
                policy: None,
            };
            let (answer, _) = patiently(self.cloud, async || {
                self.cloud.set_protection(id, &open).await
            })
            .await;
            answer.map_err(|error| unanswered("unlocking the leftover", error))?;
        }
        self.board.set(&step.kind, Place::Running);
        let (answer, lost) =
            patiently(self.cloud, async || self.cloud.delete(id, &token).await).await;
        match answer {
            Ok(()) => {}
            Err(CloudError::NotFound(_)) => return Ok(gone()),
            // An earlier try may have had its effect, whatever the last one was told.
            Err(error)
                if lost == Lost::Some && !matches!(error, CloudError::Credentials { .. }) =>
            {
                return Err(Halt::Lost(format!(
                    "{error}; whether it began is not known"
                )));
            }
            Err(error) => {
                if lost == Lost::None {
                    self.board.set(&step.kind, Place::Waiting);
                }
                return Err(match error {
                    CloudError::Credentials { .. } => Halt::Expired(error),
                    error if error.is_transient() => unbegun(error.to_string()),
                    error => failed(error.to_string()),
                });
            }
        }
        self.see_off(step, Some(token)).await
    }

    /// Follows a deletion to its end.
    async fn see_off(&self, step: &DeleteStep, token: Option<String>) -> Result<Halt, Halt> {
        self.going.borrow_mut().insert(step.kind.clone());
        let rest = self.follow(step, token, Verb::Delete).await?;
        self.going.borrow_mut().remove(&step.kind);
        Ok(self.settle(step, &rest))
    }

    fn worded<T>(&self, step: &DeleteStep, tell: impl FnOnce(&Words<'_>) -> T) -> T {
        tell(&Words {
            sentence: &|id| step.sentence(id),
            explain: &|id, path| (self.session.explain)(&step.kind, id, path),
        })
    }

    async fn follow(
        &self,
        step: &DeleteStep,
        token: Option<String>,
        verb: Verb,
    ) -> Result<Rest, Halt> {
        self.tell.started(&step.kind, verb);
        let operation = Operation {
            stack_id: step.found.id.clone(),
            token,
        };
        let rest = follow(
            &self.pulse,
            &operation,
            &Subject {
                kind: &step.kind,
                words: Words {
                    sentence: &|id| step.sentence(id),
                    explain: &|id, path| (self.session.explain)(&step.kind, id, path),
                },
                verb,
                course: course(&step.found.status),
            },
            self.tell,
        )
        .await;
        rest.map_err(Halt::from)
    }

    fn settle(&self, step: &DeleteStep, rest: &Rest) -> Halt {
        let outcome = self.worded(step, |words| verdict::outcome(Verb::Delete, rest, words));
        let left = remains(step, &rest.events);
        self.remains.borrow_mut().extend(left);
        Halt::at_rest(outcome)
    }

    /// A bucket that is not empty would keep the base from going.
    async fn empty_buckets(&self, step: &DeleteStep) -> Result<(), Halt> {
        let id = &step.found.id;
        let (held, _) = patiently(self.cloud, async || self.cloud.resources(id).await).await;
        let held = held.map_err(|error| unanswered("", error))?;
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
                emptied.map_err(|error| unanswered(&format!("emptying bucket {name}"), error))?;
            let text = format!("bucket {name} emptied of {objects} objects");
            self.tell.note(Some(&step.kind), text);
        }
        Ok(())
    }

    /// Deletes the parameters of the cluster. Returns what could not be done.
    async fn forget(&self) -> Vec<String> {
        let path = parameter_path(&self.plan.cluster) + "/";
        let (answer, _) = patiently(self.cloud, async || {
            self.cloud.delete_parameters_under(&path).await
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
