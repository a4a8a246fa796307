//! `kube-cfn diagnose`: why the last operation on each stack failed, from AWS's own history, which machines did not
//! boot, and whether the cluster itself is healthy.

use std::fmt::Write;

use serde::Serialize;

use super::Global;
use super::api_access::ApiArgs;
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::{self, TextFormat, eprint};
use super::status;
use crate::apply::diagnose::{FailedMachines, diagnose, failed_machines};
use crate::common::text::count;
use crate::events::{self, BootFinding, Diagnosis};
use crate::plan::{self, Survey};
use crate::progress;
use crate::report::cluster::{Health, OutsideRow, StatusView, health, network_lines};
use crate::stacks::{STATE_BUCKET, StackKind};

/// Version of what `-o json` prints.
const SCHEMA: u32 = 1;

#[derive(clap::Args)]
#[command(after_long_help = "\
Exits with 4 when a failure is found or something is not healthy, with 1 when something could not be looked at. An update \
that failed and was rolled back is shown, and no part of that. Exits with 0 when stacks, Kubernetes and authorities were looked at and nothing is wrong.")]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: TextFormat,
    #[command(flatten)]
    api: ApiArgs,
}

/// What was found out, for `-o json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiagnosisView<'a> {
    schema: u32,
    cluster: &'a str,
    account: &'a str,
    region: &'a str,
    verdict: HealthVerdict,
    /// Stacks whose newest operation failed.
    failures: Vec<FailureView<'a>>,
    /// Machines that run and whose last boot failed.
    machines: Vec<MachineView<'a>>,
    /// What keeps the network's stack from being deleted, where a deletion has come so far.
    holds_network: &'a [OutsideRow],
    /// What is wrong now, in words.
    unhealthy: &'a [String],
    /// What could not be looked at, and why.
    not_looked_at: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureView<'a> {
    stack: &'a StackKind,
    at: jiff::Timestamp,
    /// Whether the stack is as it was before: then it is no part of the verdict.
    is_over: bool,
    failure: &'a events::Failure,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MachineView<'a> {
    stack: Option<&'a str>,
    machine: &'a BootFinding,
}

impl Found {
    /// Stacks whose newest operation failed, and left them so.
    fn failed(&self) -> impl Iterator<Item = &StackKind> {
        let open = self.failures.iter().filter(|(_, one)| !one.is_over);
        open.map(|(stack, _)| stack)
    }
}

/// What failed.
struct Found {
    /// Stacks whose newest operation failed.
    failures: Vec<(StackKind, Diagnosis)>,
    machines: Vec<(Option<String>, BootFinding)>,
    /// What keeps the network from being deleted, in lines, and as data.
    held: Vec<String>,
    holds_network: Vec<OutsideRow>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum HealthVerdict {
    Healthy,
    Unhealthy,
    /// Nothing is known to be wrong, but not everything could be looked at.
    Unknown,
}

impl HealthVerdict {
    fn of(failures: usize, health: &Health) -> Self {
        let Health {
            unhealthy,
            unknown,
            lost: _,
            remarks: _,
        } = health;
        if failures > 0 || !unhealthy.is_empty() {
            Self::Unhealthy
        } else if unknown.is_empty() {
            Self::Healthy
        } else {
            Self::Unknown
        }
    }
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    let survey = plan::survey(&cluster.cloud, &cluster.name).await?;
    if survey.found.is_empty() {
        return Err(cluster.no_stacks().await);
    }
    let places = cluster.places();
    let (failures, view, machines) = futures::try_join!(
        async { Ok(diagnose(&survey, &cluster.cloud, &places).await?) },
        status::look(&cluster, &args.api),
        async { Ok(machines_of(&cluster, &survey).await) }
    )?;
    let mut health = health(&view);
    let FailedMachines { mut found, unknown } = machines;
    // It has booted, whatever an old log says: boot files before this version store none of a success.
    let kubernetes = view.kubernetes.as_ref();
    found.retain(|(_, boot)| !kubernetes.is_some_and(|api| api.has_ready_node(&boot.instance)));
    let failed_boot = |(_, boot): &(Option<String>, BootFinding)| {
        format!("the boot of {} failed: {}", boot.instance, boot.reason())
    };
    health.unhealthy.extend(found.iter().map(failed_boot));
    health.unknown.extend(unknown);
    let found = Found {
        failures,
        machines: found,
        held: network_lines(&view),
        holds_network: holds_network(&view),
    };
    let verdict = HealthVerdict::of(found.failed().count(), &health);
    match args.output {
        TextFormat::Json => print_json(&cluster, &found, &health, verdict)?,
        TextFormat::Text => {
            let text = text(&cluster, &found);
            if !text.is_empty() {
                out::text(&text)?;
            }
        }
    }
    let verdict = (verdict, args.api.server());
    exit(&cluster, survey.found.len(), &found, &health, verdict)
}

/// The machines whose last boot failed, from their logs and consoles.
async fn machines_of(cluster: &Cluster, survey: &Survey) -> FailedMachines {
    let base = survey.named(&StackKind::Base.stack_name(&cluster.name));
    let bucket = base.and_then(|base| base.outputs.get(STATE_BUCKET));
    failed_machines(&cluster.cloud, &cluster.name, bucket.map(String::as_str)).await
}

fn print_json(
    cluster: &Cluster,
    found: &Found,
    health: &Health,
    verdict: HealthVerdict,
) -> Result<(), CommandError> {
    let views = found.failures.iter().map(|(stack, diagnosis)| FailureView {
        stack,
        at: diagnosis.at,
        is_over: diagnosis.is_over,
        failure: &diagnosis.failure,
    });
    let machines = found.machines.iter().map(|(stack, machine)| MachineView {
        stack: stack.as_deref(),
        machine,
    });
    let view = DiagnosisView {
        schema: SCHEMA,
        cluster: &cluster.name,
        account: &cluster.identity.account,
        region: &cluster.identity.region,
        verdict,
        failures: views.collect(),
        machines: machines.collect(),
        holds_network: &found.holds_network,
        unhealthy: &health.unhealthy,
        not_looked_at: &health.unknown,
    };
    out::data(&out::json(&view)?)
}

fn text(cluster: &Cluster, found: &Found) -> String {
    let mut text = String::new();
    for (stack, diagnosis) in &found.failures {
        for line in progress::report(
            &cluster.argument(),
            stack,
            diagnosis,
            80,
            progress::FailureDetail::Full,
        ) {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{line}");
        }
    }
    for (stack, boot) in &found.machines {
        for line in progress::failed_boot(stack.as_deref(), boot, 80) {
            let _ = writeln!(text, "{line}");
        }
    }
    for line in &found.held {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn holds_network(view: &StatusView) -> Vec<OutsideRow> {
    let outside = view.outside.as_ref();
    outside.map_or_else(Vec::new, |outside| outside.holds_network().to_vec())
}

/// Says what was looked at; the verdict is about that alone.
fn exit(
    cluster: &Cluster,
    stacks: usize,
    found: &Found,
    health: &Health,
    (verdict, server): (HealthVerdict, Option<&str>),
) -> Result<Exit, CommandError> {
    let name = &cluster.name;
    for (stack, _) in found.failures.iter().filter(|(_, one)| one.is_over) {
        eprint(&format!(
            "{name}: the last update of {stack} failed and was rolled back; the stack is as it was before"
        ));
    }
    // Where a deletion was not begun, that is no all-clear.
    if found.failures.is_empty() && found.held.is_empty() {
        eprint(&format!(
            "{name}: the last operation on each of its {} succeeded",
            count(stacks, "stack")
        ));
    }
    let unseen = health.unknown.join("; ");
    match verdict {
        HealthVerdict::Healthy => {
            eprint(&format!(
                "{name} is healthy: its stacks, the boots of its machines, its API with nodes and pods, and its authorities were looked at"
            ));
            Ok(Exit::Done)
        }
        HealthVerdict::Unknown => {
            let error = CommandError::other(format!("could not check: {unseen}"));
            Err(match server {
                Some(_) => error,
                None => error.help(cluster.look_closer()),
            })
        }
        HealthVerdict::Unhealthy => {
            if !unseen.is_empty() {
                eprint(&format!("could not check: {unseen}"));
            }
            let failed = found
                .failed()
                .map(|stack| format!("the last operation on {stack} failed"));
            let wrong: Vec<String> = failed.chain(health.unhealthy.iter().cloned()).collect();
            let message = format!("{name} is not healthy: {}", wrong.join("; "));
            let error = CommandError::new(Exit::NeedsAction, message);
            Err(match &health.lost {
                Some(remedy) => error.help(remedy),
                None if found.failed().next().is_none() && found.machines.is_empty() => {
                    error.help(format!(
                        "`{}` shows stacks, nodes and what is missing",
                        cluster.command("status")
                    ))
                }
                None => error.help("see the cause above"),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdict_is_about_what_was_looked_at() {
        let health = |unhealthy: &[&str], unknown: &[&str]| Health {
            unhealthy: unhealthy.iter().map(ToString::to_string).collect(),
            unknown: unknown.iter().map(ToString::to_string).collect(),
            lost: None,
            remarks: Vec::new(),
        };
        assert_eq!(
            HealthVerdict::of(0, &health(&[], &[])),
            HealthVerdict::Healthy
        );
        assert_eq!(
            HealthVerdict::of(0, &health(&[], &["API"])),
            HealthVerdict::Unknown
        );
        assert_eq!(
            HealthVerdict::of(0, &health(&["node"], &["API"])),
            HealthVerdict::Unhealthy
        );
        assert_eq!(
            HealthVerdict::of(1, &health(&[], &["API"])),
            HealthVerdict::Unhealthy
        );
    }
}
