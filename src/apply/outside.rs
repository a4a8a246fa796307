//! What a deletion removes outside the stacks: before the network, which can't go while it is there, and at the end.

use std::cell::{Cell, RefCell};

use jiff::Timestamp;
use tokio::sync::watch;

use super::delete::DeleteRun;
use super::stack_result::{StackResult, failed};
use crate::cloud::{Cloud, CloudError, Outside, Store};
use crate::plan::Blocked;
use crate::stacks::StackKind;
use crate::sweep::{self, Found, Inventory, Scope, SweepReport, Turn, Wish, kinds};

/// What is to be removed outside the stacks. The default removes nothing that was not there before, and knows no stack.
#[derive(Debug, Default)]
pub struct OutsidePlan {
    /// What the stacks had when the deletion was planned: all else is outside them.
    pub scope: Scope,
    /// What was shown before consent.
    pub shown: Inventory,
    /// Whether the volumes of claims go too.
    pub delete_volumes: bool,
}

/// What Kubernetes was asked to do before the first stack.
pub type Released = Result<Vec<String>, Blocked>;

/// The removals of one run.
#[derive(Default)]
pub(super) struct Sweeps {
    /// When the first began.
    since: Cell<Option<Timestamp>>,
    /// What keeps the network; nothing until that is known.
    holding: watch::Sender<Option<Vec<Found>>>,
    /// What came of them so far.
    report: RefCell<SweepReport>,
}

impl Sweeps {
    /// What came of them. `None` if none was begun.
    pub fn report(&self) -> Option<SweepReport> {
        self.since.get()?;
        Some(self.report.take())
    }
}

impl<C: Cloud + Store + Outside> DeleteRun<'_, C> {
    /// Removes what is outside the stacks as soon as no machine of them can make it again.
    pub(super) async fn sweep(&self) {
        let kinds = self.plan.steps.iter().map(|step| step.kind.clone());
        let machines: Vec<StackKind> = kinds.filter(StackKind::has_machines).collect();
        if self.context.await_stacks(&machines).await.is_ok()
            && let Err(error) = self.remove(false).await
        {
            self.expire(&error).await;
        }
    }

    /// Both calls are one removal: the last one goes on from what the first came to.
    async fn remove(&self, is_last: bool) -> Result<(), CloudError> {
        let (context, sweeps) = (&self.context, &self.sweeps);
        let wish = Wish {
            delete_volumes: self.outside.delete_volumes,
            shown: &self.outside.shown,
        };
        let since = sweeps.since.get().unwrap_or_else(|| context.cloud.now());
        sweeps.since.set(Some(since));
        let turn = Turn {
            is_last,
            since,
            earlier: sweeps.report.borrow().clone(),
            network: &|holding| {
                sweeps.holding.send_replace(Some(holding));
            },
        };
        let scope = &self.outside.scope;
        let report = sweep::remove(context.cloud, context.emit, scope, wish, turn).await?;
        sweeps.report.replace(report);
        Ok(())
    }

    /// The network stays while something lies in it: CloudFormation would try for long, and fail. What does not hold it may
    /// still be going. It is asked for when every stack with machines is gone, so the removal has begun or begins.
    pub(super) async fn refuse_held(&self) -> Result<(), StackResult> {
        let mut holding = self.sweeps.holding.subscribe();
        let Ok(known) = holding.wait_for(Option::is_some).await else {
            return Ok(());
        };
        let names: Vec<String> = known.iter().flatten().map(named).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(failed(format!(
            "it is kept while these are in it: {}",
            names.join(", ")
        )))
    }

    /// What is left to do when every stack is gone: what lies outside and goes last, then the parameters.
    pub(super) async fn finish(&self) {
        match self.remove(true).await {
            Ok(()) => {}
            Err(error @ CloudError::Credentials { .. }) => self.expire(&error).await,
            Err(error) => self.unfinished.borrow_mut().push(format!(
                "what lies outside the stacks could not be looked at once more: {error}; re-run the same command"
            )),
        }
        self.delete_parameters().await;
    }

    /// What is reported of a run that came to its end without a removal: what is there now, or else what was shown.
    pub(super) async fn untried(&self) -> SweepReport {
        let OutsidePlan {
            scope,
            shown,
            delete_volumes,
        } = self.outside;
        let now = sweep::look(self.context.cloud, scope).await;
        let inventory = now.as_ref().unwrap_or(shown);
        let why = "it was not tried, as stacks with machines are still there";
        SweepReport::untried(inventory, *delete_volumes, why)
    }

    /// The whole run stops: nothing more is answered.
    async fn expire(&self, error: &CloudError) {
        self.context.poller.expire(error);
        std::future::pending::<()>().await;
    }
}

fn named(found: &Found) -> String {
    format!(
        "{} {}",
        kinds::row(found.resource.kind).name,
        found.resource.id
    )
}
