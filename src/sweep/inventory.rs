//! Looks for everything that a cluster has outside its stacks.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join_all, try_join_all};
use serde::{Serialize, Serializer};

use super::classify::{Lists, classify, vpcs_of_stacks};
use super::kinds::{Row, row};
use super::owner::{Disposition, Owner, Purpose};
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope};
use crate::cloud::{Cloud, CloudError, LiveResource, LiveStack, StackStatus};
use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};
use crate::stacks::StackKind;

const VPC: &str = "AWS::EC2::VPC";
/// The network stack's output with its VPC.
const VPC_OUTPUT: &str = "VpcId";

/// What a cluster has inside its stacks: all else that is found is outside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    pub asked: OutsideScope,
    /// ARNs of its stacks that are not deleted.
    pub stacks: BTreeSet<String>,
    /// Physical ids of their resources.
    pub resources: BTreeSet<String>,
}

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
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    pub found: Vec<Found>,
    pub unknown: Vec<UnknownKind>,
}

impl Scope {
    /// Of a cluster by its stacks: those that are not deleted, with the resources in them. It holds for this moment: when
    /// stacks are gone, what they left is outside them, and only a new scope says so.
    pub async fn of<C: Cloud>(
        cloud: &C,
        cluster: &str,
        stacks: &[LiveStack],
    ) -> Result<Self, CloudError> {
        let living = stacks
            .iter()
            .filter(|stack| stack.status != StackStatus::DeleteComplete);
        let held = living.map(async |stack| {
            let answer = ask(cloud, async || cloud.resources(&stack.id).await).await;
            match answer {
                Ok(resources) => Ok(Some((stack, resources))),
                // It was deleted since it was listed.
                Err(CloudError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let mut scope = Self {
            asked: OutsideScope {
                cluster: cluster.to_owned(),
                vpc: None,
            },
            ..Self::default()
        };
        for (stack, resources) in try_join_all(held).await?.into_iter().flatten() {
            scope.stacks.insert(stack.id.clone());
            if stack.kind == StackKind::Network.to_string() {
                scope.asked.vpc = vpc(stack, &resources);
            }
            let there = resources.into_iter().filter(is_there);
            let ids = there.filter_map(|resource| resource.physical_id);
            scope.resources.extend(ids);
        }
        Ok(scope)
    }
}

fn is_there(resource: &LiveResource) -> bool {
    resource.status.as_str() != "DELETE_COMPLETE"
}

/// The VPC of the network stack. Its output stays when the VPC is deleted and the rest could not be: the resource counts
/// where it is listed.
fn vpc(stack: &LiveStack, resources: &[LiveResource]) -> Option<String> {
    let listed = resources
        .iter()
        .find(|resource| resource.resource_type == VPC);
    match listed {
        Some(vpc) if is_there(vpc) => vpc.physical_id.clone(),
        Some(_) => None,
        None => stack.outputs.get(VPC_OUTPUT).cloned(),
    }
}

/// Looks for every kind at once; one that can't be looked for is in `unknown`. An error only where there are no valid
/// credentials: then nothing was looked for.
pub async fn look<C: Clock + Outside>(cloud: &C, scope: &Scope) -> Result<Inventory, CloudError> {
    Ok(Listing::of(cloud, scope).await?.inventory())
}

/// The answers to the newest look at every kind.
#[derive(Debug)]
pub(super) struct Listing {
    scope: Scope,
    pub lists: Lists,
    /// Why a kind could not be listed; its list is the one before, where there was one.
    pub failed: BTreeMap<OutsideKind, CloudError>,
}

impl Listing {
    /// Lists every kind.
    pub async fn of<C: Clock + Outside>(cloud: &C, scope: &Scope) -> Result<Self, CloudError> {
        let mut listing = Self {
            scope: scope.clone(),
            lists: Lists::new(),
            failed: BTreeMap::new(),
        };
        listing.update(cloud, &OutsideKind::ALL).await?;
        if scope.asked.vpc.is_none() {
            listing.find_vpc(cloud).await?;
        }
        Ok(listing)
    }

    /// A network stack that was deleted without its VPC leaves subnets and groups with the cluster's tags: what lies between
    /// them is listed too.
    async fn find_vpc<C: Clock + Outside>(&mut self, cloud: &C) -> Result<(), CloudError> {
        let vpcs = vpcs_of_stacks(&self.scope.asked.cluster, &self.lists);
        let Some(vpc) = vpcs.first().map(|vpc| (*vpc).to_owned()) else {
            return Ok(());
        };
        self.scope.asked.vpc = Some(vpc);
        self.update(cloud, &OutsideKind::ALL).await
    }

    /// Lists these kinds once more, all at once. An error only for lack of credentials.
    pub async fn update<C: Clock + Outside>(
        &mut self,
        cloud: &C,
        kinds: &[OutsideKind],
    ) -> Result<(), CloudError> {
        let asked = &self.scope.asked;
        let answers = join_all(kinds.iter().map(async |kind| {
            let answer = ask(cloud, async || cloud.outside(*kind, asked).await).await;
            (*kind, answer)
        }))
        .await;
        for (kind, answer) in answers {
            match answer {
                Ok(list) => {
                    self.failed.remove(&kind);
                    self.lists.insert(kind, list);
                }
                Err(error @ CloudError::Credentials { .. }) => return Err(error),
                Err(error) => {
                    self.failed.insert(kind, error);
                }
            }
        }
        Ok(())
    }

    pub fn inventory(&self) -> Inventory {
        let unknown = self.failed.iter().map(|(kind, error)| UnknownKind {
            kind: *kind,
            why: reason(error),
        });
        Inventory {
            found: classify(&self.scope, &self.lists),
            unknown: unknown.collect(),
        }
    }

    /// Whether the newest list of a kind still has a resource.
    pub fn has(&self, kind: OutsideKind, id: &str) -> bool {
        let list = self.lists.get(&kind);
        list.is_some_and(|list| list.iter().any(|resource| resource.id == id))
    }
}

/// Sends a request again after a transient error.
pub(super) async fn ask<C: Clock, T>(
    cloud: &C,
    mut request: impl AsyncFnMut() -> Result<T, CloudError>,
) -> Result<T, CloudError> {
    retry(cloud, Backoff::REQUEST, async || {
        Try::transient(request().await, CloudError::is_transient)
    })
    .await
}

/// An error in words, with the action that is missing where AWS names one.
pub(super) fn reason(error: &CloudError) -> String {
    let text = error.to_string();
    match error {
        CloudError::Denied {
            action: Some(action),
            ..
        } if !text.contains(action.as_str()) => format!("{text} ({action} is not allowed)"),
        _ => text,
    }
}

impl Inventory {
    /// Whether there is nothing outside the stacks, and every kind was looked for.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.unknown.is_empty()
    }

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

    /// Bytes of all that was found of a kind, as far as AWS says them.
    pub fn bytes(&self, kind: OutsideKind) -> u64 {
        let bytes = self.of_kind(kind).filter_map(|found| found.resource.bytes);
        bytes.fold(0, u64::saturating_add)
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

    /// By what it is the same one in every look.
    pub(super) fn key(&self) -> (OutsideKind, &str) {
        (self.resource.kind, &self.resource.id)
    }
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct View<'a> {
            kind: OutsideKind,
            id: &'a str,
            owner: Owner,
            #[serde(skip_serializing_if = "Option::is_none")]
            purpose: &'a Option<Purpose>,
            disposition: Disposition,
            #[serde(skip_serializing_if = "Option::is_none")]
            state: &'a Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            bytes: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            created: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            description: &'a Option<String>,
            #[serde(skip_serializing_if = "BTreeSet::is_empty")]
            uses: &'a BTreeSet<String>,
        }
        let resource = &self.resource;
        View {
            kind: resource.kind,
            id: &resource.id,
            owner: self.owner,
            purpose: &self.purpose,
            disposition: self.disposition,
            state: &resource.state,
            bytes: resource.bytes,
            created: resource.created.map(|at| at.to_string()),
            description: &resource.description,
            uses: &resource.uses,
        }
        .serialize(serializer)
    }
}
