//! Rows of stacks in columns. Knows widths, not what the words mean.

use console::measure_text_width;

use super::text::{Line, Mark, fit, pad, room};

/// Columns below which a stack's own time gives way to the sentence beside it.
const NARROW: usize = 72;
/// Blanks between columns.
const GAP: &str = "  ";
/// The widest span: `59m59s`, `99h59m`.
const SPAN: usize = 6;

/// One row. One without a name stands for several stacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub mark: Mark,
    pub name: Option<String>,
    pub elapsed: String,
    pub count: String,
    pub text: String,
    /// How long the thing in `text` has taken; empty when it is no resource.
    pub timing: String,
}

impl Row {
    /// A row that stands for several stacks.
    pub fn fold(mark: Mark, text: String) -> Self {
        Self {
            mark,
            name: None,
            elapsed: String::new(),
            count: String::new(),
            text,
            timing: String::new(),
        }
    }
}

/// The rows as lines of at most `width` columns. Sentences are cut before figures.
pub(super) fn table(rows: &[Row], width: usize) -> Vec<Line> {
    let widest = |of: fn(&Row) -> &str| {
        let widths = rows.iter().map(|row| measure_text_width(of(row)));
        widths.max().unwrap_or(0)
    };
    let name = widest(|row| row.name.as_deref().unwrap_or("")).min(room(width) * 2 / 5);
    let count = widest(|row| &row.count);
    let timing = widest(|row| &row.timing);
    let lead = |row: &Row| {
        let mut lead = pad(row.name.as_deref().unwrap_or(""), name);
        if width >= NARROW {
            lead += &format!("{GAP}{:>SPAN$}", row.elapsed);
        }
        lead + &format!("{GAP}{:>count$}{GAP}", row.count)
    };
    let taken = rows.first().map_or(0, |row| measure_text_width(&lead(row)));
    let free = room(width).saturating_sub(taken);
    let longest = rows
        .iter()
        .filter(|row| !row.timing.is_empty())
        .map(|row| measure_text_width(&row.text));
    let column = longest
        .max()
        .unwrap_or(0)
        .min(free.saturating_sub(timing + GAP.len()));
    rows.iter()
        .map(|row| {
            let text = match (&row.name, row.timing.as_str()) {
                (None, _) => row.text.clone(),
                (_, "") => lead(row) + &fit(&row.text, free),
                _ => lead(row) + &pad(&row.text, column) + GAP + &row.timing,
            };
            Line::new(row.mark, &text, width)
        })
        .collect()
}
