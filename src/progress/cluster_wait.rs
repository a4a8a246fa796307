//! The wait for a cluster once its stacks are done: what is there, what is missing, how long it took.
//! Pure: the same event, time and size give the same lines.

use jiff::{SignedDuration, Timestamp};

use super::line::{Line, Mark, room};
use crate::common::duration::elapsed;
use crate::common::text::{clean, pad, wrap};
use crate::events::{Event, ReadyPart};

/// Lines that one part's missing things may take in the block; the summary names them all.
const DETAILS: usize = 3;

/// A cluster that is waited for, as the newest event describes it.
#[derive(Debug, Clone)]
pub struct ClusterWait {
    pub(super) cluster: String,
    since: Timestamp,
    until: Timestamp,
    pub(super) ready: bool,
    pub(super) parts: Vec<ReadyPart>,
    remarks: Vec<String>,
}

impl ClusterWait {
    /// `None` for the events of a run's stacks.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::Readiness {
            cluster,
            since,
            until,
            ready,
            parts,
            remarks,
            ..
        } = event
        else {
            return None;
        };
        let parts = parts.iter().map(|part| ReadyPart {
            name: clean(&part.name),
            state: clean(&part.state),
            missing: part.missing.iter().map(|one| clean(one)).collect(),
            ..*part
        });
        Some(Self {
            cluster: clean(cluster),
            since: *since,
            until: *until,
            ready: *ready,
            parts: parts.collect(),
            remarks: remarks.iter().map(|remark| clean(remark)).collect(),
        })
    }

    pub(super) fn waited(&self, now: Timestamp) -> SignedDuration {
        now.min(self.until).duration_since(self.since)
    }

    /// How long it is waited at most.
    pub(super) fn timeout(&self) -> String {
        elapsed(self.until.duration_since(self.since))
    }

    /// The block at `now`, at most `height` lines of at most `width` columns.
    pub fn view(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        let header = format!(
            "{}  waits for Kubernetes  {} of at most {}",
            self.cluster,
            elapsed(self.waited(now)),
            self.timeout(),
        );
        let mut lines = vec![Line::new(Mark::Title, &header, width)];
        let names = self.parts.iter().map(|part| part.name.chars().count());
        let names = names.max().unwrap_or_default();
        for part in &self.parts {
            let text = format!("{}  {}", pad(&part.name, names), part.state);
            lines.push(Line::new(mark(part), &text, width));
            for what in part.missing.iter().take(DETAILS) {
                lines.extend(Line::wrapped(Mark::Detail, what, width));
            }
            let more = part.missing.len().saturating_sub(DETAILS);
            if more > 0 {
                lines.push(Line::new(Mark::Detail, &format!("and {more} more"), width));
            }
        }
        lines.truncate(height);
        lines
    }

    /// What stays on the screen.
    pub fn summary(&self, now: Timestamp, width: usize) -> Vec<Line> {
        let (cluster, waited) = (&self.cluster, elapsed(self.waited(now)));
        let mut lines = Vec::new();
        if self.ready {
            let parts: Vec<_> = self.parts.iter().map(state).collect();
            let text = format!("{cluster} is ready after {waited}: {}", parts.join(", "));
            lines.extend(Line::wrapped(Mark::Done, &text, width));
        } else {
            let text = format!("{cluster} is not ready after {waited}; missing:");
            lines.push(Line::new(Mark::Failed, &text, width));
            for part in self.parts.iter().filter(|part| !is_ready(part)) {
                lines.extend(Line::wrapped(Mark::Detail, &state(part), width));
                for what in &part.missing {
                    let texts = wrap(what, room(width).saturating_sub(2));
                    let texts = texts.into_iter().map(|text| format!("  {text}"));
                    lines.extend(Line::group(Mark::Detail, texts, width));
                }
            }
        }
        for remark in &self.remarks {
            lines.extend(Line::wrapped(Mark::Detail, remark, width));
        }
        lines
    }
}

pub(super) fn is_ready(part: &ReadyPart) -> bool {
    part.done >= part.wanted
}

/// `control plane 2 of 3 nodes Ready`
fn state(part: &ReadyPart) -> String {
    format!("{} {}", part.name, part.state)
}

/// Its state and everything that is missing, on one line.
pub(super) fn whole_state(part: &ReadyPart) -> String {
    let texts: Vec<String> = [state(part)]
        .into_iter()
        .chain(part.missing.clone())
        .collect();
    texts.join("; ")
}

pub(super) fn mark(part: &ReadyPart) -> Mark {
    Mark::of_part(part.done, part.wanted, !part.missing.is_empty())
}
