//! The Gantt chart in the terminal: one row a stack, plain characters, every fact without colour.

use std::fmt::Write as _;

use console::measure_text_width;
use jiff::{SignedDuration, Timestamp};

use super::format::{saving_text, slack, ticks, took, verdict};
use super::{Ending, Link, ResourceBar, StackBar, Timeline};
use crate::common::duration::elapsed;
use crate::common::text::{pad, wrap, wrap_behind};

/// Columns that the chart needs at least; a narrower terminal gets as many and folds them itself.
pub const NARROWEST: usize = 60;
/// Width of the marker at the start of a row.
const MARK: usize = 5;
/// Width of a column of figures.
const FIGURE: usize = 7;
/// Resources of a stack that the critical path names in words.
const NAMED: usize = 3;

/// What has a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartDetail {
    Stacks,
    /// Below each stack the resources that stand out.
    Resources,
}

/// The chart, at most `width` columns wide (and at least [`NARROWEST`]). `source` says where the
/// events come from.
pub fn text(timeline: &Timeline, source: &str, detail: ChartDetail, width: usize) -> String {
    let chart = TextChart::new(timeline, detail, width.max(NARROWEST));
    let started = timeline.started.strftime("%Y-%m-%d %H:%M:%S UTC");
    let title = format!("{}  {}", timeline.cluster, verdict(timeline));
    let about = format!("{started}, run {}, {source}", timeline.run);
    let mut lines = wrap(&title, chart.width);
    lines.extend(wrap(&about, chart.width));
    lines.extend([String::new(), chart.axis()]);
    for bar in &timeline.stacks {
        lines.push(chart.stack(bar));
        let is_shown = |resource: &&ResourceBar| chart.shows(bar, resource);
        let rows = bar.resources.iter().filter(is_shown);
        lines.extend(rows.map(|resource| chart.resource(bar, resource)));
    }
    lines.push(String::new());
    lines.extend(wrap(
        "# critical  = not critical  ! from a failure on  . waiting  > continues",
        chart.width,
    ));
    lines.extend(failures(timeline, chart.width));
    lines.extend(critical(timeline, chart.width));
    let lines = lines.iter().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// The columns of one chart.
struct TextChart<'a> {
    timeline: &'a Timeline,
    detail: ChartDetail,
    width: usize,
    name: usize,
    cells: usize,
}

impl<'a> TextChart<'a> {
    fn new(timeline: &'a Timeline, detail: ChartDetail, width: usize) -> Self {
        let mut chart = Self {
            timeline,
            detail,
            width,
            name: 0,
            cells: 0,
        };
        let names = timeline.stacks.iter().flat_map(|bar| {
            let shown = bar.resources.iter().filter(|it| chart.shows(bar, it));
            let shown = shown.map(|it| measure_text_width(&bar.name_of(it)) + 2);
            shown.chain([bar.stack.to_string().len()])
        });
        let longest = names.max().unwrap_or(0);
        chart.name = longest.min(width * 3 / 8);
        chart.cells = width - MARK - chart.name - 1 - 2 * FIGURE;
        chart
    }

    fn shows(&self, bar: &StackBar, resource: &ResourceBar) -> bool {
        self.detail == ChartDetail::Resources && self.timeline.is_notable(bar, resource)
    }

    /// The cell in which a moment lies; the end of the run lies behind the last.
    fn cell(&self, at: Timestamp) -> usize {
        let whole = self.timeline.took().as_millis().max(1);
        let since = at.duration_since(self.timeline.started).as_millis();
        let cells = i128::try_from(self.cells).unwrap_or(0);
        usize::try_from(since.clamp(0, whole) * cells / whole).unwrap_or(0)
    }

    fn axis(&self) -> String {
        const ROOM: usize = 7;
        let mut axis = String::new();
        for (second, label) in ticks(self.timeline.took(), self.cells / ROOM) {
            let at = self.timeline.started + SignedDuration::from_secs(second);
            let cell = self.cell(at);
            let free = axis.is_empty() || axis.len() < cell;
            if free && cell + label.len() <= self.cells {
                axis += &" ".repeat(cell - axis.len());
                axis += &label;
            }
        }
        self.row("", "", &axis, "took", "slack")
    }

    fn row(&self, mark: &str, name: &str, cells: &str, took: &str, slack: &str) -> String {
        let (name, cells) = (pad(name, self.name), pad(cells, self.cells));
        format!("{mark:<MARK$}{name} {cells}{took:>FIGURE$}{slack:>FIGURE$}")
    }

    fn stack(&self, bar: &StackBar) -> String {
        let until = self.timeline.until;
        let mut cells = vec![' '; self.cells];
        if let Some(end) = bar.waited_until(until) {
            paint(&mut cells, 0, self.cell(end), '.');
        }
        if let Some((begin, end)) = bar.begin.zip(bar.bar_end(until)) {
            let fill = if bar.critical { '#' } else { '=' };
            self.bar(&mut cells, (begin, end), bar.failed_at, fill);
            if bar.end.is_none() {
                let last = self.cell(end);
                paint(&mut cells, last.saturating_sub(1), last, '>');
            }
        }
        let cells: String = cells.into_iter().collect();
        let (name, took) = (bar.stack.to_string(), took(bar, self.timeline));
        self.row(mark(bar.ending), &name, &cells, &took, &slack(bar))
    }

    fn resource(&self, bar: &StackBar, resource: &ResourceBar) -> String {
        let end = bar.end_of(resource, self.timeline.until);
        let mut cells = vec![' '; self.cells];
        let fill = if resource.critical { '#' } else { '=' };
        let failed = resource.failed.then_some(resource.begin);
        self.bar(&mut cells, (resource.begin, end), failed, fill);
        let cells: String = cells.into_iter().collect();
        let took = elapsed(bar.took_of(resource, self.timeline.until));
        let name = format!("  {}", bar.name_of(resource));
        let mark = if resource.failed { " !!" } else { "" };
        self.row(mark, &name, &cells, &took, "")
    }

    /// A bar of at least one cell, with `!` from its failure on.
    fn bar(
        &self,
        cells: &mut [char],
        (begin, end): (Timestamp, Timestamp),
        failed: Option<Timestamp>,
        fill: char,
    ) {
        let from = self.cell(begin).min(self.cells.saturating_sub(1));
        let to = self.cell(end).max(from + 1);
        paint(cells, from, to, fill);
        if let Some(failed) = failed {
            paint(cells, self.cell(failed).clamp(from, to - 1), to, '!');
        }
    }
}

fn paint(cells: &mut [char], from: usize, to: usize, with: char) {
    let to = to.min(cells.len());
    if let Some(cells) = cells.get_mut(from..to) {
        cells.fill(with);
    }
}

pub(super) fn mark(ending: Ending) -> &'static str {
    match ending {
        Ending::Created | Ending::Updated | Ending::Deleted | Ending::Unchanged => " ok",
        Ending::RolledBack => " rb",
        Ending::NotBegun | Ending::Failed => " !!",
        Ending::NotStarted | Ending::Waiting => " ..",
        Ending::Open => " >",
    }
}

/// What did not succeed, and why.
fn failures(timeline: &Timeline, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |ending: Ending, text: &str| {
        if lines.is_empty() {
            lines.push(String::new());
        }
        let label = format!("{:<MARK$}", mark(ending));
        lines.extend(wrap_behind(&label, text, width));
    };
    for (stacks, ending, why) in timeline.failures() {
        add(ending, &format!("{stacks} {}: {why}", ending.as_str()));
    }
    let open = timeline
        .stacks
        .iter()
        .filter(|bar| bar.ending == Ending::Open);
    let open: Vec<String> = open.map(|bar| bar.stack.to_string()).collect();
    if !open.is_empty() {
        add(
            Ending::Open,
            &format!("not followed to the end: {}", open.join(", ")),
        );
    }
    lines
}

/// The critical path in words, and what would make it shorter.
fn critical(timeline: &Timeline, width: usize) -> Vec<String> {
    let Some(saving) = timeline.saving() else {
        return vec![String::new(), "nothing began".to_owned()];
    };
    let mut lines = vec![String::new(), "critical path".to_owned()];
    for of_stack in timeline.critical.chunk_by(|a, b| a.stack == b.stack) {
        let Some(bar) = of_stack.first().and_then(|link| timeline.bar(&link.stack)) else {
            continue;
        };
        let took = elapsed(bar.took(timeline.until).unwrap_or_default());
        let label = format!("  {} {took:>FIGURE$}  ", pad(&bar.stack.to_string(), 16));
        lines.extend(wrap_behind(&label, &longest_links(of_stack), width));
    }
    lines.extend(wrap(&saving_text(timeline, &saving), width));
    lines
}

/// The longest links of a stack in their order, and how many are not named.
fn longest_links(links: &[Link]) -> String {
    let mut longest: Vec<&Link> = links
        .iter()
        .filter(|link| link.sentence.is_some())
        .collect();
    longest.sort_by_key(|link| std::cmp::Reverse(link.took()));
    let more = longest.len().saturating_sub(NAMED);
    longest.truncate(NAMED);
    longest.sort_by_key(|link| link.begin);
    let named = longest
        .iter()
        .map(|link| format!("{} {}", link.name(), elapsed(link.took())));
    let mut text = named.collect::<Vec<_>>().join(" > ");
    if more > 0 {
        let _ = write!(text, " and {more} shorter");
    }
    text
}
