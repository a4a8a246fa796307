//! Looking inside stacks that something went wrong with: what they hold, what failed, what is under review.
//! Changes nothing; what the answers mean is decided in [`super::recovery`].

use std::collections::HashSet;

use serde_json::Value;

use super::{Action, PlanOptions, recovery};
use crate::cloud::{Cloud, CloudError, LiveStack, StackEvent, StackOperation, StackStatus};

/// Decides by what a stack holds. `before` is its template, as far as it has one.
pub async fn look_inside(
    found: &LiveStack,
    before: Option<&Value>,
    cloud: &impl Cloud,
    options: &PlanOptions<'_>,
) -> Result<Action, CloudError> {
    match found.status {
        StackStatus::UpdateRollbackFailed => {
            let mut stuck = recovery::stuck_in_rollback(&newest(found, cloud).await?, before);
            if stuck.is_empty() {
                stuck = recovery::failed_resources(&cloud.resources(&found.id).await?, before);
            }
            Ok(recovery::continuing(found, stuck, options.skip))
        }
        StackStatus::DeleteFailed => {
            let events = newest(found, cloud).await?;
            Ok(recovery::delete_failed(found, &events, before))
        }
        StackStatus::ReviewInProgress => {
            let held = cloud.resources(&found.id).await?;
            let sets = cloud.change_sets(&found.id).await?;
            Ok(recovery::under_review(found, &held, &sets))
        }
        _ => Ok(recovery::leftovers(
            found,
            &cloud.resources(&found.id).await?,
        )),
    }
}

/// The events of the last operation.
async fn newest(found: &LiveStack, cloud: &impl Cloud) -> Result<Vec<StackEvent>, CloudError> {
    let operation = StackOperation {
        stack_id: found.id.clone(),
        token: None,
    };
    cloud.events(&operation, &HashSet::new()).await
}
