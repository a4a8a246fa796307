//! `kube-cfn diagnose`: why the last operation on each stack failed, from AWS's own history, and which machines did not
//! boot.

use std::fmt::Write;

use serde::Serialize;

use super::Global;
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::{self, TextFormat, eprint};

use crate::apply::diagnose::{diagnose, failed_machines};
use crate::events;
use crate::plan;
use crate::progress;
use crate::stacks::{STATE_BUCKET, StackKind};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: TextFormat,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MachineView<'a> {
    stack: Option<&'a str>,
    machine: &'a events::BootFinding,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Stack(View<'a>),
    Machine(MachineView<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    stack: &'a StackKind,
    at: jiff::Timestamp,
    failure: &'a events::Failure,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    let survey = plan::survey(&cluster.cloud, &cluster.name).await?;
    if survey.found.is_empty() {
        return Err(cluster.no_stacks());
    }
    let places = cluster.places();
    let found = diagnose(&survey, &cluster.cloud, &places).await?;
    let machines = machines_of(&cluster, &survey).await;
    if args.output == TextFormat::Json {
        let stacks = found.iter().map(|(stack, diagnosis)| {
            Entry::Stack(View {
                stack,
                at: diagnosis.at,
                failure: &diagnosis.failure,
            })
        });
        let machines = machines.iter().map(|(stack, machine)| {
            let stack = stack.as_deref();
            Entry::Machine(MachineView { stack, machine })
        });
        let views: Vec<Entry<'_>> = stacks.chain(machines).collect();
        out::data(&out::json(&views)?)?;
        return Ok(Exit::Done);
    }
    if found.is_empty() && machines.is_empty() {
        eprint(&format!(
            "{}: the last operation on each of its {} stacks succeeded",
            cluster.name,
            survey.found.len()
        ));
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for (stack, diagnosis) in &found {
        for line in progress::report(
            &cluster.name,
            stack,
            diagnosis,
            80,
            progress::FailureDetail::Full,
        ) {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{line}");
        }
    }
    for (stack, boot) in &machines {
        for line in progress::failed_boot(stack.as_deref(), boot, 80) {
            let _ = writeln!(text, "{line}");
        }
    }
    out::text(&text)?;
    Ok(Exit::Done)
}

/// The machines whose last boot failed, from their logs and consoles.
async fn machines_of(
    cluster: &Cluster,
    survey: &plan::Survey,
) -> Vec<(Option<String>, events::BootFinding)> {
    let base = survey.named(&StackKind::Base.stack_name(&cluster.name));
    let bucket = base.and_then(|base| base.outputs.get(STATE_BUCKET));
    failed_machines(&cluster.cloud, &cluster.name, bucket.map(String::as_str)).await
}
