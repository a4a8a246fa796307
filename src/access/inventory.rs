//! Which of a cluster's nine parameters are there, and under which key: a list without values, so that a
//! lost or foreign one is found without a right to read any secret.
//!
//! Once a cluster has lived, a missing one is never made again: with another encryption key every Secret
//! in etcd and in its snapshots would be unreadable, with another authority no machine would trust the
//! others.

use std::time::Duration;

use jiff::Timestamp;

use super::error::AccessOperation;
use super::names::{AuthorityParameter, ParameterNames};
use super::{AccessError, copy};
use crate::cloud::remote::Remote;
use crate::cloud::{LiveStack, StackStatus, Store};
use crate::common::arn::region_option;
use crate::common::retry::{Backoff, Try, retry};
use crate::plan::{Blocked, Code, status};
use crate::stacks::{key_alias, parameter_path};

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
    /// When the newest of those that are there was written.
    pub newest: Option<Timestamp>,
    /// Whether there is a control-plane stack.
    pub has_control_plane: bool,
    /// ARN of the cluster's key; `None` while there is no base stack that has one.
    pub key: Option<String>,
}

/// What the stacks of a cluster say that matters for its parameters.
#[derive(Debug, Clone, Copy)]
pub struct ClusterStacks<'a> {
    pub cluster: &'a str,
    /// ARN of its KMS key, and name of its state bucket; `None` before there is a base stack.
    pub key: Option<&'a str>,
    pub bucket: Option<&'a str>,
    pub control_plane: Option<&'a LiveStack>,
}

impl ClusterLife {
    /// By the control-plane stack while its machines may run: they have needed the parameters from the first
    /// moment. Without machines by the note that all members of etcd have served once. A note that is younger than
    /// a stack whose creation was rolled back is of that stack, and its volumes are gone: it does not count.
    fn of(control_plane: Option<&LiveStack>, noted: Option<Timestamp>) -> Self {
        let lived = match control_plane {
            Some(stack) if is_rolled_back(&stack.status) => {
                noted.is_some_and(|noted| noted < stack.created)
            }
            Some(stack) if status::runs(&stack.status) => true,
            _ => noted.is_some(),
        };
        if lived { Self::Lived } else { Self::New }
    }
}

/// Whether the creation of a stack was undone, or is being undone.
fn is_rolled_back(status: &StackStatus) -> bool {
    matches!(
        status,
        StackStatus::RollbackInProgress
            | StackStatus::RollbackFailed
            | StackStatus::RollbackComplete
    )
}

/// Lists the parameters of a cluster. Reads again for some seconds before it calls one of a living cluster missing.
///
/// # Errors
/// A refused or failed list: never the same as an empty one.
pub async fn inventory(
    store: &(impl Store + Remote),
    stacks: ClusterStacks<'_>,
) -> Result<Inventory, AccessError> {
    let names = ParameterNames::of(stacks.cluster)?;
    let list = async || {
        let read = read(store, &names, stacks).await;
        Try::pending(read, |found| {
            found.life == ClusterLife::Lived && !found.missing.is_empty()
        })
    };
    let mut found = retry(store, BACKOFF, list).await?;
    // What a copy was made of has been there: it is lost, and comes back from the copy.
    if found.life == ClusterLife::New
        && !found.missing.is_empty()
        && let Some(bucket) = stacks.bucket
        && copy::written(store, bucket).await?.is_some()
    {
        found.life = ClusterLife::Lived;
    }
    Ok(found)
}

async fn read(
    store: &impl Store,
    names: &ParameterNames,
    stacks: ClusterStacks<'_>,
) -> Result<Inventory, AccessError> {
    let root = names.root();
    let listed = store.parameters_under(root).await;
    let listed =
        listed.map_err(|source| AccessError::cloud(AccessOperation::List, root, source))?;
    let note = names.etcd_initialized();
    let note = listed.iter().find(|one| one.name == note);
    let mut inventory = Inventory {
        cluster: stacks.cluster.to_owned(),
        life: ClusterLife::of(stacks.control_plane, note.map(|note| note.written)),
        all: names.all(),
        missing: Vec::new(),
        foreign: Vec::new(),
        newest: None,
        has_control_plane: stacks.control_plane.is_some(),
        key: stacks.key.map(str::to_owned),
    };
    for parameter in names.all() {
        let Some(found) = listed.iter().find(|one| one.name == parameter.name) else {
            inventory.missing.push(parameter);
            continue;
        };
        inventory.newest = inventory.newest.max(Some(found.written));
        match &found.key {
            Some(under)
                if !stacks
                    .key
                    .is_some_and(|key| is_same_key(under, key, stacks.cluster)) =>
            {
                inventory.foreign.push((parameter, under.clone()));
            }
            _ => {}
        }
    }
    Ok(inventory)
}

/// Whether a key as it was named when a secret was stored is the cluster's, which has this ARN: by ARN, by id, or by
/// the alias that the base stack gives it.
pub(super) fn is_same_key(named: &str, arn: &str, cluster: &str) -> bool {
    let id = arn.rsplit_once('/').map(|(_, id)| id);
    let alias = key_alias(cluster);
    named == arn
        || Some(named) == id
        || named == alias
        || named.split_once(':').is_some() && named.ends_with(&format!(":{alias}"))
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
                "it is left over from a deleted cluster; remove it (`{}`) and run again",
                self.delete_command(&[name])
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
        Blocked::by_guard(Code::AuthoritiesLost, reason, remedy)
    }

    /// Of one that was lost after the list.
    pub(super) fn lost_since(&self, name: &str) -> Blocked {
        let is_it = |one: &&AuthorityParameter| one.name == name;
        let missing = self.all.iter().filter(is_it).cloned().collect();
        let listed = Self {
            missing,
            ..self.clone()
        };
        listed.lost()
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
        let region = region_option(under);
        let remedy = match (self.has_control_plane, &self.key) {
            (false, _) => self.clear_all(),
            (true, Some(_)) => format!(
                "`kube-cfn certs restore {cluster} --plan` shows what the copy in the state bucket has of \
                 them, and what to do"
            ),
            (true, None) => format!(
                "the base stack is gone while machines run: keep that key (`aws kms cancel-key-deletion{region} \
                 --key-id {under}`, `aws kms enable-key{region} --key-id {under}`), and change nothing before its values \
                 are saved elsewhere"
            ),
        };
        Blocked::by_guard(Code::AuthoritiesKey, reason, remedy)
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

    /// The command that deletes these parameters.
    pub fn delete_command(&self, names: &[&str]) -> String {
        let region = self.region();
        format!(
            "aws ssm delete-parameters{region} --names {}",
            names.join(" ")
        )
    }

    /// How to delete everything that a deleted cluster left, also what its machines wrote.
    fn clear_all(&self) -> String {
        let cluster = &self.cluster;
        if self.key.is_none() && !self.has_control_plane {
            return format!(
                "if the cluster that they belong to was deleted, `kube-cfn delete {cluster}` clears them; then run again"
            );
        }
        // With a base stack, `delete` would delete what was made since.
        let (region, root) = (self.region(), parameter_path(cluster));
        format!(
            "if the cluster that they belong to was deleted, `aws ssm get-parameters-by-path{region} --recursive \
             --path {root} --query 'Parameters[].Name' --output text | xargs -n 10 aws ssm \
             delete-parameters{region} --names` clears them; then run again"
        )
    }

    /// The region of the keys as an option of the AWS CLI.
    pub fn region(&self) -> String {
        let foreign = self.foreign.iter().map(|(_, key)| key.as_str());
        let arn = self.key.as_deref().into_iter().chain(foreign);
        let options = arn.map(region_option).find(|option| !option.is_empty());
        options.unwrap_or_default()
    }
}
