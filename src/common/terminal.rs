//! What a terminal would obey instead of showing: escaped, so that it can be read. Our own colours carry a
//! mark of this process, by which they are known from those in a text of somebody else.

use std::borrow::Cow;
use std::fmt::{Display, Write as _};
use std::sync::LazyLock;

use console::Style;

/// The start of a sequence that sets a colour, and its end.
const START: &str = "\u{1b}[";
const END: char = 'm';

/// Parameters that no text from outside can contain, because they are new in every process. Four digits
/// each, the most that are taken for a colour where the width of a text is measured.
static MARK: LazyLock<String> = LazyLock::new(|| {
    (0..4).fold(String::new(), |mark, _| {
        format!("{mark};{}", fastrand::u16(1000..10_000))
    })
});

/// Whether a terminal obeys it or reorders text at it. Line breaks and tabs are layout.
pub fn is_obeyed(c: char) -> bool {
    let reorders = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || reorders
}

/// A text without anything that a terminal obeys: `\u{1b}` stands for an escape character.
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.contains(is_obeyed) {
        Cow::Owned(text.chars().fold(String::new(), add_escaped))
    } else {
        Cow::Borrowed(text)
    }
}

/// The same in as many bytes, for a text of which places are known: each is replaced by another character.
pub fn mask(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let masked = |(at, c): (usize, char)| match c.len_utf8() {
        // The end of a line as Windows has it.
        1 if c == '\r' && text[at + 1..].starts_with('\n') => c,
        _ if !is_obeyed(c) => c,
        1 => '?',
        2 => '\u{bf}',
        _ => char::REPLACEMENT_CHARACTER,
    };
    Cow::Owned(text.char_indices().map(masked).collect())
}

/// [`escape`], for JSON: what its own rules leave as it is gets JSON's escapes.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_obeyed) {
        return Cow::Borrowed(json);
    }
    let add = |mut text: String, c: char| {
        if is_obeyed(c) {
            // Writing to a String can't fail. None of them needs a second unit.
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
        text
    };
    Cow::Owned(json.chars().fold(String::new(), add))
}

/// `text` in a style of ours, where the stream that the style is for shows colours.
pub fn paint(style: &Style, text: impl Display) -> String {
    let around = style.apply_to('\0').to_string();
    match around.split_once('\0') {
        Some((before, after)) if !before.is_empty() => {
            let marked = |codes: &str| codes.replace(END, &format!("{}{END}", *MARK));
            format!("{}{text}{}", marked(before), marked(after))
        }
        _ => text.to_string(),
    }
}

/// A text for a terminal: in our own colours, with everything else escaped.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((codes, after)) = own_colour(rest) {
            shown.extend([START, codes, "m"]);
            rest = after;
        } else {
            shown = add_escaped(shown, c);
            rest = &rest[c.len_utf8()..];
        }
    }
    Cow::Owned(shown)
}

/// The codes of a colour of ours at the start of a text, and what follows it.
fn own_colour(text: &str) -> Option<(&str, &str)> {
    let (sequence, after) = text.strip_prefix(START)?.split_once(END)?;
    let codes = sequence.strip_suffix(MARK.as_str())?;
    let is_code = |c: char| c.is_ascii_digit() || c == ';';
    codes.chars().all(is_code).then_some((codes, after))
}

fn add_escaped(mut text: String, c: char) -> String {
    match c {
        '\r' => text.push_str("\\r"),
        c if is_obeyed(c) => text.extend(c.escape_unicode()),
        c => text.push(c),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}]0;x\u{7}b\u{1b}[31mc\r\u{9b}2J\u{202e}d\u{7f}\n\té";

    #[test]
    fn nothing_obeyed_is_left() {
        let shown = escape(HOSTILE);
        assert_eq!(
            shown,
            "a\\u{1b}]0;x\\u{7}b\\u{1b}[31mc\\r\\u{9b}2J\\u{202e}d\\u{7f}\n\té"
        );
        assert!(matches!(escape("plain é\n\t"), Cow::Borrowed(_)));
        assert_eq!(visible(HOSTILE), shown);
    }

    #[test]
    fn masking_keeps_places() {
        assert_eq!(mask("a\r\nb\rc"), "a\r\nb?c");
        let masked = mask(HOSTILE);
        assert_eq!(masked.len(), HOSTILE.len());
        assert!(!masked.contains(is_obeyed), "{masked}");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let json = serde_json::to_string(HOSTILE).unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.contains(is_obeyed), "{escaped}");
        assert_ne!(escaped, json);
        let read: String = serde_json::from_str(&escaped).unwrap();
        assert_eq!(read, HOSTILE);
    }

    #[test]
    fn own_colours_are_kept_and_foreign_ones_escaped() {
        let red = Style::new().red().bold().force_styling(true);
        let painted = paint(&red, "own \u{1b}[32mforeign\u{1b}[0m");
        assert_eq!(
            visible(&format!("{painted}!")),
            "\u{1b}[31m\u{1b}[1mown \\u{1b}[32mforeign\\u{1b}[0m\u{1b}[0m!"
        );
        assert_eq!(console::measure_text_width(&paint(&red, "own")), 3);
    }

    #[test]
    fn text_without_colours_is_as_it_was() {
        assert_eq!(paint(&Style::new().red().force_styling(false), "x"), "x");
    }
}
