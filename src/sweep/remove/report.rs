//! What a removal is asked for, and what it came to.

use super::Removal;
use super::item::{Progress, Task, is_kept, task};
use crate::sweep::inventory::{Found, Inventory, UnknownKind};
use crate::sweep::owner::{Disposition, Owner};

/// What is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whether the volumes of claims go too.
    pub delete_volumes: bool,
    /// What was shown before consent: data, DNS records, buckets, keys and what stacks left go only if they are in it.
    pub shown: &'a Inventory,
}

/// What a removal came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// What was there and is gone.
    pub removed: Vec<Found>,
    /// What should be gone and is not.
    pub left: Vec<Orphan>,
    /// What goes when the last stack is gone, and was found before that: the last call tries it, and has none.
    pub waiting: Vec<Found>,
    /// What is kept on purpose, of every kind.
    pub kept: Vec<Found>,
    /// What is not removed and holds the network: other people's resources, and those that may be.
    pub foreign: Vec<Found>,
    /// Kinds that could not be looked for.
    pub unknown: Vec<UnknownKind>,
}

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub found: Found,
    /// What keeps it, as AWS says.
    pub why: String,
}

impl SweepReport {
    /// Of a removal that was not begun, for this reason: what was shown is still there.
    pub fn untried(shown: &Inventory, delete_volumes: bool, why: &str) -> Self {
        let mut report = Self {
            unknown: shown.unknown.clone(),
            ..Self::default()
        };
        for found in &shown.found {
            match found.becomes(delete_volumes) {
                Disposition::Removed => report.left.push(Orphan {
                    found: found.clone(),
                    why: why.to_owned(),
                }),
                Disposition::Kept => report.kept.push(found.clone()),
                Disposition::Untouched if found.holds_network() => {
                    report.foreign.push(found.clone());
                }
                Disposition::Untouched => {}
            }
        }
        report
    }
}

/// Resources of others, or that may be, which hold the network.
pub(super) fn others(inventory: &Inventory) -> Vec<Found> {
    let held = inventory.holds_network();
    let others = held.filter(|found| matches!(found.owner, Owner::Foreign | Owner::Unclear));
    others.cloned().collect()
}

impl<C> Removal<'_, C> {
    pub(super) fn report(self) -> SweepReport {
        let inventory = self.listing.inventory();
        let wish = self.wish;
        let waits = |found: &&Found| {
            let is_later = !self.is_its_turn(found.resource.kind);
            is_later && task(found, wish) == Some(Task::Remove)
        };
        let mut report = SweepReport {
            foreign: others(&inventory),
            waiting: inventory.found.iter().filter(waits).cloned().collect(),
            unknown: inventory.unknown,
            ..SweepReport::default()
        };
        for item in self.items.into_values() {
            match item.progress {
                Progress::Gone => report.removed.push(item.found),
                Progress::GivenUp(why) => report.left.push(Orphan {
                    found: item.found,
                    why,
                }),
                // None is left: the loop ends when each is gone or given up.
                Progress::Waiting | Progress::Begun(_) | Progress::Refused(_) => {}
            }
        }
        report.kept = inventory
            .found
            .into_iter()
            .map(|found| wish.as_shown(found))
            .filter(|found| is_kept(found, wish))
            .collect();
        report
    }
}

impl Wish<'_> {
    /// A later look, without the stacks and the API, can't tell whose a volume is.
    fn as_shown(self, mut found: Found) -> Found {
        let resource = &found.resource;
        if let Some(shown) = self.shown.get(resource.kind, &resource.id)
            && shown.owner.is_past()
        {
            found.owner = shown.owner;
        }
        found
    }

    /// Whether somebody agreed to the removal of this.
    pub(super) fn has_consent(self, found: &Found) -> bool {
        let resource = &found.resource;
        let shown = self.shown.get(resource.kind, &resource.id);
        shown.is_some_and(|shown| shown.becomes(self.delete_volumes) == Disposition::Removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::outside::{OutsideKind, OutsideResource};
    use crate::sweep::Past;

    fn volume(id: &str, owner: Owner) -> Found {
        Found {
            resource: OutsideResource::new(OutsideKind::Volume, id),
            owner,
            purpose: None,
            disposition: Disposition::Kept,
        }
    }

    #[test]
    fn volume_that_was_shown_as_an_earlier_clusters_stays_one() {
        let past = Owner::Past(Past::Earlier);
        let shown = Inventory {
            found: vec![
                volume("vol-old", past),
                volume("vol-own", Owner::Kubernetes),
                volume("vol-odd", Owner::Unclear),
            ],
            unknown: Vec::new(),
        };
        let wish = Wish {
            delete_volumes: true,
            shown: &shown,
        };
        // A look without stacks and API takes each for the cluster's.
        let now = |id| wish.as_shown(volume(id, Owner::Kubernetes));
        assert_eq!(now("vol-old").owner, past);
        assert!(is_kept(&now("vol-old"), wish));
        for id in ["vol-own", "vol-odd", "vol-new"] {
            assert_eq!(now(id).owner, Owner::Kubernetes, "{id}");
        }
        assert!(!is_kept(&now("vol-own"), wish));
        // Only the owner is taken over.
        let mut later = volume("vol-old", Owner::Kubernetes);
        later.resource.state = Some("available".to_owned());
        let state = wish.as_shown(later).resource.state;
        assert_eq!(state.as_deref(), Some("available"));
    }
}
