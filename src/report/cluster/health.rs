//! Whether a cluster is healthy, as far as it was looked at; what is wrong with its authorities.

use serde::Serialize;

use super::{StackRow, StatusView};
use crate::access::{AccessError, Inventory};
use crate::cloud::{CloudError, StackStatus};
use crate::common::text::listed_line;
use crate::plan::Blocked;
use crate::plan::status::rests;

/// What is wrong with the parameters of the authorities.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct AuthoritiesView {
    /// Why they can't be relied on, and what to do; `None` where all are there.
    lost: Option<Blocked>,
    /// Why they could not be listed.
    unknown: Option<String>,
}

impl AuthoritiesView {
    /// Of a list, and of what is wrong with the cluster's key.
    pub fn of(
        listed: Result<&Inventory, &AccessError>,
        unusable_key: Result<Option<Blocked>, CloudError>,
    ) -> Self {
        let lost = match listed {
            Ok(listed) => listed.refusal(),
            Err(error) => {
                return Self {
                    lost: None,
                    unknown: Some(error.to_string()),
                };
            }
        };
        match unusable_key {
            Ok(key) => Self {
                lost: lost.or(key),
                unknown: None,
            },
            Err(error) => Self {
                lost,
                unknown: Some(error.to_string()),
            },
        }
    }
}

/// What is wrong with the authorities, and what to do.
pub(super) fn authorities_trouble(view: &AuthoritiesView) -> Vec<String> {
    let AuthoritiesView { lost, unknown } = view;
    let unknown = unknown
        .iter()
        .map(|why| listed_line("?? authorities: ", why));
    let lost = lost.iter().flat_map(|lost| {
        let next = format!("next: {}", lost.remedy);
        [
            listed_line("!! authorities: ", &lost.reason),
            listed_line("   ", &next),
        ]
    });
    unknown.chain(lost).collect()
}

/// Whether a cluster is healthy, as far as it was looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Health {
    /// What is wrong, in words.
    pub unhealthy: Vec<String>,
    /// What could not be looked at.
    pub unknown: Vec<String>,
    /// What to do where authorities are lost, or a deletion has not ended.
    pub lost: Option<String>,
    /// What is neither: it costs or was not looked for, and the cluster is as healthy with it as without.
    pub remarks: Vec<String>,
}

/// What a view says of the cluster's health.
pub fn health(view: &StatusView) -> Health {
    if view.is_half_deleted {
        return half_deleted(view);
    }
    let mut unhealthy: Vec<_> = view.stacks.iter().filter_map(stack_trouble).collect();
    let mut unknown = Vec::new();
    match &view.kubernetes {
        None => unhealthy.push("there is no API yet".to_owned()),
        Some(kubernetes) => {
            unhealthy.extend(crate::report::kubernetes::trouble(kubernetes));
            unknown.extend(crate::report::kubernetes::unseen(kubernetes));
        }
    }
    let mut remedy = None;
    if let Some(AuthoritiesView { lost, unknown: why }) = &view.authorities {
        unhealthy.extend(lost.as_ref().map(|lost| lost.reason.clone()));
        unknown.extend(why.clone());
        remedy = lost.as_ref().map(|lost| lost.remedy.clone());
    }
    Health {
        unhealthy,
        unknown,
        lost: remedy,
        remarks: remarks(view),
    }
}

/// What is left of a cluster is not compared with one that is in use.
fn half_deleted(view: &StatusView) -> Health {
    let existing = view.stacks.iter().filter(|row| row.status.is_some());
    let unended = "a deletion has come as far as its network, and not further".to_owned();
    Health {
        unhealthy: existing
            .filter_map(stack_trouble)
            .chain([unended])
            .collect(),
        unknown: Vec::new(),
        lost: Some(format!("`{}` goes on with the deletion", view.delete)),
        remarks: remarks(view),
    }
}

/// A stack that is at rest and was neither left failed nor rolled back to nothing has none.
fn stack_trouble(row: &StackRow) -> Option<String> {
    let (stack, status) = (&row.stack, row.status.as_deref());
    let Some(status) = status else {
        return Some(format!("{stack} does not exist"));
    };
    (!rests(&StackStatus::from(status))).then(|| format!("{stack} is in {status}"))
}

/// What lies outside the stacks is no part of the verdict: a machine that no group has, or a bucket that a stack left,
/// costs and breaks nothing, and a caller who may read stacks and Kubernetes alone still gets an answer about them.
fn remarks(view: &StatusView) -> Vec<String> {
    let is_running = view.operation.is_some();
    let outside = view.outside.as_ref();
    let outside = outside.map_or_else(Vec::new, |outside| outside.remarks(is_running));
    // While a roll runs it is none.
    let roll = view.roll.remarks().into_iter().filter(|_| !is_running);
    roll.chain(outside).collect()
}
