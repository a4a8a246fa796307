//! Lines of a report in 80 columns: entries with a coloured mark, rows below them, commands that can be copied.

use std::fmt::Write;

use console::{Style, measure_text_width};

use crate::common::terminal::paint;
use crate::common::text::{clean, listed_line};
use crate::report::deletion::Stream;

const COLUMNS: usize = 80;
/// Rows of one kind that a question shows, if no data is lost with them.
pub(super) const SHOWN: usize = 10;

/// What an entry says of the things below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Removed,
    Kept,
    /// Needs to be read before consent.
    Warning,
}

impl Mark {
    fn sign(self) -> &'static str {
        match self {
            Self::Removed => "-",
            Self::Kept => "=",
            Self::Warning => "!!",
        }
    }

    fn style(self, stream: Stream) -> Style {
        let style = stream.style();
        match self {
            Self::Removed => style.red(),
            Self::Kept => style.cyan(),
            Self::Warning => style.yellow(),
        }
    }
}

/// A text that grows by lines.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    stream: Stream,
}

impl Page {
    pub fn of(stream: Stream) -> Self {
        Self {
            text: String::new(),
            stream,
        }
    }

    /// An empty one for the same stream.
    pub fn part(&self) -> Self {
        Self::of(self.stream)
    }

    pub fn into_text(self) -> String {
        self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// A sentence, `indent` columns to the right.
    pub fn line(&mut self, indent: usize, text: &str) {
        self.push(&listed_line(&" ".repeat(indent), text));
    }

    /// A row of a list; what does not fit behind it is below it, not broken.
    pub fn row(&mut self, indent: usize, row: &str, tail: &str) {
        let whole = format!("{row}  {tail}");
        if tail.is_empty() || indent + measure_text_width(&whole) <= COLUMNS {
            self.line(indent, whole.trim_end());
        } else {
            self.line(indent, row.trim_end());
            self.line(indent + 2, tail);
        }
    }

    /// A line behind a mark.
    pub fn entry(&mut self, indent: usize, mark: Mark, text: &str) {
        let label = format!("{}{} ", " ".repeat(indent), mark.sign());
        let plain = listed_line(&label, text);
        let painted = paint(&mark.style(self.stream), mark.sign());
        self.push(&plain.replacen(mark.sign(), &painted, 1));
    }

    /// A command on lines of its own: a shell takes them as they are.
    pub fn command(&mut self, indent: usize, command: &str) {
        self.push(&command_lines(indent, command));
    }

    /// Lines made elsewhere.
    pub fn append(&mut self, other: &Self) {
        self.text.push_str(&other.text);
    }

    fn push(&mut self, text: &str) {
        // Writing to a String can't fail.
        let _ = writeln!(self.text, "{text}");
    }
}

/// A command broken before options, with the backslash that continues it. What is longer than a line in itself stays
/// whole.
pub(super) fn command_lines(indent: usize, command: &str) -> String {
    let first = " ".repeat(indent);
    let room = COLUMNS - " \\".len();
    let mut lines = vec![first.clone()];
    for (at, part) in command.split(" --").enumerate() {
        let part = if at == 0 {
            part.to_owned()
        } else {
            format!("--{part}")
        };
        let Some(last) = lines.last_mut() else {
            continue;
        };
        if at == 0 {
            last.push_str(&part);
        } else if measure_text_width(last) + 1 + measure_text_width(&part) <= room {
            last.push(' ');
            last.push_str(&part);
        } else {
            last.push_str(" \\");
            lines.push(format!("{first}  {part}"));
        }
    }
    lines.join("\n")
}

/// Texts of others, that are there, behind each other.
pub(super) fn listed(parts: impl IntoIterator<Item = String>) -> String {
    let parts = parts.into_iter().map(|part| clean(&part));
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_command_is_continued_before_an_option() {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/a/b";
        let command =
            format!("aws elbv2 delete-load-balancer --region eu-west-1 --load-balancer-arn {arn}");
        let lines = command_lines(4, &command);
        assert_eq!(
            lines,
            format!(
                "    aws elbv2 delete-load-balancer --region eu-west-1 \\\n      --load-balancer-arn {arn}"
            )
        );
        let shell = lines.replace("\\\n", " ");
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        assert_eq!(words(&shell), words(&command));
        assert_eq!(
            command_lines(2, "aws sts get-caller-identity"),
            "  aws sts get-caller-identity"
        );
    }

    #[test]
    fn colours_follow_the_stream_that_is_printed_to() {
        let style = |stream| Mark::Removed.style(stream);
        assert_eq!(style(Stream::Stdout), Style::new().for_stdout().red());
        assert_eq!(style(Stream::Stderr), Style::new().for_stderr().red());
        assert_ne!(style(Stream::Stdout), style(Stream::Stderr));
    }

    #[test]
    fn texts_of_others_are_cleaned() {
        let parts = ["a\u{1b}[31m\nb", "", "c"].map(str::to_owned);
        assert_eq!(listed(parts), "a [31m b, c");
    }
}
