//! What an upgrade would do and what speaks against it, as text and as data.

use std::fmt::Write as _;

use serde::Serialize;

use super::format::table;
use crate::catalog::durations::Span;
use crate::common::duration::estimate;
use crate::common::text::{count, listed_line};
use crate::upgrade::{Check, Direction, Finding, Phase, Report, Target, Verdict};

/// What an upgrade would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpgradeView {
    /// Of this form of the data.
    schema: u32,
    cluster: String,
    /// What runs, by the stacks.
    from: String,
    to: String,
    findings: Vec<Finding>,
    /// Arguments that accept nothing.
    unused: Vec<String>,
    /// What would be done, in this order; empty where nothing is left.
    phases: Vec<PhaseRow>,
    /// Whether something stops it.
    stopped: bool,
    #[serde(skip)]
    direction: Direction,
}

/// From and to.
#[derive(Debug, Clone, Copy, Serialize)]
struct Seconds {
    from: u32,
    to: u32,
}

/// A phase of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PhaseRow {
    phase: Phase,
    /// How long it takes, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<Seconds>,
}

impl UpgradeView {
    /// `spans` are those of the phases that take long.
    pub fn of(
        cluster: &str,
        target: &Target,
        report: Report,
        phases: &[Phase],
        spans: &[(Phase, Span)],
    ) -> Self {
        let stopped = report.stops().next().is_some();
        let row = |phase: &Phase| {
            let span = spans.iter().find(|(of, _)| of == phase);
            PhaseRow {
                phase: *phase,
                seconds: span.map(|(_, span)| Seconds {
                    from: span.from,
                    to: span.to,
                }),
            }
        };
        Self {
            schema: 1,
            cluster: cluster.to_owned(),
            from: target.from.to_string(),
            to: target.to.to_string(),
            stopped,
            phases: phases.iter().map(row).collect(),
            direction: target.direction,
            findings: report.findings,
            unused: report.unused,
        }
    }

    /// Whether nothing is left to do.
    pub fn is_there(&self) -> bool {
        self.phases.is_empty()
    }
}

/// The view as text for 80 columns.
pub fn text(view: &UpgradeView) -> String {
    let way = match view.direction {
        Direction::Same => format!("{} stays", view.to),
        Direction::Patch | Direction::Minor => format!("{} to {}", view.from, view.to),
    };
    let mut lines = vec![
        format!("upgrade of {}: Kubernetes {way}", view.cluster),
        String::new(),
    ];
    lines.extend(Check::ALL.iter().flat_map(|check| of_check(view, *check)));
    lines.extend(
        view.unused
            .iter()
            .map(|argument| listed_line("-- ", &format!("{argument} accepts nothing"))),
    );
    lines.push(String::new());
    if view.is_there() {
        lines.push("nothing is left to do".to_owned());
        return lines.join("\n");
    }
    let rows = view.phases.iter().enumerate().map(|(at, row)| {
        let time = row.seconds.map(|span| estimate(span.from, span.to));
        vec![
            (at + 1).to_string(),
            row.phase.title().to_owned(),
            time.unwrap_or_default(),
        ]
    });
    lines.push(table(&["", "PHASE", "TIME"], rows));
    lines.join("\n")
}

/// A check in one line, then what it found that is no pass.
fn of_check(view: &UpgradeView, check: Check) -> Vec<String> {
    let found: Vec<&Finding> = view
        .findings
        .iter()
        .filter(|one| one.check == check)
        .collect();
    let title = check.title();
    let line = |one: &&Finding| {
        let mark = match one.verdict {
            Verdict::Pass => "ok ",
            Verdict::Warn => "-- ",
            Verdict::Unknown => "?? ",
            Verdict::Fail => "!! ",
        };
        let mut text = format!("{title}: {}", one.says);
        if one.accepted {
            let _ = write!(
                text,
                " (accepted: {})",
                one.accept.as_deref().unwrap_or_default()
            );
        } else if let Some(next) = &one.next {
            let _ = write!(text, "; next: {next}");
        }
        listed_line(mark, &text)
    };
    found.iter().map(line).collect()
}

/// Why an upgrade may not begin; `None` where it may.
pub fn refusal(view: &UpgradeView) -> Option<String> {
    let stops: Vec<&Finding> = view.findings.iter().filter(|one| one.stops()).collect();
    if stops.is_empty() {
        return None;
    }
    let number = count(stops.len(), "finding");
    let mut text = format!(
        "{} can't be upgraded now, nothing was changed: {number} above",
        view.cluster
    );
    let accept: Vec<&str> = stops
        .iter()
        .filter_map(|one| one.accept.as_deref())
        .collect();
    if accept.len() == stops.len() {
        let _ = write!(text, "; all can be accepted by name: {}", accept.join(" "));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_a_row_and_known_times() {
        let target = Target {
            from: semver::Version::new(1, 35, 8),
            to: semver::Version::new(1, 36, 4),
            direction: Direction::Minor,
        };
        let report = Report {
            findings: Vec::new(),
            unused: vec!["--accept nodes".to_owned()],
        };
        let span = Span { from: 600, to: 900 };
        let phases = [Phase::ControlPlane, Phase::PostCheck];
        let view = UpgradeView::of(
            "canary",
            &target,
            report,
            &phases,
            &[(Phase::ControlPlane, span)],
        );
        let text = text(&view);
        assert!(
            text.starts_with("upgrade of canary: Kubernetes 1.35.8 to 1.36.4\n"),
            "{text}"
        );
        assert!(text.contains("--accept nodes accepts nothing"), "{text}");
        assert!(
            text.contains("control-plane nodes") && text.contains("10-15m"),
            "{text}"
        );
        assert_eq!(refusal(&view), None);
    }
}
