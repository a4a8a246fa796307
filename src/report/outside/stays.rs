//! What a deletion would remove and leaves where it is, as it can't be removed: what is locked, or what the caller may not
//! remove, where that is accepted; what those use; and a VPC in which something stays.

use std::collections::BTreeMap;

use serde::Serialize;

use super::contents::Contents;
use super::kept::more;
use super::page::{Mark, Page, SHOWN, listed};
use super::row::FoundRow;
use super::{DeletionView, money, names, obstacles};
use crate::cloud::outside::OutsideKind;
use crate::forecast::prices::Prices;
use crate::forecast::upkeep::{Upkeep, upkeep};
use crate::sweep::kinds::row;
use crate::sweep::{Disposition, Found, Inventory, Obstacle};

/// One of it.
pub(super) struct Stay<'a> {
    pub found: &'a Found,
    /// What keeps it, in words.
    pub why: String,
    pub upkeep: Upkeep,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StayJson {
    #[serde(flatten)]
    row: FoundRow,
    why: String,
}

/// Why each of what would be removed stays, by kind and id.
pub(super) struct Reasons<'a> {
    inventory: &'a Inventory,
    delete_volumes: bool,
    all: BTreeMap<(OutsideKind, String), String>,
}

impl<'a> Reasons<'a> {
    /// What stays by itself, and then all that is used by it.
    pub fn of(view: &DeletionView<'a>) -> Self {
        let mut reasons = Self {
            inventory: view.inventory,
            delete_volumes: view.delete_volumes,
            all: BTreeMap::new(),
        };
        let in_force = view.obstacles.found.iter();
        let in_force: Vec<&Obstacle> = in_force
            .filter(|one| view.accepts_obstacles || !one.blocks)
            .collect();
        for found in reasons.removed() {
            let whys = in_force.iter().filter(|one| one.keeps(found));
            let whys: Vec<String> = whys.map(|one| obstacles::why(one)).collect();
            if !whys.is_empty() {
                reasons.all.insert(key(found), whys.join("; "));
            }
        }
        loop {
            let new: Vec<_> = reasons.removed().filter(|one| !reasons.has(one)).collect();
            let new = new
                .into_iter()
                .filter_map(|one| Some((key(one), reasons.by_use(one)?)));
            let new: Vec<_> = new.collect();
            if new.is_empty() {
                return reasons;
            }
            reasons.all.extend(new);
        }
    }

    /// Why this stays; `None` where it goes.
    pub fn why(&self, found: &Found) -> Option<&str> {
        self.all.get(&key(found)).map(String::as_str)
    }

    fn has(&self, found: &Found) -> bool {
        self.why(found).is_some()
    }

    fn removed(&self) -> impl Iterator<Item = &'a Found> + use<'a> {
        let inventory: &'a Inventory = self.inventory;
        inventory.becoming(Disposition::Removed, self.delete_volumes)
    }

    /// Why something stays that is used by what stays.
    fn by_use(&self, found: &Found) -> Option<String> {
        let mut all = self.inventory.found.iter();
        let user = all.find(|user| (self.has(user) || user.is_named()) && user.uses(found))?;
        let name = format!(
            "{} {}",
            row(user.resource.kind).name,
            names::short(&user.resource)
        );
        Some(match found.resource.kind {
            OutsideKind::Vpc => format!("{name} is in it, and stays"),
            _ => format!("{name} uses it, and stays"),
        })
    }
}

fn key(found: &Found) -> (OutsideKind, String) {
    (found.resource.kind, found.resource.id.clone())
}

/// What stays, each with what keeps it. Interfaces that AWS made go unsaid: their line is that of what they belong to.
pub(super) fn section(page: &mut Page, view: &DeletionView<'_>, contents: &Contents<'_>) {
    let said: Vec<&Stay<'_>> = (contents.stays.iter())
        .filter(|one| !one.found.resource.by_aws)
        .collect();
    let of_stacks: Vec<&Obstacle> = (view.obstacles.found.iter())
        .filter(|one| view.accepts_obstacles && one.stack.is_some())
        .collect();
    if said.is_empty() && of_stacks.is_empty() {
        return;
    }
    page.line(2, "stays, as it can't be removed:");
    for one in of_stacks {
        let text = format!("{}; its stack stays with it", obstacles::text(one));
        page.entry(4, Mark::Kept, &text);
    }
    for one in said.iter().take(SHOWN) {
        let resource = &one.found.resource;
        let text = listed([
            format!("{} {}", row(resource.kind).name, names::short(resource)),
            resource.bytes.map(names::size).unwrap_or_default(),
            names::purpose(one.found, &view.plan.cluster),
            money::monthly(&one.upkeep),
        ]);
        page.entry(4, Mark::Kept, &format!("{text}: {}", one.why));
    }
    more(page, 4, said.len());
}

pub(super) fn json(stay: &Stay<'_>, region: &str) -> StayJson {
    let mut row = FoundRow::of(stay.found, false, region, &Prices::table());
    row.stays();
    StayJson {
        row,
        why: stay.why.clone(),
    }
}

/// What stays of what would be removed.
pub(super) fn stay<'a>(found: &'a Found, why: &str, region: &str, prices: &Prices) -> Stay<'a> {
    Stay {
        found,
        why: why.to_owned(),
        upkeep: upkeep(&found.resource, region, prices),
    }
}
