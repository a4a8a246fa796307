//! What an update does to those who use the database: for every property that changes, how long it is
//! away. Every figure names where it comes from; most are AWS's words, and these are ranges.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cloud::{ChangeAction, Replacement, ResourceChange};
use crate::plan::Step;

/// What the change of one property does to the users of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    pub logical_id: String,
    /// `DBInstanceClass`; of a parameter group `Parameters.NAME`.
    pub property: String,
    /// How long nobody can connect, in words.
    pub expect: &'static str,
    /// The same in seconds, from and to; `(0, 0)` is no interruption.
    pub seconds: (u32, u32),
    /// What else to know: what stays slow, what is shut afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<&'static str>,
    /// Where the figure comes from.
    pub source: &'static str,
}

/// The table of data/outages.json.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OutageTable {
    sources: BTreeMap<String, String>,
    /// By property, `PROPERTY+variant` where the situation decides.
    properties: BTreeMap<String, Interruption>,
    /// Properties that are not in the table.
    others: Interruption,
    replacement: Interruption,
    /// A replacement that starts from a snapshot.
    restored: Interruption,
    parameter: Interruption,
    static_parameter: Interruption,
    /// Parameters of Postgres that hold only after a restart. From `pg_settings` (context `postmaster`)
    /// of Postgres 14 to 18, and those of RDS's own that its parameter groups call static.
    static_parameters: BTreeSet<String>,
}

/// An interruption without what causes it.
#[derive(Deserialize)]
struct Interruption {
    #[serde(default = "none")]
    expect: String,
    #[serde(default)]
    seconds: (u32, u32),
    then: Option<String>,
    source: String,
}

fn none() -> String {
    "no interruption".to_owned()
}

static TABLE: LazyLock<OutageTable> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/outages.json")).unwrap_or_else(|error| {
        unreachable!("outages.json is part of this program and parses: {error}")
    })
});

impl Interruption {
    fn of(&'static self, logical_id: &str, property: String) -> Outage {
        Outage {
            logical_id: logical_id.to_owned(),
            property,
            expect: &self.expect,
            seconds: self.seconds,
            then: self.then.as_deref(),
            source: TABLE.sources.get(&self.source).map_or("", String::as_str),
        }
    }
}

/// What the change set of a step does to databases, the longest interruption first. Empty where none
/// changes.
pub fn outages(step: &Step) -> Vec<Outage> {
    let changes = step.change_set().map_or(&[][..], |set| &set.changes);
    let mut all: Vec<Outage> = Vec::new();
    for change in changes {
        match change.resource_type.as_str() {
            "AWS::RDS::DBInstance" => all.extend(of_instance(step, change)),
            "AWS::RDS::DBParameterGroup" => all.extend(of_group(step, change)),
            _ => {}
        }
    }
    all.sort_by(|a, b| {
        b.seconds
            .cmp(&a.seconds)
            .then_with(|| a.property.cmp(&b.property))
    });
    all
}

fn of_instance(step: &Step, change: &ResourceChange) -> Vec<Outage> {
    if matches!(change.action, ChangeAction::Add | ChangeAction::Remove) {
        return Vec::new();
    }
    let id = change.logical_id.as_str();
    if change.replacement == Replacement::Yes {
        let new = &step.stack.template["Resources"][id]["Properties"];
        let replaced = match new["DBSnapshotIdentifier"] {
            Value::Null => &TABLE.replacement,
            _ => &TABLE.restored,
        };
        return vec![replaced.of(id, String::new())];
    }
    let old = step.starting_point();
    let old = old.as_deref().unwrap_or(&step.stack.template);
    let was = &old["Resources"][id]["Properties"];
    let new = &step.stack.template["Resources"][id]["Properties"];
    let standby = is_true(&was["MultiAZ"]);
    let names: BTreeSet<&str> = change
        .properties
        .iter()
        .filter_map(|property| property.path.strip_prefix("Properties."))
        .map(|path| path.split('.').next().unwrap_or(path))
        .collect();
    let known = |name: &str| {
        let found = expected(name, standby, &was[name], &new[name])?;
        Some(found.of(id, name.to_owned()))
    };
    names.into_iter().filter_map(known).collect()
}

/// What to expect of a property; `None` for tags, which no user of a database notices.
fn expected(name: &str, standby: bool, was: &Value, new: &Value) -> Option<&'static Interruption> {
    let variant = match name {
        "Tags" => return None,
        "DBInstanceClass" if standby => "+standby",
        "EngineVersion" if major(was) != major(new) => "+major",
        "MultiAZ" if is_true(new) => "+on",
        "BackupRetentionPeriod" if is_zero(was) != is_zero(new) => "+switched",
        _ => "",
    };
    let known = TABLE.properties.get(&format!("{name}{variant}"));
    Some(known.unwrap_or(&TABLE.others))
}

fn of_group(step: &Step, change: &ResourceChange) -> Vec<Outage> {
    // In a group of its own making the parameters hold from the reboot on that its instance needs.
    if change.action != ChangeAction::Modify || change.replacement == Replacement::Yes {
        return Vec::new();
    }
    let id = change.logical_id.as_str();
    let of = |template: &Value| {
        let parameters = &template["Resources"][id]["Properties"]["Parameters"];
        parameters.as_object().cloned().unwrap_or_default()
    };
    let old = step.before.as_ref().unwrap_or(&step.stack.template);
    let (was, new) = (of(old), of(&step.stack.template));
    let mut names: BTreeSet<&String> = was.keys().chain(new.keys()).collect();
    names.retain(|name| was.get(*name) != new.get(*name));
    let outage = |name: &String| {
        let expected = if TABLE.static_parameters.contains(name) {
            &TABLE.static_parameter
        } else {
            &TABLE.parameter
        };
        expected.of(id, format!("Parameters.{name}"))
    };
    names.into_iter().map(outage).collect()
}

fn major(version: &Value) -> Option<&str> {
    version.as_str()?.split('.').next()
}

fn is_true(value: &Value) -> bool {
    value == &Value::Bool(true) || value == "true"
}

fn is_zero(value: &Value) -> bool {
    value == 0 || value == "0"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_outage_row_names_a_source() {
        let fixed = [
            &TABLE.others,
            &TABLE.replacement,
            &TABLE.restored,
            &TABLE.parameter,
            &TABLE.static_parameter,
        ];
        for row in TABLE.properties.values().chain(fixed) {
            assert!(TABLE.sources.contains_key(&row.source), "{}", row.expect);
        }
    }

    #[test]
    fn outage_depends_on_old_and_new_values() {
        let seconds = |name, standby, was: Value, new: Value| {
            expected(name, standby, &was, &new).map(|found| found.seconds)
        };
        let (small, large) = (json!("db.t4g.micro"), json!("db.m7g.large"));
        let class = |standby| seconds("DBInstanceClass", standby, small.clone(), large.clone());
        assert_eq!(class(true), Some((60, 120)));
        assert_eq!(class(false), Some((300, 600)));
        let version = |new: &str| seconds("EngineVersion", false, json!("16.4"), json!(new));
        assert_eq!(version("16.9"), Some((60, 600)));
        assert_eq!(version("17.2"), Some((600, 7200)));
        let backups = |new: u32| seconds("BackupRetentionPeriod", false, json!(7), json!(new));
        assert_eq!(backups(0), Some((60, 300)));
        assert_eq!(backups(14), Some((0, 0)));
        assert_eq!(
            seconds("Novelty", false, json!(1), json!(2)),
            Some((0, 300))
        );
        assert_eq!(seconds("Tags", false, json!(1), json!(2)), None);
    }
}
