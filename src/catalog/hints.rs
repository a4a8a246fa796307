//! What usually helps when a resource fails, by AWS's own words. Data and look-up: nothing is decided here.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::durations::Operation;

/// What usually helps against a cause of failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// Names the cause: `addressLimit`. Stable, for programs.
    pub cause: &'static str,
    /// What to do, in plain words on one line; names the quota's code where it is one.
    pub text: String,
    /// What to do where the whole stack is being deleted, if that is something else.
    pub text_on_deletion: Option<&'static str>,
    pub quota: Option<&'static Quota>,
    /// The IAM action that is missing, where AWS names it: `ec2:CreateNatGateway`.
    pub action: Option<String>,
}

/// A limit of an account that Service Quotas can raise.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Code of the service in Service Quotas: `vpc`.
    pub service: String,
    /// Code of the quota: `L-0263D0A3`.
    pub code: String,
    /// As the console names it.
    pub name: String,
}

#[derive(Deserialize)]
struct Table {
    hints: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    cause: String,
    /// Beginnings of the resource types it is about; all where there is none.
    #[serde(default)]
    types: Vec<String>,
    /// What has to be happening to the resource; anything where there is none.
    #[serde(default)]
    operations: Vec<String>,
    any: Vec<String>,
    text: String,
    text_without: Option<String>,
    text_on_deletion: Option<String>,
    quota: Option<Quota>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| super::table("hints.json", include_str!("data/hints.json")));

/// What helps against `reason`, in AWS's words. `resource_type` and `operation` are those of the
/// resource that failed; empty and `None` for the stack itself. `None` where the cause is unknown.
pub fn hint(resource_type: &str, operation: Option<Operation>, reason: &str) -> Option<Hint> {
    let lower = reason.to_lowercase();
    let fits = |entry: &&Entry| {
        (entry.types.is_empty() || entry.types.iter().any(|t| resource_type.starts_with(t)))
            && (entry.operations.is_empty() || entry.operations.iter().any(|o| is(o, operation)))
            && entry.any.iter().any(|pattern| matches(pattern, &lower))
    };
    let entry = TABLE.hints.iter().find(fits)?;
    let action = action(reason);
    let quota_named = after(reason, "quota for ");
    let text = match (&entry.text_without, &action, quota_named) {
        (Some(without), None, None) => without.clone(),
        _ => entry
            .text
            .replace("{action}", action.as_deref().unwrap_or("it"))
            .replace("{quota}", quota_named.unwrap_or_default()),
    };
    Some(Hint {
        cause: &entry.cause,
        text,
        text_on_deletion: entry.text_on_deletion.as_deref(),
        quota: entry.quota.as_ref(),
        action,
    })
}

fn is(word: &str, operation: Option<Operation>) -> bool {
    match operation {
        Some(Operation::Create) => word == "create",
        Some(Operation::Update) => word == "update",
        Some(Operation::Delete) => word == "delete",
        None => true,
    }
}

/// Whether the pieces of a pattern between its `*` are in the text, one after the other.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|piece| {
        let found = rest.split_once(piece);
        rest = found.map_or("", |(_, rest)| rest);
        found.is_some()
    })
}

/// The word after `lead`.
fn after<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(lead)?;
    let word = rest.split_whitespace().next()?;
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    (!word.is_empty()).then_some(word)
}

/// The missing IAM action, where AWS names it.
fn action(reason: &str) -> Option<String> {
    let word = ["perform: ", "API: "]
        .iter()
        .find_map(|lead| after(reason, lead).filter(|word| word.contains(':')))?;
    Some(word.to_owned())
}

#[cfg(test)]
mod tests;
