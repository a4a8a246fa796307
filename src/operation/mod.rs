//! The operation lock of a cluster: at most one run at a time changes it, no matter who starts it and where.
//!
//! The lock is the SSM parameter `/kube-cfn/NAME/operation`: it needs no base stack and no Kubernetes API. It
//! says what runs, who runs it, where and since when, and is written again every [`BEAT`]. A run that sees it
//! unchanged for [`STALE`] by its own clock may take it; clocks of two machines are never compared. A holder
//! whose process has ended is known at once on its own machine, and so is one that lives and has just renewed it.
//!
//! # Why two never hold it
//! SSM has no compare-and-swap, but every `PutParameter` answers with the version that it got, and of several
//! writers each version goes to one. A record names the version that its writer had seen (`replaces`). Who gets
//! the version after it has the lock, for nobody wrote in between; who gets a later one knows that it has not,
//! and its record is void for every reader. So:
//! - Two that take at once: the first gets the lock. The second one's void record lies over the first one's;
//!   the first sees it at its next renewal, knows by the numbers that it is void, and writes over it.
//! - A holder that was only slow reads before it renews, and finds the valid record of who took the lock. If it
//!   was taken between this read and the write, the write gets a later version than it should: the slow one
//!   knows, and its void record is written over by the new holder.
//! - A holder that lost the lock starts nothing more and detaches. Until it has noticed nothing goes out
//!   either: [`WriteGate`](crate::cloud::WriteGate) lets writes pass for a minute after a confirmed renewal, 30 s
//!   less than others wait. This holds for a process that was stopped, or a machine that slept, too.
//! - A lost answer: the record is read again and recognised by its token.
//!
//! The end of a run is written as well (`ended`); the parameter is not deleted, so that versions only grow. Only
//! the deletion of the cluster deletes it, last of all. Then versions begin at 1 again, and a write that was
//! under way for the whole deletion and the next creation could hit by chance: requests end long before.
//!
//! What remains is a single request that has passed the gate and arrives half a minute later; CloudFormation
//! orders those by itself, one operation a stack.
//!
//! # When it is taken
//! After the confirmation, never while a question is open: a lock that waits for a person stops everybody
//! else. What was shown has to hold still then, so all stacks are looked at again, and a plan whose stacks have
//! moved is not executed. Nothing is executed without the lock either: who may not write the parameter is
//! refused, since two runs without a lock can leave a cluster without its base.

mod acquire;
mod holder;
mod lease;
mod record;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::cloud::{CloudError, VersionedParameters};
use crate::common::retry::{Backoff, Try, retry};
use crate::stacks::operation_parameter;

pub use acquire::{LockError, Observation, acquire, observe};
pub use holder::HolderWatch;
pub use lease::Lease;
pub use record::{Claim, OperationVerb, Record};

/// Time between two renewals.
pub const BEAT: Duration = Duration::from_secs(20);

/// A lock that a reader sees unchanged for so long may be taken.
pub const STALE: Duration = Duration::from_secs(90);

/// The operation that holds the lock of a cluster, as the parameter says; `None` when none does. One whose
/// process is known to have ended is none. Whether the process of another machine still runs is not looked at.
///
/// # Errors
/// Those of the read.
pub async fn read(
    cloud: &impl VersionedParameters,
    cluster: &str,
) -> Result<Option<Record>, CloudError> {
    let found = read_value(cloud, &operation_parameter(cluster)).await?;
    let record = found.as_ref().and_then(Record::of);
    Ok(record.filter(Record::holds))
}

async fn read_value(
    cloud: &impl VersionedParameters,
    name: &str,
) -> Result<Option<crate::cloud::VersionedValue>, CloudError> {
    retry(cloud, Backoff::REQUEST, async || {
        let read = cloud.versioned_parameter(name).await;
        Try::transient(read, CloudError::is_transient)
    })
    .await
}
