//! `kube-cfn diagnose`: why the last operation on each stack failed, from AWS's own history.

use std::fmt::Write;

use serde::Serialize;

use super::Global;
use super::cluster::ClusterArg;
use super::error::{CommandError, Exit};
use super::out::{self, TextFormat, eprint};

use crate::apply::diagnose::diagnose;
use crate::events;
use crate::plan;
use crate::progress;
use crate::stacks::StackKind;

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
    if args.output == TextFormat::Json {
        let views: Vec<View<'_>> = found
            .iter()
            .map(|(stack, diagnosis)| View {
                stack,
                at: diagnosis.at,
                failure: &diagnosis.failure,
            })
            .collect();
        out::data(&out::json(&views)?)?;
        return Ok(Exit::Done);
    }
    if found.is_empty() {
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
    out::text(&text)?;
    Ok(Exit::Done)
}
