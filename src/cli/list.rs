//! `kube-cfn list`: the definitions, and the clusters that live in AWS, side by side.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, Format, talk};
use super::session;
use crate::cloud::{Cloud, Identity, LiveStack};
use crate::definition::{self, DefinitionError};
use crate::report::cluster::age;
use crate::spec::ClusterSpec;

#[derive(clap::Args)]
pub struct Args {
    /// Look for clusters in this region too; may be repeated
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// How to print the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One cluster: defined, living, or both.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    region: String,
    /// Path of its definition.
    definition: Option<String>,
    kubernetes: Option<String>,
    account: Option<String>,
    stacks: usize,
    /// The account that was looked into.
    #[serde(skip)]
    looked: Option<String>,
    /// The statuses of its stacks, each once.
    statuses: BTreeSet<String>,
    created: Option<Timestamp>,
}

type Rows = BTreeMap<(String, String), Row>;

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let mut rows = defined(global)?;
    let regions: BTreeSet<String> = rows
        .keys()
        .map(|(_, region)| region.clone())
        .chain(args.region.iter().cloned())
        .collect();
    if regions.is_empty() {
        talk(&format!(
            "no definition in {}, and no --region to look for clusters in",
            global.clusters.display()
        ));
    }
    for region in regions {
        let (cloud, identity) = session::connect(global, &region).await?;
        for found in cloud.stacks(None).await? {
            add(&mut rows, &found, &identity);
        }
        for row in rows.values_mut().filter(|row| row.region == region) {
            row.looked = Some(identity.account.clone());
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    out::listed(args.output, &rows, || table(&rows))?;
    Ok(Exit::Done)
}

/// The definitions of the directory. One that is wrong is said, and does not hide the others.
fn defined(global: &Global) -> Result<Rows, Failure> {
    let mut rows = Rows::new();
    for found in definition::find(&global.clusters)? {
        let path = found.path.display().to_string();
        match definition::load(&found.path) {
            Ok(spec) => {
                rows.insert(
                    (spec.name.clone(), spec.region.clone()),
                    Row::of(&spec, path),
                );
            }
            Err(DefinitionError::Wrong(_)) => talk(&format!(
                "{path} is wrong: `kube-cfn validate {}` says why",
                found.name
            )),
            Err(other) => talk(&format!("{other}")),
        }
    }
    Ok(rows)
}

impl Row {
    fn of(spec: &ClusterSpec, definition: String) -> Self {
        Self {
            name: spec.name.clone(),
            region: spec.region.clone(),
            definition: Some(definition),
            kubernetes: Some(spec.kubernetes.to_string()),
            account: spec.account.clone(),
            stacks: 0,
            looked: None,
            statuses: BTreeSet::new(),
            created: None,
        }
    }
}

fn add(rows: &mut Rows, found: &LiveStack, identity: &Identity) {
    let key = (found.cluster.clone(), identity.region.clone());
    let row = rows.entry(key).or_insert_with_key(|(name, region)| Row {
        name: name.clone(),
        region: region.clone(),
        definition: None,
        kubernetes: None,
        account: None,
        stacks: 0,
        looked: None,
        statuses: BTreeSet::new(),
        created: None,
    });
    row.account = Some(identity.account.clone());
    row.stacks += 1;
    row.statuses.insert(found.status.to_string());
    row.created = Some(
        row.created
            .map_or(found.created, |first| first.min(found.created)),
    );
}

fn table(rows: &[Row]) -> String {
    let now = Timestamp::now();
    let cells = rows.iter().map(|row| {
        let statuses = || row.statuses.iter().cloned().collect::<Vec<_>>().join(", ");
        let status = match (row.stacks, &row.account, &row.looked) {
            (0, Some(account), looked) if looked.as_ref() != Some(account) => {
                format!("not asked: account {account}")
            }
            (0, ..) => "not created".to_owned(),
            (1, ..) => format!("1 stack {}", statuses()),
            (n, ..) => format!("{n} stacks {}", statuses()),
        };
        vec![
            row.name.clone(),
            row.region.clone(),
            row.kubernetes
                .clone()
                .unwrap_or_else(|| "no definition".to_owned()),
            row.created
                .map_or_else(String::new, |created| age(now.duration_since(created))),
            status,
        ]
    });
    out::table(&["NAME", "REGION", "KUBERNETES", "AGE", "IN AWS"], cells)
}
