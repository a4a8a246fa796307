//! Rendered YAML as plain data, without the surprises of YAML's guessing: what is spelt `1.10`,
//! `yes` or `012345678901` reaches AWS as it is spelt. Knows nothing of templates.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Location, Spanned};

use super::TemplateError;

/// Reads `text`, which came of the template `name`.
pub(super) fn parse(name: &str, text: &str) -> Result<Value, TemplateError> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options::<Node>(text, options)
        .map(|node| node.into_value(text))
        .map_err(|error| {
            let (line, column) = error
                .location()
                .map_or((0, 0), |at| (at.line(), at.column()));
            let nth = usize::try_from(line).unwrap_or_default().saturating_sub(1);
            TemplateError::Yaml {
                name: name.to_owned(),
                line,
                column,
                what: error.without_snippet().to_string(),
                text: text.lines().nth(nth).unwrap_or_default().trim().to_owned(),
            }
        })
}

/// One value and where it stands.
#[derive(Deserialize)]
#[serde(transparent)]
struct Node(Spanned<Kind>);

enum Kind {
    Scalar(Value),
    Sequence(Vec<Node>),
    Mapping(Vec<(String, Node)>),
}

impl Node {
    fn into_value(self, text: &str) -> Value {
        // Of an alias the anchor's place: there the value is spelt out.
        let at = self.0.defined;
        match self.0.value {
            Kind::Scalar(value) => as_spelt(value, slice(text, at)),
            Kind::Sequence(nodes) => nodes
                .into_iter()
                .map(|node| node.into_value(text))
                .collect(),
            Kind::Mapping(entries) => entries
                .into_iter()
                .map(|(key, node)| (key, node.into_value(text)))
                .collect::<Map<_, _>>()
                .into(),
        }
    }
}

/// Keeps a number or boolean only where writing it out gives back the text it was read from.
fn as_spelt(value: Value, source: &str) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) => {
            let spelt = value.to_string();
            if spelt == source {
                value
            } else {
                source.into()
            }
        }
        other => other,
    }
}

fn slice(text: &str, at: Location) -> &str {
    let span = at.span();
    let range = || {
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        text.get(start..start.checked_add(length)?)
    };
    range().unwrap_or_default().trim()
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = access.next_element()? {
            nodes.push(node);
        }
        Ok(Kind::Sequence(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Kind::Mapping(entries))
    }
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
}
