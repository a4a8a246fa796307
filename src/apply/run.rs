//! A whole run: one state machine for each stack, all at once on one thread, until all rest or the run
//! is stopped.

use std::pin::pin;
use std::time::Duration;

use futures::future::{join_all, select};

use super::registry::StackState;
use super::run_context::{RunContext, RunEnd};
use super::scheduler::{JoinedStack, Permit, PermitClaim, Role, Scheduler};
use super::stack::StackRun;
use super::stack_result::{StackResult, failed, unbegun};
use super::unexecuted::Unexecuted;
use super::{OnExternalOperation, Outputs, Prerequisites, RunOutcome, RunReport, Session};
use crate::cloud::{Cloud, INLINE, Store, UploadOutcome, replaced_object, template_key};
use crate::events::{Expected, Verb};
use crate::plan::{Action, Plan, Step, needs, resources_of};
use crate::stacks::{Object, STATE_BUCKET, Stack, StackKind};

/// What a stopped run still spends on cleaning up: it has to be gone within a second.
const CLEAN_UP: Duration = Duration::from_millis(700);

/// The same at the end of a run that nobody stopped.
const LONG_CLEAN_UP: Duration = Duration::from_mins(2);

/// What the stacks of an `apply` share.
pub(super) struct ApplyRun<'a, C, P> {
    pub cluster: &'a str,
    pub context: RunContext<'a, C>,
    pub unexecuted: Unexecuted,
    prerequisites: &'a P,
    scheduler: Scheduler,
    joined: Option<JoinedStack>,
}

/// Executes a plan. Ends when every stack rests, or soon after `stop` is ready; then whatever runs goes
/// on in AWS. Never fails as a whole: the report says it stack by stack.
pub async fn run<C: Cloud + Store>(
    plan: Plan,
    cloud: &C,
    prerequisites: &impl Prerequisites,
    session: &Session<'_>,
    stop: impl Future<Output = ()>,
) -> RunReport {
    let run = ApplyRun::new(&plan, cloud, prerequisites, session);
    let context = &run.context;
    context.run_started(&plan.cluster, verb(&plan), expected(&plan, session));
    let mut stop = pin!(stop);
    let end = context.until_end(run.execute(&plan), &mut stop).await;
    let mut report = context.states.report(end.why());
    run.clean_up(&end, stop).await;
    if let (RunEnd::Completed, false) = (&end, report.outcome() == RunOutcome::Detached) {
        context.verify_applied(&plan, &mut report).await;
    }
    context.finish(&report, &end);
    report
}

fn verb(plan: &Plan) -> Verb {
    let exists = plan.steps.iter().any(|step| step.found.is_some());
    if exists { Verb::Update } else { Verb::Create }
}

fn expected(plan: &Plan, session: &Session<'_>) -> Vec<Expected> {
    let line = |step: &Step| {
        let all = resources_of(&step.stack.template).len();
        let (operation, resources) = match &step.action {
            Action::Create | Action::Replace => (Some(Verb::Create), all),
            Action::Update(set) => (Some(Verb::Update), set.changes.len()),
            Action::Deferred | Action::Follow(_) | Action::Continue { .. } => {
                (Some(Verb::Update), all)
            }
            Action::NoChange | Action::Blocked(_) => (None, 0),
        };
        Expected {
            stack: step.stack.kind.clone(),
            operation,
            resources,
            needs: needs(&step.stack),
            span: session.spans.get(&step.stack.kind).copied(),
        }
    };
    plan.steps.iter().map(line).collect()
}

impl<'a, C: Cloud + Store, P: Prerequisites> ApplyRun<'a, C, P> {
    fn new(plan: &'a Plan, cloud: &'a C, prerequisites: &'a P, session: &'a Session<'a>) -> Self {
        let kinds = plan.steps.iter().map(|step| &step.stack.kind);
        let context = RunContext::new(cloud, session, kinds);
        let joined = JoinedStack::of(plan);
        let watch = |joined: &JoinedStack| context.states.watch(&joined.kind);
        let state = joined.as_ref().and_then(watch);
        Self {
            cluster: &plan.cluster,
            context,
            unexecuted: Unexecuted::of(plan),
            prerequisites,
            scheduler: Scheduler::new(session.parallel, state),
            joined,
        }
    }

    async fn execute(&self, plan: &Plan) {
        if self.context.session.on_external_operation == OnExternalOperation::Fail
            && self.anything_runs(plan).await
        {
            return;
        }
        let stacks = plan.steps.iter().map(async |step| {
            let result = StackRun::new(self, step.clone()).drive().await;
            self.context.settle(&step.stack.kind, result).await;
        });
        join_all(stacks).await;
    }

    /// Whether something of a plan runs already; says what, since when and by whom.
    async fn anything_runs(&self, plan: &Plan) -> bool {
        let mut any = false;
        for step in &plan.steps {
            if let (Action::Follow(_), Some(found)) = (&step.action, &step.found) {
                let what = self.context.what_runs(found).await;
                let (kind, context) = (&step.stack.kind, &self.context);
                context.emit.note(Some(kind), what.clone());
                context.states.set(kind, StackState::Lost(what));
                any = true;
            }
        }
        any
    }

    /// Writes wait as long as the operation lock is not renewed: for a while, until `stop` is ready.
    async fn clean_up(&self, end: &RunEnd, stop: impl Future<Output = ()>) {
        let cloud = self.context.cloud;
        let cleaned = pin!(self.unexecuted.clean_up(&self.context));
        match end {
            RunEnd::Completed => {
                select(
                    cleaned,
                    select(pin!(stop), pin!(cloud.sleep(LONG_CLEAN_UP))),
                )
                .await;
            }
            // What is left behind is an unexecuted change set: harmless, and the next plan finds it.
            RunEnd::Stopped => {
                select(cleaned, pin!(cloud.sleep(CLEAN_UP))).await;
            }
            // Nothing can be asked any more.
            RunEnd::Expired(_) => {}
        }
        self.unexecuted.note_relaxed(&self.context);
    }

    /// The outputs of all stacks so far, once everything that a stack needs is done.
    pub async fn inputs(&self, stack: &Stack) -> Result<Outputs, StackResult> {
        self.context.await_stacks(&needs(stack)).await?;
        Ok(self.context.states.outputs())
    }

    /// Does what has to be done outside CloudFormation before a stack starts, as soon as the base is there
    /// if the stack needs it. Does nothing without the base: waiting for the inputs says so.
    pub async fn prepare(&self, stack: &Stack) -> Result<(), StackResult> {
        let base = [StackKind::Base];
        if needs(stack).contains(&base[0]) && self.context.await_stacks(&base).await.is_err() {
            return Ok(());
        }
        let outputs = self.context.states.outputs();
        let done = self.prerequisites.prepare(&stack.kind, &outputs).await;
        if let Some(done) = done.map_err(unbegun)? {
            self.context.emit.note(Some(&stack.kind), done);
        }
        Ok(())
    }

    /// Leave for a stack to be in operation. `joins` says whether it makes machines that join the API of
    /// another stack; none are made for an API that will not answer.
    pub async fn permit(&self, stack: &StackKind, joins: bool) -> Result<Permit<'_>, StackResult> {
        let role = match &self.joined {
            Some(joined) if joined.kind == *stack => Role::Joined,
            _ if joins => Role::Joins,
            _ => Role::Alone,
        };
        let remaining = self.context.session.remaining(stack);
        let permit = self
            .scheduler
            .acquire(PermitClaim { role, remaining })
            .await;
        if let Some(JoinedStack { kind, serves }) = self.joined.as_ref().filter(|_| joins)
            && !serves
            && self.context.states.is_final(kind)
        {
            self.context
                .await_stacks(std::slice::from_ref(kind))
                .await?;
        }
        Ok(permit)
    }

    /// The state bucket, as soon as the base is done.
    pub fn bucket(&self) -> Option<String> {
        let outputs = self.context.states.outputs();
        outputs.get(&StackKind::Base)?.get(STATE_BUCKET).cloned()
    }

    /// Puts into the state bucket what the stack's machines will fetch.
    pub async fn upload(&self, stack: &Stack) -> Result<(), StackResult> {
        if stack.objects.is_empty() {
            return Ok(());
        }
        let Some(bucket) = self.bucket() else {
            let no_bucket = "so there is no bucket to upload to";
            return Err(failed(format!(
                "the base stack has no output {STATE_BUCKET}, {no_bucket}"
            )));
        };
        for object in &stack.objects {
            let Object { key, bytes } = object;
            self.put(&stack.kind, &bucket, key, bytes).await?;
        }
        let text = match stack.objects.len() {
            1 => "its node bundle is in the state bucket".to_owned(),
            n => format!("its {n} node bundles are in the state bucket"),
        };
        self.context.emit.note(Some(&stack.kind), text);
        Ok(())
    }

    /// Puts the template of a stack into the state bucket, if it has to go through there.
    pub async fn upload_template(&self, stack: &Stack) -> Result<(), StackResult> {
        let body = stack.body();
        match self.bucket() {
            Some(bucket) if body.len() > INLINE => {
                let key = template_key(&body);
                self.put(&stack.kind, &bucket, &key, body.as_bytes()).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Makes an object have its bytes, and reports one that had others.
    async fn put(
        &self,
        stack: &StackKind,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<(), StackResult> {
        let put = async |cloud: &C| cloud.upload(bucket, key, bytes).await;
        let uploaded = self.context.ask(&format!("uploading {key}"), put).await?;
        if uploaded.outcome == UploadOutcome::Replaced {
            let text = replaced_object(bucket, key);
            self.context.emit.note(Some(stack), text);
        }
        Ok(())
    }
}
