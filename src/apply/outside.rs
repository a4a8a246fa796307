//! What a deletion removes outside the stacks: before the network, which can't go while it is there, and at the end.

use std::cell::Cell;

use tokio::sync::OnceCell;

use super::delete::DeleteRun;
use super::stack_result::{StackResult, failed, unanswered};
use crate::cloud::{Cloud, CloudError, Outside, Store};
use crate::plan::Blocked;
use crate::stacks::StackKind;
use crate::sweep::{self, Found, Inventory, Scope, SweepReport, Wish, kinds};

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

/// The removals of one run. Each is done once, by the first who asks for it.
#[derive(Default)]
pub(super) struct Sweeps {
    before_network: OnceCell<Result<SweepReport, CloudError>>,
    last: Cell<Option<SweepReport>>,
}

impl Sweeps {
    /// What came of them: the last one has looked at everything again. `None` if none has ended.
    pub fn report(self) -> Option<SweepReport> {
        let first = self.before_network.into_inner().and_then(Result::ok);
        match (first, self.last.into_inner()) {
            (Some(first), Some(last)) => Some(first.followed_by(last)),
            (first, last) => first.or(last),
        }
    }
}

impl OutsidePlan {
    /// What is reported of a run that came to its end without a removal.
    pub(super) fn untried(&self) -> SweepReport {
        let why = "it was not tried, as stacks with machines are still there";
        SweepReport::untried(&self.shown, self.delete_volumes, why)
    }
}

impl<C: Cloud + Store + Outside> DeleteRun<'_, C> {
    /// Removes what is outside the stacks as soon as no machine of them can make it again.
    pub(super) async fn sweep(&self) {
        let kinds = self.plan.steps.iter().map(|step| step.kind.clone());
        let machines: Vec<StackKind> = kinds.filter(StackKind::has_machines).collect();
        if self.context.await_stacks(&machines).await.is_ok()
            && let Err(error @ CloudError::Credentials { .. }) = self.swept().await
        {
            self.expire(error).await;
        }
    }

    async fn swept(&self) -> &Result<SweepReport, CloudError> {
        let removal = || self.remove(false);
        self.sweeps.before_network.get_or_init(removal).await
    }

    async fn remove(&self, is_last: bool) -> Result<SweepReport, CloudError> {
        let context = &self.context;
        let wish = Wish {
            delete_volumes: self.outside.delete_volumes,
            shown: &self.outside.shown,
        };
        sweep::remove(
            context.cloud,
            context.emit,
            &self.outside.scope,
            wish,
            is_last,
        )
        .await
    }

    /// The network stays while something lies in it: CloudFormation would try for long, and fail.
    pub(super) async fn refuse_held(&self) -> Result<(), StackResult> {
        let doing = "removing what lies outside the stacks";
        let report = self.swept().await.as_ref();
        let report = report.map_err(|error| unanswered(doing, error.clone()))?;
        let left = report.left.iter().map(|orphan| &orphan.found);
        let holding: Vec<String> = left
            .chain(&report.foreign)
            .filter(|found| holds(found))
            .map(named)
            .collect();
        if holding.is_empty() {
            return Ok(());
        }
        Err(failed(format!(
            "it is kept while these are in it: {}",
            holding.join(", ")
        )))
    }

    /// What is left to do when every stack is gone: what lies outside and goes last, then the parameters.
    pub(super) async fn finish(&self) {
        match self.remove(true).await {
            Ok(report) => {
                self.sweeps.last.replace(Some(report));
            }
            Err(error @ CloudError::Credentials { .. }) => self.expire(&error).await,
            Err(error) => self.unfinished.borrow_mut().push(format!(
                "what lies outside the stacks could not be looked at once more: {error}; re-run the same command"
            )),
        }
        self.delete_parameters().await;
    }

    /// The whole run stops: nothing more is answered.
    async fn expire(&self, error: &CloudError) {
        self.context.poller.expire(error);
        std::future::pending::<()>().await;
    }
}

fn holds(found: &Found) -> bool {
    kinds::row(found.resource.kind).holds_network
}

fn named(found: &Found) -> String {
    format!(
        "{} {}",
        kinds::row(found.resource.kind).name,
        found.resource.id
    )
}
