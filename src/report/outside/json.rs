//! A deletion as JSON, for `delete --plan -o json`: nothing is left out of a list.

mod kubernetes;

use std::collections::BTreeMap;

use serde::Serialize;

use super::buckets::{self, BucketJson};
use super::contents::{Contents, Disk};
use super::obstacles::{self, ObstacleJson, UncheckedJson};
use super::row::{FoundRow, MonthlyRow, cents};
use super::stays::{self, StayJson};
use super::{DeletionView, commands};
use crate::cloud::StackStatus;
use crate::cloud::outside::OutsideKind;
use crate::forecast::prices::Prices;
use crate::forecast::upkeep::{Left, LeftKind, Upkeeps};
use crate::plan::Blocked;
use crate::plan::deletion::{DeleteStep, Loss};
use crate::plan::status::DeleteAction;
use crate::stacks::StackKind;
use crate::sweep::{Found, Owner, Purpose, UnknownKind};
use kubernetes::{KubernetesJson, kubernetes};

const SCHEMA: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeletionJson<'a> {
    schema: u32,
    cluster: &'a str,
    account: &'a str,
    region: &'a str,
    /// Whether the volumes of claims are deleted too.
    delete_volumes: bool,
    /// Why nothing would be deleted.
    refused: Option<&'a Blocked>,
    stacks: Vec<StackJson<'a>>,
    /// What is the cluster's outside the stacks, but for volumes.
    outside: Vec<FoundRow>,
    /// What would be removed and can't be, as that is accepted, and what it uses.
    stays: Vec<StayJson>,
    /// What is lost of `PersistentVolume`s, tagged or not.
    lost_volumes: Vec<DiskJson<'a>>,
    kept_volumes: Vec<DiskJson<'a>>,
    /// What the stacks leave on purpose.
    left: Vec<LeftJson>,
    kubernetes: KubernetesJson<'a>,
    /// What keeps something from being removed.
    obstacles: Vec<ObstacleJson<'a>>,
    /// What could not be asked about that.
    unchecked: Vec<UncheckedJson<'a>>,
    /// State buckets that go, with the etcd snapshots in them.
    state_buckets: Vec<BucketJson<'a>>,
    /// What is somebody else's: never touched.
    foreign: Vec<FoundRow>,
    unknown: Vec<UnknownJson<'a>>,
    /// What all that is kept costs.
    kept_monthly: CostJson,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StackJson<'a> {
    kind: &'a StackKind,
    name: &'a str,
    id: &'a str,
    status: &'a StackStatus,
    action: &'static str,
    /// Why it can't be deleted.
    blocked: Option<&'a Blocked>,
    after: &'a [StackKind],
    losses: Vec<LossJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LossJson {
    logical_id: String,
    resource_type: String,
    description: String,
    holds: &'static str,
    deletion_policy: String,
    is_data: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiskJson<'a> {
    id: String,
    is_ebs: bool,
    /// Whether no tag says that it is the cluster's.
    is_untagged: bool,
    bytes: Option<u64>,
    state: Option<String>,
    purpose: Option<Purpose>,
    owner: Option<Owner>,
    created: Option<String>,
    key: Option<&'a str>,
    tags: Option<&'a BTreeMap<String, String>>,
    #[serde(flatten)]
    cost: MonthlyRow,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftJson {
    kind: &'static str,
    stack: String,
    logical_id: String,
    description: String,
    /// Of a database.
    database: Option<String>,
    /// For how many days.
    days: Option<u64>,
    log_group: Option<String>,
    gib: Option<f64>,
    #[serde(flatten)]
    cost: MonthlyRow,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnknownJson<'a> {
    kind: OutsideKind,
    why: &'a str,
    actions: &'static [&'static str],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CostJson {
    /// `null` where nothing has a price.
    usd: Option<f64>,
    is_most: bool,
    unpriced: usize,
    /// Days of the oldest and the newest price.
    dated: Option<(String, String)>,
}

/// All of a deletion: stacks with their data, what lies outside them, what of Kubernetes goes first.
pub fn json<'a>(view: &DeletionView<'a>) -> impl Serialize + use<'a> {
    let contents = Contents::of(view);
    let cost = contents.upkeep();
    let kept = contents.kept.iter().map(|(found, _)| *found);
    let own = contents.removed.iter().copied().chain(kept);
    let prices = Prices::table();
    let row = |found: &Found| FoundRow::of(found, view.delete_volumes, view.region, &prices);
    let outside = own.map(row).collect();
    let state_buckets = view.buckets.iter();
    let state_buckets = state_buckets.map(|bucket| buckets::json(bucket, view.region));
    let foreign = contents.foreign.iter().copied().map(row).collect();
    let kept_volumes = contents.kept_volumes.into_iter();
    let kept_volumes = kept_volumes.chain(contents.past_volumes);
    DeletionJson {
        schema: SCHEMA,
        cluster: &view.plan.cluster,
        account: view.account,
        region: view.region,
        delete_volumes: view.delete_volumes,
        refused: view.refused,
        stacks: view.plan.steps.iter().map(stack).collect(),
        outside,
        stays: (contents
            .stays
            .iter()
            .map(|stay| stays::json(stay, view.region)))
        .collect(),
        lost_volumes: contents.lost_volumes.into_iter().map(disk).collect(),
        kept_volumes: kept_volumes.map(disk).collect(),
        left: contents.left.into_iter().map(left).collect(),
        kubernetes: kubernetes(view.kubernetes),
        obstacles: obstacles::json(view),
        unchecked: obstacles::unchecked_json(view),
        state_buckets: state_buckets.collect(),
        foreign,
        unknown: view.inventory.unknown.iter().map(unknown).collect(),
        kept_monthly: total(&cost),
    }
}

fn stack(step: &DeleteStep) -> StackJson<'_> {
    let action = match &step.action {
        DeleteAction::Delete => "delete",
        DeleteAction::Follow => "follow",
        DeleteAction::FollowThenDelete => "followThenDelete",
        DeleteAction::Gone => "gone",
        DeleteAction::Placeholder => "placeholder",
        DeleteAction::Blocked(_) => "blocked",
    };
    StackJson {
        kind: &step.kind,
        name: &step.found.name,
        id: &step.found.id,
        status: &step.found.status,
        action,
        blocked: match &step.action {
            DeleteAction::Blocked(why) => Some(why),
            DeleteAction::Delete
            | DeleteAction::Follow
            | DeleteAction::FollowThenDelete
            | DeleteAction::Gone
            | DeleteAction::Placeholder => None,
        },
        after: &step.after,
        losses: step.losses().into_iter().map(loss).collect(),
    }
}

fn loss(loss: Loss) -> LossJson {
    LossJson {
        is_data: loss.is_data(),
        logical_id: loss.logical_id,
        resource_type: loss.resource_type,
        description: loss.sentence,
        holds: loss.holds,
        deletion_policy: loss.policy,
    }
}

fn disk(disk: Disk<'_>) -> DiskJson<'_> {
    let resource = disk.found.map(|found| &found.resource);
    DiskJson {
        id: disk.id,
        is_ebs: disk.is_ebs,
        is_untagged: disk.is_untagged,
        bytes: disk.bytes,
        state: disk.state,
        purpose: disk.purpose,
        owner: disk.found.map(|found| found.owner),
        created: resource
            .and_then(|resource| resource.created)
            .map(|at| at.to_string()),
        key: resource.and_then(|resource| resource.key.as_deref()),
        tags: resource.map(|resource| &resource.tags),
        cost: MonthlyRow::of(&disk.upkeep),
    }
}

fn left(left: Left) -> LeftJson {
    let (kind, database, days, log_group) = match left.what {
        LeftKind::Kept => ("kept", None, None, None),
        LeftKind::Snapshot => ("snapshot", None, None, None),
        LeftKind::Backups { database, days } => ("backups", database, Some(days), None),
        LeftKind::LogGroup { name } => ("logGroup", None, None, Some(name)),
    };
    LeftJson {
        kind,
        stack: left.stack,
        logical_id: left.logical_id,
        description: left.sentence,
        database,
        days,
        log_group,
        gib: left.gib,
        cost: MonthlyRow::of(&left.upkeep),
    }
}

fn unknown(unknown: &UnknownKind) -> UnknownJson<'_> {
    UnknownJson {
        kind: unknown.kind,
        why: &unknown.why,
        actions: commands::actions(unknown.kind),
    }
}

fn total(all: &Upkeeps) -> CostJson {
    CostJson {
        usd: (all.priced > 0 || all.unpriced == 0).then(|| cents(all.usd)),
        is_most: all.is_most,
        unpriced: all.unpriced,
        dated: all.dated.clone(),
    }
}
