//! The second Ctrl-C: offers to cancel the operations of a run that was just detached.

use std::time::Duration;

use super::operation::{self, Subject};
use super::out::eprint;
use super::{ask, error::CommandError};
use crate::apply::{self, Cancellation};
use crate::cloud::Cloud;
use crate::cloud::aws::Aws;

/// How long to wait for the second Ctrl-C: a detached run ends within a second.
const GRACE: Duration = Duration::from_millis(800);

/// Waits a moment for a second Ctrl-C; then says what cancelling would do, asks, and does it under the operation lock,
/// which the run has given back. Where another run has it by then, nothing is cancelled.
///
/// # Errors
/// Why the lock was not to be had.
pub async fn offer(subject: Subject<'_>, run: &str) -> Result<(), CommandError> {
    if !ask::is_terminal() {
        return Ok(());
    }
    eprint(
        "Detached: AWS carries on. Press Ctrl-C again within 1 s to cancel the running operations.",
    );
    tokio::select! {
        () = ask::interrupted() => {}
        () = tokio::time::sleep(GRACE) => return Ok(()),
    }
    let known = match running(subject.cloud, subject.name).await {
        Ok(known) => known,
        Err(text) => {
            eprint(&text);
            return Ok(());
        }
    };
    for one in &known {
        eprint(&format!("{}: {}", one.stack, one.description()));
    }
    if ask::confirm("Cancel this now?").is_err() {
        eprint("nothing was cancelled");
        return Ok(());
    }
    let lease = subject.lock(run, None).await?;
    let cancelled = apply::cancel(&known, subject.cloud, run);
    let done = tokio::select! {
        done = lease.hold(|text| eprint(&text), cancelled) => done,
        () = lease.lost() => Vec::new(),
    };
    operation::release(lease, false).await;
    for (stack, done) in done {
        match done {
            Ok(text) => eprint(&format!("{stack}: {text}")),
            Err(error) => eprint(&format!("{stack} could not be cancelled: {error}")),
        }
    }
    Ok(())
}

/// What runs of a cluster, and what cancelling it would do; else why nothing can be cancelled.
async fn running(cloud: &Aws, cluster: &str) -> Result<Vec<Cancellation>, String> {
    let found = cloud.stacks(Some(cluster)).await;
    let found =
        found.map_err(|error| format!("the running operations could not be read: {error}"))?;
    let mut known: Vec<Cancellation> = Vec::new();
    for one in apply::cancellations(&found, cloud).await {
        match one {
            Ok(one) => known.push(one),
            Err(error) => eprint(&format!("one stack could not be read: {error}")),
        }
    }
    if known.is_empty() {
        return Err("no running operation can be cancelled".to_owned());
    }
    Ok(known)
}
