//! `kube-cfn watch`: follows the operations that run on a cluster's stacks, from any caller. Changes nothing.

use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::eprint;
use super::run::{self, ProgressOptions, run_id};
use super::{Global, ask};
use crate::apply;
use crate::operation;
use crate::plan;
use crate::progress::Style;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    print_running(&cluster).await;
    let survey = plan::survey(&cluster.cloud, &cluster.name).await?;
    if survey.found.is_empty() {
        return Err(cluster.no_stacks());
    }
    let places = cluster.places();
    let run = run_id();
    let report = run::with_progress(ProgressOptions::plain(args.progress), async |events| {
        let about = apply::Session {
            explain: &places,
            ..apply::Session::new(&run, events)
        };
        apply::watch(&survey, &cluster.cloud, &about, ask::interrupted()).await
    })
    .await;
    run::exit(&report, &cluster.command("watch"))
}

/// Says which run holds the operation lock, also while it has not begun an operation of CloudFormation yet.
async fn print_running(cluster: &Cluster) {
    match operation::read(&cluster.cloud, &cluster.name).await {
        Ok(None) => {}
        Ok(Some(running)) => eprint(&format!("{running} holds the operation lock")),
        Err(error) => eprint(&format!(
            "whether a run holds the operation lock is not known: {error}"
        )),
    }
}
