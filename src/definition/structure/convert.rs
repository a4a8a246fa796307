//! The tree as JSON, typed by what the schema wants at each place.

use serde_json::{Map, Number, Value};

use crate::definition::check::Report;
use crate::definition::tree::{Node, NodeKind};
use crate::definition::{messages, schema};
use crate::spec::rules::path;

/// The tree as JSON. Where the schema wants text, the text of a plain scalar is taken as it is:
/// `1.36`, `012345678901` and `yes` stay what was written.
pub(super) fn convert(node: &Node, schema: &Value, at: &str, report: &mut Report) -> Value {
    match &node.kind {
        NodeKind::Scalar { text, quoted } => scalar(text, *quoted, schema::wanted(schema)),
        NodeKind::List(items) => {
            let wanted = schema.get("items").unwrap_or(&Value::Null);
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let at = format!("{at}[{index}]");
                if item.is_null() {
                    report.problem(
                        &at,
                        "an entry without a value",
                        "write one after the dash, or remove the line",
                    );
                    values.push(placeholder(wanted));
                } else {
                    values.push(convert(item, wanted, &at, report));
                }
            }
            Value::Array(values)
        }
        NodeKind::Map(entries) => {
            let mut fields = Map::with_capacity(entries.len());
            for (key, value) in entries {
                let at = path(at, &key.text);
                let wanted = schema::property(schema, &key.text);
                if let Some(wanted) = wanted.filter(|_| value.is_null()) {
                    let (message, help) = messages::no_value(wanted, &key.text);
                    report.problem(&at, message, help);
                    continue;
                }
                let value = convert(value, wanted.unwrap_or(&Value::Null), &at, report);
                fields.insert(key.text.clone(), value);
            }
            Value::Object(fields)
        }
    }
}

fn scalar(text: &str, quoted: bool, wanted: &str) -> Value {
    let number = || {
        let digits = text.strip_prefix('-').unwrap_or(text);
        // A leading zero means octal to some readers: not a number to us.
        let plain = digits == "0" || !digits.starts_with('0');
        let number = text
            .parse::<i64>()
            .ok()
            .filter(|_| plain && !text.starts_with('+'));
        number.map(|number| Value::Number(Number::from(number)))
    };
    let typed = match (wanted, text) {
        _ if quoted => None,
        ("integer", _) => number(),
        ("boolean", "true") => Some(Value::Bool(true)),
        ("boolean", "false") => Some(Value::Bool(false)),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Something of the right shape that no rule will look at.
pub(super) fn placeholder(schema: &Value) -> Value {
    if let Some(first) = schema::choices(schema).first() {
        return Value::from(*first);
    }
    match schema::wanted(schema) {
        "integer" => schema
            .get("minimum")
            .cloned()
            .unwrap_or_else(|| Value::from(0)),
        "boolean" => Value::Bool(false),
        "array" => Value::Array(Vec::new()),
        "object" => {
            let required = schema.get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            let field = |name: &str| {
                let value = schema::property(schema, name).map_or(Value::Null, placeholder);
                (name.to_owned(), value)
            };
            Value::Object(names.map(field).collect())
        }
        _ => Value::from(""),
    }
}
