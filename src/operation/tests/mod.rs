//! The lock on the simulated cloud, in virtual time: taking it, losing it, and what a fault in between does.

mod interleaving;
mod taking;
mod watching;

use std::cell::RefCell;
use std::time::Duration;

use super::*;
use crate::cloud::{PutResult, Store as _};
use crate::common::Clock as _;
use crate::common::clock::elapsed;
use crate::simulated::{CallFault, FaultKind, Faults, Simulated, SimulationConfig};

const NAME: &str = "/kube-cfn/canary/operation";

fn cloud() -> Simulated {
    Simulated::new(SimulationConfig::default())
}

/// A claim of a process on another machine.
fn claim(cloud: &Simulated, host: &str) -> Claim {
    let caller = format!("arn:aws:iam::123456789012:user/{host}");
    let mut claim = Claim::new("canary", OperationVerb::Apply, host, &caller, cloud.now());
    host.clone_into(&mut claim.process.host);
    claim.process.boot = Some(host.to_owned());
    claim
}

async fn take<'a>(cloud: &'a Simulated, host: &str) -> Result<Lease<'a, Simulated>, LockError> {
    acquire(cloud, claim(cloud, host), None, |_| ()).await
}

/// Takes the lock, and says how many seconds that took.
async fn timed<'a>(
    cloud: &'a Simulated,
    host: &str,
) -> (Result<Lease<'a, Simulated>, LockError>, u64) {
    let start = cloud.now();
    let taken = take(cloud, host).await;
    (taken, elapsed(start, cloud.now()).as_secs())
}

/// Holds a lock for so many seconds.
async fn hold(lease: &Lease<'_, Simulated>, cloud: &Simulated, seconds: u64) {
    lease
        .hold(|_| (), cloud.sleep(Duration::from_secs(seconds)))
        .await;
}

fn holder(taken: &Result<Lease<'_, Simulated>, LockError>) -> String {
    match taken {
        Err(LockError::Held {
            holder: Some(holder),
            ..
        }) => holder.run.clone(),
        Err(error) => format!("{error}"),
        Ok(_) => "nobody".to_owned(),
    }
}

/// Whether a write of this process goes out within a second.
async fn writes(cloud: &Simulated, key: &str) -> bool {
    let write = cloud.put_parameter_if_absent(key, "1");
    tokio::select! {
        biased;
        put = write => put == Ok(PutResult::Stored),
        () = cloud.sleep(Duration::from_secs(1)) => false,
    }
}

fn strike(cloud: &Simulated, verb: &'static str, times: u32, kind: FaultKind) {
    let fault = CallFault {
        verb: Some(verb),
        about: None,
        after: 0,
        times,
        kind,
    };
    cloud.change_faults(|faults| faults.calls.insert(0, fault));
}

fn unreachable() -> CloudError {
    CloudError::Unreachable {
        operation: "PutParameter".to_owned(),
        message: "connection reset".to_owned(),
    }
}

async fn stored(cloud: &Simulated) -> Record {
    let found = cloud.versioned_parameter(NAME).await.expect("asked");
    Record::of(&found.expect("a lock")).expect("a valid record")
}
