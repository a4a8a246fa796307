//! `kube-cfn status`: how the stacks of a cluster stand in AWS.

use futures::future::try_join_all;
use jiff::Timestamp;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, Format};
use super::session::{self, Target, Whom};
use super::show::cluster::{Standing, text, view};
use crate::cloud::Cloud;
use crate::stacks::StackKind;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    whom: Whom,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    let standing = standing(&target).await?;
    if standing.is_empty() {
        let nothing = format!(
            "{} has no stacks in account {}, region {}",
            target.name, target.identity.account, target.identity.region
        );
        return Err(Failure::other(nothing).help(match target.defined {
            Some(_) => format!("create it with `kube-cfn apply {}`", target.name),
            None => format!(
                "`kube-cfn list --region {}` shows the clusters that live there",
                target.identity.region
            ),
        }));
    }
    let place = (
        target.identity.account.as_str(),
        target.identity.region.as_str(),
    );
    let view = view(&target.name, place, &wanted(&target)?, &standing);
    out::listed(args.output, &view, || text(&view, Timestamp::now()))?;
    Ok(Exit::Done)
}

/// The stacks that the definition asks for, in its order; none without a definition.
fn wanted(target: &Target) -> Result<Vec<StackKind>, Failure> {
    let Some(defined) = &target.defined else {
        return Ok(Vec::new());
    };
    Ok(session::design(defined)?
        .into_iter()
        .map(|stack| stack.kind)
        .collect())
}

async fn standing(target: &Target) -> Result<Vec<Standing>, Failure> {
    let mut found = target.cloud.stacks(Some(&target.name)).await?;
    found.sort_by_key(|found| StackKind::parse(&found.kind));
    let resources = found.iter().map(|found| target.cloud.resources(&found.id));
    let resources = try_join_all(resources).await?;
    let pairs = found.into_iter().zip(resources);
    Ok(pairs
        .map(|(found, resources)| Standing { found, resources })
        .collect())
}
