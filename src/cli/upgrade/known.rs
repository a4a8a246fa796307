//! What the definition and the stacks say before an upgrade.

use std::collections::BTreeMap;

use futures::future::join_all;
use semver::Version;

use super::Args;
use crate::cli::error::CommandError;
use crate::cli::lock::{self, Refresh};
use crate::cli::planning::{self, PlanInputs};
use crate::cli::session::Session;
use crate::cloud::{Cloud as _, LiveStack};
use crate::etcd::{self, Slot};
use crate::node::{Role, binaries};
use crate::plan::offline::Resolution;
use crate::plan::preflight::{Fleet, Verdict, extra_machines};
use crate::plan::{self, Action, Blocked, Code, Survey, status};
use crate::roll::{self, Surge};
use crate::stacks::{API_HOST, API_TARGET_GROUP, STATE_BUCKET, Stack, StackKind};
use crate::upgrade::{Capacity, Fact, Known, Target, Wanted, resolve};

/// What was found of the cluster.
pub struct Found {
    pub survey: Survey,
    pub target: Target,
    pub stacks: BTreeMap<StackKind, Fact<Version>>,
    /// Those of `stacks` that are known.
    pub running: BTreeMap<StackKind, Version>,
    pub slots: Vec<Slot>,
    /// Where the API answers.
    pub host: Option<String>,
    /// What differs from the definition otherwise.
    differences: Fact<Vec<String>>,
}

/// Reads the stacks, and decides where the upgrade goes.
pub async fn read(session: &Session, args: &Args) -> Result<Found, CommandError> {
    let PlanInputs {
        survey,
        stacks,
        refused,
        running,
    } = planning::survey(session, &[]).await?;
    if survey.found.is_empty() {
        return Err(session.no_stacks().await);
    }
    let versions: BTreeMap<StackKind, Fact<Version>> = running
        .into_iter()
        .map(|(kind, version)| (kind, version.map_err(|unknown| unknown.reason)))
        .collect();
    let known = versions.iter();
    let running: BTreeMap<StackKind, Version> = known
        .filter_map(|(kind, version)| Some((kind.clone(), version.as_ref().ok()?.clone())))
        .collect();
    let target = target(session, args, &running)?;
    let of = |kind: StackKind| output(&survey.found, &kind);
    Ok(Found {
        target,
        stacks: versions,
        running,
        slots: etcd::slots(&of(StackKind::ControlPlane)),
        host: of(StackKind::Edge).remove(API_HOST),
        differences: differences(session, &survey, stacks, refused).await,
        survey,
    })
}

/// From the version of the control plane; `next` and `latest` from the oldest stack, so that what is half done goes on.
fn target(
    session: &Session,
    args: &Args,
    running: &BTreeMap<StackKind, Version>,
) -> Result<Target, CommandError> {
    let name = &session.spec().name;
    let control_plane = running.get(&StackKind::ControlPlane).ok_or_else(|| {
        let message = format!("{name} has no control plane whose version is known");
        CommandError::refused(message).help(format!("`kube-cfn plan {name}` says why"))
    })?;
    let oldest = running.values().min().unwrap_or(control_plane);
    let from = match &args.to {
        // The stack of an upgrade that is half done has the version already.
        Wanted::Exact(to) if to == control_plane && !args.skip_pools => oldest,
        Wanted::Latest | Wanted::Next if !args.skip_pools => oldest,
        Wanted::Exact(_) | Wanted::Latest | Wanted::Next => control_plane,
    };
    resolve(&args.to, from).map_err(|error| {
        let help =
            format!("`kube-cfn upgrade {name} --to next --plan` shows the next step that there is");
        CommandError::refused(format!("{name}: {error}; nothing was changed")).help(help)
    })
}

fn output(stacks: &[LiveStack], kind: &StackKind) -> BTreeMap<String, String> {
    let kind = kind.to_string();
    let found = stacks.iter().find(|stack| stack.kind == kind);
    found.map(|stack| stack.outputs.clone()).unwrap_or_default()
}

/// What an `apply` would change at the versions that run: an upgrade changes nothing else.
async fn differences(
    session: &Session,
    survey: &Survey,
    stacks: Vec<Stack>,
    refused: Vec<(StackKind, Blocked)>,
) -> Fact<Vec<String>> {
    let refused = refused.into_iter();
    let mut found: Vec<String> = refused
        .filter(|(_, why)| why.code != Code::KubernetesVersion)
        .map(|(stack, why)| format!("stack {stack}: {}", why.reason))
        .collect();
    let images = lock::locked_images(session, &stacks, Refresh::Unwritten).await;
    let images = images.map_err(|error| error.message().to_string())?;
    let draft = plan::draft(stacks, survey, &images.ids());
    for step in draft.steps {
        let stack = &step.step.stack.kind;
        match step.resolution {
            Resolution::Decided(Action::NoChange) => {}
            Resolution::Decided(Action::Blocked(why)) => {
                found.push(format!("stack {stack}: {}", why.reason));
            }
            Resolution::Decided(_) | Resolution::NeedsChangeSet | Resolution::NeedsInspection => {
                found.push(format!(
                    "stack {stack} differs from the definition, not only in its version"
                ));
            }
        }
    }
    Ok(found)
}

/// What differs from the definition, and what was changed outside of CloudFormation in stacks with machines.
pub async fn drift(session: &Session, found: &Found) -> Fact<Vec<String>> {
    let mut all = found.differences.clone()?;
    let stacks = found.survey.found.iter();
    let stacks: Vec<&LiveStack> = stacks
        .filter(|stack| StackKind::parse(&stack.kind).is_some_and(|kind| kind.has_machines()))
        .filter(|stack| status::rests(&stack.status))
        .collect();
    let reports = join_all(stacks.iter().map(|stack| session.cloud.drift(&stack.id))).await;
    for (stack, report) in stacks.iter().zip(reports) {
        let report = report.map_err(|error| format!("drift of stack {}: {error}", stack.kind))?;
        if let Some(why) = report.unknown {
            return Err(format!("drift of stack {}: {why}", stack.kind));
        }
        all.extend(report.resources.iter().map(|one| {
            format!(
                "stack {}: {} was changed outside CloudFormation",
                stack.kind, one.logical_id
            )
        }));
    }
    Ok(all)
}

/// Whether the quotas have room for the machines that are there twice.
pub async fn capacity(session: &Session, surge: Surge) -> Fact<Capacity> {
    let pools = &session.spec().pools;
    let lanes = |wanted: u32| {
        if surge.is_in_place() {
            0
        } else {
            surge.lanes(wanted)
        }
    };
    let extra: BTreeMap<String, u32> = pools
        .iter()
        .map(|pool| {
            (
                pool.name.clone(),
                u32::try_from(lanes(pool.max)).unwrap_or(u32::MAX),
            )
        })
        .collect();
    let fleets = pools.iter().map(|pool| {
        let extra = extra.get(&pool.name).copied().unwrap_or_default();
        // Of a mixed pool it may be either.
        let of = |applies: bool| if applies { u64::from(extra) } else { 0 };
        Fleet {
            what: format!("pool {}", pool.name),
            field: format!("pools ({})", pool.name),
            types: pool
                .instance_types
                .iter()
                .map(ToString::to_string)
                .collect(),
            on_demand: of(pool.spot_percent < 100),
            spot: of(pool.spot_percent > 0),
            ..Fleet::default()
        }
    });
    let checks = extra_machines(fleets.collect(), &session.cloud, &session.identity).await;
    let unknown = checks
        .iter()
        .find(|check| check.verdict == Verdict::Unknown);
    if let Some(unknown) = unknown {
        return Err(unknown.text.clone());
    }
    let lacking = checks
        .into_iter()
        .filter(|check| check.verdict != Verdict::Ok);
    Ok(Capacity {
        extra,
        lacking: lacking.map(|check| check.text).collect(),
    })
}

/// All that is known without asking machines or Kubernetes.
pub fn known(
    session: &Session,
    args: &Args,
    found: Found,
    (drift, capacity, lock): (Fact<Vec<String>>, Fact<Capacity>, Fact<Option<String>>),
) -> Result<Known, CommandError> {
    let spec = session.spec();
    let unsettled = found
        .survey
        .found
        .iter()
        .filter(|stack| !status::rests(&stack.status));
    let unsettled = unsettled.filter_map(|stack| {
        let kind = StackKind::parse(&stack.kind)?;
        Some((kind, stack.status.to_string()))
    });
    let bucket = output(&found.survey.found, &StackKind::Base).remove(STATE_BUCKET);
    Ok(Known {
        cluster: spec.name.clone(),
        unsettled: unsettled.collect(),
        lock,
        drift,
        capacity,
        files: files(session, &found.target.to)?,
        bucket: bucket.ok_or_else(|| "the stack base names no state bucket".to_owned()),
        roll: roll::Options {
            surge: args.surge,
            slots: found.slots,
            target_group: output(&found.survey.found, &StackKind::Edge).remove(API_TARGET_GROUP),
            ..roll::Options::new(&spec.name)
        },
        target: found.target,
        stacks: found.stacks,
    })
}

/// Addresses of what the machines of the wanted version download, each once.
fn files(session: &Session, to: &Version) -> Result<Vec<String>, CommandError> {
    let spec = session.spec();
    let mirror = spec.mirror.as_deref();
    let roles = [(spec.control_plane.architecture, Role::ControlPlane)];
    let pools = spec
        .pools
        .iter()
        .map(|pool| (pool.architecture, Role::Pool(pool)));
    let mut all = Vec::new();
    for (architecture, role) in roles.into_iter().chain(pools) {
        let pinned = binaries::of(to, architecture, role, mirror);
        let pinned = pinned.map_err(|error| CommandError::refused(error.to_string()))?;
        all.extend(pinned.into_iter().map(|file| file.url));
    }
    all.sort();
    all.dedup();
    Ok(all)
}
