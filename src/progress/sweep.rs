//! What is removed outside the stacks: how far each kind is, and what it waits for.
//! Pure: the same events, time and size give the same lines.

use jiff::{SignedDuration, Timestamp};

use super::line::Mark;
use super::table::Row;
use crate::common::duration::elapsed;
use crate::common::text::{clean, count};
use crate::events::SweepPart;

/// A removal repeats its event every few seconds. One that was silent for so long is over, whatever is left of it:
/// what is left is named at the end of the run.
const SILENT: SignedDuration = SignedDuration::from_mins(2);

/// Every removal of a run, oldest first: what Kubernetes releases, what goes before the network, what goes last.
#[derive(Debug, Clone, Default)]
pub(super) struct Sweeps(Vec<Sweep>);

/// One removal, as the newest event describes it.
#[derive(Debug, Clone)]
pub(super) struct Sweep {
    since: Timestamp,
    /// When its newest event happened.
    at: Timestamp,
    parts: Vec<SweepPart>,
}

impl Sweeps {
    /// Takes in an event of the removal that began at `since`.
    pub fn update(&mut self, at: Timestamp, since: Timestamp, parts: &[SweepPart]) {
        if parts.is_empty() {
            return;
        }
        let parts = parts.iter().map(|part| SweepPart {
            name: clean(&part.name),
            state: clean(&part.state),
            ..*part
        });
        let parts = parts.collect();
        match self.0.iter_mut().find(|sweep| sweep.since == since) {
            Some(known) => (known.at, known.parts) = (at, parts),
            None => self.0.push(Sweep { since, at, parts }),
        }
    }

    pub fn newest(&self) -> Option<&Sweep> {
        self.0.last()
    }

    /// The one that goes on at `now`.
    pub fn current(&self, now: Timestamp) -> Option<&Sweep> {
        let goes_on = |sweep: &&Sweep| !sweep.is_done() && now.duration_since(sweep.at) < SILENT;
        self.newest().filter(goes_on)
    }

    /// How many are complete: to be kept for [`Self::completed_since`].
    pub fn complete(&self) -> usize {
        self.0.iter().filter(|sweep| sweep.is_done()).count()
    }

    /// The newest one, where it has become complete since `complete` were.
    pub fn completed_since(&self, complete: usize) -> Option<&Sweep> {
        self.newest().filter(|_| self.complete() > complete)
    }

    /// Whether nothing of it is left to do.
    pub fn is_done(&self) -> bool {
        self.0.iter().all(Sweep::is_done)
    }

    /// Resources that are gone, of all. Volumes that are kept are none of them.
    pub fn removed(&self) -> (usize, usize) {
        let parts = self.0.iter().flat_map(|sweep| &sweep.parts);
        let removals = parts.filter(|part| part.is_removal());
        removals.fold((0, 0), |(done, all), part| {
            (
                done.saturating_add(part.done),
                all.saturating_add(part.wanted),
            )
        })
    }

    /// All of them in one row of a summary, with what is left; `None` where there was nothing to do.
    pub fn row(&self, is_finished: bool) -> Option<Row> {
        let (done, all) = self.removed();
        self.newest()?;
        let mark = match (self.is_done(), is_finished) {
            (true, _) => Mark::Done,
            (false, true) => Mark::Failed,
            // Nobody removes them while no command runs.
            (false, false) => Mark::Waiting,
        };
        let spans = self.0.iter().map(|sweep| sweep.span(sweep.at));
        let span = spans.fold(SignedDuration::ZERO, SignedDuration::saturating_add);
        let parts = || self.0.iter().flat_map(|sweep| &sweep.parts);
        let left = parts().filter(|part| !is_done(part)).map(state);
        let kept = parts().filter(|part| is_done(part) && !part.is_removal());
        let removed = (all > 0 && done >= all).then(|| "removed".to_owned());
        let texts: Vec<String> = removed
            .into_iter()
            .chain(left)
            .chain(kept.map(state))
            .collect();
        Some(Row {
            name: Some("outside the stacks".to_owned()),
            elapsed: elapsed(span),
            count: format!("{done}/{all}"),
            ..Row::fold(mark, texts.join(", "), 1)
        })
    }
}

impl Sweep {
    fn is_done(&self) -> bool {
        self.parts.iter().all(is_done)
    }

    /// How long it has taken at `now`.
    pub fn span(&self, now: Timestamp) -> SignedDuration {
        now.duration_since(self.since)
    }

    pub fn title(&self, now: Timestamp) -> String {
        format!("outside the stacks  {}", elapsed(self.span(now)))
    }

    /// A row for each part; `folds` makes one of those that are done.
    pub fn rows(&self, folds: bool) -> Vec<Row> {
        let (done, open): (Vec<_>, Vec<_>) = self.parts.iter().partition(|part| is_done(part));
        if !folds || done.is_empty() {
            return self.parts.iter().map(row).collect();
        }
        let text = format!("{} done", count(done.len(), "kind"));
        let folded = Row::fold(Mark::Done, text, done.len());
        std::iter::once(folded)
            .chain(open.into_iter().map(row))
            .collect()
    }

    /// Every part on one line each, with a word for how far it is.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.parts
            .iter()
            .map(|part| (status(part), whole_state(part)))
    }

    /// What is not done yet, on one line.
    pub fn text(&self) -> String {
        let open = self.parts.iter().filter(|part| !is_done(part));
        let open: Vec<String> = open.map(whole_state).collect();
        format!("outside the stacks: {}", open.join("; "))
    }

    /// The line that stays once it is complete.
    pub fn ended(&self) -> String {
        let named = |is_removal: bool, word: &str| {
            let parts = self.parts.iter();
            let parts = parts.filter(|part| part.is_removal() == is_removal);
            let parts: Vec<String> = parts.map(state).collect();
            (!parts.is_empty()).then(|| format!("{}{word}", parts.join(", ")))
        };
        let texts = [named(false, ""), named(true, " removed")];
        let texts: Vec<String> = texts.into_iter().flatten().collect();
        let span = elapsed(self.span(self.at));
        format!("outside the stacks: {} after {span}", texts.join(", "))
    }
}

fn is_done(part: &SweepPart) -> bool {
    part.done >= part.wanted
}

fn mark(part: &SweepPart) -> Mark {
    Mark::of_part(part.done, part.wanted, !part.state.is_empty())
}

fn status(part: &SweepPart) -> &'static str {
    match (part.is_removal(), is_done(part)) {
        (true, true) => "removed",
        (true, false) => "removing",
        (false, true) => "done",
        (false, false) => "in progress",
    }
}

/// `load balancer 1/2`
fn state(part: &SweepPart) -> String {
    format!("{} {}/{}", part.name, part.done, part.wanted)
}

/// `load balancer 1/2, waiting for AWS to release 2 interfaces`
fn whole_state(part: &SweepPart) -> String {
    let waits = if part.state.is_empty() { "" } else { ", " };
    format!("{}{waits}{}", state(part), part.state)
}

fn row(part: &SweepPart) -> Row {
    Row {
        name: Some(part.name.clone()),
        count: format!("{}/{}", part.done, part.wanted),
        ..Row::fold(mark(part), part.state.clone(), 1)
    }
}
