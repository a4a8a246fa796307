//! `kube-cfn certs restore` and `kube-cfn certs backup`: the parameters of the authorities, and their copy in
//! the state bucket.

use crate::access::copy::{self, COPY_KEY, KeptCopy, StoredValues};
use crate::access::restore::{RestorePlan, restore_parameters};
use crate::access::{ClusterLife, Inventory, ParameterNames};
use crate::cli::Global;
use crate::cli::ask::YesArg;
use crate::cli::cluster::{Cluster, ClusterArg};
use crate::cli::error::{CommandError, Exit};
use crate::cli::out::{self, eprint};
use crate::cli::planning::list_authorities;
use crate::cloud::Cloud as _;
use crate::report::authorities as report;
use crate::stacks::{STATE_BUCKET, StackKind};

#[derive(clap::Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Show what would be restored; change nothing
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    yes: YesArg,
}

#[derive(clap::Args)]
pub struct BackupArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    #[command(flatten)]
    yes: YesArg,
}

/// What is stored of a cluster's authorities, and its copy.
struct Authorities {
    cluster: Cluster,
    bucket: String,
    /// ARN of the cluster's key.
    key: String,
    listed: Inventory,
    stored: StoredValues,
    copy: Option<StoredValues>,
}

pub async fn restore(global: &Global, args: &RestoreArgs) -> Result<Exit, CommandError> {
    let found = read(global, &args.cluster).await?;
    let name = &found.cluster.name;
    let plan = RestorePlan::of(&found.listed, &found.stored, found.copy.as_ref())?;
    out::data(&report::restore(&plan, found.copy.is_some()))?;
    let open: Vec<_> = plan
        .open()
        .map(|item| item.parameter.short.as_str())
        .collect();
    if plan.has_conflict() {
        let message = format!(
            "{name}: {} not restored; nothing was changed",
            open.join(", ")
        );
        let help = report::conflict_help(&plan, &found.listed, name);
        return Err(CommandError::refused(message).help(help));
    }
    let puts = plan.puts().count();
    if found.listed.life == ClusterLife::New && puts == 0 && !open.is_empty() {
        eprint(&format!(
            "no control plane of {name} has run yet: `kube-cfn apply {name}` makes what is missing"
        ));
        return Ok(Exit::Done);
    }
    if puts > 0 && !args.plan {
        args.yes.confirm("Restore them now?")?;
        let restored = restore_parameters(&found.cluster.cloud, &plan, &found.key).await?;
        eprint(&format!("restored {}", restored.join(", ")));
    }
    if !open.is_empty() {
        let message = format!("{name}: nothing here has {}", open.join(", "));
        let help = report::lost_help(&plan, &found.listed, &found.bucket, &found.key);
        return Err(CommandError::new(Exit::NeedsAction, message).help(help));
    }
    if puts == 0 {
        eprint(&format!(
            "all parameters of {name} are there: nothing to restore"
        ));
    }
    Ok(Exit::Done)
}

pub async fn backup(global: &Global, args: &BackupArgs) -> Result<Exit, CommandError> {
    let found = read(global, &args.cluster).await?;
    let (name, bucket) = (&found.cluster.name, &found.bucket);
    let place = format!("s3://{bucket}/{COPY_KEY}");
    let all = ParameterNames::of(name)?.all();
    // Of a lost one the copy may have the only value: it stays.
    let values = found.stored.or(found.copy.as_ref());
    if let Some(copy) = &found.copy {
        let mut old = copy.without(&all);
        old.extend(copy.differing(&values, &all));
        if old.is_empty() {
            eprint(&format!("{place} has what is stored: nothing to do"));
            return Ok(Exit::Done);
        }
        let names: Vec<_> = old.iter().map(|one| one.short.as_str()).collect();
        eprint(&format!(
            "{place} has other values of {}; they stay in its old version",
            names.join(", ")
        ));
    }
    args.yes.confirm(&format!("Write {place} now?"))?;
    match copy::replace_copy(&found.cluster.cloud, bucket, name, &values).await? {
        KeptCopy::Incomplete(missing) => {
            let message = format!("{} missing; the copy was not changed", missing.join(", "));
            let help = format!(
                "`{}` puts back what the copy has",
                found.cluster.command("certs restore")
            );
            Err(CommandError::refused(message).help(help))
        }
        KeptCopy::Mismatched(names) => {
            let message = format!(
                "{} does not belong to the secret beside it; the copy was not changed",
                names.join(", ")
            );
            let region = found.listed.region();
            let help = format!(
                "delete it (`aws ssm delete-parameter{region} --name NAME`), then `{}` computes it again",
                found.cluster.command("certs restore")
            );
            Err(CommandError::refused(message).help(help))
        }
        KeptCopy::Written | KeptCopy::Found => {
            eprint(&format!("wrote {place}"));
            Ok(Exit::Done)
        }
    }
}

async fn read(global: &Global, cluster: &ClusterArg) -> Result<Authorities, CommandError> {
    let cluster = cluster.open(global).await?;
    cluster.print_header();
    let stacks = cluster.cloud.stacks(Some(&cluster.name)).await?;
    let listed = list_authorities(&cluster.cloud, &cluster.name, &stacks).await?;
    if stacks.is_empty() && listed.refusal().is_none() {
        return Err(cluster.no_stacks().await);
    }
    let base = StackKind::Base.to_string();
    let base = stacks.into_iter().find(|stack| stack.kind == base);
    let bucket = base.and_then(|mut base| base.outputs.remove(STATE_BUCKET));
    let (Some(bucket), Some(key)) = (bucket, listed.key.clone()) else {
        let name = &cluster.name;
        let message = format!("{name} has no base stack, so no state bucket and no copy");
        let failure = CommandError::other(message);
        return Err(match listed.refusal() {
            Some(why) => failure.help(why.remedy),
            None => failure.help(format!("`{}` shows its stacks", cluster.command("status"))),
        });
    };
    let stored = copy::read_parameters(&cluster.cloud, &listed.readable()).await?;
    let copy = copy::read_copy(&cluster.cloud, &bucket, &cluster.name).await?;
    Ok(Authorities {
        cluster,
        bucket,
        key,
        listed,
        stored,
        copy,
    })
}
