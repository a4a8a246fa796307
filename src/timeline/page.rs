//! The Gantt chart as one HTML page that needs nothing but itself. Places the bars; the template draws.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::words::{elapsed, ticks, verdict};
use super::{Ending, Link, ResourceBar, StackBar, Timeline};
use crate::templates::{TemplateError, Templates};

const TEMPLATE: &str = "timeline.html.tera";
/// Units of a row from the begin of the run to its end.
const WIDTH: f64 = 1000.0;
/// Narrowest bar: what is shorter would not be seen.
const LEAST: f64 = 2.0;
/// Marks of the axis at most.
const MARKS: usize = 10;

#[derive(Serialize)]
struct Page<'a> {
    cluster: &'a str,
    verdict: String,
    started: String,
    run: &'a str,
    source: &'a str,
    marks: Vec<Mark>,
    stacks: Vec<Row>,
    failures: Vec<Told>,
    critical: Vec<Told>,
    shorter: Option<String>,
}

/// A mark of the axis, and where it stands.
#[derive(Serialize)]
struct Mark {
    at: f64,
    percent: f64,
    label: String,
}

#[derive(Serialize)]
struct Row {
    mark: &'static str,
    name: String,
    title: String,
    /// Of the row: `critical`, `bad` or neither.
    class: &'static str,
    bars: Vec<Bar>,
    took: String,
    slack: String,
    resources: Vec<Row>,
}

#[derive(Serialize)]
struct Bar {
    class: &'static str,
    x: f64,
    width: f64,
    title: String,
}

/// A line below the chart.
#[derive(Serialize)]
struct Told {
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
    let scale = Scale(timeline);
    let page = Page {
        cluster: &timeline.cluster,
        verdict: verdict(timeline),
        started: timeline
            .started
            .strftime("%Y-%m-%d %H:%M:%S UTC")
            .to_string(),
        run: &timeline.run,
        source,
        marks: scale.marks(),
        stacks: timeline.stacks.iter().map(|bar| scale.stack(bar)).collect(),
        failures: timeline.stacks.iter().filter_map(failure).collect(),
        critical: timeline.critical.iter().map(link).collect(),
        shorter: shorter(timeline),
    };
    templates.render(TEMPLATE, &page)
}

/// From time to place.
struct Scale<'a>(&'a Timeline);

impl Scale<'_> {
    fn x(&self, at: Timestamp) -> f64 {
        let whole = self.0.took().as_secs_f64().max(0.001);
        let since = at.duration_since(self.0.started).as_secs_f64();
        tenths((since / whole).clamp(0.0, 1.0) * WIDTH)
    }

    fn marks(&self) -> Vec<Mark> {
        let marks = ticks(self.0.took(), MARKS).into_iter();
        let marks = marks.map(|(second, label)| {
            let at = self.x(self.0.started + SignedDuration::from_secs(second));
            let percent = tenths(at * 100.0 / WIDTH);
            Mark { at, percent, label }
        });
        // The last one's label would leave the page.
        marks.filter(|mark| mark.percent < 97.0).collect()
    }

    fn bar(&self, class: &'static str, (from, to): (Timestamp, Timestamp), title: String) -> Bar {
        let x = self.x(from).min(WIDTH - LEAST);
        let width = tenths((self.x(to) - x).max(LEAST));
        Bar {
            class,
            x,
            width,
            title,
        }
    }

    fn stack(&self, bar: &StackBar) -> Row {
        let until = self.0.until;
        let name = bar.stack.to_string();
        let mut title = format!("{name}: {}", bar.ending.as_str());
        if let Some(reason) = &bar.reason {
            title = format!("{title}, {reason}");
        }
        let waits = bar.begin.or_else(|| bar.is_held_up().then_some(until));
        let mut bars = Vec::new();
        if let Some(begin) = waits.filter(|_| !bar.waits_for.is_empty()) {
            let needs: Vec<_> = bar.waits_for.iter().map(ToString::to_string).collect();
            let waited = format!("{name} waited for {}", needs.join(", "));
            bars.push(self.bar("wait", (self.0.started, begin), waited));
        }
        let span = bar.begin.zip(bar.drawn_to(until));
        if let Some((begin, end)) = span {
            let class = running(bar.critical, bar.end.is_none());
            let failed = bar.failed_at.map(|at| at.clamp(begin, end));
            bars.push(self.bar(class, (begin, failed.unwrap_or(end)), title.clone()));
            bars.extend(failed.map(|at| self.bar("bad", (at, end), title.clone())));
            let slack = bar.slack.filter(|slack| *slack > SignedDuration::ZERO);
            bars.extend(slack.map(|slack| {
                let told = format!("{name} could have taken {} more", elapsed(slack));
                self.bar("slack", (end, end + slack), told)
            }));
        }
        let bad = matches!(
            bar.ending,
            Ending::Failed | Ending::RolledBack | Ending::NotStarted
        );
        let took = span.map(|(begin, end)| elapsed(end.duration_since(begin)));
        Row {
            mark: super::text::mark(bar.ending).trim_start(),
            name,
            title,
            class: class(bar.critical, bad),
            bars,
            took: took.unwrap_or_else(|| "-".to_owned()),
            slack: bar.slack.map_or_else(|| "-".to_owned(), elapsed),
            resources: bar
                .resources
                .iter()
                .map(|it| self.resource(bar, it))
                .collect(),
        }
    }

    fn resource(&self, of: &StackBar, resource: &ResourceBar) -> Row {
        let end = of.end_of(resource, self.0.until);
        let took = elapsed(end.duration_since(resource.begin));
        let mut title = format!(
            "{} ({}, {}): {}, {took}",
            resource.sentence, resource.logical_id, resource.resource_type, resource.status
        );
        if let Some(reason) = &resource.reason {
            title = format!("{title}, {reason}");
        }
        let open = resource.end.is_none();
        let shape = match (resource.failed, resource.cancelled) {
            (true, _) => "bad",
            (_, true) => "open",
            _ => running(resource.critical, open),
        };
        Row {
            mark: match (resource.failed, open) {
                (true, _) => "!!",
                (_, true) => ">",
                _ => "",
            },
            name: resource.sentence.clone(),
            class: class(resource.critical, resource.failed),
            bars: vec![self.bar(shape, (resource.begin, end), title.clone())],
            title,
            took,
            slack: String::new(),
            resources: Vec::new(),
        }
    }
}

fn running(critical: bool, open: bool) -> &'static str {
    match (critical, open) {
        (true, true) => "critical open",
        (true, false) => "critical",
        (false, true) => "open",
        (false, false) => "run",
    }
}

fn class(critical: bool, bad: bool) -> &'static str {
    match (critical, bad) {
        (_, true) => "bad",
        (true, _) => "critical",
        _ => "",
    }
}

fn failure(bar: &StackBar) -> Option<Told> {
    let reason = bar.reason.as_ref()?;
    Some(Told {
        name: format!("{} {}", bar.stack, bar.ending.as_str()),
        text: reason.clone(),
        took: String::new(),
    })
}

fn link(link: &Link) -> Told {
    Told {
        name: link.stack.to_string(),
        text: link.name(),
        took: elapsed(link.took()),
    }
}

fn shorter(timeline: &Timeline) -> Option<String> {
    let saving = timeline.saving()?;
    Some(format!(
        "Longest on it: {}, {}. Without it the run would take {}, and {} would end last.",
        saving.longest.name(),
        elapsed(saving.longest.took()),
        elapsed(saving.without_it_seconds),
        saving.then_last
    ))
}

/// Fewer digits: nobody sees a hundredth of a unit.
fn tenths(units: f64) -> f64 {
    (units * 10.0).round() / 10.0
}
