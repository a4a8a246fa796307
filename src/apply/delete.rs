//! Deleting a cluster: every stack is deleted as soon as nothing uses it any more, all at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::pin;

use futures::future::{join, join_all};

use super::follow::OperationEnd;
use super::outside::{OutsidePlan, Released, Sweeps};
use super::registry::StackState;
use super::requests::newest;
use super::retained::{expected_retained, retained};
use super::retry::with_retry;
use super::run_context::{RunContext, RunEnd};
use super::scheduler::{PermitClaim, Role, Scheduler};
use super::stack::{direction, verb};
use super::stack_result::{StackResult, blocked, failed, unanswered, unbegun};
use super::{RunOutcome, RunReport, Session};
use crate::cloud::{Cloud, Outside, StackOperation, Store};
use crate::common::text::count;
use crate::events::{Expected, Outcome, Retained, Verb};
use crate::plan::deletion::{DeletePlan, DeleteStep};
use crate::plan::status::{DeleteAction, manual_action};
use crate::plan::{Blocked, resources_of, token};
use crate::stacks::{StackKind, operation_parameter, parameter_path};
use crate::sweep::SweepReport;

pub(super) struct DeleteRun<'a, C> {
    pub(super) plan: &'a DeletePlan,
    pub(super) outside: &'a OutsidePlan,
    pub(super) context: RunContext<'a, C>,
    pub(super) sweeps: Sweeps,
    scheduler: Scheduler,
    /// Stacks whose deletion was asked for and is not over yet.
    deleting: RefCell<BTreeSet<StackKind>>,
    retained: RefCell<Vec<Retained>>,
    pub(super) unfinished: RefCell<Vec<String>>,
    /// Why nothing was deleted.
    refused: RefCell<Option<Blocked>>,
}

/// Deletes what a plan lists, and what the cluster has outside its stacks. `release` is what Kubernetes does before; where
/// it fails nothing is deleted. A refused plan does nothing. Ends early when `stop` is ready; what has begun goes on in AWS.
pub async fn delete<C: Cloud + Store + Outside>(
    (plan, outside): (&DeletePlan, &OutsidePlan),
    cloud: &C,
    session: &Session<'_>,
    release: impl Future<Output = Released>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    let run = DeleteRun {
        plan,
        outside,
        sweeps: Sweeps::default(),
        context: RunContext::new(cloud, session, plan.steps.iter().map(|step| &step.kind)),
        // Nothing that is deleted waits for machines to join.
        scheduler: Scheduler::new(session.parallel, None),
        deleting: RefCell::default(),
        retained: RefCell::default(),
        unfinished: RefCell::default(),
        refused: RefCell::default(),
    };
    let context = &run.context;
    context.run_started(&plan.cluster, Verb::Delete, expected(plan));
    let mut stop = pin!(stop);
    let work = async {
        match release.await {
            Ok(left) => {
                for text in left {
                    context.emit.note(None, text);
                }
                run.execute().await;
            }
            Err(why) => run.refuse(why).await,
        }
    };
    let mut end = context.until_end(work, &mut stop).await;
    let mut report = context.states.report(end.why());
    report.refused = run.refused.take();
    if plan.refused.is_none() && report.refused.is_none() {
        if matches!(end, RunEnd::Completed) {
            context.verify_deleted(plan, &mut report).await;
        }
        if report.outcome() == RunOutcome::Done {
            if matches!(end, RunEnd::Completed) {
                end = context.until_end(run.finish(), stop).await;
            }
            run.note_early(&end);
        } else if matches!(end, RunEnd::Completed) {
            let path = parameter_path(&plan.cluster);
            report.waiting_for_stacks.push(format!(
                "the parameters under {path}/ wait for the last stack; the same command deletes them after that"
            ));
        }
    }
    report.retained = run.retained.take();
    // Nobody may see the end of these: what they leave is said before.
    let deleting = run.deleting.take();
    let unseen = plan
        .steps
        .iter()
        .filter(|step| deleting.contains(&step.kind));
    report.retained.extend(unseen.flat_map(expected_retained));
    report.unfinished = run.unfinished.take();
    let was_begun = plan.refused.is_none() && report.refused.is_none();
    report.outside = match run.sweeps.report() {
        Some(swept) => swept,
        None if was_begun && matches!(end, RunEnd::Completed) => run.untried().await,
        None => SweepReport::default(),
    };
    run.context.finish(&report, &end);
    report
}

fn expected(plan: &DeletePlan) -> Vec<Expected> {
    let line = |step: &DeleteStep| Expected {
        stack: step.kind.clone(),
        operation: (step.action != DeleteAction::Gone).then_some(Verb::Delete),
        resources: step.template.as_ref().map_or(0, |t| resources_of(t).len()),
        needs: step.after.clone(),
        span: None,
    };
    plan.steps.iter().map(line).collect()
}

impl<C: Cloud + Store + Outside> DeleteRun<'_, C> {
    async fn execute(&self) {
        let stacks = self.plan.steps.iter().map(async |step| {
            let result = match self.stack(step).await {
                Ok(outcome) => StackResult::at_rest(outcome),
                Err(result) => result,
            };
            self.context.settle(&step.kind, result).await;
        });
        join(join_all(stacks), self.sweep()).await;
    }

    /// Nothing is deleted.
    async fn refuse(&self, why: Blocked) {
        for step in &self.plan.steps {
            self.context.settle(&step.kind, unbegun(&why.reason)).await;
        }
        self.refused.replace(Some(why));
    }

    /// A run that ended when no stack was left to go: what it had not done yet.
    fn note_early(&self, end: &RunEnd) {
        if !matches!(end, RunEnd::Completed) {
            let path = parameter_path(&self.plan.cluster);
            let why = end.why();
            self.unfinished.borrow_mut().push(format!(
                "what lies outside the stacks, and the parameters under {path}/, may still be there: {why}"
            ));
        }
    }

    async fn stack(&self, step: &DeleteStep) -> Result<Outcome, StackResult> {
        if let Some(why) = &self.plan.refused {
            return Err(blocked(None, why));
        }
        let found = &step.found;
        match &step.action {
            DeleteAction::Gone => Ok(Outcome::Deleted),
            DeleteAction::Blocked(why) => Err(blocked(None, why)),
            DeleteAction::Placeholder => {
                Err(blocked(None, &manual_action(&found.status, found.named())))
            }
            DeleteAction::Follow => {
                self.context.states.set(&step.kind, StackState::Running);
                self.follow_deletion(step, &newest(&found.id)).await
            }
            DeleteAction::FollowThenDelete => match self.follow_external(step).await?.found {
                Some(_) => self.delete(step).await,
                None => Ok(Outcome::Deleted),
            },
            DeleteAction::Delete => self.delete(step).await,
        }
    }

    /// Follows to its end what has to be over before the deletion begins.
    async fn follow_external(&self, step: &DeleteStep) -> Result<OperationEnd, StackResult> {
        let status = &step.found.status;
        let text = format!("{status}: waiting for its end first");
        self.context.emit.note(Some(&step.kind), text);
        let state = StackState::External {
            what: format!("its {status} continues; its deletion has not begun"),
            rolling_back: false,
        };
        self.context.states.set(&step.kind, state);
        let operation = newest(&step.found.id);
        let (_, rest) = self.follow(step, &operation, verb(status)).await?;
        self.context.states.set(&step.kind, StackState::Waiting);
        Ok(rest)
    }

    /// Deletes a stack as soon as nothing uses it any more.
    async fn delete(&self, step: &DeleteStep) -> Result<Outcome, StackResult> {
        let (context, kind, found) = (&self.context, &step.kind, &step.found);
        context.await_stacks(&step.after).await?;
        let (role, remaining) = (Role::Alone, context.session.remaining(kind));
        let _permit = self
            .scheduler
            .acquire(PermitClaim { role, remaining })
            .await;
        self.refuse_new_users(step).await?;
        if *kind == StackKind::Network {
            self.refuse_held().await?;
        }
        if *kind == StackKind::Base {
            self.empty_buckets(step).await?;
        }
        let token = token(context.session.run, &found.name, "delete");
        match context.request_deletion(kind, found, token).await? {
            Some(operation) => {
                context.states.set(kind, StackState::Running);
                self.follow_deletion(step, &operation).await
            }
            None => Ok(Outcome::Deleted),
        }
    }

    /// A stack that others use stays when such a one has been made since the deletion was planned.
    async fn refuse_new_users(&self, step: &DeleteStep) -> Result<(), StackResult> {
        let kind = &step.kind;
        if !StackKind::examples().any(|other| other.uses(kind)) {
            return Ok(());
        }
        let found = self.context.new_users(self.plan, kind).await;
        let users = found.map_err(|error| unanswered("looking for stacks that use it", error))?;
        if users.is_empty() {
            return Ok(());
        }
        Err(failed(format!("it is kept: {}", users.join("; "))))
    }

    /// Follows a deletion to its end, and notes what it leaves.
    async fn follow_deletion(
        &self,
        step: &DeleteStep,
        operation: &StackOperation,
    ) -> Result<Outcome, StackResult> {
        self.deleting.borrow_mut().insert(step.kind.clone());
        let (outcome, rest) = self.follow(step, operation, Verb::Delete).await?;
        self.deleting.borrow_mut().remove(&step.kind);
        let left = retained(step, &rest.events);
        self.retained.borrow_mut().extend(left);
        Ok(outcome)
    }

    async fn follow(
        &self,
        step: &DeleteStep,
        operation: &StackOperation,
        verb: Verb,
    ) -> Result<(Outcome, OperationEnd), StackResult> {
        let (context, kind) = (&self.context, &step.kind);
        let sentence = |id: &str| step.description(id);
        let direction = direction(&step.found.status);
        context.emit.started(kind, verb);
        let end = context.follow(kind, &sentence, operation, verb, direction);
        Ok(end.await?)
    }

    /// A bucket that is not empty would keep the base from going.
    async fn empty_buckets(&self, step: &DeleteStep) -> Result<(), StackResult> {
        let resources = async |cloud: &C| cloud.resources(&step.found.id).await;
        for bucket in self.context.ask("", resources).await? {
            let there = bucket.status.as_str() != "DELETE_COMPLETE";
            let (true, "AWS::S3::Bucket", Some(name)) =
                (there, bucket.resource_type.as_str(), &bucket.physical_id)
            else {
                continue;
            };
            if step.keeps(&bucket.logical_id) {
                continue;
            }
            let doing = format!("emptying bucket {name}");
            let emptied = self
                .context
                .ask(&doing, async |cloud| cloud.empty_bucket(name).await);
            let objects = count(emptied.await?, "object");
            let text = format!("bucket {name} emptied of {objects}");
            self.context.emit.note(Some(&step.kind), text);
        }
        Ok(())
    }

    /// Deletes the parameters of the cluster but for the operation lock, which goes last, and notes what could not
    /// be done.
    pub(super) async fn delete_parameters(&self) {
        let path = parameter_path(&self.plan.cluster) + "/";
        let lock = operation_parameter(&self.plan.cluster);
        let request = async |cloud: &C| cloud.delete_parameters_under(&path, Some(&lock)).await;
        match with_retry(self.context.cloud, request).await {
            Ok(names) if names.is_empty() => {}
            Ok(names) => {
                let text = format!("{} parameters under {path} deleted", names.len());
                self.context.emit.note(None, text);
            }
            Err(error) => self.unfinished.borrow_mut().push(format!(
                "the parameters under {path} are still there: {error}; re-run the same command"
            )),
        }
    }
}
