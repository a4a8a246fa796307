//! Lists every kind, again and again where it has to, with what could not be listed.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::classify::{Lists, classify, record_of, vpcs_of_stacks};
use super::inventory::{Inventory, UnknownKind};
use super::scope::Scope;
use crate::cloud::CloudError;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource};
use crate::common::Clock;
use crate::common::retry::{Backoff, Try, retry};

/// The answers to the newest look at every kind.
#[derive(Debug)]
pub(super) struct Listing {
    scope: Scope,
    pub lists: Lists,
    /// Why a kind could not be listed; its list is the one before, where there was one.
    pub failed: BTreeMap<OutsideKind, CloudError>,
    /// What CloudFormation's records said of keys, by their ids.
    records: BTreeMap<String, Option<String>>,
}

impl Listing {
    /// Lists every kind.
    pub async fn of<C: Clock + Outside>(cloud: &C, scope: &Scope) -> Result<Self, CloudError> {
        let mut listing = Self {
            scope: scope.clone(),
            lists: Lists::new(),
            failed: BTreeMap::new(),
            records: BTreeMap::new(),
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
        self.prove_keys(cloud).await
    }

    /// Asks CloudFormation which deleted stack left a key, once a key. Where it does not say, nothing proves whose that is.
    async fn prove_keys<C: Clock + Outside>(&mut self, cloud: &C) -> Result<(), CloudError> {
        for key in self.lists.get_mut(&OutsideKind::Key).into_iter().flatten() {
            let Some((stack, id)) = record_of(key, &self.scope) else {
                continue;
            };
            if !self.records.contains_key(&id) {
                let answer = ask(cloud, async || cloud.left_by(&stack, &id).await).await;
                match answer {
                    Ok(stack) => {
                        self.records.insert(id.clone(), stack);
                    }
                    Err(error @ CloudError::Credentials { .. }) => return Err(error),
                    Err(_) => {}
                }
            }
            key.left_by = self.records.get(&id).cloned().flatten();
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

    /// Whether the newest list of a kind still has a resource that does not wait for its deletion.
    pub fn has(&self, kind: OutsideKind, id: &str) -> bool {
        let is = |resource: &OutsideResource| resource.id == id && !resource.is_scheduled();
        self.lists
            .get(&kind)
            .is_some_and(|list| list.iter().any(is))
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
