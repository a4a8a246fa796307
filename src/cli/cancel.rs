//! The second Ctrl-C: offers to cancel what a run that was just detached has begun.

use std::time::Duration;

use super::ask;
use super::out::talk;
use crate::apply::{self, Cancellation};
use crate::cloud::Cloud;
use crate::cloud::aws::Aws;

/// How long the second Ctrl-C is waited for: a detached run is gone within a second.
const GRACE: Duration = Duration::from_millis(800);

/// Waits a moment for a second Ctrl-C; then says what cancelling would do, asks, and does it.
pub async fn offer(cloud: &Aws, cluster: &str, run: &str) {
    if !ask::is_somebody() {
        return;
    }
    talk("detached; Ctrl-C once more, now, offers to cancel what runs");
    tokio::select! {
        () = ask::interrupted() => {}
        () = tokio::time::sleep(GRACE) => return,
    }
    let found = match cloud.stacks(Some(cluster)).await {
        Ok(found) => found,
        Err(error) => return talk(&format!("what runs could not be read: {error}")),
    };
    let mut known: Vec<Cancellation> = Vec::new();
    for one in apply::cancellations(&found, cloud).await {
        match one {
            Ok(one) => known.push(one),
            Err(error) => talk(&format!("one stack could not be read: {error}")),
        }
    }
    if known.is_empty() {
        return talk("nothing runs that could be cancelled");
    }
    for one in &known {
        talk(&format!("{}: {}", one.stack, one.description()));
    }
    if ask::yes("Cancel this now?").is_err() {
        return talk("nothing was cancelled");
    }
    for (stack, done) in apply::cancel(&known, cloud, run).await {
        match done {
            Ok(text) => talk(&format!("{stack}: {text}")),
            Err(error) => talk(&format!("{stack} could not be cancelled: {error}")),
        }
    }
}
