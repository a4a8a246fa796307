//! Problems as text for people: the line of each, the mark below it, what to do. Eighty
//! columns, but for lines of the definition itself. What a terminal would obey is escaped here: the
//! colours around it are not known to others as ours.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
};

use super::problem::{Problem, Problems};
use crate::common::terminal::{escape, mask};
use crate::common::text::{count, wrap_quoted};

/// Messages are read on a terminal of 80 columns.
const WIDTH: usize = 80;
/// The prefixes of a message and of a help.
const BEFORE_MESSAGE: usize = 4;
const BEFORE_HELP: usize = 8;
/// A longer line would hide its own mark; the place is named without it.
const LONGEST_LINE: usize = 200;

/// Every problem, then how many there are; no line break at the end.
pub(super) fn render(problems: &Problems, theme: GraphicalTheme) -> String {
    // Texts are wrapped here, never inside quotes: the handler gets room enough to leave them.
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(2 * WIDTH)
        .with_context_lines(1)
        .with_links(false);
    let mut out = String::new();
    let mut file = "";
    for problem in problems.iter() {
        let report = report(&problems.text, problem);
        if handler.render_report(&mut out, report.as_ref()).is_err() {
            out.push_str(&escape(&problem.message));
        }
        out.push('\n');
        file = &problem.file;
    }
    let count = count(problems.len(), "problem");
    trimmed(&format!("{out}{count} in {}", escape(file)))
}

fn report(text: &str, problem: &Problem) -> Report {
    let place = &problem.place;
    let around = around(text, place.start);
    let shown = !around.is_empty() && around.iter().all(|line| line.len() <= LONGEST_LINE);
    let (file, message) = (escape(&problem.file), escape(&problem.message));
    let message = if shown {
        message.into_owned()
    } else {
        let (line, column) = (problem.line, problem.column);
        format!("{file}:{line}:{column}: {message}")
    };
    let mut diagnostic = MietteDiagnostic::new(wrap_quoted(&message, WIDTH - BEFORE_MESSAGE));
    if !problem.help.is_empty() {
        diagnostic = diagnostic.with_help(wrap_quoted(&escape(&problem.help), WIDTH - BEFORE_HELP));
    }
    if !shown {
        return Report::new(diagnostic);
    }
    let label = (!problem.label.is_empty()).then(|| escape(&problem.label).into_owned());
    let span = LabeledSpan::new(label, place.start, place.len());
    Report::new(diagnostic.with_label(span))
        .with_source_code(NamedSource::new(file, mask(text).into_owned()))
}

/// The line at `start` and its neighbours.
fn around(text: &str, start: usize) -> Vec<&str> {
    let number = text[..start].matches('\n').count();
    text.lines()
        .skip(number.saturating_sub(1))
        .take(3)
        .collect()
}

/// Without blanks at the ends of lines and of the text.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.join("\n")
}
