//! `kube-cfn list`: the definitions, and the clusters in AWS, side by side.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Global;
use super::error::{CommandError, Exit};
use super::out::{FormatArg, eprint};
use super::session;
use crate::cloud::Cloud;
use crate::definition::{self, DefinitionError};
use crate::report::clusters::Clusters;

#[derive(clap::Args)]
pub struct Args {
    /// Look for clusters in this region too; may be repeated
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    #[command(flatten)]
    output: FormatArg,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let mut clusters = defined(global)?;
    let regions: BTreeSet<String> = clusters.regions().chain(&args.region).cloned().collect();
    if regions.is_empty() {
        eprint(&format!(
            "no definition in {}, and no --region to look for clusters in",
            global.clusters.display()
        ));
    }
    for region in regions {
        let (cloud, identity) = session::connect(global, &region).await?;
        clusters.add_stacks(&cloud.stacks(None).await?, &identity);
    }
    args.output
        .print(&clusters.rows(), || clusters.table(Timestamp::now()))?;
    Ok(Exit::Done)
}

/// The definitions of the directory. One that is invalid is reported, and does not hide the others.
fn defined(global: &Global) -> Result<Clusters, CommandError> {
    let mut clusters = Clusters::default();
    for found in definition::find(&global.clusters)? {
        let path = found.path.display().to_string();
        match definition::load(&found.path) {
            Ok(spec) => clusters.add_definition(&spec, path),
            Err(DefinitionError::Wrong(_)) => eprint(&format!(
                "{path} is invalid: `kube-cfn validate {}` shows why",
                found.name
            )),
            Err(other) => eprint(&format!("{other}")),
        }
    }
    Ok(clusters)
}
