//! Which of a cluster's nine parameters are there, and under which key: a list without values, so that a
//! lost or foreign one is found without a right to read any secret.
//!
//! Once a cluster has lived, a missing one is never made again: with another encryption key every Secret
//! in etcd and in its snapshots would be unreadable, with another authority no machine would trust the
//! others.

use std::time::Duration;

use super::AccessError;
use super::error::AccessOperation;
use super::names::{AuthorityParameter, ParameterNames};
use crate::cloud::{StackStatus, Store};
use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use crate::plan::{Blocked, status};
use crate::stacks::parameter_path;

/// Lists that should show everything: a list may lag a write.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), 5);

/// Whether a control plane has ever run with the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterLife {
    /// Never: what is missing may be made.
    New,
    /// It has: etcd holds data that depends on them.
    Lived,
}

/// The parameters of one cluster as AWS lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    pub cluster: String,
    pub life: ClusterLife,
    /// All nine.
    pub all: Vec<AuthorityParameter>,
    pub missing: Vec<AuthorityParameter>,
    /// Secrets under another key than the cluster's, with that key.
    pub foreign: Vec<(AuthorityParameter, String)>,
    /// Whether there is a control-plane stack.
    pub has_control_plane: bool,
    /// ARN of the cluster's key; `None` while there is no base stack that has one.
    pub key: Option<String>,
}

impl ClusterLife {
    /// By the control-plane stack while its machines may run: they have needed the parameters from the first
    /// moment. One whose creation was rolled back has lost its volumes and never counts. Without machines it
    /// counts that one of them once saw all members of etcd serve.
    fn of(control_plane: Option<&StackStatus>, initialized: bool) -> Self {
        let lived = match control_plane {
            Some(
                StackStatus::RollbackInProgress
                | StackStatus::RollbackFailed
                | StackStatus::RollbackComplete,
            ) => false,
            Some(status) if status::runs(status) => true,
            _ => initialized,
        };
        if lived { Self::Lived } else { Self::New }
    }
}

/// Lists the parameters of `cluster`. `key` is the ARN of its KMS key, `control_plane` the status of its
/// control-plane stack. Reads again for some seconds before it calls one of a living cluster missing.
///
/// # Errors
/// A refused or failed list: never the same as an empty one.
pub async fn inventory(
    store: &(impl Store + Clock),
    cluster: &str,
    key: Option<&str>,
    control_plane: Option<&StackStatus>,
) -> Result<Inventory, AccessError> {
    let names = ParameterNames::of(cluster)?;
    let list = async || {
        let read = read(store, &names, cluster, key, control_plane).await;
        Try::pending(read, |found| {
            found.life == ClusterLife::Lived && !found.missing.is_empty()
        })
    };
    retry(store, BACKOFF, list).await
}

async fn read(
    store: &impl Store,
    names: &ParameterNames,
    cluster: &str,
    key: Option<&str>,
    control_plane: Option<&StackStatus>,
) -> Result<Inventory, AccessError> {
    let root = names.root();
    let listed = store.parameters_under(root).await;
    let listed =
        listed.map_err(|source| AccessError::cloud(AccessOperation::List, root, source))?;
    let initialized = names.etcd_initialized();
    let initialized = listed.iter().any(|one| one.name == initialized);
    let mut inventory = Inventory {
        cluster: cluster.to_owned(),
        life: ClusterLife::of(control_plane, initialized),
        all: names.all(),
        missing: Vec::new(),
        foreign: Vec::new(),
        has_control_plane: control_plane.is_some(),
        key: key.map(str::to_owned),
    };
    for parameter in names.all() {
        let Some(found) = listed.iter().find(|one| one.name == parameter.name) else {
            inventory.missing.push(parameter);
            continue;
        };
        match &found.key {
            Some(under) if !key.is_some_and(|key| is_same_key(under, key)) => {
                inventory.foreign.push((parameter, under.clone()));
            }
            _ => {}
        }
    }
    Ok(inventory)
}

/// Whether a key as it was named when a secret was stored (by ARN, or by id) is the key of this ARN.
fn is_same_key(named: &str, arn: &str) -> bool {
    named == arn || arn.rsplit_once('/').is_some_and(|(_, id)| id == named)
}

/// The region in an ARN.
fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?
        .split(':')
        .nth(2)
        .filter(|region| !region.is_empty())
}

impl Inventory {
    /// Why nothing may be created or changed, and the way on; `None` where all is well, or where what is
    /// missing may still be made.
    pub fn refusal(&self) -> Option<Blocked> {
        if !self.foreign.is_empty() {
            return Some(self.foreign_key());
        }
        let lost = self.life == ClusterLife::Lived && !self.missing.is_empty();
        lost.then(|| self.lost())
    }

    /// What to do about a plain copy that is not of the secret beside it.
    pub(super) fn on_mismatch(&self, name: &str) -> String {
        let cluster = &self.cluster;
        match self.life {
            ClusterLife::New => format!(
                "it is left over from a deleted cluster; remove it (`aws ssm delete-parameter --name {name}`) \
                 and run again"
            ),
            ClusterLife::Lived => format!(
                "one of the two was replaced; `kube-cfn certs restore {cluster} --plan` compares both with the \
                 copy in the state bucket"
            ),
        }
    }

    fn lost(&self) -> Blocked {
        let Self { cluster, .. } = self;
        let missing: Vec<_> = self.missing.iter().map(|one| one.short.as_str()).collect();
        let (are, they) = match missing.len() {
            1 => ("is", "it is"),
            _ => ("are", "they are"),
        };
        let reason = format!(
            "{} of {} {are} missing; data of this cluster depends on that, so {they} never made again",
            missing.join(", "),
            super::names::place(cluster),
        );
        let remedy = match self.key {
            Some(_) => format!(
                "`kube-cfn certs restore {cluster}` puts back what the copy in the state bucket has"
            ),
            None => format!("there is no base stack: {}", self.clear_all()),
        };
        Blocked::by_guard(reason, remedy)
    }

    fn foreign_key(&self) -> Blocked {
        let Self {
            cluster, foreign, ..
        } = self;
        let names: Vec<_> = foreign.iter().map(|(one, _)| one.short.as_str()).collect();
        let lie = if names.len() == 1 { "is" } else { "are" };
        let under = foreign.first().map_or("", |(_, key)| key.as_str());
        let ours = match &self.key {
            Some(key) => format!("the cluster's is {key}"),
            None => "the cluster has none yet".to_owned(),
        };
        let reason = format!(
            "{} of {} {lie} encrypted under another key, {under}; {ours}",
            names.join(", "),
            super::names::place(cluster)
        );
        let remedy = if self.has_control_plane {
            format!(
                "`kube-cfn certs restore {cluster} --plan` shows whether the copy in the state bucket has \
                 them; only where it has, `{}` and restore",
                self.clear_foreign()
            )
        } else {
            self.clear_all()
        };
        Blocked::by_guard(reason, remedy)
    }

    /// The parameters that are there under the cluster's key, or plain.
    pub fn readable(&self) -> Vec<AuthorityParameter> {
        let other = |one: &AuthorityParameter| {
            self.missing.contains(one) || self.foreign.iter().any(|(foreign, _)| foreign == one)
        };
        let mut all = self.all.clone();
        all.retain(|one| !other(one));
        all
    }

    /// The command that deletes the secrets under another key.
    pub fn clear_foreign(&self) -> String {
        let names: Vec<_> = self
            .foreign
            .iter()
            .map(|(one, _)| one.name.as_str())
            .collect();
        format!(
            "aws ssm delete-parameters{} --names {}",
            self.region(),
            names.join(" ")
        )
    }

    /// How to delete everything that a deleted cluster left, also what its machines wrote.
    fn clear_all(&self) -> String {
        let (region, root) = (self.region(), parameter_path(&self.cluster));
        format!(
            "if the cluster that they belong to was deleted, `aws ssm get-parameters-by-path{region} --recursive \
             --path {root} --query 'Parameters[].Name' --output text | xargs -n 10 aws ssm \
             delete-parameters{region} --names` clears them; then run again"
        )
    }

    /// The region of the keys as an option of the AWS CLI.
    fn region(&self) -> String {
        let foreign = self.foreign.iter().map(|(_, key)| key.as_str());
        let region = self
            .key
            .as_deref()
            .into_iter()
            .chain(foreign)
            .find_map(region_of);
        region.map_or_else(String::new, |region| format!(" --region {region}"))
    }
}
