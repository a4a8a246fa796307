//! Looks for everything that a cluster has outside its stacks.

use serde::Serialize;

use super::classify::has_interface;
use super::kinds::{End, Row, row};
use super::listing::Listing;
use super::owner::{Disposition, Owner, Purpose};
use super::scope::Scope;
use crate::cloud::CloudError;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource};
use crate::common::Clock;

/// Something outside the stacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub resource: OutsideResource,
    pub owner: Owner,
    pub purpose: Option<Purpose>,
    /// What becomes of it when volumes are kept.
    pub disposition: Disposition,
}

/// A kind that could not be looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownKind {
    pub kind: OutsideKind,
    pub why: String,
}

/// Everything that was found, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    pub found: Vec<Found>,
    pub unknown: Vec<UnknownKind>,
}

/// Looks for every kind at once; one that can't be looked for is in `unknown`. An error only where there are no valid
/// credentials: then nothing was looked for.
pub async fn look<C: Clock + Outside>(cloud: &C, scope: &Scope) -> Result<Inventory, CloudError> {
    Ok(Listing::of(cloud, scope).await?.inventory())
}

impl Inventory {
    /// What a deletion does so with.
    pub fn becoming(
        &self,
        disposition: Disposition,
        delete_volumes: bool,
    ) -> impl Iterator<Item = &Found> {
        let becomes = move |found: &&Found| found.becomes(delete_volumes) == disposition;
        self.found.iter().filter(becomes)
    }

    pub fn of_kind(&self, kind: OutsideKind) -> impl Iterator<Item = &Found> {
        self.found
            .iter()
            .filter(move |found| found.resource.kind == kind)
    }

    /// What is not removed and keeps the network's stack from being deleted.
    pub fn holds_network(&self) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(|found| found.holds_network())
    }

    /// The one of this kind and id.
    pub fn get(&self, kind: OutsideKind, id: &str) -> Option<&Found> {
        self.of_kind(kind).find(|found| found.resource.id == id)
    }
}

impl Found {
    pub fn row(&self) -> Row {
        row(self.resource.kind)
    }

    /// What a deletion does with it.
    pub fn becomes(&self, delete_volumes: bool) -> Disposition {
        Disposition::of(self, delete_volumes)
    }

    /// Whether it is not removed and keeps the network's stack from being deleted.
    pub fn holds_network(&self) -> bool {
        self.row().holds_network && self.disposition == Disposition::Untouched
    }

    /// Whether a stack that is gone left it, and a deletion removes it, or names it until somebody has. A machine was detached.
    pub fn is_left(&self) -> bool {
        let is_to_go = self.disposition == Disposition::Removed || self.row().end == End::Named;
        let goes_along = self.resource.by_aws || self.resource.kind == OutsideKind::GroupRule;
        let is_machine = self.resource.kind == OutsideKind::Machine;
        self.owner == Owner::Stack && is_to_go && !goes_along && !is_machine
    }

    /// Whether it is of a kind that is named and never removed, and is the cluster's.
    pub fn is_named(&self) -> bool {
        self.is_left() && self.disposition == Disposition::Untouched
    }

    /// Whether AWS removes something only when this is gone, as far as their lists say it: what a database may use it keeps.
    pub fn uses(&self, other: &Self) -> bool {
        let (own, of) = (&self.resource, &other.resource);
        match of.kind {
            OutsideKind::Vpc => self.row().holds_network && own.vpc == of.vpc,
            OutsideKind::Interface => has_interface(own, of),
            OutsideKind::Volume | OutsideKind::TargetGroup => of.uses.contains(&own.id),
            // What rules and tables refer to does not need them.
            OutsideKind::SecurityGroup | OutsideKind::Subnet => {
                let refers = [OutsideKind::GroupRule, OutsideKind::RouteTable];
                !refers.contains(&own.kind) && own.uses.contains(&of.id)
            }
            _ => false,
        }
    }

    /// By what it is the same one in every look.
    pub(super) fn key(&self) -> (OutsideKind, &str) {
        (self.resource.kind, &self.resource.id)
    }
}
