//! The list of clusters: those with a definition here, and those that exist in AWS.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::format;
use crate::cloud::{Identity, LiveStack};
use crate::common::duration::age;
use crate::spec::ClusterSpec;

/// One cluster: defined, in AWS, or both.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    name: String,
    region: String,
    /// Path of its definition.
    definition: Option<String>,
    kubernetes: Option<String>,
    account: Option<String>,
    stacks: usize,
    /// The account that was searched into.
    #[serde(skip)]
    searched: Option<String>,
    /// The statuses of its stacks, each once.
    statuses: BTreeSet<String>,
    created: Option<Timestamp>,
}

/// Clusters by name and region.
#[derive(Default)]
pub struct Clusters {
    rows: BTreeMap<(String, String), ClusterView>,
    /// Regions to look in that no definition is in.
    also: BTreeSet<String>,
}

impl Clusters {
    fn row_mut(&mut self, name: &str, region: &str) -> &mut ClusterView {
        let key = (name.to_owned(), region.to_owned());
        self.rows
            .entry(key)
            .or_insert_with_key(|(name, region)| ClusterView {
                name: name.clone(),
                region: region.clone(),
                ..ClusterView::default()
            })
    }

    /// Adds the definition at `path`; `locked` is the account that its lock file names for this region.
    pub fn add_definition(&mut self, spec: &ClusterSpec, path: String, locked: Option<&str>) {
        let row = self.row_mut(&spec.name, &spec.region);
        row.definition = Some(path);
        row.kubernetes = Some(spec.kubernetes.to_string());
        row.account = spec.account.clone().or(locked.map(str::to_owned));
    }

    /// The regions of the definitions, and others to look in.
    pub fn regions(&self) -> impl Iterator<Item = &String> {
        self.rows.keys().map(|(_, region)| region).chain(&self.also)
    }

    /// Looks in this region too: a cluster may have been moved from it.
    pub fn also_in(&mut self, region: &str) {
        self.also.insert(region.to_owned());
    }

    /// Adds all stacks of a region.
    pub fn add_stacks(&mut self, found: &[LiveStack], identity: &Identity) {
        for one in found {
            let row = self.row_mut(&one.cluster, &identity.region);
            row.account = Some(identity.account.clone());
            row.stacks += 1;
            row.statuses.insert(one.status.to_string());
            let first = row.created.map_or(one.created, |at| at.min(one.created));
            row.created = Some(first);
        }
        let here = |row: &&mut ClusterView| row.region == identity.region;
        for row in self.rows.values_mut().filter(here) {
            row.searched = Some(identity.account.clone());
        }
    }

    /// The clusters as data.
    pub fn rows(&self) -> Vec<&ClusterView> {
        self.rows.values().collect()
    }

    /// The clusters for people; ages are counted to `now`.
    pub fn table(&self, now: Timestamp) -> String {
        let cells = self.rows.values().map(|row| {
            let age = row.created.map(|created| age(now.duration_since(created)));
            let kubernetes = row.kubernetes.as_deref().unwrap_or("no definition");
            vec![
                row.name.clone(),
                row.region.clone(),
                kubernetes.to_owned(),
                age.unwrap_or_default(),
                row.in_aws(),
            ]
        });
        format::table(&["NAME", "REGION", "KUBERNETES", "AGE", "IN AWS"], cells)
    }
}

impl ClusterView {
    fn in_aws(&self) -> String {
        let statuses = || self.statuses.iter().cloned().collect::<Vec<_>>().join(", ");
        match (self.stacks, &self.account, &self.searched) {
            (0, Some(account), searched) if searched.as_ref() != Some(account) => {
                format!("not asked: account {account}")
            }
            (0, _, Some(searched)) => format!("no stacks in account {searched}"),
            (0, _, None) => "not asked".to_owned(),
            (1, ..) => format!("1 stack {}", statuses()),
            (n, ..) => format!("{n} stacks {}", statuses()),
        }
    }
}
