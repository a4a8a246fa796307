//! Errors and answers as one short line of text.

use std::error::Error;

use crate::common::text::{self, one_line};

/// How much of an answer that is not AWS's own is shown.
const SHOWN: usize = 160;

/// AWS's message on one line, or its code where it sends none.
pub(super) fn words(message: &str, code: &str) -> String {
    match (message.trim(), code) {
        ("", "") => "no reason given".to_owned(),
        ("", code) => code.to_owned(),
        (message, _) => message.lines().collect::<Vec<_>>().join(" "),
    }
}

pub(super) fn as_text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

pub(super) fn quote(body: Option<&str>) -> String {
    match body.map(str::trim) {
        None | Some("") => String::new(),
        Some(body) => format!(": {}", shorten(body)),
    }
}

/// One line of at most [`SHOWN`] characters.
pub(super) fn shorten(text: &str) -> String {
    text::shorten(&one_line(without_request(text)), SHOWN)
}

/// The SDK's words up to where it quotes the request itself: a body may hold a secret.
fn without_request(text: &str) -> &str {
    let end = text.find("`Request {").or_else(|| text.find("Request {"));
    let kept = end.map_or(text, |end| text.get(..end).unwrap_or_default());
    kept.trim_end().trim_end_matches("to request").trim_end()
}

/// The causes of an error from the outermost to the innermost, without repetitions.
pub(super) fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts
}

/// An error with its causes, on one line.
pub(in super::super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    shorten(&chain(error).join(": "))
}

/// The cause at the bottom with the one above it: "dns error: failed to lookup address".
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let chain = chain(error);
    let last_two = chain.len().saturating_sub(2);
    chain.get(last_two..).unwrap_or_default().join(": ")
}

pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
