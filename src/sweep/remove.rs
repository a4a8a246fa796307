//! Removes what lies outside the stacks, in the order of the table of kinds. Level-triggered: each round looks, begins what
//! can begin, waits, and looks again until nothing is left or nothing has moved for too long. Nothing is remembered from an
//! earlier call: calling it again goes on from anywhere.

mod blockers;
mod item;
mod progress;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::inventory::{Found, Inventory, Listing, Scope, UnknownKind};
use super::kinds::{End, row};
use super::owner::{Disposition, Owner};
use crate::cloud::Cloud;
use crate::cloud::outside::{Outside, OutsideKind};
use crate::cloud::{CloudError, Store};
use crate::common::clock::elapsed;
use crate::events::Emitter;
use item::{Item, Progress, Task, task};

/// How long nothing may move before what is left is given up. AWS releases the interfaces of a deleted load balancer within
/// 2 to 5 minutes, seldom later (<https://github.com/eksctl-io/eksctl/issues/253>,
/// <https://github.com/kubernetes-sigs/cluster-api-provider-aws/issues/3478>); a machine takes 1 to 3 minutes to terminate.
const PATIENCE: Duration = Duration::from_mins(10);
/// The same where only a change by somebody could help: all that is left is in use by what this removal does not take away.
const SHORT_PATIENCE: Duration = Duration::from_mins(1);
/// How long a removal goes on in all, also where something new appears all the time.
const LONGEST: Duration = Duration::from_hours(1);
/// Waits between two looks: the first after a movement, then twice as long each, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

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
    /// What is kept on purpose, of every kind.
    pub kept: Vec<Found>,
    /// What is not removed and holds the network: other people's resources.
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

/// Removes what is to go, until nothing of it is left or nothing has moved for too long. `is_last` picks the rows of the
/// table: those that go before the network, or those that go last. What is kept, foreign or unknown is reported of all rows.
///
/// `scope` is that of the stacks that are left now, not of those before the deletion. An error only where there are no valid
/// credentials (any more): nothing goes on in AWS then but what was begun; the same call goes on from there.
pub async fn remove<C: Cloud + Store + Outside>(
    cloud: &C,
    emit: Emitter<'_, C>,
    scope: &Scope,
    wish: Wish<'_>,
    is_last: bool,
) -> Result<SweepReport, CloudError> {
    let now = cloud.now();
    let mut removal = Removal {
        cloud,
        emit,
        wish,
        is_last,
        listing: Listing::of(cloud, scope).await?,
        items: BTreeMap::new(),
        began: now,
        moved: now,
    };
    removal.run().await?;
    Ok(removal.report())
}

/// What is the same resource in every look.
type Key = (OutsideKind, String);

struct Removal<'a, C> {
    cloud: &'a C,
    emit: Emitter<'a, C>,
    wish: Wish<'a>,
    is_last: bool,
    listing: Listing,
    /// Everything that was to go at any time.
    items: BTreeMap<Key, Item>,
    began: Timestamp,
    /// When something last changed.
    moved: Timestamp,
}

impl<C: Cloud + Store + Outside> Removal<'_, C> {
    async fn run(&mut self) -> Result<(), CloudError> {
        self.take_in();
        let mut wait = FIRST_WAIT;
        while !self.is_done() {
            self.begin().await?;
            self.emit_parts();
            if !self.is_done() {
                self.cloud.sleep(wait).await;
            }
            let kinds = self.kinds_to_list();
            self.listing.update(self.cloud, &kinds).await?;
            wait = if self.take_in() {
                FIRST_WAIT
            } else {
                (wait * 2).min(LONGEST_WAIT)
            };
            self.give_up();
        }
        self.look_at_orphans().await?;
        self.emit_parts();
        Ok(())
    }

    /// What was given up may have gone since.
    async fn look_at_orphans(&mut self) -> Result<(), CloudError> {
        let orphans = self.items.values().filter(|item| item.is_given_up());
        let kinds: BTreeSet<_> = orphans.map(|item| item.found.resource.kind).collect();
        let kinds: Vec<_> = kinds.into_iter().collect();
        self.listing.update(self.cloud, &kinds).await?;
        self.take_in();
        Ok(())
    }

    fn emit_parts(&self) {
        if !self.items.is_empty() {
            self.emit.sweep(self.began, self.parts());
        }
    }

    /// Takes in the newest look. Whether something moved.
    fn take_in(&mut self) -> bool {
        let inventory = self.listing.inventory();
        let mut moved = false;
        let mut wanted = BTreeSet::new();
        for found in inventory.found {
            let Some(task) = self.task(&found) else {
                continue;
            };
            let key = (found.resource.kind, found.resource.id.clone());
            wanted.insert(key.clone());
            moved |= self.take(key, found, task);
        }
        let listing = &self.listing;
        self.items.retain(|key, item| {
            let is_gone = !listing.has(key.0, &key.1);
            moved |= is_gone && item.end();
            // What turns out to be a stack's, or somebody's, is not this removal's.
            is_gone || wanted.contains(key)
        });
        if moved {
            self.moved = self.cloud.now();
        }
        moved
    }

    /// Takes in one that is to go. Whether it moved, or is new.
    fn take(&mut self, key: Key, found: Found, task: Task) -> bool {
        if let Some(item) = self.items.get_mut(&key) {
            return item.update(found, task);
        }
        self.items.insert(key, Item::new(found, task));
        true
    }

    /// What is to be done with something that was found; `None` for nothing.
    fn task(&self, found: &Found) -> Option<Task> {
        (found.row().is_last == self.is_last)
            .then(|| task(found, self.wish))
            .flatten()
    }

    /// Begins to remove what nothing has to go before.
    async fn begin(&mut self) -> Result<(), CloudError> {
        let now = self.cloud.now();
        let ready = self.items.iter().filter(|(_, item)| item.is_due(now));
        let ready = ready.filter(|((kind, _), _)| self.waits_for(*kind).is_none());
        let requests = ready.map(async |(key, item)| {
            let answer = self.request(&item.found).await;
            (key.clone(), answer)
        });
        let answers = join_all(requests).await;
        let now = self.cloud.now();
        for (key, answer) in answers {
            if let Err(error @ CloudError::Credentials { .. }) = answer {
                return Err(error);
            }
            if let Some(item) = self.items.get_mut(&key)
                && item.answered(answer, now)
            {
                self.moved = now;
            }
        }
        Ok(())
    }

    /// Begins to remove one. Without a retry: the next round asks again, if it is still there.
    async fn request(&self, found: &Found) -> Result<(), CloudError> {
        let resource = &found.resource;
        if resource.kind == OutsideKind::Bucket {
            let objects = self.cloud.empty_bucket(&resource.id).await?;
            if objects > 0 {
                let text = format!("bucket {} emptied of {objects} objects", resource.id);
                self.emit.note(None, text);
            }
        }
        self.cloud.remove(resource).await
    }

    /// A kind of which something has to go before this one, and may still go.
    fn waits_for(&self, kind: OutsideKind) -> Option<OutsideKind> {
        let after = row(kind).after.iter().copied();
        after.into_iter().find(|before| self.is_going(*before))
    }

    fn is_going(&self, kind: OutsideKind) -> bool {
        self.active().any(|item| item.found.resource.kind == kind)
    }

    /// What is to go, is there, and was not given up.
    fn active(&self) -> impl Iterator<Item = &Item> {
        self.items.values().filter(|item| item.is_active())
    }

    /// Kinds that could not be listed for the moment and may have something to remove.
    fn unlisted(&self) -> impl Iterator<Item = OutsideKind> {
        let failed = self.listing.failed.iter();
        failed
            .filter(|(kind, error)| {
                let row = row(**kind);
                error.is_transient() && row.end != End::Foreign && row.is_last == self.is_last
            })
            .map(|(kind, _)| *kind)
    }

    fn is_done(&self) -> bool {
        self.active().next().is_none()
            && (self.unlisted().next().is_none() || self.has_waited(PATIENCE))
    }

    /// Those with something to go, those that wait for them, and those that may say what keeps them.
    fn kinds_to_list(&self) -> Vec<OutsideKind> {
        let going: BTreeSet<_> = self.active().map(|item| item.found.resource.kind).collect();
        let unlisted: BTreeSet<_> = self.unlisted().collect();
        let keeps_group = [OutsideKind::Interface, OutsideKind::GroupRule];
        let has_group = going.contains(&OutsideKind::SecurityGroup);
        let is_needed = |kind: &OutsideKind| {
            going.contains(kind)
                || unlisted.contains(kind)
                || row(*kind).after.iter().any(|before| going.contains(before))
                || (has_group && keeps_group.contains(kind))
        };
        OutsideKind::ALL.into_iter().filter(is_needed).collect()
    }

    fn has_waited(&self, patience: Duration) -> bool {
        let now = self.cloud.now();
        elapsed(self.moved, now) >= patience || elapsed(self.began, now) >= LONGEST
    }

    /// Gives up what was tried and can't go; what waited for it is tried then, for AWS to say what keeps it.
    fn give_up(&mut self) {
        let is_hopeless = self.tried().all(|item| self.is_hopeless(item));
        let patience = if is_hopeless {
            SHORT_PATIENCE
        } else {
            PATIENCE
        };
        if !self.has_waited(patience) {
            return;
        }
        let is_over = elapsed(self.began, self.cloud.now()) >= LONGEST;
        let tried = self
            .active()
            .filter(|item| is_over || !self.has_to_wait(item));
        let reasons: Vec<_> = tried.map(|item| (item.key(), self.blocker(item))).collect();
        if reasons.is_empty() {
            return;
        }
        for (key, why) in reasons {
            if let Some(item) = self.items.get_mut(&key) {
                item.progress = Progress::GivenUp(why);
            }
        }
        self.moved = self.cloud.now();
    }

    /// What is active and has nothing to wait for.
    fn tried(&self) -> impl Iterator<Item = &Item> {
        self.active().filter(|item| !self.has_to_wait(item))
    }

    fn has_to_wait(&self, item: &Item) -> bool {
        self.waits_for(item.found.resource.kind).is_some()
    }

    fn report(self) -> SweepReport {
        let inventory = self.listing.inventory();
        let wish = self.wish;
        let mut report = SweepReport {
            foreign: inventory
                .holds_network()
                .filter(|found| found.owner == Owner::Foreign)
                .cloned()
                .collect(),
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
            .filter(|found| item::is_kept(found, wish))
            .collect();
        report
    }
}

impl Wish<'_> {
    /// Whether somebody agreed to the removal of this.
    fn has_consent(self, found: &Found) -> bool {
        let resource = &found.resource;
        let shown = self.shown.get(resource.kind, &resource.id);
        shown.is_some_and(|shown| shown.becomes(self.delete_volumes) == Disposition::Removed)
    }
}
