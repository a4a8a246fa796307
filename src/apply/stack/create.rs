//! Creating a stack.

use super::phase::Signal;
use super::{StackRun, protection};
use crate::apply::Prerequisites;
use crate::apply::registry::StackState;
use crate::apply::requests::with_token;
use crate::apply::retry::{Rejected, send, with_retry};
use crate::apply::stack_result::{StackResult, failed, unanswered, unknown};
use crate::cloud::{ChangeSetLifetime, Cloud, CloudError, Store};
use crate::events::Verb;
use crate::plan::request::proposal;

impl<C: Cloud + Store, P: Prerequisites> StackRun<'_, '_, C, P> {
    /// Asks for the creation.
    pub(super) async fn create(&mut self) -> Result<Signal, StackResult> {
        let stack = &self.step.stack;
        self.run.upload(stack).await?;
        self.run.upload_template(stack).await?;
        let (token, bucket) = (self.token("create"), self.run.bucket());
        let wanted = proposal(
            stack,
            &self.parameters,
            bucket.as_deref(),
            token.clone(),
            ChangeSetLifetime::Run,
        );
        let protection = protection(stack);
        self.set_state(StackState::Requested);
        let create = async |cloud: &C| cloud.create(&wanted, &protection).await;
        match send(self.context.cloud, create).await {
            Ok(id) => Ok(self.accept(Verb::Create, with_token(&id, token))),
            Err(rejected) if matches!(rejected.error, CloudError::Conflict(_)) => {
                self.exists_already(token, &rejected).await
            }
            Err(rejected) => Err(self.context.rejected(&stack.kind, rejected)),
        }
    }

    /// A stack of that name is there already: made by a request of this run whose answer was lost, or
    /// by somebody else.
    async fn exists_already(
        &mut self,
        token: String,
        rejected: &Rejected,
    ) -> Result<Signal, StackResult> {
        let (context, cluster) = (self.context, self.run.cluster);
        let all = async |cloud: &C| cloud.stacks(Some(cluster)).await;
        let all = match with_retry(context.cloud, all).await {
            Err(error) if rejected.lost && !matches!(error, CloudError::Credentials { .. }) => {
                return Err(unknown(&error));
            }
            answer => answer.map_err(|error| unanswered("", error))?,
        };
        let mut all = all.into_iter();
        let Some(found) = all.find(|found| found.name == self.step.stack.name) else {
            if rejected.lost {
                return Err(unknown(&rejected.error));
            }
            return Err(failed(format!(
                "{}; it does not belong to {cluster}, so it is left alone",
                rejected.error
            )));
        };
        let operation = with_token(&found.id, token);
        if context.has_begun(&operation, rejected.lost).await {
            return Ok(self.accept(Verb::Create, operation));
        }
        Ok(self.moved_to(found))
    }
}
