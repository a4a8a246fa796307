//! Rendered YAML as plain data, without the surprises of YAML's guessing: what is written `1.10`,
//! `yes` or `012345678901` reaches AWS as it is written. Knows nothing of templates.
//!
//! Merge keys and tags are refused: intrinsics are in their long form.

use serde_json::{Number, Value};

use super::TemplateError;
use crate::common::yaml::{self, Node, NodeKind, YamlError, YamlErrorKind};

/// The most values of a template, aliases expanded: ten times what the largest one holds.
const MOST_VALUES: usize = 50_000;

/// Reads `text`, which came of the template `name`.
pub(super) fn parse(name: &str, text: &str) -> Result<Value, TemplateError> {
    let document = yaml::parse(text, MOST_VALUES);
    match document.errors.into_iter().next() {
        Some(fault) => Err(error(name, text, &fault)),
        None => Ok(document.root.map_or(Value::Null, value)),
    }
}

fn error(name: &str, text: &str, fault: &YamlError) -> TemplateError {
    let before = text.get(..fault.place.start).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    TemplateError::Yaml {
        name: name.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[start..].chars().count() + 1,
        what: what(&fault.kind),
        text: text[start..]
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned(),
    }
}

fn what(fault: &YamlErrorKind) -> String {
    let what = match fault {
        YamlErrorKind::Syntax(error) => return error.kind().to_string(),
        YamlErrorKind::TooLarge => {
            return format!("more than {MOST_VALUES} values, with what aliases stand for");
        }
        YamlErrorKind::DuplicateKey(key) => return format!("`{key}` appears here a second time"),
        YamlErrorKind::Tag(_) => "a tag; write intrinsics out, such as `Ref: Vpc`",
        YamlErrorKind::SecondDocument => "a second document",
        YamlErrorKind::Recursion => "an alias inside the value that it refers to",
        YamlErrorKind::MergeKey => "a merge key; write the fields out",
        YamlErrorKind::EmptyKey => "a key without a name",
        YamlErrorKind::CollectionKey(_) => "a list or mapping as a key",
    };
    what.to_owned()
}

fn value(node: Node) -> Value {
    match node.kind {
        NodeKind::Scalar { text, quoted: true } => text.into(),
        NodeKind::Scalar { text, .. } => as_spelt(text),
        NodeKind::List(items) => items.into_iter().map(value).collect(),
        NodeKind::Map(entries) => {
            let entries = entries.into_iter();
            let entries = entries.map(|(key, node)| (key.text, value(node)));
            Value::Object(entries.collect())
        }
    }
}

/// A number or boolean only where writing it out gives back the text it was read from.
fn as_spelt(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" => true.into(),
        "false" => false.into(),
        other => number(other).map_or_else(|| text.into(), Value::Number),
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
    fn yaml_values_not_in_json_form_stay_text() {
        let text = "account: 012345678901\nversion: 1.10\nanswer: yes\nport: 6443\non: true\n\
                    quoted: \"5\"\nnothing: null\nbig: 1_000\nempty: \"\"\nhalf: 0.5\nexp: 1e3\n";
        let want = json!({"account": "012345678901", "version": "1.10", "answer": "yes",
            "port": 6443, "on": true, "quoted": "5", "nothing": null, "big": "1_000",
            "empty": "", "half": 0.5, "exp": "1e3"});
        assert_eq!(parse("t", text).unwrap(), want);
    }

    #[test]
    fn long_form_intrinsics_are_plain_data() {
        let text = "a: { Fn::Sub: \"${AWS::Region}\" }\nb: [ { Ref: X }, 1 ]\n";
        let want = json!({"a": {"Fn::Sub": "${AWS::Region}"}, "b": [{"Ref": "X"}, 1]});
        assert_eq!(parse("t", text).unwrap(), want);
    }

    #[test]
    fn invalid_yaml_is_located() {
        let error = parse("stacks/x.yaml.tera", "a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("stacks/x.yaml.tera"), "{text}");
        assert!(text.contains("line "), "{text}");
    }

    #[test]
    fn alias_is_a_copy_of_its_anchor() {
        let text = "a: &x { n: 1.10, l: &y [1, no] }\nb: *x\nc: *y\n";
        let want = json!({"a": {"n": "1.10", "l": [1, "no"]}, "b": {"n": "1.10", "l": [1, "no"]},
            "c": [1, "no"]});
        assert_eq!(parse("t", text).unwrap(), want);
    }

    #[test]
    fn alias_expansion_is_limited() {
        let double = |n: usize| format!("a{n}: &a{n} [*a{before}, *a{before}]\n", before = n - 1);
        let text = format!("a0: &a0 [x]\n{}", (1..60).map(double).collect::<String>());
        let error = parse("t", &text).unwrap_err().to_string();
        assert!(error.contains("more than 50000 values"), "{error}");
    }

    #[test]
    fn tags_and_merge_keys_are_refused_with_their_place() {
        for (text, place, what) in [
            ("a: 1\nb: !Ref Vpc\n", (2, 9), "a tag"),
            ("a: &x [*x]\n", (1, 8), "an alias inside"),
            ("a:\n  <<: { b: 1 }\n", (2, 3), "a merge key"),
            (
                "a: 1\nb: 2\na: 3\n",
                (3, 1),
                "`a` appears here a second time",
            ),
            ("[x]: 1\n", (1, 1), "a list or mapping as a key"),
            ("a: 1\n---\nb: 2\n", (2, 1), "a second document"),
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
