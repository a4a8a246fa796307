//! Reads what machines said of a boot that failed: the log in the state bucket first, which has everything and no secrets,
//! else the console. Optional information: it never takes long, and a read that fails decides nothing.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join, join_all, select};

use super::cause;
use crate::cloud::remote::ObjectSummary;
use crate::cloud::{BOOT_LOGS, Console, Machine, StackEvent, Store, instance_of_log};
use crate::events::BootFinding;

/// How long the reads of one failure may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long the reads of a whole cluster may take.
const CLUSTER_LIMIT: Duration = Duration::from_secs(30);
/// How many consoles are read of a cluster's machines, the newest first.
const CONSOLES: usize = 20;
/// The parameter of a stack that names the state bucket.
const STATE_BUCKET: &str = "StateBucket";

/// The machine of a group that failed to boot, as far as the group's events name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FailedGroup {
    /// The name of the Auto Scaling group.
    name: Option<String>,
    /// The machine that signalled its failure.
    instance: Option<String>,
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
        }
    }
}

/// What the machine of a group said. `parameters` are those of its stack.
pub(super) async fn of_group(
    cloud: &impl Store,
    group: &FailedGroup,
    parameters: &BTreeMap<String, String>,
) -> Option<BootFinding> {
    let bucket = parameters.get(STATE_BUCKET);
    within(cloud, LIMIT, async {
        let named = async { log_of(cloud, bucket?, group.instance.as_deref()?).await };
        let (console, log) = join(console_of(cloud, group), named).await;
        let log = match (&log, &console, bucket) {
            // The console says which machine it is.
            (None, Some(console), Some(bucket)) if group.instance.is_none() => {
                log_of(cloud, bucket, &console.instance).await
            }
            _ => log,
        };
        log.or_else(|| console.as_ref().and_then(BootFinding::from_console))
    })
    .await
    .flatten()
}

async fn console_of(cloud: &impl Store, group: &FailedGroup) -> Option<Console> {
    let answer = match (&group.instance, &group.name) {
        (Some(instance), _) => cloud.console_of(instance).await,
        (None, Some(name)) => cloud.console(name).await,
        (None, None) => return None,
    };
    answer.ok().flatten()
}

/// What the newest log of a machine says.
async fn log_of(cloud: &impl Store, bucket: &str, instance: &str) -> Option<BootFinding> {
    let logs = cloud.objects(bucket, BOOT_LOGS).await.ok()?;
    let newest = newest_logs(&logs).remove(instance)?;
    read_log(cloud, bucket, instance, newest).await
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

/// What a log says; `None` where it can't be read, or the boot succeeded.
async fn read_log(
    cloud: &impl Store,
    bucket: &str,
    instance: &str,
    log: &ObjectSummary,
) -> Option<BootFinding> {
    let bytes = cloud.object(bucket, &log.key).await.ok().flatten()?;
    let text = String::from_utf8_lossy(&bytes);
    BootFinding::from_log(instance, &log.key, log.written, &text)
}

/// What is known of the boots of a cluster's machines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FailedMachines {
    /// Machines that run and whose last boot failed, each with the kind of its stack as far as that is known.
    pub found: Vec<(Option<String>, BootFinding)>,
    /// What could not be looked at.
    pub unknown: Vec<String>,
}

/// The machines of a cluster whose last boot failed. Reads what AWS has of them, whether the API answers or not.
pub async fn failed_machines(
    cloud: &impl Store,
    cluster: &str,
    bucket: Option<&str>,
) -> FailedMachines {
    let looked = within(cloud, CLUSTER_LIMIT, async {
        let mut unknown = Vec::new();
        let machines = cloud.machines(cluster).await.unwrap_or_else(|error| {
            unknown.push(format!("boots of machines: {error}"));
            Vec::new()
        });
        let logs = match bucket {
            Some(bucket) => cloud.objects(bucket, BOOT_LOGS).await,
            None => Ok(Vec::new()),
        };
        let logs = logs.unwrap_or_else(|error| {
            unknown.push(format!("boot logs of machines: {error}"));
            Vec::new()
        });
        let newest = newest_logs(&logs);
        let (logged, silent): (Vec<Machine>, Vec<Machine>) = machines
            .into_iter()
            .partition(|machine| newest.contains_key(machine.instance.as_str()));
        let silent = silent.into_iter().rev().take(CONSOLES);
        let finding = async |machine: Machine| {
            let log = newest.get(machine.instance.as_str()).copied();
            Some((
                machine.stack,
                of_machine(cloud, &machine.instance, bucket.zip(log)).await?,
            ))
        };
        let found = join_all(logged.into_iter().chain(silent).map(finding)).await;
        FailedMachines {
            found: found.into_iter().flatten().collect(),
            unknown,
        }
    })
    .await;
    looked.unwrap_or_else(|| FailedMachines {
        found: Vec::new(),
        unknown: vec!["boots of machines: no answer in time".to_owned()],
    })
}

/// Of a machine that runs: its newest log, unless its console says that it has booted since; boot files before the log
/// of a success leave nothing else.
async fn of_machine(
    cloud: &impl Store,
    instance: &str,
    log: Option<(&str, &ObjectSummary)>,
) -> Option<BootFinding> {
    let said = match log {
        Some((bucket, log)) => Some(read_log(cloud, bucket, instance, log).await?),
        None => None,
    };
    let console = cloud.console_of(instance).await.ok().flatten();
    if console.as_ref().is_some_and(BootFinding::succeeded) {
        return None;
    }
    // A machine that boots at this moment says things that look like errors, too.
    let on_console =
        || BootFinding::from_console(console.as_ref()?).filter(|found| found.has_ended);
    said.or_else(on_console)
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
