//! From the tree to the typed file, directed by the schema. Everything that does not fit is put in
//! the report and set aside, so that the rest can be checked in the same run.

mod convert;

use serde_json::Value;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;

use convert::{convert, placeholder};

use super::check::Report;
use super::file::ClusterFile;
use super::tree::{Kind, Node, Tree};
use super::{schema, words};
use crate::spec::rules::path;

/// The file as far as it can be read; `None` where it is not even a mapping.
pub(super) fn read(tree: &Tree, report: &mut Report) -> Option<ClusterFile> {
    for error in &tree.errors {
        report.text(error);
    }
    let root = schema::root();
    if !matches!(tree.root.kind, Kind::Map(_)) {
        let (message, help) = words::wrong_type(root, "", &tree.root);
        report.problem("", message, help);
        return None;
    }
    let mut value = convert(&tree.root, root, "", report);
    let spots: Vec<Spot> = schema::validator()
        .iter_errors(&value)
        .map(|error| Spot::of(&error, &value, &tree.root))
        .collect();
    let mut repairs = Vec::new();
    unknown_fields(&spots, report, &mut repairs);
    for spot in &spots {
        judge(spot, report, &mut repairs);
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

/// A shape error with all that is around it.
struct Spot<'a> {
    kind: Wrong,
    /// Path for people.
    at: String,
    /// JSON pointer.
    pointer: String,
    schema: &'a Value,
    node: Option<&'a Node>,
    /// Whether it stands in a mapping that can do without it.
    optional: bool,
}

enum Wrong {
    Unknown(Vec<String>),
    Missing(String),
    Kind(Misfit),
}

/// The kinds of shape errors that our schema can give rise to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Misfit {
    Type,
    Choice,
    Range,
    Count,
    Form,
}

impl<'a> Spot<'a> {
    fn of(error: &ValidationError<'_>, value: &Value, tree: &'a Node) -> Self {
        let kind = match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                Wrong::Unknown(unexpected.clone())
            }
            ValidationErrorKind::Required { property } => {
                Wrong::Missing(property.as_str().unwrap_or_default().to_owned())
            }
            ValidationErrorKind::Type { .. } => Wrong::Kind(Misfit::Type),
            ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::Enum { .. } => {
                Wrong::Kind(Misfit::Choice)
            }
            ValidationErrorKind::Minimum { .. } | ValidationErrorKind::Maximum { .. } => {
                Wrong::Kind(Misfit::Range)
            }
            ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MaxItems { .. } => {
                Wrong::Kind(Misfit::Count)
            }
            _ => Wrong::Kind(Misfit::Form),
        };
        let mut spot = Self {
            kind,
            at: String::new(),
            pointer: error.instance_path().as_str().to_owned(),
            schema: schema::root(),
            node: Some(tree),
            optional: false,
        };
        let mut here = Some(value);
        for segment in error.instance_path() {
            here = spot.step(&segment, here);
        }
        spot
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
                    Some(Kind::List(nodes)) => nodes.get(index),
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

    /// Takes the value at `spot` out, or puts something harmless in its place.
    fn set_aside(spot: &Spot) -> Option<Self> {
        if spot.optional {
            let (parent, field) = spot.pointer.rsplit_once('/')?;
            let field = field.replace("~1", "/").replace("~0", "~");
            return Some(Self::Remove {
                parent: parent.to_owned(),
                field,
            });
        }
        let value = placeholder(spot.schema);
        Some(Self::Put {
            pointer: spot.pointer.clone(),
            value,
        })
    }
}

/// Unknown fields come first: a misspelt field is not missing as well.
fn unknown_fields(spots: &[Spot], report: &mut Report, repairs: &mut Vec<Repair>) {
    for spot in spots {
        let Wrong::Unknown(names) = &spot.kind else {
            continue;
        };
        for name in names {
            let value = spot
                .node
                .and_then(|node| node.get(name))
                .map(|(_, value)| value);
            let (message, help, guess) = words::unknown_field(spot.schema, &spot.at, name, value);
            report.key(&path(&spot.at, name), message, help);
            if let Some(guess) = guess {
                report.broken(path(&spot.at, guess));
            }
            repairs.push(Repair::Remove {
                parent: spot.pointer.clone(),
                field: name.clone(),
            });
        }
    }
}

fn judge(spot: &Spot, report: &mut Report, repairs: &mut Vec<Repair>) {
    match &spot.kind {
        Wrong::Unknown(_) => {}
        Wrong::Missing(field) => {
            let at = path(&spot.at, field);
            let wanted = schema::property(spot.schema, field).unwrap_or(&Value::Null);
            if !report.hides(&at) {
                let (message, help) = words::missing(wanted, field);
                report.problem(&at, message, help);
            }
            repairs.push(Repair::Insert {
                parent: spot.pointer.clone(),
                field: field.clone(),
                value: placeholder(wanted),
            });
        }
        Wrong::Kind(Misfit::Form) => {
            if let Some((message, help)) =
                spot.node.map(|node| words::wrong_form(spot.schema, node))
            {
                report.weak(&spot.at, message, help);
            }
        }
        Wrong::Kind(kind) => {
            if let Some(node) = spot.node.filter(|_| !report.hides(&spot.at)) {
                let (message, help) = match kind {
                    Misfit::Range => words::out_of_range(spot.schema, node),
                    Misfit::Choice => words::no_choice(spot.schema, node),
                    Misfit::Count => words::wrong_count(spot.schema, node),
                    _ => words::wrong_type(spot.schema, &spot.at, node),
                };
                report.problem(&spot.at, message, help);
            }
            repairs.extend(Repair::set_aside(spot));
        }
    }
}
