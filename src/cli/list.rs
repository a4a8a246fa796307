//! `kube-cfn list`: the definitions, and the clusters in AWS, side by side.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;

use super::Global;
use super::error::{CommandError, Exit};
use super::guard::{self, PlaceGuard};
use super::out::{FormatArg, eprint};
use super::session;
use crate::catalog::regions;
use crate::cloud::Cloud;
use crate::definition::{self, DefinitionError, lock};
use crate::report::clusters::Clusters;
use crate::spec::ClusterSpec;
use crate::spec::rules::nearest;

#[derive(clap::Args)]
pub struct Args {
    /// Look for clusters in this region too; may be repeated
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    #[command(flatten)]
    output: FormatArg,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    // In any other directory than that of the definitions, clusters are looked for by --region alone.
    let is_default = global.clusters == Path::new(super::DEFAULT_CLUSTERS);
    if args.region.is_empty() || !is_default {
        session::require_clusters(global)?;
    }
    let mut clusters = defined(global)?;
    for region in &args.region {
        check_region(region, &clusters)?;
    }
    let regions: BTreeSet<String> = clusters.regions().chain(&args.region).cloned().collect();
    if regions.is_empty() {
        eprint(&format!(
            "no definition in {}, and no --region to look for clusters in",
            global.clusters.display()
        ));
    }
    for region in regions {
        let (cloud, identity) = session::connect(global, &region, &PlaceGuard::unbound()).await?;
        clusters.add_stacks(&cloud.stacks(None).await?, &identity);
    }
    args.output
        .print(&clusters.rows(), || clusters.table(Timestamp::now()))?;
    Ok(Exit::Done)
}

/// Adds a definition, with what its lock file says of its account. Where the two name other regions, clusters are looked
/// for in both.
fn add(clusters: &mut Clusters, spec: &ClusterSpec, path: &Path) -> Result<(), CommandError> {
    let locked = guard::read_lock(lock::path(path))?;
    let here = locked
        .as_ref()
        .filter(|(_, lock)| lock.region == spec.region);
    let account = here.map(|(_, lock)| lock.account.as_str());
    clusters.add_definition(spec, path.display().to_string(), account);
    if let Some((file, lock)) = locked.filter(|(_, lock)| lock.region != spec.region) {
        eprint(&format!(
            "{}: {} says that it is in {}, {} says {}: looked in both",
            spec.name,
            path.display(),
            spec.region,
            file.display(),
            lock.region
        ));
        clusters.also_in(&lock.region);
    }
    Ok(())
}

/// Refuses a region that does not exist; one that a definition names is taken as it is.
fn check_region(region: &String, clusters: &Clusters) -> Result<(), CommandError> {
    if regions::names().any(|known| known == region) || clusters.regions().any(|one| one == region)
    {
        return Ok(());
    }
    let wrong = |why: &str| CommandError::new(Exit::Usage, format!("`{region}` {why}"));
    if let Some(why) = regions::unsupported(region) {
        return Err(wrong(&format!("can have no cluster: {why}")));
    }
    let error = wrong("is not a known region");
    Err(match nearest(region, regions::names()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("a region that this version does not know: name it in a definition"),
    })
}

/// The definitions of the directory. One that is invalid is reported, and does not hide the others.
fn defined(global: &Global) -> Result<Clusters, CommandError> {
    let mut clusters = Clusters::default();
    for found in definition::find(&global.clusters)? {
        let path = found.path.display().to_string();
        match definition::load(&found.path) {
            Ok(spec) => add(&mut clusters, &spec, &found.path)?,
            Err(DefinitionError::Wrong(_)) => eprint(&format!(
                "{path} is invalid: `kube-cfn validate {}` shows why",
                found.name
            )),
            Err(other) => eprint(&format!("{other}")),
        }
    }
    Ok(clusters)
}
