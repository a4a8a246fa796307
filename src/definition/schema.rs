//! The JSON Schema of a definition, drawn from the types in `file`: for editors, for checking, and
//! for the words of the messages.

use std::sync::LazyLock;

use jsonschema::{PatternOptions, Validator};
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::file::ClusterFile;

static SCHEMA: LazyLock<Value> = LazyLock::new(build);

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    jsonschema::draft202012::options()
        .with_pattern_options(PatternOptions::regex())
        .build(&SCHEMA)
        .unwrap_or_else(|error| unreachable!("the schema is part of this program: {error}"))
});

/// The JSON Schema of a definition, draft 2020-12. Editors that know `patternErrorMessage` show the
/// same words as the tool.
pub fn schema() -> Value {
    SCHEMA.clone()
}

/// The schema, without a copy.
pub(super) fn root() -> &'static Value {
    &SCHEMA
}

/// Finds everything that is wrong with the shape of a definition.
pub(super) fn validator() -> &'static Validator {
    &VALIDATOR
}

/// The schema of `field` inside `schema`: a named property, or what any other property must be.
pub(super) fn property<'a>(schema: &'a Value, field: &str) -> Option<&'a Value> {
    schema
        .get("properties")
        .and_then(|all| all.get(field))
        .or_else(|| {
            schema
                .get("additionalProperties")
                .filter(|other| other.is_object())
        })
}

/// The names of the fields that `schema` has.
pub(super) fn fields(schema: &Value) -> impl Iterator<Item = &str> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|all| all.keys().map(String::as_str))
}

/// The JSON type that `schema` wants, `string` for a choice of words.
pub(super) fn wanted(schema: &Value) -> &str {
    match schema.get("type").and_then(Value::as_str) {
        Some(name) => name,
        None if schema.get("oneOf").is_some() => "string",
        None => "",
    }
}

/// The words that a choice offers, empty where `schema` is no choice.
pub(super) fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array);
    let described = schema.get("oneOf").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .chain(
            described
                .into_iter()
                .flatten()
                .filter_map(|one| one.get("const")),
        )
        .filter_map(Value::as_str)
        .collect()
}

/// Sections are inline, not behind references: editors and messages read them where they are.
fn build() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
    });
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<ClusterFile>();
    RecursiveTransform(tidy).transform(&mut schema);
    let mut schema: Value = schema.into();
    if let Value::Object(fields) = &mut schema {
        let mut sorted = Map::new();
        for first in ["$schema", "title", "description"] {
            sorted.extend(fields.shift_remove_entry(first));
        }
        sorted.append(fields);
        return Value::Object(sorted);
    }
    schema
}

/// A field is left out rather than null, and the width of a number in memory is not part of the format.
fn tidy(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    object.remove("format");
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(types)) = object.get("type") {
        let named: Vec<Value> = types
            .iter()
            .filter(|name| *name != "null")
            .cloned()
            .collect();
        if let [only] = named.as_slice() {
            object.insert("type".to_owned(), only.clone());
        }
    }
    if let Some(Value::Array(options)) = object.get("anyOf")
        && let Some(only) = without_null(options)
    {
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

fn without_null(options: &[Value]) -> Option<Map<String, Value>> {
    let mut real = options
        .iter()
        .filter(|option| option.get("type").is_none_or(|name| name != "null"));
    let only = real.next()?.as_object()?.clone();
    real.next().is_none().then_some(only)
}
