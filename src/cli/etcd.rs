//! `kube-cfn etcd`: takes and restores snapshots and replaces members, with the programs on the machines.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Global;
use super::ask::{ConfirmArg, YesArg, interrupted};
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::{Format, FormatArg, eprint};
use crate::cloud::Cloud as _;
use crate::cloud::aws::Aws;
use crate::etcd::{
    self, EtcdError, Members, OnHealthyMember, RestoreToken, Slot, SnapshotKey, Snapshots,
};
use crate::report::snapshots;
use crate::stacks::{STATE_BUCKET, StackKind};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Take a snapshot now, verify it and keep it in the state bucket
    Snapshot(SnapshotArgs),
    /// Show the snapshots in the state bucket, newest first
    List(ListArgs),
    /// Restore a snapshot; the API is unavailable for some minutes
    Restore(RestoreArgs),
    /// Replace a member; its data is copied from the others
    ReplaceMember(ReplaceArgs),
}

#[derive(clap::Args)]
struct SnapshotArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    #[command(flatten)]
    output: FormatArg,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    #[command(flatten)]
    output: FormatArg,
}

#[derive(clap::Args)]
struct RestoreArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Key of the snapshot, as `etcd list` shows it
    #[arg(required_unless_present = "abandon")]
    key: Option<SnapshotKey>,
    /// Resume the restore with this token [default: a new restore]
    #[arg(long, value_name = "TOKEN")]
    token: Option<RestoreToken>,
    /// Return to the old data; possible until a control-plane node has started the restored cluster
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["key", "token"])]
    abandon: Option<RestoreToken>,
    #[command(flatten)]
    confirm: ConfirmArg,
}

#[derive(clap::Args)]
struct ReplaceArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    /// The member (cp-b) or its control-plane node (b)
    member: String,
    /// Replace it even if it is healthy
    #[arg(long)]
    even_if_healthy: bool,
    #[command(flatten)]
    yes: YesArg,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    match &args.command {
        Command::Snapshot(args) => snapshot(global, args).await,
        Command::List(args) => list(global, args).await,
        Command::Restore(args) => restore(global, args).await,
        Command::ReplaceMember(args) => replace(global, args).await,
    }
}

async fn snapshot(global: &Global, args: &SnapshotArgs) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    let slots = slots(&cluster).await?;
    let taken = etcd::snapshot(&members(&cluster, slots)).await?;
    args.output.print(&taken, || taken.key.to_string())?;
    Ok(Exit::Done)
}

async fn list(global: &Global, args: &ListArgs) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    let bucket = state_bucket(&cluster).await?;
    let Snapshots { found, foreign } = etcd::list(&cluster.cloud, &bucket).await?;
    if let Some(warning) = snapshots::foreign(&bucket, &foreign) {
        eprint(&warning);
    }
    if found.is_empty() && args.output.output == Format::Table {
        eprint(&format!(
            "{} has no snapshots yet: the control plane takes one every half hour",
            cluster.name
        ));
    }
    args.output
        .print(&found, || snapshots::table(&found, Timestamp::now()))?;
    Ok(Exit::Done)
}

async fn restore(global: &Global, args: &RestoreArgs) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    let slots = slots(&cluster).await?;
    let name = &cluster.name;
    let command = cluster.command("etcd restore");
    if let Some(token) = &args.abandon {
        eprint(&format!(
            "every control-plane node of {name} returns to the data it had before the restore {token}"
        ));
        args.confirm
            .confirm(&format!("Type {name} to abandon the restore of it"), name)?;
        let again = format!("`{command} --abandon {token}` goes on");
        or_interrupted(etcd::abandon(&members(&cluster, slots), token), &again).await??;
        eprint(&format!("{name} serves its old data"));
        return Ok(Exit::Done);
    }
    let Some(key) = &args.key else {
        return Err(CommandError::new(Exit::Usage, "name a snapshot"));
    };
    require_verifiable(&cluster, key, args.token.as_ref()).await?;
    let token = token(&cluster, args)?;
    eprint(&snapshots::restore_steps(&slots, key));
    let again = format!("`{command} {key} --token {token}`");
    // Known before anything stops: a run that is killed says nothing.
    eprint(&format!(
        "the token of this restore is {token}; if it is cut off, resume with {again}"
    ));
    args.confirm
        .confirm(&format!("Type {name} to restore it"), name)?;
    let resume = format!(
        "resume with {again}; until a control-plane node has started the restored cluster, \
         `{command} --abandon {token}` returns to the old data"
    );
    let failed = |error: EtcdError| {
        // The machine says itself what to do, as where a restore with another token is not finished.
        let is_other = args.token.is_none() && matches!(error, EtcdError::Refused { .. });
        let failed = CommandError::new(Exit::NeedsAction, format!("failed to {error}"));
        if is_other {
            failed
        } else {
            failed.help(&resume)
        }
    };
    let members = members(&cluster, slots);
    or_interrupted(etcd::restore(&members, key, &token), &resume)
        .await?
        .map_err(failed)?;
    eprint(&format!(
        "{name} serves the data of {key}; the old data stays in /var/lib/etcd/aside of each control-plane node"
    ));
    Ok(Exit::Done)
}

/// What the work comes to, unless a signal comes first: then the error has `next`.
async fn or_interrupted<T>(work: impl Future<Output = T>, next: &str) -> Result<T, CommandError> {
    tokio::select! {
        done = work => Ok(done),
        () = interrupted() => {
            let message = "interrupted; what the machines have begun goes on there";
            Err(CommandError::new(Exit::Interrupted, message).help(next))
        }
    }
}

/// The token of a restore; a new restore starts a new etcd cluster under this name.
fn token(cluster: &Cluster, args: &RestoreArgs) -> Result<RestoreToken, CommandError> {
    if let Some(token) = &args.token {
        return Ok(token.clone());
    }
    let now = Timestamp::now().strftime("%Y%m%dt%H%M%S");
    let token = format!("{}-{now}", cluster.name).parse();
    token.map_err(|error| CommandError::other(format!("failed to name the restore: {error}")))
}

/// Refuses a snapshot that the bucket does not have, or that can't be verified, before anything stops.
async fn require_verifiable(
    cluster: &Cluster,
    key: &SnapshotKey,
    resumed: Option<&RestoreToken>,
) -> Result<(), CommandError> {
    let bucket = state_bucket(cluster).await?;
    let found = etcd::list(&cluster.cloud, &bucket).await?.found;
    let why = match found.iter().find(|one| one.key == *key) {
        Some(one) if one.verifiable => return Ok(()),
        Some(_) => format!("{key} has no checksum file; cannot verify it"),
        None => format!("{bucket} has no snapshot {key}"),
    };
    let there = snapshots::newest(&found);
    let help = match resumed {
        None => format!("{there}; see `{}`", cluster.command("etcd list")),
        Some(token) => format!(
            "{there}; `{} --abandon {token}` returns to the old data",
            cluster.command("etcd restore")
        ),
    };
    Err(CommandError::refused(format!("{why}; nothing was changed")).help(help))
}

async fn replace(global: &Global, args: &ReplaceArgs) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    let slots = slots(&cluster).await?;
    eprint(&format!(
        "replace {}: it is removed and added again, its data is copied from the other members;\n\
         its current data stays on its volume",
        args.member
    ));
    args.yes.confirm("Replace it now?")?;
    let healthy = if args.even_if_healthy {
        OnHealthyMember::Replace
    } else {
        OnHealthyMember::Keep
    };
    let again = cluster.command("etcd replace-member");
    let next = format!("re-run `{again} {}` to continue", args.member);
    let members = members(&cluster, slots);
    let replaced = etcd::replace(&members, &args.member, healthy);
    let done = or_interrupted(replaced, &next)
        .await?
        .map_err(|error| match error {
            EtcdError::NoSlot { .. } => {
                CommandError::new(Exit::Usage, format!("failed to {error}"))
            }
            EtcdError::Single(_) => CommandError::refused(format!("failed to {error}"))
                .help(format!("see `{}`", cluster.command("etcd list"))),
            error => CommandError::new(Exit::NeedsAction, format!("failed to {error}")).help(&next),
        })?;
    eprint(&if done {
        format!("{} is replaced, all members are healthy", args.member)
    } else {
        format!("{} is healthy: nothing to do", args.member)
    });
    Ok(Exit::Done)
}

fn members(cluster: &Cluster, slots: Vec<Slot>) -> Members<'_, Aws> {
    Members {
        cloud: &cluster.cloud,
        slots,
        on_step: &|step| eprint(&snapshots::step(step)),
    }
}

async fn slots(cluster: &Cluster) -> Result<Vec<Slot>, CommandError> {
    let outputs = outputs(cluster, &StackKind::ControlPlane).await?;
    let slots = etcd::slots(&outputs);
    if slots.is_empty() {
        return Err(stack_missing(cluster, &StackKind::ControlPlane));
    }
    Ok(slots)
}

async fn state_bucket(cluster: &Cluster) -> Result<String, CommandError> {
    let outputs = outputs(cluster, &StackKind::Base)
        .await?
        .remove(STATE_BUCKET);
    outputs.ok_or_else(|| stack_missing(cluster, &StackKind::Base))
}

async fn outputs(
    cluster: &Cluster,
    kind: &StackKind,
) -> Result<BTreeMap<String, String>, CommandError> {
    let found = cluster.cloud.stacks(Some(&cluster.name)).await?;
    if found.is_empty() {
        return Err(cluster.no_stacks().await);
    }
    let kind_name = kind.to_string();
    let stack = found.into_iter().find(|stack| stack.kind == kind_name);
    stack
        .map(|stack| stack.outputs)
        .ok_or_else(|| stack_missing(cluster, kind))
}

fn stack_missing(cluster: &Cluster, kind: &StackKind) -> CommandError {
    let stack = kind.stack_name(&cluster.name);
    cluster.missing(&format!("{stack} does not exist, or is not complete,"))
}

impl From<EtcdError> for CommandError {
    fn from(error: EtcdError) -> Self {
        Self::other(format!("failed to {error}"))
    }
}
