//! `kube-cfn watch`: follows what moves in a cluster's stacks, whoever began it. Changes nothing.

use super::ending::{self, Showing};
use super::failure::{Exit, Failure};
use super::plan::run_id;
use super::session::{self, Whom};
use super::{Global, ask};
use crate::apply;
use crate::plan;
use crate::progress::Style;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    whom: Whom,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    target.introduce();
    let survey = plan::survey(&target.cloud, &target.name).await?;
    if survey.found.is_empty() {
        let message = format!("{} has no stacks here", target.name);
        return Err(Failure::other(message).help(target.again("apply")));
    }
    let places = target.places();
    let run = run_id();
    let report = ending::watched(Showing::plain(args.progress), async |events| {
        let about = apply::Session {
            explain: &places,
            ..apply::Session::new(&run, events)
        };
        apply::watch(&survey, &target.cloud, &about, ask::interrupted()).await
    })
    .await;
    ending::exit(&report, &target.again("watch"))
}
