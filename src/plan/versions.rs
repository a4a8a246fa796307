//! The rule of Kubernetes versions: what runs never changes its version by an `apply`. What runs is read
//! from the stacks' outputs; a pool may be older than the control plane and is then wanted as old as it is.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::{Blocked, PlanError, Survey, status};
use crate::catalog::kubernetes;
use crate::cloud::{CloudError, LiveStack, Store};
use crate::stacks::{
    KUBERNETES_VERSION, STATE_BUCKET, Stack, StackKind, Versions, versions as stack_versions,
};

/// How many minors the machines of a pool may be older than the API servers. Kubernetes allows three: one
/// is left, so that the control plane can take its next step with such a pool.
const MAX_SKEW: u64 = 2;

/// What the machines of a cluster boot, by stack; stacks in which no machine can run are not here.
pub type Running = BTreeMap<StackKind, Result<Version, Unknown>>;

/// Why the version of a stack is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub why: String,
    /// The step that makes it known.
    pub next: Option<String>,
}

/// Reads what runs. Stacks made before there was the output tell it by the bundle that their template
/// names.
pub async fn running(survey: &Survey, store: &impl Store) -> Result<Running, CloudError> {
    let mut running = Running::new();
    for found in &survey.found {
        let kind = StackKind::parse(&found.kind).filter(StackKind::has_machines);
        let Some(kind) = kind.filter(|_| status::runs(&found.status)) else {
            continue;
        };
        let version = match said(found, survey.templates.get(&found.id)) {
            Some(version) => Ok(version),
            None => of_bundle(survey, found, store).await?,
        };
        running.insert(kind, version);
    }
    Ok(running)
}

/// What a stack says by itself. The output is what runs. Where there is none yet, a template that declares
/// it will do: only programs that hold this rule send one.
fn said(found: &LiveStack, template: Option<&Value>) -> Option<Version> {
    let output = found.outputs.get(KUBERNETES_VERSION);
    let output = output.and_then(|text| text.parse().ok());
    output.or_else(|| stack_versions::declared(template?))
}

async fn of_bundle(
    survey: &Survey,
    found: &LiveStack,
    store: &impl Store,
) -> Result<Result<Version, Unknown>, CloudError> {
    let unknown = |why: String, next: Option<String>| Ok(Err(Unknown { why, next }));
    let name = &found.name;
    if !status::template_in_force(&found.status) {
        let watch = format!("`kube-cfn watch {}` follows it to its end", survey.cluster);
        let why = format!(
            "{name} has no output {KUBERNETES_VERSION}, and in {} its template may not be what runs",
            found.status
        );
        return unknown(why, found.status.is_moving().then_some(watch));
    }
    let template = survey.templates.get(&found.id);
    let Some(key) = template.and_then(stack_versions::bundle_key) else {
        let why = format!("{name} has no output {KUBERNETES_VERSION}, and its template no bundle");
        return unknown(why, None);
    };
    let base = survey.named(&StackKind::Base.stack_name(&survey.cluster));
    let Some(bucket) = base.and_then(|base| base.outputs.get(STATE_BUCKET)) else {
        return unknown("the base stack names no state bucket".to_owned(), None);
    };
    let place = format!("s3://{bucket}/{key}");
    let restore = format!("restore {place}: new machines of {name} need it too");
    match store.object(bucket, key).await {
        Ok(Some(bytes)) => match stack_versions::of_bundle(key, &bytes) {
            Some(version) => Ok(Ok(version)),
            None => unknown(format!("{place} is no bundle of that name"), Some(restore)),
        },
        Ok(None) => unknown(format!("{place} is not there"), Some(restore)),
        Err(error @ (CloudError::Denied { .. } | CloudError::Refused { .. })) => {
            let next =
                "ask for the IAM actions s3:GetObject on it and kms:Decrypt on the cluster's key"
                    .to_owned();
            unknown(format!("{place} can't be read: {error}"), Some(next))
        }
        Err(error) => Err(error),
    }
}

/// Takes a person's word for what could not be read, and for nothing else.
pub fn believe(running: &mut Running, stated: &[(StackKind, Version)]) -> Result<(), PlanError> {
    for (stack, version) in stated {
        let hint = match running.get_mut(stack) {
            Some(unknown @ Err(_)) => {
                *unknown = Ok(version.clone());
                continue;
            }
            Some(Ok(known)) if known == version => continue,
            Some(Ok(known)) => format!("it says by itself that it runs {known}"),
            None => "no machine of such a stack runs Kubernetes".to_owned(),
        };
        return Err(PlanError::VersionNotAsked {
            stack: stack.clone(),
            version: version.clone(),
            hint,
        });
    }
    Ok(())
}

/// The versions that the stacks are wanted at, and what is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// What runs stays as it is, also where that is refused; what does not run yet is as defined.
    pub versions: Versions,
    pub refused: BTreeMap<StackKind, Blocked>,
}

/// What a definition says, and where it says it.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub cluster: &'a str,
    pub kubernetes: &'a Version,
    pub pools: &'a [&'a str],
    /// The file and the line of the version.
    pub place: &'a str,
}

/// Compares the definition with what runs. Without a control plane nothing runs: all is as defined.
pub fn decide(wanted: Wanted<'_>, running: &Running) -> Decided {
    let mut decided = Decided {
        versions: Versions::all(wanted.kubernetes),
        refused: BTreeMap::new(),
    };
    let runs = match running.get(&StackKind::ControlPlane) {
        None => return decided,
        Some(Ok(version)) => Some(version),
        Some(Err(unknown)) => {
            let why = not_known(wanted, &StackKind::ControlPlane, unknown);
            decided.refused.insert(StackKind::ControlPlane, why);
            None
        }
    };
    if let Some(runs) = runs.filter(|runs| *runs != wanted.kubernetes) {
        let why = changed(wanted, runs);
        decided.refused.insert(StackKind::ControlPlane, why);
        if kubernetes::knows(runs) {
            decided.versions = Versions::all(runs);
        }
    }
    for pool in wanted.pools {
        let kind = StackKind::Pool((*pool).to_owned());
        let answer = match running.get(&kind) {
            None => continue,
            // As the control plane, also where the catalogue does not know it.
            Some(Ok(version)) if Some(version) == runs => continue,
            Some(Ok(version)) => match skew(pool, version, runs) {
                None => Ok(version.clone()),
                Some(why) => Err(another_pool(wanted, &kind, why)),
            },
            Some(Err(unknown)) => Err(not_known(wanted, &kind, unknown)),
        };
        match answer {
            Ok(version) => drop(decided.versions.pools.insert((*pool).to_owned(), version)),
            Err(why) => drop(decided.refused.insert(kind, why)),
        }
    }
    decided
}

/// The last look before an update: a control plane that somebody else has made meanwhile keeps its version
/// too.
pub(super) fn kept(cluster: &str, stack: &Stack, found: &LiveStack) -> Option<Blocked> {
    let wanted = stack.kubernetes()?;
    let runs: Version = found.outputs.get(KUBERNETES_VERSION)?.parse().ok()?;
    let moves =
        stack.kind == StackKind::ControlPlane && status::runs(&found.status) && runs != wanted;
    moves.then(|| Blocked {
        reason: change(&wanted, &runs),
        next: format!("`kube-cfn plan {cluster}` shows what has changed since"),
        guard: true,
    })
}

/// The definition says another version than runs.
fn changed(wanted: Wanted<'_>, runs: &Version) -> Blocked {
    let next = if kubernetes::knows(runs) {
        format!("set `kubernetes:` back to {runs} in {}", wanted.place)
    } else {
        format!("use a version of kube-cfn that knows Kubernetes {runs}: this one does not")
    };
    Blocked {
        reason: change(wanted.kubernetes, runs),
        next,
        guard: true,
    }
}

fn change(wanted: &Version, runs: &Version) -> String {
    let (to, from) = ((wanted.major, wanted.minor), (runs.major, runs.minor));
    let harm = if to < from {
        "older API servers can't read all that newer ones have written"
    } else if to == from {
        "machines would take it one by one, whenever one is replaced"
    } else if to == (from.0, from.1 + 1) {
        "workers would run ahead of their API servers"
    } else {
        "workers would run ahead of their API servers, which take one minor after the other"
    };
    format!(
        "the definition says Kubernetes {wanted}, the cluster runs {runs}: apply never changes the \
         Kubernetes version of a living cluster ({harm})"
    )
}

/// Why a pool can't be left at its version beside the control plane's.
fn skew(pool: &str, version: &Version, runs: Option<&Version>) -> Option<String> {
    let beside = |runs: &Version, rule: &str| {
        format!("pool {pool} boots Kubernetes {version}, the control plane runs {runs}: {rule}")
    };
    match runs {
        Some(runs) if version > runs => Some(beside(
            runs,
            "kubelets are never newer than their API servers",
        )),
        Some(runs) if version.major != runs.major || runs.minor - version.minor > MAX_SKEW => {
            let rule =
                format!("here kubelets are at most {MAX_SKEW} minors older than their API servers");
            Some(beside(runs, &rule))
        }
        _ if !kubernetes::knows(version) => Some(format!(
            "pool {pool} boots Kubernetes {version}, which this version of kube-cfn does not know"
        )),
        _ => None,
    }
}

fn another_pool(wanted: Wanted<'_>, kind: &StackKind, reason: String) -> Blocked {
    let stack = kind.stack_name(wanted.cluster);
    Blocked {
        reason,
        next: format!(
            "give the pool another name in the definition: apply creates it beside this one, at the \
             control plane's version; when the old machines are drained, `aws cloudformation \
             delete-stack --stack-name {stack}` removes them"
        ),
        guard: true,
    }
}

fn not_known(wanted: Wanted<'_>, kind: &StackKind, unknown: &Unknown) -> Blocked {
    let stack = kind.stack_name(wanted.cluster);
    let first = unknown.next.as_ref();
    let first = first.map_or_else(String::new, |next| format!("{next}; or "));
    Blocked {
        reason: format!(
            "which Kubernetes version {stack} runs is not known: {}",
            unknown.why
        ),
        next: format!("{first}say what `kubectl get nodes` shows: `--running {kind}=VERSION`"),
        guard: true,
    }
}
