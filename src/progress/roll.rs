//! The machines that a roll replaces, as its events describe them: a block while it goes on, a summary at its end.

use jiff::{SignedDuration, Timestamp};

use super::line::{Line, Mark};
use super::model::Model;
use super::table::{Row, table};
use crate::common::duration::elapsed;
use crate::common::text::{clean, count};
use crate::events::{Event, MachineStep, RollPart};

/// A roll as its newest event describes it.
#[derive(Debug, Clone)]
pub struct RollProgress {
    cluster: String,
    since: Timestamp,
    at: Timestamp,
    parts: Vec<RollPart>,
    succeeded: Option<bool>,
}

impl RollProgress {
    /// `None` for an event of another kind.
    pub fn of(event: &Event) -> Option<Self> {
        let Event::Roll {
            at,
            since,
            cluster,
            parts,
            succeeded,
        } = event
        else {
            return None;
        };
        let texts = |texts: &[String]| texts.iter().map(|text| clean(text)).collect();
        let part = |part: &RollPart| RollPart {
            name: clean(&part.name),
            state: clean(&part.state),
            waits: texts(&part.waits),
            stops: texts(&part.stops),
            ..*part
        };
        Some(Self {
            cluster: clean(cluster),
            since: *since,
            at: *at,
            parts: parts.iter().map(part).collect(),
            succeeded: *succeeded,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.succeeded.is_some()
    }

    /// How long it has taken at `now`, or took.
    pub(super) fn span(&self, now: Timestamp) -> SignedDuration {
        let end = if self.is_over() { self.at } else { now };
        end.duration_since(self.since)
    }

    /// Machines that were replaced, of all.
    fn replaced(&self) -> (usize, usize) {
        self.parts.iter().fold((0, 0), |(done, all), part| {
            let wanted = part.wanted.max(part.done);
            (done.saturating_add(part.done), all.saturating_add(wanted))
        })
    }

    /// How far it is, on one line.
    pub(super) fn text(&self) -> String {
        let (done, all) = self.replaced();
        let going = self.parts.iter().filter(|part| !part.state.is_empty());
        let going: Vec<String> = going
            .map(|part| format!("{}: {}", part.name, part.state))
            .collect();
        let going = match going.as_slice() {
            [] => String::new(),
            going => format!(", {}", going.join("; ")),
        };
        format!("{done} of {} replaced{going}", count(all, "machine"))
    }

    /// The block at `now`, at most `height` lines of at most `width` columns: waits give way first.
    pub fn view(&self, now: Timestamp, width: usize, height: usize) -> Vec<Line> {
        let header = format!(
            "{}  roll  {}  {}",
            self.cluster,
            elapsed(self.span(now)),
            self.text()
        );
        let mut lines = vec![Line::new(Mark::Title, &header, width)];
        lines.extend(self.table(width));
        lines.truncate(height);
        let reasons = self.parts.iter().flat_map(|part| {
            let stops = part.stops.iter().map(|text| (Mark::Failed, text));
            let waits = part.waits.iter().map(|text| (Mark::Waiting, text));
            stops.chain(waits)
        });
        let room = height.saturating_sub(lines.len());
        let reasons: Vec<Line> = reasons
            .map(|(mark, text)| Line::new(mark, text, width))
            .collect();
        let hidden = reasons.len().saturating_sub(room);
        let shown = if hidden == 0 {
            room
        } else {
            room.saturating_sub(1)
        };
        let hidden = reasons.len().saturating_sub(shown);
        lines.extend(reasons.into_iter().take(shown));
        if hidden > 0 && room > 0 {
            lines.push(Line::new(
                Mark::Detail,
                &format!("and {hidden} more"),
                width,
            ));
        }
        lines
    }

    /// What stays on the screen.
    pub fn summary(&self, now: Timestamp, width: usize) -> Vec<Line> {
        let (done, all) = self.replaced();
        let span = elapsed(self.span(now));
        let cluster = &self.cluster;
        let machines = count(all, "machine");
        let text = match self.succeeded {
            Some(true) => format!("{cluster}: {} replaced in {span}", count(done, "machine")),
            Some(false) => {
                format!("{cluster}: roll stopped after {span}, {done} of {machines} replaced")
            }
            None => {
                format!("{cluster}: roll interrupted after {span}, {done} of {machines} replaced")
            }
        };
        let mut lines = Line::wrapped(Mark::Title, &text, width);
        lines.extend(self.table(width));
        for part in &self.parts {
            for stop in &part.stops {
                lines.extend(Line::wrapped(Mark::Failed, stop, width));
            }
        }
        lines
    }

    fn table(&self, width: usize) -> Vec<Line> {
        let rows: Vec<Row> = self.parts.iter().map(|part| self.row(part)).collect();
        table(&rows, width)
    }

    fn row(&self, part: &RollPart) -> Row {
        let begun = part.done > 0 || !part.state.is_empty();
        let mark = if part.stops.is_empty() {
            Mark::of_part(part.done, part.wanted, begun && !self.is_over())
        } else {
            Mark::Failed
        };
        Row {
            name: Some(part.name.clone()),
            count: format!("{}/{}", part.done, part.wanted),
            ..Row::fold(mark, part.state.clone(), 1)
        }
    }
}

impl Model {
    /// Whether a roll goes on.
    pub(super) fn rolls(&self) -> bool {
        self.roll.as_ref().is_some_and(|roll| !roll.is_over())
    }
}

/// A step of a machine in one sentence; empty for another event.
pub(super) fn machine_text(event: &Event) -> String {
    let Event::Machine {
        stack,
        machine,
        step,
        detail,
        ..
    } = event
    else {
        return String::new();
    };
    let detail = match detail.as_str() {
        "" => String::new(),
        detail => format!(": {detail}"),
    };
    clean(&format!("{stack}: {machine} {}{detail}", step.as_str()))
}

pub(super) fn machine_mark(step: MachineStep) -> Mark {
    match step {
        MachineStep::Replaced => Mark::Done,
        MachineStep::Stopped => Mark::Failed,
        MachineStep::Detached
        | MachineStep::Cordoned
        | MachineStep::Draining
        | MachineStep::Uncordoned
        | MachineStep::Terminated
        | MachineStep::Waiting => Mark::Detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(succeeded: Option<bool>) -> Event {
        let part = |name: &str, done, waits: &[&str]| RollPart {
            name: name.to_owned(),
            done,
            wanted: 4,
            state: "1 replacement boots, 2 machines drain".to_owned(),
            waits: waits.iter().map(|text| (*text).to_owned()).collect(),
            stops: Vec::new(),
        };
        Event::Roll {
            at: "2026-12-01T04:10:00Z".parse().unwrap(),
            since: "2026-12-01T04:00:00Z".parse().unwrap(),
            cluster: "canary".to_owned(),
            parts: vec![
                part("pool-batch", 4, &[]),
                part("pool-workers", 1, &["shop/web-1 waits", "shop/web-2 waits"]),
            ],
            succeeded,
        }
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        lines.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn roll_shows_each_stack_and_what_it_waits_for() {
        let roll = RollProgress::of(&event(None)).unwrap();
        let now = roll.at;
        let all = texts(&roll.view(now, 100, 10));
        assert_eq!(all.len(), 5, "{all:#?}");
        assert!(
            all[0].starts_with("canary  roll  10m00s  5 of 8 machines replaced"),
            "{}",
            all[0]
        );
        assert!(all[1].contains("pool-batch") && all[1].contains("4/4"));
        assert!(all[4].contains("shop/web-2 waits"));
        for height in 0..6 {
            let lines = texts(&roll.view(now, 100, height));
            assert!(lines.len() <= height, "{height}: {lines:?}");
        }
        assert!(texts(&roll.view(now, 100, 4))[3].contains("and 2 more"));
    }

    #[test]
    fn roll_summary_says_how_it_ended() {
        let first = |succeeded| {
            let roll = RollProgress::of(&event(succeeded)).unwrap();
            texts(&roll.summary(roll.at, 100))[0].clone()
        };
        assert_eq!(first(Some(true)), "canary: 5 machines replaced in 10m00s");
        let stopped = "canary: roll stopped after 10m00s, 5 of 8 machines replaced";
        assert_eq!(first(Some(false)), stopped);
        assert!(first(None).contains("interrupted"));
    }
}
