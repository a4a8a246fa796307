//! The Gantt chart as one self-contained HTML page. Computes where every bar lies and what it
//! is called; its markup is in `templates/timeline.html.tera`, which also escapes every text.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::format::{saving_text, slack, ticks, took, verdict};
use super::text::mark;
use super::{Ending, Link, ResourceBar, StackBar, Timeline};
use crate::common::duration::elapsed;
use crate::templates::{TemplateError, Templates};

const TEMPLATE: &str = "timeline.html.tera";
/// Marks of the axis at most.
const MARKS: usize = 6;

#[derive(Serialize)]
struct ChartPage<'a> {
    cluster: &'a str,
    verdict: String,
    started: String,
    run: &'a str,
    source: &'a str,
    failures: Vec<TextLine>,
    marks: Vec<AxisMark>,
    stacks: Vec<StackRows>,
    critical: Vec<TextLine>,
    shorter: Option<String>,
}

/// A mark of the axis. All places and widths are percents of the run.
#[derive(Serialize)]
struct AxisMark {
    left: f64,
    label: String,
}

#[derive(Serialize)]
struct StackRows {
    /// Its own row and those of the resources that stand out.
    shown: Vec<ChartRow>,
    /// All other resources.
    folded: Vec<ChartRow>,
}

#[derive(Serialize)]
struct ChartRow {
    mark: &'static str,
    name: String,
    /// How it ended, in words; empty for a resource.
    ending: &'static str,
    title: String,
    /// `stack` or `part`, with `critical` or `bad` or neither.
    class: String,
    bars: Vec<Bar>,
    took: String,
    slack: String,
}

#[derive(Serialize)]
struct Bar {
    class: &'static str,
    left: f64,
    width: f64,
    title: String,
}

/// A line beside the chart.
#[derive(Serialize)]
struct TextLine {
    name: String,
    text: String,
    took: String,
}

/// The page: no script, no file beside it, nothing from elsewhere. `source` says where the events come
/// from.
pub fn page(
    timeline: &Timeline,
    source: &str,
    templates: &Templates,
) -> Result<String, TemplateError> {
    let scale = TimeScale(timeline);
    let saving = timeline.saving();
    let page = ChartPage {
        cluster: &timeline.cluster,
        verdict: verdict(timeline),
        started: timeline
            .started
            .strftime("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        run: &timeline.run,
        source,
        failures: timeline
            .failures()
            .into_iter()
            .map(|(stacks, ending, reason)| TextLine {
                name: format!("{stacks} {}", ending.as_str()),
                text: reason.to_owned(),
                took: String::new(),
            })
            .collect(),
        marks: scale.marks(),
        stacks: timeline.stacks.iter().map(|bar| scale.stack(bar)).collect(),
        critical: timeline.critical.iter().map(link).collect(),
        shorter: saving.map(|saving| saving_text(timeline, &saving)),
    };
    templates.render(TEMPLATE, &page)
}

fn link(link: &Link) -> TextLine {
    TextLine {
        name: link.stack.to_string(),
        text: link.name(),
        took: elapsed(link.took()),
    }
}

/// From time to place.
struct TimeScale<'a>(&'a Timeline);

impl TimeScale<'_> {
    fn left(&self, at: Timestamp) -> f64 {
        let whole = self.0.took().as_secs_f64().max(0.001);
        let since = at.duration_since(self.0.started).as_secs_f64();
        hundredths((since / whole).clamp(0.0, 1.0) * 100.0)
    }

    fn marks(&self) -> Vec<AxisMark> {
        let marks = ticks(self.0.took(), MARKS).into_iter();
        let marks = marks.map(|(second, label)| AxisMark {
            left: self.left(self.0.started + SignedDuration::from_secs(second)),
            label,
        });
        // A label further on would run into the next column.
        marks.filter(|mark| mark.left < 97.0).collect()
    }

    fn bar(&self, class: &'static str, (from, to): (Timestamp, Timestamp), title: String) -> Bar {
        let left = self.left(from);
        Bar {
            class,
            left,
            width: hundredths(self.left(to) - left),
            title,
        }
    }

    fn stack(&self, bar: &StackBar) -> StackRows {
        let (long, short): (Vec<_>, Vec<_>) = bar
            .resources
            .iter()
            .partition(|resource| self.0.is_notable(bar, resource));
        let rows = |all: Vec<&ResourceBar>| {
            let rows = all.into_iter().map(|it| self.resource(bar, it));
            rows.collect::<Vec<_>>()
        };
        let mut shown = vec![self.whole(bar)];
        shown.extend(rows(long));
        StackRows {
            shown,
            folded: rows(short),
        }
    }

    fn whole(&self, bar: &StackBar) -> ChartRow {
        let bad = matches!(
            bar.ending,
            Ending::Failed | Ending::NotBegun | Ending::RolledBack
        );
        ChartRow {
            mark: mark(bar.ending).trim_start(),
            name: bar.stack.to_string(),
            ending: bar.ending.as_str(),
            title: bar.reason.clone().unwrap_or_default(),
            class: class("stack", bar.critical, bad),
            bars: self.bars(bar),
            took: took(bar, self.0),
            slack: slack(bar),
        }
    }

    /// How a stack waited, ran, failed, and could have gone on.
    fn bars(&self, bar: &StackBar) -> Vec<Bar> {
        let mut bars = Vec::new();
        if let Some(end) = bar.waited_until(self.0.until) {
            let needs: Vec<_> = bar.waits_for.iter().map(ToString::to_string).collect();
            let title = format!("waited for {}", needs.join(", "));
            bars.push(self.bar("wait", (self.0.started, end), title));
        }
        if let Some((begin, end)) = bar.begin.zip(bar.bar_end(self.0.until)) {
            let failed = bar.failed_at.map_or(end, |at| at.clamp(begin, end));
            let title = bar.ending.as_str();
            let open = bar.end.is_none() && bar.failed_at.is_none();
            let shape = shape(bar.critical, open);
            bars.push(self.bar(shape, (begin, failed), title.to_owned()));
            if failed < end {
                bars.push(self.bar("bad", (failed, end), title.to_owned()));
            }
            if let Some(slack) = bar.slack.filter(SignedDuration::is_positive) {
                let title = format!("could have taken {} more", elapsed(slack));
                bars.push(self.bar("slack", (end, end + slack), title));
            }
        }
        bars
    }

    fn resource(&self, of: &StackBar, resource: &ResourceBar) -> ChartRow {
        let open = resource.end.is_none();
        let end = of.end_of(resource, self.0.until);
        let took = elapsed(of.took_of(resource, self.0.until));
        let mut title = format!(
            "{}, {}, {}, {took}",
            resource.logical_id, resource.resource_type, resource.status
        );
        if let Some(reason) = &resource.reason {
            title = format!("{title}, {reason}");
        }
        let shape = if resource.failed {
            "bad"
        } else {
            shape(resource.critical, open || resource.cancelled)
        };
        ChartRow {
            mark: match (resource.failed, open) {
                (true, _) => "!!",
                (_, true) => ">",
                _ => "",
            },
            name: of.name_of(resource),
            ending: "",
            class: class("part", resource.critical, resource.failed),
            bars: vec![self.bar(shape, (resource.begin, end), title.clone())],
            title,
            took,
            slack: String::new(),
        }
    }
}

fn shape(critical: bool, open: bool) -> &'static str {
    match (critical, open) {
        (true, true) => "critical open",
        (true, false) => "critical",
        (false, true) => "open",
        (false, false) => "run",
    }
}

fn class(of: &str, critical: bool, bad: bool) -> String {
    let tone = match (critical, bad) {
        (_, true) => " bad",
        (true, _) => " critical",
        _ => "",
    };
    format!("{of}{tone}")
}

/// Two decimals are exact enough for a pixel.
fn hundredths(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}
