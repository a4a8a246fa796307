//! Rendered YAML as plain data, without the surprises of YAML's guessing: what is spelt `1.10`,
//! `yes` or `012345678901` reaches AWS as it is spelt. Knows nothing of templates.
//!
//! Read from the parser's events: one pass and no guessing in between, as this is most of the work
//! of rendering a cluster. Merge keys and tags are refused: intrinsics stand in their long form.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Number, Value};
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span, StrInput};

use super::TemplateError;

/// Reads `text`, which came of the template `name`.
pub(super) fn parse(name: &str, text: &str) -> Result<Value, TemplateError> {
    let options = granit_parser::options! { emit_comments: false };
    let events = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader {
        events,
        anchors: HashMap::new(),
        copied: 0,
    };
    reader.document().map_err(|wrong| TemplateError::Yaml {
        name: name.to_owned(),
        line: wrong.line,
        column: wrong.column,
        what: wrong.what,
        text: line(text, wrong.line).trim().to_owned(),
    })
}

fn line(text: &str, number: usize) -> &str {
    let nth = number.saturating_sub(1);
    text.lines().nth(nth).unwrap_or_default()
}

/// The number that the parser gives to what has no anchor.
const NO_ANCHOR: usize = 0;
/// The most values that aliases may stand for: ten times what the largest template holds.
const MOST_COPIED: usize = 50_000;

/// What can't be read, and where: line and column from 1.
struct Wrong {
    line: usize,
    column: usize,
    what: String,
}

impl Wrong {
    fn at(place: &granit_parser::Marker, what: impl Into<String>) -> Self {
        Self {
            line: place.line(),
            column: place.col() + 1,
            what: what.into(),
        }
    }
}

struct Reader<'t> {
    events: Parser<'t, StrInput<'t>>,
    /// What an alias stands for, by the number of its anchor.
    anchors: HashMap<usize, Value>,
    /// Values that aliases stood for so far.
    copied: usize,
}

impl<'t> Reader<'t> {
    /// The next event that is part of the data; `None` at the end of the text.
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Wrong> {
        for next in self.events.by_ref() {
            let (event, span) =
                next.map_err(|error| Wrong::at(error.marker(), error.kind().to_string()))?;
            match event {
                Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(..)
                | Event::DocumentEnd => {}
                _ if event.tag().is_some() => {
                    let what = "a tag; write intrinsics out, such as `Ref: Vpc`";
                    return Err(Wrong::at(&span.start, what));
                }
                _ => return Ok(Some((event, span))),
            }
        }
        Ok(None)
    }

    /// The only document. An empty text is null.
    fn document(&mut self) -> Result<Value, Wrong> {
        let Some((event, span)) = self.next()? else {
            return Ok(Value::Null);
        };
        let value = self.value(event, &span)?;
        match self.next()? {
            None => Ok(value),
            Some((_, span)) => Err(Wrong::at(&span.start, "a second document")),
        }
    }

    /// The value that starts with `event`.
    fn value(&mut self, event: Event<'t>, span: &Span) -> Result<Value, Wrong> {
        let (anchor, value) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) => (anchor, as_spelt(text)),
            Event::Scalar(text, _, anchor, _) => (anchor, text.into_owned().into()),
            Event::SequenceStart(_, anchor, _) => (anchor, self.list()?),
            Event::MappingStart(_, anchor, _) => (anchor, self.mapping()?),
            Event::Alias(anchor) => (NO_ANCHOR, self.copy(anchor, span)?),
            _ => return Err(Wrong::at(&span.start, "an end without a start")),
        };
        if anchor != NO_ANCHOR {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn copy(&mut self, anchor: usize, alias: &Span) -> Result<Value, Wrong> {
        let Some(value) = self.anchors.get(&anchor) else {
            let what = "an alias inside what it stands for";
            return Err(Wrong::at(&alias.start, what));
        };
        self.copied += size(value);
        if self.copied > MOST_COPIED {
            let what = format!("aliases stand for more than {MOST_COPIED} values");
            return Err(Wrong::at(&alias.start, what));
        }
        Ok(value.clone())
    }

    fn list(&mut self) -> Result<Value, Wrong> {
        let mut values = Vec::new();
        while let Some((event, span)) = self.next()? {
            if matches!(event, Event::SequenceEnd) {
                break;
            }
            values.push(self.value(event, &span)?);
        }
        Ok(values.into())
    }

    fn mapping(&mut self) -> Result<Value, Wrong> {
        let mut entries = Map::new();
        while let Some((event, span)) = self.next()? {
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(text, ..) => text,
                _ => return Err(Wrong::at(&span.start, "a list or mapping as a key")),
            };
            if key == "<<" {
                return Err(Wrong::at(&span.start, "a merge key; write the fields out"));
            }
            if entries.contains_key(key.as_ref()) {
                let what = format!("`{key}` stands here a second time");
                return Err(Wrong::at(&span.start, what));
            }
            if let Some((event, span)) = self.next()? {
                entries.insert(key.into_owned(), self.value(event, &span)?);
            }
        }
        Ok(entries.into())
    }
}

/// How many values it is made of.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(size).sum::<usize>(),
        Value::Object(entries) => 1 + entries.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// A number or boolean only where writing it out gives back the text it was read from.
fn as_spelt(text: Cow<str>) -> Value {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        other => number(other).map_or_else(|| text.into_owned().into(), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    // Most scalars are words, and an error of serde_json costs more than a look at a character.
    text.strip_prefix('-')
        .unwrap_or(text)
        .starts_with(|first: char| first.is_ascii_digit())
        .then(|| serde_json::from_str::<Number>(text).ok())?
        .filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_spelt_like_json_stays_text() {
        let text = "account: 012345678901\nversion: 1.10\nanswer: yes\nport: 6443\non: true\n\
                    quoted: \"5\"\nnothing: null\nbig: 1_000\nempty: \"\"\nhalf: 0.5\nexp: 1e3\n";
        let want = json!({"account": "012345678901", "version": "1.10", "answer": "yes",
            "port": 6443, "on": true, "quoted": "5", "nothing": null, "big": "1_000",
            "empty": "", "half": 0.5, "exp": "1e3"});
        assert_eq!(parse("t", text).unwrap(), want);
    }

    #[test]
    fn intrinsics_in_long_form_are_plain_data() {
        let text = "a: { Fn::Sub: \"${AWS::Region}\" }\nb: [ { Ref: X }, 1 ]\n";
        let want = json!({"a": {"Fn::Sub": "${AWS::Region}"}, "b": [{"Ref": "X"}, 1]});
        assert_eq!(parse("t", text).unwrap(), want);
    }

    #[test]
    fn broken_yaml_is_shown_with_its_line() {
        let error = parse("stacks/x.yaml.tera", "a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("stacks/x.yaml.tera"), "{text}");
        assert!(text.contains("line "), "{text}");
    }

    #[test]
    fn an_alias_is_a_copy_of_what_stands_at_its_anchor() {
        let text = "a: &x { n: 1.10, l: &y [1, no] }\nb: *x\nc: *y\n";
        let want = json!({"a": {"n": "1.10", "l": [1, "no"]}, "b": {"n": "1.10", "l": [1, "no"]},
            "c": [1, "no"]});
        assert_eq!(parse("t", text).unwrap(), want);
    }

    #[test]
    fn aliases_do_not_fill_the_memory() {
        let double = |n: usize| format!("a{n}: &a{n} [*a{before}, *a{before}]\n", before = n - 1);
        let text = format!("a0: &a0 [x]\n{}", (1..60).map(double).collect::<String>());
        let error = parse("t", &text).unwrap_err().to_string();
        assert!(error.contains("more than 50000 values"), "{error}");
    }

    #[test]
    fn what_has_no_meaning_in_a_template_is_refused_at_its_place() {
        for (text, place, what) in [
            ("a: 1\nb: !Ref Vpc\n", (2, 9), "a tag"),
            ("a: &x [*x]\n", (1, 8), "an alias inside"),
            ("a:\n  <<: { b: 1 }\n", (2, 3), "a merge key"),
            (
                "a: 1\nb: 2\na: 3\n",
                (3, 1),
                "`a` stands here a second time",
            ),
            ("[x]: 1\n", (1, 1), "a list or mapping as a key"),
            ("a: 1\n---\nb: 2\n", (3, 1), "a second document"),
        ] {
            match parse("t", text).unwrap_err() {
                TemplateError::Yaml {
                    line,
                    column,
                    what: said,
                    ..
                } => {
                    assert_eq!((line, column), place, "{text}");
                    assert!(said.starts_with(what), "{said}");
                }
                other => panic!("{other}"),
            }
        }
    }
}
