//! Rows of stacks, or of kinds outside them, in columns. Knows widths, not what the words mean.

use console::measure_text_width;

use super::line::{Line, Mark, room};
use crate::common::text::{fit, pad};

/// Columns below which a stack's own time gives way to the sentence beside it.
const NARROW: usize = 72;
/// Blanks between columns.
const GAP: &str = "  ";

/// One row. One without a name stands for several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub mark: Mark,
    pub name: Option<String>,
    pub elapsed: String,
    pub count: String,
    pub text: String,
    /// How long the resource in `text` has taken; empty when it is none.
    pub running: String,
    /// How long that usually takes.
    pub usual: String,
    /// How many stacks or kinds it stands for.
    pub stands_for: usize,
}

impl Row {
    /// A row that stands for several.
    pub fn fold(mark: Mark, text: String, stands_for: usize) -> Self {
        Self {
            mark,
            name: None,
            elapsed: String::new(),
            count: String::new(),
            text,
            running: String::new(),
            usual: String::new(),
            stands_for,
        }
    }
}

/// The rows as lines of at most `width` columns. Sentences are cut before figures.
pub(super) fn table(rows: &[Row], width: usize) -> Vec<Line> {
    let columns = Columns::of(rows, width);
    rows.iter()
        .map(|row| Line::new(row.mark, &columns.text(row), width))
        .collect()
}

/// Widths of the columns.
struct Columns {
    name: usize,
    elapsed: Option<usize>,
    count: usize,
    /// What is left beside the columns before it.
    free: usize,
    /// Of sentences that have figures behind them.
    sentence: usize,
    running: usize,
}

impl Columns {
    fn of(rows: &[Row], width: usize) -> Self {
        let widest = |of: fn(&Row) -> &str| {
            let widths = rows.iter().map(|row| measure_text_width(of(row)));
            widths.max().unwrap_or(0)
        };
        let name = widest(|row| row.name.as_deref().unwrap_or("")).min(room(width) / 5 * 2);
        let elapsed = (width >= NARROW).then(|| widest(|row| &row.elapsed));
        let count = widest(|row| &row.count);
        let running = widest(|row| &row.running);
        let taken = name + elapsed.map_or(0, |span| span + GAP.len()) + count + 2 * GAP.len();
        let free = room(width).saturating_sub(taken);
        let figures = GAP.len() + running + 1 + widest(|row| &row.usual);
        let sentence = widest(|row| {
            if row.running.is_empty() {
                ""
            } else {
                &row.text
            }
        });
        Self {
            name,
            elapsed,
            count,
            free,
            sentence: sentence.min(free.saturating_sub(figures)),
            running,
        }
    }

    fn text(&self, row: &Row) -> String {
        let Some(name) = &row.name else {
            return row.text.clone();
        };
        let name = pad(name, self.name);
        let elapsed = self
            .elapsed
            .map_or(String::new(), |span| format!("{GAP}{:>span$}", row.elapsed));
        let lead = format!("{name}{elapsed}{GAP}{:>1$}{GAP}", row.count, self.count);
        if row.running.is_empty() {
            return lead + &fit(&row.text, self.free);
        }
        let sentence = pad(&row.text, self.sentence);
        let running = format!("{:>1$}", row.running, self.running);
        format!("{lead}{sentence}{GAP}{running} {}", row.usual)
    }
}
