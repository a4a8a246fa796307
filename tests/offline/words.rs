//! The words of `words.txt` stay out of sources, tests, templates and papers. `words.allow` lists the exceptions.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::architecture::files_below;

const PLACES: &[&str] = &["src", "tests", "templates", "docs", "README.md"];
const WORDS: &str = include_str!("words.txt");
const EXCEPTIONS: &str = include_str!("words.allow");

/// The lines of a list that are no comment.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The words of a line in small letters; identifiers are split at `_` and at capitals.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let next_is_small = letters.peek().is_some_and(|next| next.is_lowercase());
        let hump = letter.is_uppercase() && (before.is_lowercase() || next_is_small);
        if !letter.is_alphabetic() || hump {
            words.push(String::new());
        }
        if letter.is_alphabetic()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The forbidden words in a line.
fn forbidden(line: &str) -> BTreeSet<&'static str> {
    let words = words(line);
    let text = format!(" {}", line.to_lowercase().replace('_', " "));
    entries(WORDS)
        .filter(|entry| {
            if entry.contains(' ') {
                text.contains(&format!(" {entry}"))
            } else {
                words.iter().any(|word| word == entry)
            }
        })
        .collect()
}

/// Every forbidden word of the repository: path, line (0 for the path itself) and word.
fn hits(root: &Path) -> Vec<(String, usize, &'static str)> {
    let mut hits = Vec::new();
    for file in PLACES
        .iter()
        .flat_map(|place| files_below(&root.join(place)))
    {
        let path = file.strip_prefix(root).unwrap().to_string_lossy();
        let text = fs::read_to_string(&file).unwrap_or_default();
        if path.starts_with("tests/offline/words.") {
            continue;
        }
        for (number, line) in std::iter::once(&*path).chain(text.lines()).enumerate() {
            let found = forbidden(line).into_iter();
            hits.extend(found.map(|word| (path.to_string(), number, word)));
        }
    }
    hits
}

#[test]
fn identifiers_are_split_into_words() {
    assert_eq!(
        words("lastTold, TOLD_AT: HTTPTold"),
        ["last", "told", "told", "at", "http", "told"]
    );
    assert_eq!(words("untold folds"), ["untold", "folds"]);
    assert!(forbidden("a_last_words_test").contains("last words"));
    assert!(forbidden("started by hand: no").contains("by hand:"));
    assert!(forbidden("started by hand").is_empty());
}

#[test]
fn forbidden_words_are_not_used() {
    let hits = hits(Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut unused: BTreeSet<(&str, String)> = BTreeSet::new();
    for exception in entries(EXCEPTIONS) {
        let mut parts = exception.splitn(3, ' ');
        let (path, word) = (parts.next().unwrap(), parts.next().unwrap());
        assert!(parts.next().is_some(), "no reason: {exception}");
        unused.insert((path, word.replace('_', " ")));
    }
    assert!(unused.len() <= 10, "too many exceptions");
    let exceptions = unused.clone();
    let mut wrong = Vec::new();
    for (path, line, word) in &hits {
        let key = (path.as_str(), (*word).to_owned());
        if exceptions.contains(&key) {
            unused.remove(&key);
        } else {
            wrong.push(format!("{path}:{line}: {word}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} words:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        unused.is_empty(),
        "exceptions that are not needed: {unused:?}"
    );
}
