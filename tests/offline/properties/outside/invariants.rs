//! The invariants of a deletion, checked against what the simulated account really holds.

use std::collections::BTreeSet;

use kube_cfn::apply::{RunOutcome, RunReport};
use kube_cfn::cloud::outside::{OutsideKind, OutsideResource};
use kube_cfn::simulated::{OutsideLoss, RemovedBy};
use kube_cfn::sweep::{Found, SweepReport, kinds};

use super::things::{Expected, Key, key};
use super::trial::{Ended, Trial};

fn keys<'a>(found: impl Iterator<Item = &'a Found>) -> BTreeSet<Key> {
    found.map(|one| key(&one.resource)).collect()
}

/// What a report names, removed or not.
fn named(report: &SweepReport) -> BTreeSet<Key> {
    let left = report.left.iter().map(|orphan| &orphan.found);
    keys(
        left.chain(&report.kept)
            .chain(&report.foreign)
            .chain(&report.removed),
    )
}

impl Trial<'_> {
    /// After every run.
    pub fn check(&self, ended: &Ended) -> Result<(), String> {
        let losses = self.cloud().outside_losses();
        for loss in losses.get(self.losses.get()..).unwrap_or_default() {
            self.rightly_lost(loss)?;
        }
        match ended {
            Ended::Killed => Ok(()),
            Ended::NoPlan(_) => {
                let new = losses.get(self.losses.get()..).unwrap_or_default();
                let removed = new.iter().find(|loss| loss.by == RemovedBy::Call);
                removed.map_or(Ok(()), |loss| Err(format!("refused, but removed {loss:?}")))
            }
            Ended::Over(report) => {
                self.network_is_let_go()?;
                self.all_named(report)?;
                self.done_is_done(report)
            }
        }
    }

    /// Nothing foreign is touched, nothing of a stack, and no data that is kept or was not shown.
    fn rightly_lost(&self, loss: &OutsideLoss) -> Result<(), String> {
        if loss.by != RemovedBy::Call {
            return Ok(());
        }
        let wrong = |why: &str| Err(format!("{why}: {loss:?}"));
        if let Some(stack) = &loss.stack {
            return wrong(&format!("something of stack {stack:?} was removed"));
        }
        let shown = self.shown.borrow();
        let was_shown = shown.get(loss.kind, &loss.id).is_some();
        match (self.things.expected(loss.kind, &loss.id), loss.kind) {
            (Expected::Foreign, _) => wrong("somebody else's was removed"),
            (Expected::Kept | Expected::Named, _) => wrong("what is always kept was removed"),
            (Expected::Volume, _) if !self.delete_volumes => wrong("a volume was removed"),
            (Expected::Volume, _) | (_, OutsideKind::Bucket | OutsideKind::Key) if !was_shown => {
                wrong("it was removed and not shown before")
            }
            (Expected::Volume | Expected::Goes, _) => Ok(()),
        }
    }

    /// What is there after a run that is over was named by it: before it began, or at its end.
    fn all_named(&self, report: &RunReport) -> Result<(), String> {
        if report.outcome() == RunOutcome::Detached {
            return Ok(());
        }
        let shown = self.shown.borrow();
        let is_swept = report.outside != SweepReport::default();
        let mut known = named(&report.outside);
        known.extend(keys(shown.found.iter()));
        let unknown = report.outside.unknown.iter().chain(&shown.unknown);
        let mut unknown: BTreeSet<_> = unknown.map(|one| one.kind).collect();
        // Whose a rule is, its groups say.
        if unknown.contains(&OutsideKind::SecurityGroup) {
            unknown.insert(OutsideKind::GroupRule);
        }
        for thing in self.things.all() {
            let is_new = thing.created.is_none_or(|at| at >= self.began.get());
            if known.contains(&key(&thing)) || unknown.contains(&thing.kind) || is_new {
                continue;
            }
            if self.concerns(&thing, is_swept) {
                return Err(format!("it is there and was not named: {thing:?}"));
            }
        }
        Ok(())
    }

    /// Whether a thing is the cluster's, or holds its network, and has to be named for itself.
    fn concerns(&self, thing: &OutsideResource, is_swept: bool) -> bool {
        let place = &self.things.place;
        let in_vpc = thing.vpc.as_ref() == Some(&place.vpc);
        match (self.things.expected(thing.kind, &thing.id), thing.kind) {
            // It goes with the nodes' group, which has it.
            (Expected::Foreign, _) if place.node_group.as_ref() == Some(&thing.body) => false,
            (Expected::Foreign, _) => in_vpc && kinds::row(thing.kind).holds_network,
            // AWS releases it by itself, or it went with its machine when that was shown and is free since.
            (Expected::Goes, OutsideKind::Interface) if thing.by_aws || !is_swept => false,
            (Expected::Goes, OutsideKind::Interface | OutsideKind::Volume) => {
                !self.goes_along(thing)
            }
            // Its stack ended it: the stack's deletion says so.
            (Expected::Goes, OutsideKind::Key) => !thing.is_scheduled(),
            (Expected::Goes | Expected::Volume | Expected::Kept | Expected::Named, _) => true,
        }
    }

    /// Whether it goes with a machine of the cluster.
    fn goes_along(&self, thing: &OutsideResource) -> bool {
        let machines = thing.uses.iter().filter(|id| id.starts_with("i-"));
        let expected = machines.map(|id| self.things.expected(OutsideKind::Machine, id));
        expected
            .into_iter()
            .any(|expected| expected != Expected::Foreign)
    }

    /// A run that says that it is done has left nothing that goes, and names what is kept.
    fn done_is_done(&self, report: &RunReport) -> Result<(), String> {
        let is_known = report.outside.unknown.is_empty();
        if report.outcome() != RunOutcome::Done || self.meddled.get() || !is_known {
            return Ok(());
        }
        self.everything_gone(report)
    }

    pub fn everything_gone(&self, report: &RunReport) -> Result<(), String> {
        let kept = keys(report.outside.kept.iter());
        for thing in self.things.all() {
            let expected = self.things.expected(thing.kind, &thing.id);
            let stays = match expected {
                Expected::Foreign => continue,
                Expected::Goes if thing.by_aws || !self.concerns(&thing, true) => continue,
                Expected::Goes | Expected::Named => false,
                Expected::Volume => !self.delete_volumes,
                Expected::Kept => true,
            };
            if !stays && !kept.contains(&key(&thing)) {
                return Err(format!("done, but it is there: {thing:?}"));
            }
            if stays && !kept.contains(&key(&thing)) {
                return Err(format!("done, and it is kept without a word: {thing:?}"));
            }
        }
        Ok(())
    }

    /// The network's stack does not fail for something that goes, or that was seen before.
    fn network_is_let_go(&self) -> Result<(), String> {
        // What could not be looked for, and was accepted so, may hold it.
        if self.meddled.get() || !self.shown.borrow().unknown.is_empty() {
            return Ok(());
        }
        let all = self.cloud().history();
        let name = format!("{}-network", self.things.design.cluster);
        let failed = all.iter().find(|event| {
            event.logical_id == name
                && event.status.as_str() == "DELETE_FAILED"
                && event.at >= self.began.get()
        });
        failed.map_or(Ok(()), |event| {
            Err(format!("the network's stack failed: {event:?}"))
        })
    }

    /// Somebody takes away what is theirs from the VPC.
    pub fn take_away_foreign(&self) {
        for thing in self.things.all() {
            let is_foreign = self.things.expected(thing.kind, &thing.id) == Expected::Foreign;
            if is_foreign && thing.vpc.as_ref() == Some(&self.things.place.vpc) {
                self.cloud().take_away(&thing);
            }
        }
    }
}
