//! Lines of a screen: a marker, its colour, and text that fits. Knows nothing of events.

use std::fmt;

use console::Style;

use crate::common::terminal::paint;
use crate::common::text::{fit, wrap};

/// The mark at the start of a line: colour alone never carries a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// First line of a block.
    Title,
    Done,
    Running,
    Waiting,
    RollingBack,
    Failed,
    /// Continues the line above.
    Detail,
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Self::Title => "",
            Self::Done => " ok  ",
            Self::Running => " >   ",
            Self::Waiting => " ..  ",
            Self::RollingBack => " rb  ",
            Self::Failed => " !!  ",
            Self::Detail => "     ",
        }
    }

    /// Of something that needs `wanted` steps; `has_begun` where that is known before the first one.
    pub(super) fn of_part(done: usize, wanted: usize, has_begun: bool) -> Self {
        if done >= wanted {
            Self::Done
        } else if done > 0 || has_begun {
            Self::Running
        } else {
            Self::Waiting
        }
    }

    fn style(self) -> Style {
        let style = Style::new().for_stderr();
        match self {
            Self::Title => style.bold(),
            Self::Done => style.green(),
            Self::Running => style.cyan(),
            Self::RollingBack => style.yellow(),
            Self::Failed => style.red().bold(),
            Self::Waiting | Self::Detail => style,
        }
    }
}

/// One line of a screen: a marker and what it marks, already fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    mark: Mark,
    text: String,
}

impl Line {
    /// A line of at most `width` columns, marker included.
    pub(super) fn new(mark: Mark, text: &str, width: usize) -> Self {
        let (mark, text) = match width.checked_sub(mark.as_str().len()) {
            Some(room) => (mark, fit(text, room)),
            None => (Mark::Title, fit(mark.as_str(), width)),
        };
        let text = text.trim_end().to_owned();
        Self { mark, text }
    }

    /// Lines that belong together: the first carries the mark, the others continue it.
    pub(super) fn group(
        mark: Mark,
        texts: impl IntoIterator<Item = String>,
        width: usize,
    ) -> Vec<Self> {
        let marks = std::iter::once(mark).chain(std::iter::repeat(Mark::Detail));
        let lines = texts.into_iter().zip(marks);
        lines
            .map(|(text, mark)| Self::new(mark, &text, width))
            .collect()
    }

    /// A text on as many lines as it needs.
    pub(super) fn wrapped(mark: Mark, text: &str, width: usize) -> Vec<Self> {
        Self::group(mark, wrap(text, room(width)), width)
    }

    /// With its colours, where the terminal and `NO_COLOR` allow them.
    pub fn styled(&self) -> String {
        let style = self.mark.style();
        match self.mark {
            Mark::Title => paint(&style, &self.text),
            mark => format!("{}{}", paint(&style, mark.as_str()), self.text),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{}{}", self.mark.as_str(), self.text).trim_end())
    }
}

/// Columns that the text of a marked line has in `width`.
pub(super) fn room(width: usize) -> usize {
    width.saturating_sub(Mark::Detail.as_str().len())
}
