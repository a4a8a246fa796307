//! How long a removal waits, and when it gives up what does not go.

use std::time::Duration;

use super::item::{Item, Progress, Task};
use super::{Key, Removal};
use crate::cloud::outside::Outside;
use crate::cloud::{Cloud, Store};
use crate::common::clock::elapsed;

/// How long nothing may move before what is left is given up. AWS releases the interfaces of a deleted load balancer within
/// 2 to 5 minutes, seldom later (<https://github.com/eksctl-io/eksctl/issues/253>,
/// <https://github.com/kubernetes-sigs/cluster-api-provider-aws/issues/3478>); a machine takes 1 to 3 minutes to terminate.
const PATIENCE: Duration = Duration::from_mins(10);
/// The same where only a change by somebody could help: all that is left is in use by what this removal does not take away.
const SHORT_PATIENCE: Duration = Duration::from_mins(1);
/// How long lists of EC2 may lag behind each other: "typically a few seconds, at most minutes", by
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>.
const LAG: Duration = Duration::from_secs(30);
/// How long a removal goes on in all, also where something new appears all the time.
const LONGEST: Duration = Duration::from_hours(1);

impl<C: Cloud + Store + Outside> Removal<'_, C> {
    fn has_waited_for(&self, patience: Duration) -> bool {
        let now = self.cloud.now();
        elapsed(self.moved, now) >= patience || elapsed(self.began, now) >= LONGEST
    }

    /// Gives up what was tried and can't go; what waited for it is tried then, for AWS to say what keeps it.
    pub(super) fn give_up(&mut self) {
        self.give_up_again();
        let is_hopeless = self.tried().all(|item| self.is_hopeless(item));
        let patience = if is_hopeless {
            SHORT_PATIENCE
        } else {
            PATIENCE
        };
        if !self.has_waited_for(patience) {
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
        self.end(reasons);
        self.moved = self.cloud.now();
    }

    /// Gives up what the call before gave up, when AWS refuses it once more, or nothing goes that could release it.
    fn give_up_again(&mut self) {
        let is_over =
            |item: &&Item| item.was_refused() || item.task == Task::Await && !self.has_begun;
        let again = self
            .active()
            .filter(|item| self.once.contains(&item.key()))
            .filter(is_over);
        let reasons: Vec<_> = again.map(|item| (item.key(), self.blocker(item))).collect();
        self.end(reasons);
    }

    fn end(&mut self, reasons: Vec<(Key, String)>) {
        for (key, why) in reasons {
            if let Some(item) = self.items.get_mut(&key) {
                item.progress = Progress::GivenUp(why);
            }
        }
    }

    /// What is active and has nothing to wait for.
    fn tried(&self) -> impl Iterator<Item = &Item> {
        self.active().filter(|item| !self.has_to_wait(item))
    }

    fn has_to_wait(&self, item: &Item) -> bool {
        self.waits_for(item.found.resource.kind).is_some()
    }

    /// Whether lists agree with each other by now.
    pub(super) fn has_settled(&self) -> bool {
        self.has_waited_for(LAG)
    }

    /// Whether it was waited long enough for a kind that could not be listed.
    pub(super) fn has_waited(&self) -> bool {
        self.has_waited_for(PATIENCE)
    }
}
