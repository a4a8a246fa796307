//! One resource outside the stacks as JSON: the same fields wherever a command prints one. docs/delete.md describes them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::outside::OutsideKind;
use crate::forecast::prices::Prices;
use crate::forecast::upkeep::{Upkeep, upkeep};
use crate::sweep::kinds::row;
use crate::sweep::{Disposition, Found, Owner, Purpose};

/// One resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundRow {
    kind: OutsideKind,
    /// As AWS's calls take it.
    id: String,
    owner: Owner,
    purpose: Option<Purpose>,
    /// What a deletion does with it.
    disposition: Disposition,
    /// AWS's word for its state.
    state: Option<String>,
    bytes: Option<u64>,
    created: Option<Timestamp>,
    /// When AWS deletes it for good: of a key that waits for its deletion.
    ends: Option<Timestamp>,
    /// ARN of the key under which it is encrypted.
    key: Option<String>,
    description: Option<String>,
    tags: BTreeMap<String, String>,
    /// AWS made it for another resource, and takes it away with that one.
    by_aws: bool,
    /// Whether the network's stack can't be deleted while it is there.
    holds_network: bool,
    #[serde(flatten)]
    cost: MonthlyRow,
}

/// What one thing costs a month: `null` where no price is known.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MonthlyRow {
    monthly_usd: Option<f64>,
    /// Whether it can be less.
    monthly_is_most: bool,
}

impl FoundRow {
    /// With what becomes of it where volumes are deleted or kept, and its price by list in a region.
    pub fn of(found: &Found, delete_volumes: bool, region: &str, prices: &Prices) -> Self {
        let resource = &found.resource;
        Self {
            kind: resource.kind,
            id: resource.id.clone(),
            owner: found.owner,
            purpose: found.purpose.clone(),
            disposition: found.becomes(delete_volumes),
            state: resource.state.clone(),
            bytes: resource.bytes,
            created: resource.created,
            ends: resource.ends,
            key: resource.key.clone(),
            description: resource.description.clone(),
            tags: resource.tags.clone(),
            by_aws: resource.by_aws,
            holds_network: row(resource.kind).holds_network,
            cost: MonthlyRow::of(&upkeep(resource, region, prices)),
        }
    }
}

impl FoundRow {
    /// A deletion would remove it, and can't.
    pub(super) fn stays(&mut self) {
        self.disposition = Disposition::Untouched;
    }
}

impl MonthlyRow {
    pub fn of(upkeep: &Upkeep) -> Self {
        Self {
            monthly_usd: match upkeep {
                Upkeep::Free => Some(0.0),
                Upkeep::About(amount) | Upkeep::UpTo(amount) => Some(cents(amount.usd)),
                Upkeep::Unknown => None,
            },
            monthly_is_most: upkeep.is_most(),
        }
    }
}

/// US dollars, rounded to cents.
pub(in crate::report) fn cents(usd: f64) -> f64 {
    (usd * 100.0).round() / 100.0
}
