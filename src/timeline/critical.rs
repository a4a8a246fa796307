//! The critical path of what happened, the slack beside it, and what would have made the run shorter.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Link, ResourceBar, StackBar, Timeline};
use crate::stacks::StackKind;

/// A resource may seem to begin this much before what it waited for: AWS writes the two times separately.
const BLUR: SignedDuration = SignedDuration::from_millis(500);

/// What the longest piece of the critical path cost the run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Saving {
    /// The longest piece.
    pub longest: Link,
    /// How long the run would have taken if that had taken no time.
    #[serde(serialize_with = "super::whole_seconds")]
    pub without_it_seconds: SignedDuration,
    /// The stack that would have ended last then.
    pub then_last: StackKind,
}

/// Finds the critical path and the slack of every stack.
pub(super) fn mark(timeline: &mut Timeline) {
    let links = path(timeline);
    let slacks = slacks(timeline);
    for bar in &mut timeline.stacks {
        bar.slack = slacks.get(&bar.stack).copied();
        bar.critical = links.iter().any(|link| link.stack == bar.stack);
        for resource in &mut bar.resources {
            resource.critical = links.iter().any(|link| {
                link.stack == bar.stack
                    && link.begin == resource.begin
                    && link.logical_id.as_ref() == Some(&resource.logical_id)
            });
        }
    }
    timeline.critical = links;
}

/// The path back from the last end, first link first.
fn path(timeline: &Timeline) -> Vec<Link> {
    let mut links = Vec::new();
    let mut next = last(timeline.stacks.iter(), timeline.until);
    let mut visited: Vec<&StackKind> = Vec::new();
    while let Some(bar) = next {
        visited.push(&bar.stack);
        let needs = timeline.stacks.iter().filter(|needed| {
            // A damaged record, in which a stack needs itself, must not loop.
            bar.waits_for.contains(&needed.stack) && !visited.contains(&&needed.stack)
        });
        links.extend(within(bar, timeline.until));
        next = last(needs, timeline.until);
    }
    links.reverse();
    links
}

/// The stack that ended last; of several the first.
fn last<'a>(bars: impl Iterator<Item = &'a StackBar>, until: Timestamp) -> Option<&'a StackBar> {
    let ended = bars.filter_map(|bar| Some((bar.bar_end(until)?, bar)));
    let later = |best: (Timestamp, &'a StackBar), next: (Timestamp, &'a StackBar)| {
        if next.0 > best.0 { next } else { best }
    };
    ended.reduce(later).map(|(_, bar)| bar)
}

/// The path inside a stack, last link first.
fn within(bar: &StackBar, until: Timestamp) -> Vec<Link> {
    let ends = bar.resources.iter().map(|it| (bar.end_of(it, until), it));
    let Some(mut at) = latest(ends) else {
        let whole = bar.begin.zip(bar.bar_end(until));
        let link = whole.map(|(begin, end)| Link {
            stack: bar.stack.clone(),
            logical_id: None,
            sentence: None,
            begin,
            end,
        });
        return link.into_iter().collect();
    };
    let mut links = Vec::new();
    loop {
        let (end, resource) = at;
        links.push(Link {
            stack: bar.stack.clone(),
            logical_id: Some(resource.logical_id.clone()),
            sentence: Some(resource.sentence.clone()),
            begin: resource.begin,
            end,
        });
        let before = bar.resources.iter().filter_map(|earlier| {
            let release = release(bar, earlier, resource.begin, until)?;
            (earlier.begin < resource.begin).then_some((release, earlier))
        });
        match latest(before) {
            Some(earlier) => at = earlier,
            None => return links,
        }
    }
}

/// When `earlier` let something begin at `begin`: at its end, or as soon as its configuration was
/// applied, since CloudFormation starts dependants then where it can. `None` if it was later.
fn release(
    bar: &StackBar,
    earlier: &ResourceBar,
    begin: Timestamp,
    until: Timestamp,
) -> Option<Timestamp> {
    let end = bar.end_of(earlier, until);
    let moments = [Some(end), earlier.configured];
    let moments = moments.into_iter().flatten();
    moments.filter(|moment| *moment <= begin + BLUR).max()
}

/// The latest of them; of several the one that began first.
fn latest<'a>(
    candidates: impl Iterator<Item = (Timestamp, &'a ResourceBar)>,
) -> Option<(Timestamp, &'a ResourceBar)> {
    candidates.reduce(|best, next| {
        let later = next.0 > best.0 || (next.0 == best.0 && next.1.begin < best.1.begin);
        if later { next } else { best }
    })
}

/// Slack of every stack that ended: against the last end, through all that waited for it. None in a
/// run without an end: what was not followed may still take long.
fn slacks(timeline: &Timeline) -> BTreeMap<StackKind, SignedDuration> {
    let until = timeline.until;
    if timeline.ended.is_none() {
        return BTreeMap::new();
    }
    let Some(end) = last(timeline.stacks.iter(), until).and_then(|bar| bar.bar_end(until)) else {
        return BTreeMap::new();
    };
    let mut latest: BTreeMap<&StackKind, Timestamp> = BTreeMap::new();
    // A dependant begins after the stack: going backwards, the dependants of a stack are known already.
    for bar in by_begin(timeline).into_iter().rev() {
        let Some(own) = bar.bar_end(until) else {
            continue;
        };
        let dependants = timeline.stacks.iter().filter(|dependant| {
            dependant.waits_for.contains(&bar.stack) && dependant.stack != bar.stack
        });
        let bounds = dependants.filter_map(|dependant| {
            let theirs = dependant.bar_end(until)?;
            let slack = latest.get(&dependant.stack)?.duration_since(theirs);
            let begin = dependant.begin? - lag(timeline, dependant);
            begin.checked_add(slack).ok()
        });
        latest.insert(&bar.stack, bounds.min().unwrap_or(end).max(own));
    }
    let ended = timeline.stacks.iter().filter_map(|bar| {
        let slack = latest.get(&bar.stack)?.duration_since(bar.end?);
        Some((bar.stack.clone(), slack))
    });
    ended.collect()
}

fn by_begin(timeline: &Timeline) -> Vec<&StackBar> {
    let started = timeline.stacks.iter().filter(|bar| bar.begin.is_some());
    let mut bars: Vec<_> = started.collect();
    bars.sort_by_key(|bar| bar.begin);
    bars
}

/// Between the last end that a stack waited for and its own begin: asking for it takes a moment.
fn lag(timeline: &Timeline, bar: &StackBar) -> SignedDuration {
    let needs = bar.waits_for.iter().filter_map(|kind| timeline.bar(kind));
    let ready = needs
        .filter_map(|needed| needed.bar_end(timeline.until))
        .max();
    let waited = bar
        .begin
        .zip(ready)
        .map(|(begin, ready)| begin.duration_since(ready));
    waited.unwrap_or_default().max(SignedDuration::ZERO)
}

impl Timeline {
    /// What the longest piece of the critical path cost: the run as it would have gone if that had
    /// taken no time and all else had taken as long as it did. `None` when nothing began.
    pub fn saving(&self) -> Option<Saving> {
        let longest = self.critical.iter().max_by_key(|link| link.took())?;
        let mut ends: BTreeMap<&StackKind, Timestamp> = BTreeMap::new();
        for bar in by_begin(self) {
            let (Some(begin), Some(end)) = (bar.begin, bar.bar_end(self.until)) else {
                continue;
            };
            let needs = bar.waits_for.iter().filter_map(|kind| ends.get(kind)).max();
            let earlier = needs.map_or(begin, |ready| begin.min(*ready + lag(self, bar)));
            let shorter = if bar.stack == longest.stack {
                shortened(bar, longest, self.until)
            } else {
                SignedDuration::ZERO
            };
            ends.insert(&bar.stack, earlier + (end.duration_since(begin) - shorter));
        }
        let (then_last, end) = ends.into_iter().max_by_key(|(_, end)| *end)?;
        Some(Saving {
            longest: longest.clone(),
            without_it_seconds: end.duration_since(self.started),
            then_last: then_last.clone(),
        })
    }
}

/// How much earlier a stack would have ended without one of its resources: what began after it moves
/// ahead, what ran beside it stays.
fn shortened(bar: &StackBar, without: &Link, until: Timestamp) -> SignedDuration {
    let Some(id) = &without.logical_id else {
        return without.took();
    };
    let ends = bar.resources.iter().map(|it| bar.end_of(it, until));
    let Some(last) = ends.max() else {
        return SignedDuration::ZERO;
    };
    let others = bar.resources.iter().map(|it| {
        let end = bar.end_of(it, until);
        let itself = it.logical_id == *id && it.begin == without.begin;
        let after = it.begin + BLUR >= without.end;
        if itself || after {
            end - without.took()
        } else {
            end
        }
    });
    others
        .max()
        .map_or(SignedDuration::ZERO, |end| last.duration_since(end))
}
