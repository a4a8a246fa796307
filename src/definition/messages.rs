//! Messages about the structure of a value: expected, got, and what to write instead.
//! The words come from the schema where it has them. Knows nothing of places.

use serde_json::Value;

use super::schema;
use super::tree::{Node, NodeKind};
use crate::spec::rules::{either, nearest};

/// A message and its help.
type Words = (String, String);

/// Fields that had another name: where, the old one and the one it has now.
const RENAMED: [(&str, &str, &str); 1] = [("controlPlane", "slots", "nodes")];

/// A field that the section does not have, and its value. The third part is the field that was most
/// likely meant.
pub(super) fn unknown_field<'a>(
    section: &'a Value,
    at: &str,
    name: &str,
    value: Option<&Node>,
) -> (String, String, Option<&'a str>) {
    let message = format!("unknown field `{name}`");
    let renamed = RENAMED
        .iter()
        .find(|(of, old, _)| (*of, *old) == (at, name));
    if let Some((_, _, new)) = renamed {
        let line = match value.map(|node| &node.kind) {
            Some(NodeKind::Scalar { text, .. }) => format!("{new}: {text}"),
            _ => format!("{new}: …"),
        };
        return (
            message,
            format!("its name is `{new}`: write `{line}`"),
            Some(new),
        );
    }
    let known: Vec<&str> = schema::fields(section).collect();
    let guess = known
        .iter()
        .find(|field| field.eq_ignore_ascii_case(&name.replace(['_', '-'], "")))
        .copied()
        .or_else(|| nearest(name, known.iter().copied()));
    let help = match guess {
        Some(guess) => format!("did you mean `{guess}`?"),
        None => home(name).unwrap_or_else(|| format!("{} takes {}", shown(at), known.join(", "))),
    };
    (message, help, guess)
}

fn shown(at: &str) -> String {
    if at.is_empty() {
        "a definition".to_owned()
    } else {
        format!("`{at}`")
    }
}

/// Where a field of this name belongs, if some other section has one.
fn home(name: &str) -> Option<String> {
    let root = schema::root();
    let mut homes = Vec::new();
    if schema::fields(root).any(|field| field == name) {
        return Some(format!(
            "`{name}` is at the left margin, outside every section"
        ));
    }
    for section in schema::fields(root) {
        let Some(inner) = schema::property(root, section) else {
            continue;
        };
        let inner = inner.get("items").unwrap_or(inner);
        if schema::fields(inner).any(|field| field == name) {
            homes.push(section);
        }
    }
    (!homes.is_empty()).then(|| format!("`{name}` belongs under {}", either(homes)))
}

/// A field that must be there.
pub(super) fn missing(wanted: &Value, field: &str) -> Words {
    let example = example(wanted).map(|text| format!(", such as `{field}: {text}`"));
    let help = format!("{}{}", summary(wanted), example.unwrap_or_default());
    (format!("missing field `{field}`"), help)
}

/// A field without a value.
pub(super) fn no_value(wanted: &Value, field: &str) -> Words {
    let help = match schema::wanted(wanted) {
        "object" => {
            format!("write its fields below, indented; `{field}: {{}}` takes every default")
        }
        "array" => format!("write its entries below, each after a dash, or `{field}: []` for none"),
        _ => "write a value, or remove the line; quotes make text of `null` or nothing".to_owned(),
    };
    (format!("`{field}` has no value"), help)
}

/// A value of the wrong type.
pub(super) fn wrong_type(wanted: &Value, at: &str, node: &Node) -> Words {
    let kind = schema::wanted(wanted);
    let expected = match kind {
        "integer" => range(wanted).unwrap_or_else(|| "a whole number".to_owned()),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => "a list".to_owned(),
        "object" if at.is_empty() => "a definition: fields such as `name: canary`".to_owned(),
        "object" => "fields (`key: value`)".to_owned(),
        _ => "one value".to_owned(),
    };
    (
        format!("expected {expected}, got {}", got(node)),
        type_help(wanted, kind, node),
    )
}

fn type_help(wanted: &Value, kind: &str, node: &Node) -> String {
    let text = match &node.kind {
        NodeKind::Scalar { text, .. } => Some(text.as_str()),
        _ => None,
    };
    let digits = |text: &str| {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..end].trim_start_matches('0').to_owned()
    };
    match (kind, text) {
        ("integer", Some(text)) if text.contains('.') => "it has no fractions".to_owned(),
        ("integer", Some(text)) if !digits(text).is_empty() && digits(text) != text => {
            format!("write the number alone: `{}`", digits(text))
        }
        ("integer", Some(text)) if digits(text).len() < 10 && digits(text) == text => {
            "write it without quotes".to_owned()
        }
        ("boolean", Some(text)) => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" | "1" => "write `true`, without quotes".to_owned(),
            "no" | "off" | "n" | "false" | "0" => "write `false`, without quotes".to_owned(),
            _ => summary(wanted),
        },
        ("array", Some(text)) => {
            let entry = if text.contains(' ') || text.contains(',') {
                "…"
            } else {
                text
            };
            format!("write it as a list, even for one: `[{entry}]`")
        }
        ("array", None) => "put a dash before each entry".to_owned(),
        ("object", _) => {
            let fields: Vec<&str> = schema::fields(wanted).collect();
            if fields.is_empty() {
                "write one `key: value` a line, indented".to_owned()
            } else {
                format!("it takes {}", fields.join(", "))
            }
        }
        _ => summary(wanted),
    }
}

/// A number that is too small or too large.
pub(super) fn out_of_range(wanted: &Value, node: &Node) -> Words {
    let expected = range(wanted).unwrap_or_else(|| "another number".to_owned());
    (
        format!("expected {expected}, got {}", got(node)),
        summary(wanted),
    )
}

/// `a whole number from 1 to 35`, as far as the schema limits it.
fn range(wanted: &Value) -> Option<String> {
    let limit = |name: &str| wanted.get(name).and_then(Value::as_u64);
    match (limit("minimum"), limit("maximum")) {
        (Some(min), Some(max)) => Some(format!("a whole number from {min} to {max}")),
        _ => None,
    }
}

/// A word that is not among those that can be chosen.
pub(super) fn no_choice(wanted: &Value, node: &Node) -> Words {
    let choices = schema::choices(wanted);
    let message = format!("expected {}, got {}", either(&choices), got(node));
    let text = match &node.kind {
        NodeKind::Scalar { text, .. } => text.as_str(),
        _ => "",
    };
    let same = |choice: &&&str| choice.eq_ignore_ascii_case(text);
    let guess = choices
        .iter()
        .find(same)
        .copied()
        .or_else(|| nearest(text, choices.iter().copied()));
    let help = match guess {
        Some(guess) => format!("did you mean `{guess}`?"),
        None => explained(wanted),
    };
    (message, help)
}

/// Each choice with its first sentence.
fn explained(wanted: &Value) -> String {
    let options = wanted.get("oneOf").and_then(Value::as_array);
    let lines: Vec<String> = options
        .into_iter()
        .flatten()
        .filter_map(|option| {
            Some(format!(
                "{}: {}",
                option.get("const")?.as_str()?,
                summary(option)
            ))
        })
        .collect();
    lines.join("; ")
}

/// A list that is too short or too long.
pub(super) fn wrong_count(wanted: &Value, node: &Node) -> Words {
    let count = match &node.kind {
        NodeKind::List(items) => items.len(),
        _ => 0,
    };
    let limit = |name: &str| wanted.get(name).and_then(Value::as_u64);
    let expected = match (limit("minItems"), limit("maxItems")) {
        (Some(min), Some(max)) => format!("{min} to {max} entries"),
        (None, Some(max)) => format!("at most {max} entries"),
        _ => "another number of entries".to_owned(),
    };
    let help = if count == 0 {
        "write an entry, or remove the line: then the default holds".to_owned()
    } else {
        summary(wanted)
    };
    (format!("expected {expected}, got {count}"), help)
}

/// Text that does not have the form that is asked for.
pub(super) fn wrong_form(wanted: &Value, node: &Node) -> Words {
    let expected = wanted
        .get("patternErrorMessage")
        .and_then(Value::as_str)
        .unwrap_or("expected another text");
    let help =
        example(wanted).map_or_else(|| summary(wanted), |text| format!("for example `{text}`"));
    (format!("{expected}, got {}", got(node)), help)
}

/// A value as it is in the file.
pub(super) fn got(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar { text, quoted: true } => format!("the text {:?}", cut(text)),
        NodeKind::Scalar { text, .. } => format!("`{}`", cut(text)),
        NodeKind::List(_) => "a list".to_owned(),
        NodeKind::Map(_) => "fields".to_owned(),
    }
}

/// Long enough to be recognised.
pub(super) fn cut(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first sentence of a description, without its full stop.
pub(super) fn summary(schema: &Value) -> String {
    let text = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let first = text
        .split(". ")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    let first = first.trim_end_matches('.');
    let mut letters = first.chars();
    match letters.next() {
        // "IAM", "AWS" and the like keep their capitals.
        Some(c) if letters.clone().next().is_some_and(char::is_lowercase) => {
            c.to_lowercase().chain(letters).collect()
        }
        _ => first.to_owned(),
    }
}

fn example(schema: &Value) -> Option<String> {
    let first = schema.get("examples")?.as_array()?.first()?;
    first.as_str().map(str::to_owned)
}
