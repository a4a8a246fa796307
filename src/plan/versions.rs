//! The rule of Kubernetes versions: an `apply` never changes a version that runs. Running versions come
//! from the stacks' outputs; a pool may be older than the control plane and keeps its version.

use std::collections::BTreeMap;

use super::{Blocked, Code, PlanError, Unknown, changes, status};
use crate::catalog::kubernetes;
use crate::cloud::LiveStack;
use crate::stacks::{KUBERNETES_VERSION, Stack, StackKind, Versions};
use semver::Version;

/// How many minors the machines of a pool may be older than the API servers. Kubernetes allows three: one
/// is left, so that the control plane can take its next step with such a pool.
const MAX_SKEW: u64 = 2;

/// What the machines of a cluster boot, by stack; stacks in which no machine can run are not here.
pub type RunningVersions = BTreeMap<StackKind, Result<Version, Unknown>>;

/// Accepts stated versions for stacks whose version could not be read, and for no others.
pub fn accept_stated(
    running: &mut RunningVersions,
    stated: &[(StackKind, Version)],
) -> Result<(), PlanError> {
    for (stack, version) in stated {
        let hint = match running.get_mut(stack) {
            Some(unknown @ Err(_)) => {
                *unknown = Ok(version.clone());
                continue;
            }
            Some(Ok(known)) if known == version => continue,
            Some(Ok(known)) => format!("its stack says that it runs {known}"),
            None => "that stack has no machine that runs Kubernetes".to_owned(),
        };
        return Err(PlanError::VersionNotAsked {
            stack: stack.clone(),
            version: version.clone(),
            hint,
        });
    }
    Ok(())
}

/// The wanted versions of the stacks, and what is refused.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionDecision {
    /// Running machines keep their version, also where that is refused; the others get the defined one.
    pub versions: Versions,
    pub refused: BTreeMap<StackKind, Blocked>,
}

/// What a definition says, and where it says it.
#[derive(Debug, Clone, Copy)]
pub struct WantedVersions<'a> {
    pub cluster: &'a str,
    pub region: &'a str,
    pub kubernetes: &'a Version,
    pub pools: &'a [&'a str],
    /// The file and the line of the version.
    pub place: &'a str,
}

/// Compares the definition with what runs. Without a control plane nothing runs: all is as defined.
pub fn decide(wanted: WantedVersions<'_>, running: &RunningVersions) -> VersionDecision {
    let mut decided = VersionDecision {
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

/// The last check before an update: machines that another run made meanwhile keep their version too. A
/// pool may be updated to another version only if that was `decided` with all running versions known.
pub(super) fn check_version(
    cluster: &str,
    stack: &Stack,
    found: &LiveStack,
    decided: bool,
) -> Option<Blocked> {
    let wanted = stack.kubernetes()?;
    let runs: Version = found.outputs.get(KUBERNETES_VERSION)?.parse().ok()?;
    let guarded = stack.kind == StackKind::ControlPlane || !decided;
    let moves = guarded && status::runs(&found.status) && runs != wanted;
    let remedy = format!("`kube-cfn plan {cluster}` shows what has changed since");
    moves.then(|| Blocked::by_guard(Code::KubernetesVersion, change(&wanted, &runs), remedy))
}

/// The definition says another version than runs.
fn changed(wanted: WantedVersions<'_>, runs: &Version) -> Blocked {
    let remedy = if kubernetes::knows(runs) {
        format!("set `kubernetes:` back to {runs} in {}", wanted.place)
    } else {
        format!("use a version of kube-cfn that knows Kubernetes {runs}: this one does not")
    };
    Blocked::by_guard(
        Code::KubernetesVersion,
        change(wanted.kubernetes, runs),
        remedy,
    )
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
         Kubernetes version of a running cluster ({harm})"
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

fn another_pool(wanted: WantedVersions<'_>, kind: &StackKind, reason: String) -> Blocked {
    let stack = kind.stack_name(wanted.cluster);
    let remedy = changes::beside(&stack, &format!(" --region {}", wanted.region));
    Blocked::by_guard(Code::PoolVersion, reason, remedy)
}

fn not_known(wanted: WantedVersions<'_>, kind: &StackKind, unknown: &Unknown) -> Blocked {
    let stack = kind.stack_name(wanted.cluster);
    let why = &unknown.reason;
    let first = unknown.remedy.as_ref();
    let first = first.map_or_else(String::new, |next| format!("{next}; or "));
    Blocked::by_guard(
        Code::KubernetesVersionUnknown,
        format!("the Kubernetes version of {stack} is unknown: {why}"),
        format!("{first}state what `kubectl get nodes` shows: `--running {kind}=VERSION`"),
    )
}
