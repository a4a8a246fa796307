//! `kube-cfn etcd`: snapshots, a restore, a member replaced, by the programs on the cluster's machines.

use jiff::Timestamp;

use super::failure::{Exit, Failure};
use super::out::{self, Format, talk};
use super::session::{self, Target, Whom};
use super::{Global, ask};
use crate::cloud::Cloud;
use crate::cloud::aws::Aws;
use crate::etcd::{self, EtcdError, Healthy, Members, Slot};
use crate::report::snapshots;
use crate::stacks::{STATE_BUCKET, StackKind};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// Take a snapshot now, verify it and keep it in the state bucket
    Snapshot(SnapshotArgs),
    /// Show the snapshots in the state bucket, newest first
    List(ListArgs),
    /// Go back to a snapshot; the API is away for some minutes
    Restore(RestoreArgs),
    /// Make the member of a slot anew from what the others have
    ReplaceMember(ReplaceArgs),
}

#[derive(clap::Args)]
struct SnapshotArgs {
    #[command(flatten)]
    whom: Whom,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    whom: Whom,
    /// How to print the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(clap::Args)]
struct RestoreArgs {
    #[command(flatten)]
    whom: Whom,
    /// Key of the snapshot, as `etcd list` shows it
    #[arg(required_unless_present = "abandon")]
    key: Option<String>,
    /// Go on with the restore that has this token [default: a new restore]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Go back to the old data, as long as no slot has begun the restored cluster
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["key", "token"])]
    abandon: Option<String>,
    /// The cluster's name once more, instead of typing it when asked
    #[arg(long, value_name = "NAME")]
    yes: Option<String>,
}

#[derive(clap::Args)]
struct ReplaceArgs {
    #[command(flatten)]
    whom: Whom,
    /// The member (cp-b) or its slot (b)
    member: String,
    /// Replace it even if it serves
    #[arg(long)]
    even_if_healthy: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    match &args.command {
        Verb::Snapshot(args) => snapshot(global, args).await,
        Verb::List(args) => list(global, args).await,
        Verb::Restore(args) => restore(global, args).await,
        Verb::ReplaceMember(args) => replace(global, args).await,
    }
}

async fn snapshot(global: &Global, args: &SnapshotArgs) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    target.introduce();
    let slots = slots(&target).await?;
    let taken = etcd::snapshot(&members(&target, slots)).await?;
    out::listed(args.output, &taken, || taken.key.clone())?;
    Ok(Exit::Done)
}

async fn list(global: &Global, args: &ListArgs) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    let bucket = output(&target, &StackKind::Base, STATE_BUCKET).await?;
    let found = etcd::list(&target.cloud, &bucket).await?;
    if found.is_empty() && args.output == Format::Table {
        talk(&format!(
            "{} has no snapshots yet: the control plane takes one every half hour",
            target.name
        ));
    }
    out::listed(args.output, &found, || {
        snapshots::table(&found, Timestamp::now())
    })?;
    Ok(Exit::Done)
}

async fn restore(global: &Global, args: &RestoreArgs) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    target.introduce();
    let slots = slots(&target).await?;
    let name = &target.name;
    if let Some(token) = &args.abandon {
        talk(&format!(
            "every slot of {name} goes back to the data it had before the restore {token}"
        ));
        agree(&target, args, "abandon the restore of")?;
        etcd::abandon(&members(&target, slots), token).await?;
        talk(&format!("{name} serves its old data"));
        return Ok(Exit::Done);
    }
    let key = args.key.as_deref().unwrap_or_default();
    let token = token(&target, args);
    if args.token.is_none() {
        known(&target, key).await?;
    }
    talk(&snapshots::restore_steps(&slots, key));
    agree(&target, args, "restore")?;
    let again = format!("kube-cfn etcd restore {name} {key} --token {token}");
    let failed = |error: EtcdError| {
        Failure::new(Exit::NeedsHand, format!("failed to {error}")).help(format!(
            "go on with `{again}`; as long as no slot has begun the restored cluster, \
             `kube-cfn etcd restore {name} --abandon {token}` goes back"
        ))
    };
    etcd::restore(&members(&target, slots), key, &token)
        .await
        .map_err(failed)?;
    talk(&format!(
        "{name} serves what {key} holds; the old data stays in /var/lib/etcd/aside of each slot"
    ));
    Ok(Exit::Done)
}

/// A new restore is a new cluster with a name of its own.
fn token(target: &Target, args: &RestoreArgs) -> String {
    let now = || {
        let now = Timestamp::now().strftime("%Y%m%dt%H%M%S");
        format!("{}-{now}", target.name)
    };
    args.token.clone().unwrap_or_else(now)
}

/// Refuses a snapshot that the bucket does not have before anything stops.
async fn known(target: &Target, key: &str) -> Result<(), Failure> {
    let bucket = output(target, &StackKind::Base, STATE_BUCKET).await?;
    let found = etcd::list(&target.cloud, &bucket).await?;
    match found.iter().find(|one| one.key == key) {
        Some(one) if one.verifiable => Ok(()),
        Some(_) => Err(Failure::refused(format!(
            "{key} has no sum beside it, so nobody can tell whether it is whole; nothing was changed"
        ))),
        None => Err(Failure::refused(format!(
            "{bucket} has no snapshot {key}; nothing was changed"
        ))
        .help(format!("see `{}`", target.again("etcd list")))),
    }
}

fn agree(target: &Target, args: &RestoreArgs, verb: &str) -> Result<(), Failure> {
    let name = &target.name;
    match &args.yes {
        Some(yes) if yes == name => Ok(()),
        Some(other) => Err(Failure::refused(format!(
            "--yes {other} is not {name}; nothing was changed"
        ))),
        None => ask::typed(&format!("Type {name} to {verb} it"), name),
    }
}

async fn replace(global: &Global, args: &ReplaceArgs) -> Result<Exit, Failure> {
    let target = session::target(global, &args.whom).await?;
    target.introduce();
    let slots = slots(&target).await?;
    talk(&format!(
        "replace {}: the others take it out and in again, its data is made anew from theirs;\n\
         what it has now stays aside on its volume",
        args.member
    ));
    if !args.yes {
        ask::yes("Go on?")?;
    }
    let healthy = if args.even_if_healthy {
        Healthy::Replace
    } else {
        Healthy::Keep
    };
    let again = target.again("etcd replace-member");
    let done = etcd::replace(&members(&target, slots), &args.member, healthy)
        .await
        .map_err(|error| match error {
            EtcdError::NoSlot { .. } => Failure::new(Exit::Usage, format!("failed to {error}")),
            EtcdError::Single(_) => Failure::refused(format!("failed to {error}"))
                .help(format!("see `{}`", target.again("etcd list"))),
            error => Failure::new(Exit::NeedsHand, format!("failed to {error}"))
                .help(format!("re-run `{again} {}` to continue", args.member)),
        })?;
    talk(&if done {
        format!("{} is replaced, all members serve", args.member)
    } else {
        format!("{} serves: nothing to do", args.member)
    });
    Ok(Exit::Done)
}

fn members(target: &Target, slots: Vec<Slot>) -> Members<'_, Aws> {
    Members {
        cloud: &target.cloud,
        slots,
        told: &|step| talk(&snapshots::step(step)),
    }
}

async fn slots(target: &Target) -> Result<Vec<Slot>, Failure> {
    let outputs = outputs(target, &StackKind::ControlPlane).await?;
    let slots = etcd::slots(&outputs);
    if slots.is_empty() {
        return Err(unmade(target, &StackKind::ControlPlane));
    }
    Ok(slots)
}

async fn output(target: &Target, kind: &StackKind, key: &str) -> Result<String, Failure> {
    let mut outputs = outputs(target, kind).await?;
    outputs.remove(key).ok_or_else(|| unmade(target, kind))
}

async fn outputs(
    target: &Target,
    kind: &StackKind,
) -> Result<std::collections::BTreeMap<String, String>, Failure> {
    let name = kind.stack_name(&target.name);
    let found = target.cloud.stacks(Some(&target.name)).await?;
    let stack = found.into_iter().find(|stack| stack.name == name);
    Ok(stack.ok_or_else(|| unmade(target, kind))?.outputs)
}

fn unmade(target: &Target, kind: &StackKind) -> Failure {
    let stack = kind.stack_name(&target.name);
    Failure::other(format!("{stack} is not there, or not finished"))
        .help(format!("`{}` shows how it stands", target.again("status")))
}

impl From<EtcdError> for Failure {
    fn from(error: EtcdError) -> Self {
        Self::other(format!("failed to {error}"))
    }
}
