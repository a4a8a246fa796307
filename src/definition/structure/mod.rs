//! From the tree to the typed file, directed by the schema. What does not fit is reported
//! and set aside, so that the rest can be checked in the same run.

mod convert;

use serde_json::Value;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;

use convert::{convert, placeholder};

use super::check::Report;
use super::file::ClusterFile;
use super::tree::{Node, NodeKind, Tree};
use super::{messages, schema, tree};
use crate::spec::rules::path;

/// The file as far as it can be read; `None` where it is not even a mapping.
pub(super) fn read(tree: &Tree, report: &mut Report) -> Option<ClusterFile> {
    for error in &tree.errors {
        report.text(error);
        // What stands in for an unreadable value is not the one that was meant.
        let places = tree::places(&tree.root).into_iter();
        let of_value =
            places.filter(|(at, place)| !at.is_empty() && place.start == error.place.start);
        of_value.for_each(|(at, _)| report.broken(at));
    }
    let root = schema::root();
    if !matches!(tree.root.kind, NodeKind::Map(_)) {
        let (message, help) = messages::wrong_type(root, "", &tree.root);
        report.problem("", message, help);
        return None;
    }
    let mut value = convert(&tree.root, root, "", report);
    let errors: Vec<SchemaError> = schema::validator()
        .iter_errors(&value)
        .map(|error| SchemaError::of(&error, &value, &tree.root))
        .collect();
    let mut repairs = Vec::new();
    unknown_fields(&errors, report, &mut repairs);
    for error in &errors {
        judge(error, report, &mut repairs);
    }
    for repair in repairs {
        repair.apply(&mut value);
    }
    match serde_json::from_value(value) {
        Ok(file) => Some(file),
        Err(error) => {
            report.problem(
                "",
                format!("can't be read: {error}"),
                "see `kube-cfn schema`",
            );
            None
        }
    }
}

/// A structural error with all that is around it.
struct SchemaError<'a> {
    kind: ErrorKind,
    /// Path for people.
    at: String,
    /// JSON pointer.
    pointer: String,
    schema: &'a Value,
    node: Option<&'a Node>,
    /// Whether it is in a mapping that is valid without it.
    optional: bool,
}

/// The kinds of structural errors that our schema can give rise to.
enum ErrorKind {
    /// Fields that the mapping does not have.
    Unknown(Vec<String>),
    /// A field that it has to have.
    Missing(String),
    Type,
    Choice,
    Range,
    Count,
    Form,
}

impl ErrorKind {
    fn of(kind: &ValidationErrorKind) -> Self {
        use ValidationErrorKind as V;
        match kind {
            V::AdditionalProperties { unexpected } => Self::Unknown(unexpected.clone()),
            V::Required { property } => {
                Self::Missing(property.as_str().unwrap_or_default().to_owned())
            }
            V::Type { .. } => Self::Type,
            V::OneOfNotValid { .. } | V::Enum { .. } => Self::Choice,
            V::Minimum { .. } | V::Maximum { .. } => Self::Range,
            V::MinItems { .. } | V::MaxItems { .. } => Self::Count,
            _ => Self::Form,
        }
    }
}

impl<'a> SchemaError<'a> {
    fn of(found: &ValidationError<'_>, value: &Value, tree: &'a Node) -> Self {
        let mut error = Self {
            kind: ErrorKind::of(found.kind()),
            at: String::new(),
            pointer: found.instance_path().as_str().to_owned(),
            schema: schema::root(),
            node: Some(tree),
            optional: false,
        };
        let mut here = Some(value);
        for segment in found.instance_path() {
            here = error.step(&segment, here);
        }
        error
    }

    /// One step down, in the value, the schema and the tree.
    fn step<'v>(
        &mut self,
        segment: &LocationSegment<'_>,
        here: Option<&'v Value>,
    ) -> Option<&'v Value> {
        let word = segment.to_string();
        match here? {
            Value::Array(items) => {
                let index: usize = word.parse().ok()?;
                self.at = format!("{}[{index}]", self.at);
                self.optional = false;
                self.schema = self.schema.get("items").unwrap_or(&Value::Null);
                self.node = match self.node.map(|node| &node.kind) {
                    Some(NodeKind::List(nodes)) => nodes.get(index),
                    _ => None,
                };
                items.get(index)
            }
            Value::Object(fields) => {
                self.at = path(&self.at, &word);
                let required = self.schema.get("required").and_then(Value::as_array);
                self.optional =
                    !required.is_some_and(|all| all.contains(&Value::from(word.as_str())));
                self.schema = schema::property(self.schema, &word).unwrap_or(&Value::Null);
                self.node = self
                    .node
                    .and_then(|node| node.get(&word))
                    .map(|(_, value)| value);
                fields.get(&word)
            }
            _ => None,
        }
    }
}

/// A change to the value, so that what is broken does not stop the rest.
enum Repair {
    Remove {
        parent: String,
        field: String,
    },
    Put {
        pointer: String,
        value: Value,
    },
    Insert {
        parent: String,
        field: String,
        value: Value,
    },
}

impl Repair {
    fn apply(self, root: &mut Value) {
        match self {
            Self::Remove { parent, field } => {
                if let Some(Value::Object(fields)) = root.pointer_mut(&parent) {
                    fields.shift_remove(&field);
                }
            }
            Self::Put { pointer, value } => {
                if let Some(place) = root.pointer_mut(&pointer) {
                    *place = value;
                }
            }
            Self::Insert {
                parent,
                field,
                value,
            } => {
                if let Some(Value::Object(fields)) = root.pointer_mut(&parent) {
                    fields.insert(field, value);
                }
            }
        }
    }

    /// Takes the value at `error` out, or puts something harmless in its place.
    fn set_aside(error: &SchemaError) -> Option<Self> {
        if error.optional {
            let (parent, field) = error.pointer.rsplit_once('/')?;
            let field = field.replace("~1", "/").replace("~0", "~");
            return Some(Self::Remove {
                parent: parent.to_owned(),
                field,
            });
        }
        let value = placeholder(error.schema);
        Some(Self::Put {
            pointer: error.pointer.clone(),
            value,
        })
    }
}

/// Unknown fields come first: a misspelt field is not missing as well.
fn unknown_fields(errors: &[SchemaError], report: &mut Report, repairs: &mut Vec<Repair>) {
    for error in errors {
        let ErrorKind::Unknown(names) = &error.kind else {
            continue;
        };
        for name in names {
            let value = error
                .node
                .and_then(|node| node.get(name))
                .map(|(_, value)| value);
            let (message, help, guess) =
                messages::unknown_field(error.schema, &error.at, name, value);
            report.key(&path(&error.at, name), message, help);
            if let Some(guess) = guess {
                report.broken(path(&error.at, guess));
            }
            repairs.push(Repair::Remove {
                parent: error.pointer.clone(),
                field: name.clone(),
            });
        }
    }
}

fn judge(error: &SchemaError, report: &mut Report, repairs: &mut Vec<Repair>) {
    let (schema, at) = (error.schema, error.at.as_str());
    let message: &dyn Fn(&Node) -> (String, String) = match &error.kind {
        // They came first.
        ErrorKind::Unknown(_) => return,
        ErrorKind::Missing(field) => return missing(error, field, report, repairs),
        ErrorKind::Form => {
            if let Some(node) = error.node {
                let (message, help) = messages::wrong_form(schema, node);
                report.weak(at, message, help);
            }
            return;
        }
        ErrorKind::Type => &|node| messages::wrong_type(schema, at, node),
        ErrorKind::Choice => &|node| messages::no_choice(schema, node),
        ErrorKind::Range => &|node| messages::out_of_range(schema, node),
        ErrorKind::Count => &|node| messages::wrong_count(schema, node),
    };
    if let Some(node) = error.node.filter(|_| !report.hides(at)) {
        let (message, help) = message(node);
        report.problem(at, message, help);
    }
    repairs.extend(Repair::set_aside(error));
}

fn missing(error: &SchemaError, field: &str, report: &mut Report, repairs: &mut Vec<Repair>) {
    let at = path(&error.at, field);
    let wanted = schema::property(error.schema, field).unwrap_or(&Value::Null);
    if !report.hides(&at) {
        let (message, help) = messages::missing(wanted, field);
        report.problem(&at, message, help);
    }
    repairs.push(Repair::Insert {
        parent: error.pointer.clone(),
        field: field.to_owned(),
        value: placeholder(wanted),
    });
}
