//! Removes what lies outside the stacks, in the order of the table of kinds. Level-triggered: each round looks, begins what
//! can begin, waits, and looks again until nothing is left or nothing has moved for too long. Nothing is remembered from an
//! earlier call: calling it again goes on from anywhere.

mod blockers;
mod item;
mod patience;
mod progress;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

use super::inventory::Found;
use super::kinds::row;
use super::listing::Listing;
use super::scope::Scope;
use crate::cloud::outside::{Outside, OutsideKind};
use crate::cloud::{Cloud, CloudError, Store};
use crate::common::text::count;
use crate::events::Emitter;
use item::{Item, Progress, Task, task};
use report::others;

pub use report::{Orphan, SweepReport, Wish};

/// Waits between two looks: the first after a movement, then twice as long each, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Which of the calls of a deletion this is.
pub struct Turn<'a> {
    /// Whether the rows of the table go too that have to wait for the last stack.
    pub is_last: bool,
    /// When the first call began: the progress of all is one.
    pub since: Timestamp,
    /// What the call before came to. What it left is tried once more, without patience.
    pub earlier: SweepReport,
    /// Called once with what keeps the network, as soon as nothing that holds it is to go any more; the rest may go on.
    pub network: &'a dyn Fn(Vec<Found>),
}

/// Removes what is to go, until nothing of it is left or nothing has moved for too long. The report is also of what earlier
/// calls did.
///
/// `scope` is that of the deletion's plan, or a newer one: what a stack leaves behind is outside only for one that was built
/// when the stack was gone. An error only where there are no valid credentials (any more): what was begun goes on in AWS, and
/// the same call goes on from there.
pub async fn remove<C: Cloud + Store + Outside>(
    cloud: &C,
    emit: Emitter<'_, C>,
    scope: &Scope,
    wish: Wish<'_>,
    turn: Turn<'_>,
) -> Result<SweepReport, CloudError> {
    let now = cloud.now();
    let mut removal = Removal {
        cloud,
        emit,
        wish,
        listing: Listing::of(cloud, scope).await?,
        items: BTreeMap::new(),
        once: BTreeSet::new(),
        turn,
        began: now,
        moved: now,
        has_begun: false,
        network_is_known: false,
    };
    removal.take_over();
    removal.run().await?;
    Ok(removal.report())
}

/// What is the same resource in every look.
type Key = (OutsideKind, String);

struct Removal<'a, C> {
    cloud: &'a C,
    emit: Emitter<'a, C>,
    wish: Wish<'a>,
    turn: Turn<'a>,
    listing: Listing,
    /// Everything that was to go at any time.
    items: BTreeMap<Key, Item>,
    /// What the call before gave up.
    once: BTreeSet<Key>,
    began: Timestamp,
    /// When something last changed.
    moved: Timestamp,
    /// Whether AWS has accepted a removal.
    has_begun: bool,
    network_is_known: bool,
}

impl<C> Removal<'_, C> {
    fn is_its_turn(&self, kind: OutsideKind) -> bool {
        self.turn.is_last || !row(kind).is_last
    }
}

impl<C: Cloud + Store + Outside> Removal<'_, C> {
    /// Takes over what the call before came to. What it left counts as gone until it is found.
    fn take_over(&mut self) {
        let earlier = std::mem::take(&mut self.turn.earlier);
        for found in earlier.removed {
            let item = Item::ended(found, Progress::Gone);
            self.items.insert(item.key(), item);
        }
        for Orphan { found, why } in earlier.left {
            let is_listed = self.listing.lists.contains_key(&found.resource.kind);
            let progress = if is_listed {
                Progress::Gone
            } else {
                Progress::GivenUp(why)
            };
            let item = Item::ended(found, progress);
            self.once.insert(item.key());
            self.items.insert(item.key(), item);
        }
    }

    async fn run(&mut self) -> Result<(), CloudError> {
        self.take_in();
        let mut wait = FIRST_WAIT;
        self.tell().await?;
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
            self.tell().await?;
        }
        self.look_at_orphans().await?;
        self.emit_parts();
        Ok(())
    }

    /// Tells what keeps the network when nothing else of the kinds that do is to go.
    async fn tell(&mut self) -> Result<(), CloudError> {
        if self.network_is_known || !self.is_done_with(|kind| row(kind).holds_network) {
            return Ok(());
        }
        self.look_at_orphans().await?;
        if !self.is_done_with(|kind| row(kind).holds_network) {
            return Ok(());
        }
        self.network_is_known = true;
        let left = self.items.values().filter(|item| item.is_given_up());
        let left = left.map(|item| item.found.clone());
        let foreign = others(&self.listing.inventory());
        let holding = left
            .chain(foreign)
            .filter(|found| found.row().holds_network);
        (self.turn.network)(holding.collect());
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
            self.emit.sweep(self.turn.since, self.parts());
        }
    }

    /// Takes in the newest look. Whether something moved.
    fn take_in(&mut self) -> bool {
        let inventory = self.listing.inventory();
        let mut moved = false;
        let mut wanted = BTreeSet::new();
        let named = inventory.found.iter().filter(|found| found.is_named());
        let staying: Vec<Found> = named.cloned().collect();
        for found in inventory.found {
            let Some(task) = self.task(&found, &staying) else {
                continue;
            };
            let key = (found.resource.kind, found.resource.id.clone());
            wanted.insert(key.clone());
            moved |= self.take(key, found, task);
        }
        let listing = &self.listing;
        self.items.retain(|key, item| {
            if !listing.lists.contains_key(&key.0) {
                return true;
            }
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

    /// What is to be done with something that was found; `None` for nothing. What something uses that is never removed is not
    /// tried.
    fn task(&self, found: &Found, staying: &[Found]) -> Option<Task> {
        if !self.is_its_turn(found.resource.kind) {
            return None;
        }
        let task = task(found, self.wish)?;
        let user = staying.iter().find(|user| user.uses(found));
        Some(match user {
            Some(user) if task == Task::Remove => Task::Name(blockers::waits(found, user)),
            Some(_) | None => task,
        })
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
                self.has_begun = true;
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
                let objects = count(objects, "object");
                let text = format!("bucket {} emptied of {objects}", resource.id);
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
            .filter(|(kind, error)| error.is_transient() && self.is_its_turn(**kind))
            .map(|(kind, _)| *kind)
    }

    /// Whether an interface is still attached to a machine that is not listed any more: it goes with that one within
    /// moments, or it is attached to a machine of another VPC, and stays.
    fn is_unsettled(&self) -> bool {
        let list = |kind| self.listing.lists.get(&kind).into_iter().flatten();
        let is_listed = |id: &str| list(OutsideKind::Machine).any(|machine| machine.id == id);
        let mut interfaces = list(OutsideKind::Interface);
        interfaces.any(|interface| {
            let mut machines = interface.uses.iter().filter(|id| id.starts_with("i-"));
            machines.any(|id| !is_listed(id))
        })
    }

    fn is_done(&self) -> bool {
        self.is_done_with(|_| true)
    }

    /// Whether nothing of these kinds is to go any more.
    fn is_done_with(&self, is_meant: impl Fn(OutsideKind) -> bool) -> bool {
        let is_settled = !self.is_unsettled() || self.has_settled();
        let is_listed = !self.unlisted().any(&is_meant) || self.has_waited();
        let mut active = self.active().map(|item| item.found.resource.kind);
        !active.any(&is_meant) && is_settled && is_listed
    }

    /// Those with something to go, those that wait for them, and those that may say what keeps them.
    fn kinds_to_list(&self) -> Vec<OutsideKind> {
        let going: BTreeSet<_> = self.active().map(|item| item.found.resource.kind).collect();
        let unlisted: BTreeSet<_> = self.unlisted().collect();
        let attached = [OutsideKind::Interface, OutsideKind::Machine];
        let is_unsettled = self.is_unsettled();
        let keeps_group = [OutsideKind::Interface, OutsideKind::GroupRule];
        let has_group = going.contains(&OutsideKind::SecurityGroup);
        let is_needed = |kind: &OutsideKind| {
            going.contains(kind)
                || unlisted.contains(kind)
                || row(*kind).after.iter().any(|before| going.contains(before))
                || (has_group && keeps_group.contains(kind))
                || (is_unsettled && attached.contains(kind))
        };
        OutsideKind::ALL.into_iter().filter(is_needed).collect()
    }
}
