//! Reads what machines said of a boot that failed: the log in the state bucket first, which has everything and no secrets,
//! else the console. Optional information: it never takes long, and a read that fails decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join, join_all, select};

use super::cause;
use crate::cloud::remote::ObjectSummary;
use crate::cloud::{BOOT_LOGS, CloudError, Machine, StackEvent, Store, instance_of_log};
use crate::common::text::count;
use crate::events::BootFinding;

/// How long the reads of one failure may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the reads of a whole cluster may take.
const CLUSTER_LIMIT: Duration = Duration::from_secs(30);
/// How many consoles are read of a cluster's machines, the newest first.
const CONSOLES: usize = 20;
/// How many machines are read of a group that failed.
const MACHINES: usize = 4;
/// The parameter of a stack that names the state bucket.
const STATE_BUCKET: &str = "StateBucket";

/// The machine of a group that failed to boot, as far as the group's events name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FailedGroup {
    /// The name of the Auto Scaling group.
    name: Option<String>,
    /// The machine that signalled its failure.
    instance: Option<String>,
    /// Those that signalled their success.
    succeeded: BTreeSet<String>,
}

impl FailedGroup {
    /// Of the failed event of a group, and the events before it: not every failed event has a physical id.
    pub(super) fn new(failed: &StackEvent, events: &[StackEvent]) -> Self {
        let of_group = || {
            let same = |event: &&StackEvent| event.logical_id == failed.logical_id;
            events.iter().rev().filter(same).chain([failed])
        };
        let name = |event: &StackEvent| event.physical_id.clone().filter(|id| !id.is_empty());
        Self {
            name: name(failed).or_else(|| of_group().find_map(name)),
            instance: of_group()
                .filter_map(|event| event.reason.as_deref())
                .find_map(cause::signalling_instance)
                .map(str::to_owned),
            succeeded: of_group()
                .filter_map(|event| event.reason.as_deref())
                .filter_map(cause::booted_instance)
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// What a machine of a group said that has sent no SUCCESS: of the few newest, the first that says why. `parameters` are
/// those of its stack.
pub(super) async fn of_group(
    cloud: &impl Store,
    group: &FailedGroup,
    parameters: &BTreeMap<String, String>,
) -> Option<BootFinding> {
    let bucket = parameters.get(STATE_BUCKET);
    within(cloud, LIMIT, async {
        let (instances, logs) = join(group.instances(cloud), logs_in(cloud, bucket)).await;
        let logs = logs.unwrap_or_default();
        let newest = newest_logs(&logs);
        let said = instances.iter().map(async |instance| {
            let log = bucket.zip(newest.get(instance.as_str()).copied());
            said_by(cloud, instance, log).await
        });
        join_all(said).await.into_iter().flatten().next()
    })
    .await
    .flatten()
}

impl FailedGroup {
    /// The machines to read: the one that signalled its failure, then the newest.
    async fn instances(&self, cloud: &impl Store) -> Vec<String> {
        let signalled = self.instance.iter().cloned();
        let Some(name) = self.name.as_deref().filter(|_| self.instance.is_none()) else {
            return signalled.collect();
        };
        let machines = cloud.machines_of(name).await.unwrap_or_default();
        let silent = machines
            .into_iter()
            .map(|machine| machine.instance)
            .filter(|instance| !self.succeeded.contains(instance));
        silent.take(MACHINES).collect()
    }
}

/// The log of a machine, else its console, where that says why it did not boot.
async fn said_by(
    cloud: &impl Store,
    instance: &str,
    log: Option<(&String, &ObjectSummary)>,
) -> Option<BootFinding> {
    let console = async { cloud.console_of(instance).await.ok().flatten() };
    let logged = async {
        let (bucket, log) = log?;
        read_log(cloud, bucket, instance, log).await.ok()?
    };
    let (logged, console) = join(logged, console).await;
    logged.or_else(|| BootFinding::from_console(&console?))
}

/// The stored logs of all machines.
async fn logs_in(
    cloud: &impl Store,
    bucket: Option<&String>,
) -> Result<Vec<ObjectSummary>, CloudError> {
    match bucket {
        Some(bucket) => cloud.objects(bucket, BOOT_LOGS).await,
        None => Ok(Vec::new()),
    }
}

/// The newest log of each machine.
fn newest_logs(logs: &[ObjectSummary]) -> BTreeMap<&str, &ObjectSummary> {
    let mut newest: BTreeMap<&str, &ObjectSummary> = BTreeMap::new();
    for log in logs {
        let Some(instance) = instance_of_log(&log.key) else {
            continue;
        };
        let known = newest.entry(instance).or_insert(log);
        if known.key < log.key {
            *known = log;
        }
    }
    newest
}

/// What a log says; `None` where the boot succeeded.
///
/// # Errors
/// Where it can't be read, or is gone.
async fn read_log(
    cloud: &impl Store,
    bucket: &str,
    instance: &str,
    log: &ObjectSummary,
) -> Result<Option<BootFinding>, CloudError> {
    let Some(bytes) = cloud.object(bucket, &log.key).await? else {
        return Err(CloudError::NotFound(format!("{bucket}/{}", log.key)));
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(BootFinding::from_log(
        instance,
        &log.key,
        log.written,
        &text,
    ))
}

/// What is known of the boots of a cluster's machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailedMachines {
    /// Machines that run and whose last boot failed, each with the kind of its stack as far as that is known.
    pub found: Vec<(Option<String>, BootFinding)>,
    /// What could not be looked at.
    pub unknown: Vec<String>,
}

/// The machines of a cluster whose last boot failed. Reads what AWS has of them, whether the API answers or not. `bucket` is
/// the state bucket; `None` where its stack names none.
pub async fn failed_machines(
    cloud: &impl Store,
    cluster: &str,
    bucket: Option<&str>,
) -> FailedMachines {
    let looked = within(cloud, CLUSTER_LIMIT, look(cloud, cluster, bucket)).await;
    looked.unwrap_or_else(|| FailedMachines {
        found: Vec::new(),
        unknown: vec!["boots of machines: no answer in time".to_owned()],
    })
}

async fn look(cloud: &impl Store, cluster: &str, bucket: Option<&str>) -> FailedMachines {
    let mut all = FailedMachines::default();
    let machines = cloud.machines(cluster).await.unwrap_or_else(|error| {
        all.unknown.push(format!("boots of machines: {error}"));
        Vec::new()
    });
    if machines.is_empty() {
        return all;
    }
    let logs = match bucket {
        Some(bucket) => cloud
            .objects(bucket, BOOT_LOGS)
            .await
            .map_err(|error| error.to_string()),
        None => Err("the base stack names no state bucket".to_owned()),
    };
    let logs = logs.unwrap_or_else(|error| {
        all.unknown.push(format!("boot logs of machines: {error}"));
        Vec::new()
    });
    let newest = newest_logs(&logs);
    let (logged, silent): (Vec<Machine>, Vec<Machine>) = machines
        .into_iter()
        .partition(|machine| newest.contains_key(machine.instance.as_str()));
    if silent.len() > CONSOLES {
        let rest = count(silent.len() - CONSOLES, "machine");
        all.unknown.push(format!(
            "boots of {rest}: only the consoles of the {CONSOLES} newest are read"
        ));
    }
    let silent = silent.into_iter().rev().take(CONSOLES);
    let looks = logged.into_iter().chain(silent).map(async |machine| {
        let log = bucket.zip(newest.get(machine.instance.as_str()).copied());
        let (found, unknown) = of_machine(cloud, &machine.instance, log).await;
        (machine.stack, found, unknown)
    });
    for (stack, found, unknown) in join_all(looks).await {
        all.found.extend(found.map(|found| (stack, found)));
        all.unknown.extend(unknown);
    }
    all
}

/// Of a machine that runs: its newest log, unless its console says that it has booted since; boot files before the log
/// of a success leave nothing else. With it, what could not be looked at.
async fn of_machine(
    cloud: &impl Store,
    instance: &str,
    log: Option<(&str, &ObjectSummary)>,
) -> (Option<BootFinding>, Vec<String>) {
    let mut unknown = Vec::new();
    let said = match log {
        Some((bucket, log)) => match read_log(cloud, bucket, instance, log).await {
            // It has booted.
            Ok(None) => return (None, unknown),
            Ok(said) => said,
            Err(error) => {
                unknown.push(format!("boot log of {instance}: {error}"));
                None
            }
        },
        None => None,
    };
    let console = cloud.console_of(instance).await.unwrap_or_else(|error| {
        unknown.push(format!("console of {instance}: {error}"));
        None
    });
    if console.as_ref().is_some_and(BootFinding::succeeded) {
        // Whatever the log would say is over.
        return (None, Vec::new());
    }
    // A machine that boots at this moment says things that look like errors, too.
    let on_console =
        || BootFinding::from_console(console.as_ref()?).filter(|found| found.has_ended);
    let found = said.or_else(on_console);
    (found, unknown)
}

/// The result of a work that takes no longer than this.
async fn within<T>(
    cloud: &impl Store,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(work), pin!(cloud.sleep(limit))).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn newest_log_of_each_machine_counts() {
        let log = |key: &str| ObjectSummary {
            key: key.to_owned(),
            bytes: 1,
            written: Timestamp::UNIX_EPOCH,
        };
        let logs = [
            log("boot/A:i-0a/20261130T000200Z.log"),
            log("boot/A:i-0a/20261130T000100Z.log"),
            log("boot/B:i-0b/20261130T000000Z.log"),
            log("boot/B:someone/20261130T000000Z.log"),
        ];
        let newest = newest_logs(&logs);
        let keys: Vec<&str> = newest.values().map(|log| log.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "boot/A:i-0a/20261130T000200Z.log",
                "boot/B:i-0b/20261130T000000Z.log"
            ]
        );
    }
}
