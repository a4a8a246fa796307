//! The second Ctrl-C: offers to cancel the operations of a run that was just detached.

use std::time::Duration;

use super::ask;
use super::out::eprint;
use crate::apply::{self, Cancellation};
use crate::cloud::Cloud;
use crate::cloud::aws::Aws;

/// How long to wait for the second Ctrl-C: a detached run ends within a second.
const GRACE: Duration = Duration::from_millis(800);

/// Waits a moment for a second Ctrl-C; then says what cancelling would do, asks, and does it.
pub async fn offer(cloud: &Aws, cluster: &str, run: &str) {
    if !ask::is_terminal() {
        return;
    }
    eprint(
        "Detached: AWS carries on. Press Ctrl-C again within 1 s to cancel the running operations.",
    );
    tokio::select! {
        () = ask::interrupted() => {}
        () = tokio::time::sleep(GRACE) => return,
    }
    let found = match cloud.stacks(Some(cluster)).await {
        Ok(found) => found,
        Err(error) => {
            return eprint(&format!(
                "the running operations could not be read: {error}"
            ));
        }
    };
    let mut known: Vec<Cancellation> = Vec::new();
    for one in apply::cancellations(&found, cloud).await {
        match one {
            Ok(one) => known.push(one),
            Err(error) => eprint(&format!("one stack could not be read: {error}")),
        }
    }
    if known.is_empty() {
        return eprint("no running operation can be cancelled");
    }
    for one in &known {
        eprint(&format!("{}: {}", one.stack, one.description()));
    }
    if ask::confirm("Cancel this now?").is_err() {
        return eprint("nothing was cancelled");
    }
    for (stack, done) in apply::cancel(&known, cloud, run).await {
        match done {
            Ok(text) => eprint(&format!("{stack}: {text}")),
            Err(error) => eprint(&format!("{stack} could not be cancelled: {error}")),
        }
    }
}
