//! Text for screens: cleaned, cut, filled and wrapped, and nouns counted. Widths are columns of a terminal.

use std::borrow::Cow;

use console::{measure_text_width, truncate_str};
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

use crate::common::terminal::is_obeyed;

/// Width of what is printed to be read and piped: plans, lists, checks.
const COLUMNS: usize = 80;

/// Text on one line and without control characters, which a terminal would obey.
pub fn clean(text: &str) -> String {
    let harmless = |c: char| {
        if c.is_whitespace() || is_obeyed(c) {
            ' '
        } else {
            c
        }
    };
    one_line(&text.chars().map(harmless).collect::<String>())
}

/// Text on one line, with single blanks.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cut to `width` columns; `..` at the end says that something is missing.
pub fn fit(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let tail = if width >= 4 { ".." } else { "" };
    truncate_str(text, width, tail).into_owned()
}

/// Cut to so many characters, and ` …` where something is missing.
pub fn shorten(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text.to_owned(),
    }
}

/// Filled with blanks to `width` columns, cut if longer.
pub fn pad(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let missing = width.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(missing)
}

/// Wrapped at blanks to `width` columns. Words that are longer (ARNs) are broken, nothing is lost.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_behind("", text, width.max(1))
}

/// Wrapped like [`wrap`], the first line behind `label`, the others below its text.
pub fn wrap_behind(label: &str, text: &str, width: usize) -> Vec<String> {
    let below = " ".repeat(measure_text_width(label));
    let options = folding(width).break_words(true).initial_indent(label);
    let lines = textwrap::wrap(text, options.subsequent_indent(&below));
    lines.into_iter().map(Cow::into_owned).collect()
}

/// Wrapping between words only: names, flags and commands are copied from what is printed.
pub fn folding<'a>(columns: usize) -> Options<'a> {
    Options::new(columns)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false)
}

/// One entry wrapped to 80 columns behind `label`, deeper from the second line on.
pub fn listed_line(label: &str, text: &str) -> String {
    let deeper = " ".repeat(label.len() + 2);
    let options = folding(COLUMNS).initial_indent(label);
    textwrap::fill(text, options.subsequent_indent(&deeper))
}

/// Broken at blanks only, and never inside `` `quotes` ``: what is quoted can be copied.
pub fn wrap_quoted(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut chunk = String::new();
    for word in text.split(' ') {
        if !chunk.is_empty() {
            chunk.push(' ');
        }
        chunk.push_str(word);
        if chunk.matches('`').count().is_multiple_of(2) {
            add(&mut lines, &std::mem::take(&mut chunk), width);
        }
    }
    if !chunk.is_empty() {
        add(&mut lines, &chunk, width);
    }
    lines.join("\n")
}

/// Puts a chunk on the last line where it fits, else on a new one.
fn add(lines: &mut Vec<String>, chunk: &str, width: usize) {
    match lines.last_mut() {
        Some(line) if line.chars().count() + 1 + chunk.chars().count() <= width => {
            line.push(' ');
            line.push_str(chunk);
        }
        _ => lines.push(chunk.to_owned()),
    }
}

/// `1 stack`, `3 stacks`.
pub fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_loses_nothing_and_breaks_long_words() {
        let text = "cannot assume arn:aws:iam::123456789012:role/canary-nodes at all";
        let lines = wrap(text, 12);
        assert!(lines.iter().all(|line| measure_text_width(line) <= 12));
        let squeezed = |text: &str| text.replace(' ', "");
        assert_eq!(squeezed(&lines.concat()), squeezed(text));
    }

    #[test]
    fn wrapping_never_breaks_inside_quotes() {
        assert_eq!(
            wrap_quoted("write `slots: 1` here", 10),
            "write\n`slots: 1`\nhere"
        );
        assert_eq!(wrap_quoted("a lone ` quote", 6), "a lone\n` quote");
    }

    #[test]
    fn fitting_marks_what_is_cut() {
        assert_eq!(fit("NAT gateway in eu-west-1a", 12), "NAT gatewa..");
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("short", 0), "");
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("über alles", 4), "über …");
    }

    #[test]
    fn padding_cuts_and_fills() {
        assert_eq!(pad("NAT gateway in eu-west-1a", 12), "NAT gatewa..");
        assert_eq!(pad("edge", 6), "edge  ");
    }

    #[test]
    fn cleaning_removes_control_characters() {
        assert_eq!(clean("red\u{1b}[31m\r\n alert\t\u{7}"), "red [31m alert");
    }
}
