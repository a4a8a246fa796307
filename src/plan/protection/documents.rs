//! Two policy documents compared: what one allows or denies that the other does not. IAM gives one thing several forms
//! (a word or a list of one, an account or its root), so statements are compared in one form.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// How a document in force differs from the wanted one. Empty where both say the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::plan) struct Differences {
    /// Statements that only the document in force has.
    added: Vec<Statement>,
    /// Statements that only the wanted document has.
    lost: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    sid: Option<String>,
    denies: bool,
    /// In one form, without the name.
    says: Value,
}

/// Compares the document in force with the wanted one.
pub(in crate::plan) fn compare(wanted: &Value, live: &Value) -> Differences {
    let (mut lost, mut added) = (statements(wanted), Vec::new());
    for statement in statements(live) {
        match lost.iter().position(|one| one.says == statement.says) {
            Some(same) => drop(lost.remove(same)),
            None => added.push(statement),
        }
    }
    Differences { added, lost }
}

impl Differences {
    pub(in crate::plan) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.lost.is_empty()
    }

    /// Whether more may be allowed than wanted: a new permission, or a denial less. A statement that changed may do both.
    fn widens(&self) -> bool {
        self.added.iter().any(|one| !one.denies) || self.lost.iter().any(|one| one.denies)
    }

    /// In words; the documents are of the policy in force and of its template.
    pub(super) fn text(&self) -> String {
        let mut added: Vec<&Statement> = self.added.iter().collect();
        let mut parts = Vec::new();
        for lost in &self.lost {
            let changed = added
                .iter()
                .position(|one| one.sid.is_some() && one.sid == lost.sid);
            match changed {
                Some(at) => parts.push(format!("{} is changed", added.remove(at).name())),
                None => parts.push(format!("{} is missing", lost.name())),
            }
        }
        parts.extend(added.iter().map(|one| format!("{} is added", one.name())));
        let head = if self.widens() { "wider" } else { "narrower" };
        format!("{head} than its template: {}", parts.join(", "))
    }
}

impl Statement {
    fn name(&self) -> String {
        let effect = if self.denies { "Deny" } else { "Allow" };
        if let Some(sid) = &self.sid {
            return format!("{effect} statement {sid}");
        }
        let actions = self.says.get("Action").or(self.says.get("NotAction"));
        let actions = actions.and_then(Value::as_array);
        let words = actions.into_iter().flatten().filter_map(Value::as_str);
        let words: Vec<&str> = words.take(3).collect();
        format!("{effect} statement for {}", words.join(", "))
    }
}

fn statements(document: &Value) -> Vec<Statement> {
    let all = list(&document["Statement"]).into_iter();
    all.filter_map(|statement| Some(read(statement.as_object()?)))
        .collect()
}

fn read(statement: &Map<String, Value>) -> Statement {
    let mut says = BTreeMap::new();
    for (key, value) in statement {
        let value = match key.as_str() {
            "Sid" => continue,
            "Action" | "NotAction" => sorted(value, str::to_ascii_lowercase),
            "Resource" | "NotResource" => sorted(value, str::to_owned),
            "Principal" | "NotPrincipal" => principals(value),
            "Condition" => conditions(value),
            _ => value.clone(),
        };
        says.insert(key.clone(), value);
    }
    Statement {
        sid: statement
            .get("Sid")
            .and_then(Value::as_str)
            .filter(|sid| !sid.is_empty())
            .map(str::to_owned),
        denies: statement
            .get("Effect")
            .is_some_and(|effect| effect == "Deny"),
        says: json!(says),
    }
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

/// The texts of a word or a list, sorted. Numbers and booleans count as the texts that IAM makes of them.
fn sorted(value: &Value, form: impl Fn(&str) -> String) -> Value {
    let texts = list(value).into_iter().map(|item| match item {
        Value::String(text) => form(&text),
        other => other.to_string(),
    });
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    json!(texts)
}

/// `*` is every AWS principal; an account stands for its root.
fn principals(value: &Value) -> Value {
    let account = |text: &str| {
        let root = text.strip_suffix(":root").and_then(|arn| {
            let (head, account) = arn.rsplit_once(':')?;
            head.ends_with(":iam:").then(|| account.to_owned())
        });
        root.unwrap_or_else(|| text.to_owned())
    };
    let one_form = |kinds: &Map<String, Value>| {
        let kinds = kinds.iter();
        let kinds: BTreeMap<_, _> = kinds
            .map(|(kind, who)| (kind, sorted(who, account)))
            .collect();
        json!(kinds)
    };
    match value {
        Value::Object(kinds) => one_form(kinds),
        word => json!({ "AWS": sorted(word, account) }),
    }
}

/// The names of operators and keys are the same in capitals and small letters.
fn conditions(value: &Value) -> Value {
    let mut operators: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for (operator, keys) in value.as_object().into_iter().flatten() {
        let under = operators.entry(operator.to_ascii_lowercase()).or_default();
        for (key, values) in keys.as_object().into_iter().flatten() {
            under.insert(key.to_ascii_lowercase(), sorted(values, str::to_owned));
        }
    }
    json!(operators)
}
