//! Whose a resource is, and what becomes of it when the cluster is deleted.

use serde::Serialize;

use super::classify::{is_ending, stack_id};
use super::inventory::Found;
use super::kinds::{End, row};
use crate::cloud::outside::{OutsideKind, OutsideResource};

/// Who made a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Owner {
    /// Kubernetes made it for this cluster.
    Kubernetes,
    /// A stack of this cluster made it, and does not have it any more: it was detached, kept, or its stack is gone.
    Stack,
    /// Somebody else put it into the VPC.
    Foreign,
    /// It may be the cluster's or somebody else's: another cluster of the same name may be there, or what would say it could
    /// not be listed.
    Unclear,
    /// A volume that Kubernetes made, and that may be no volume of this cluster: `--delete-volumes` keeps it.
    #[serde(untagged)]
    Past(Past),
}

/// Why a volume with the cluster's tags may be none of its volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Past {
    /// It was made for an earlier cluster of the same name.
    Earlier,
    /// It was made for this cluster, which has no object for it any more.
    Released,
    /// It was made for this cluster or an earlier one of the same name: what would tell is gone.
    ThisOrEarlier,
}

/// What a deletion of the cluster does with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    Removed,
    Kept,
    /// It is somebody else's, or of a kind that this tool does not remove.
    Untouched,
}

/// What a resource is for, as its tags or its description say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// `NAMESPACE/NAME` of a Service.
    Service(String),
    /// `NAMESPACE/NAME` of an Ingress or a group of them.
    Ingress(String),
    /// `NAMESPACE/NAME` of a `PersistentVolumeClaim`.
    Claim(String),
    /// The name of a `PersistentVolume`.
    Volume(String),
    /// The stack that made it, by its kind.
    Stack(String),
    /// The identifier of a database.
    Database(String),
    /// Its description.
    Text(String),
}

impl Owner {
    pub fn is_past(self) -> bool {
        matches!(self, Self::Past(_))
    }
}

impl Disposition {
    /// What becomes of a resource by the table of kinds. `--delete-volumes` is about the volumes of claims: one that a stack
    /// left, as a volume of etcd, is kept all the same.
    pub(super) fn of(found: &Found, delete_volumes: bool) -> Self {
        let row = row(found.resource.kind);
        match (row.end, found.owner) {
            (End::RemovedOfStack, Owner::Stack) => Self::Removed,
            // AWS is about to delete it: nobody can keep it.
            (End::Named, Owner::Stack) if is_ending(&found.resource) => Self::Removed,
            (_, Owner::Foreign) | (End::RemovedOfStack | End::Named, _) => Self::Untouched,
            (_, Owner::Unclear) if row.holds_network => Self::Untouched,
            (_, Owner::Unclear) => Self::Kept,
            // Its deletion is not this one's to hasten, nor to cancel.
            (_, _) if found.resource.is_scheduled() => Self::Kept,
            (End::Removed, Owner::Stack) if is_unproven_key(&found.resource) => Self::Kept,
            (End::Removed, _) => Self::Removed,
            (End::KeptAsVolume | End::Kept, _) if is_ending(&found.resource) => Self::Removed,
            (End::KeptAsVolume, Owner::Kubernetes) if delete_volumes => Self::Removed,
            (End::KeptAsVolume | End::Kept, _) => Self::Kept,
        }
    }
}

/// Whether CloudFormation has no record of a stack that left a key. Anybody can set the tags of one: nobody can know.
fn is_unproven_key(resource: &OutsideResource) -> bool {
    resource.kind == OutsideKind::Key && stack_id(resource).is_none()
}
