//! What an update does to those who use the database: for every property that changes, how long it is
//! away. Every figure names where it comes from; most are AWS's words, and these are ranges.

use serde::Serialize;
use serde_json::Value;

use crate::cloud::{ChangeAction, Replacement, ResourceChange};
use crate::plan::Step;

const SETTINGS: &str = "Amazon RDS user guide, \"Settings for DB instances\"";
const IMPACT: &str =
    "AWS re:Post, \"What factors affect my downtime or database performance in Amazon RDS?\"";
const UPGRADES: &str = "Amazon RDS user guide, \"Upgrades of the RDS for PostgreSQL DB engine\"";
const STORAGE: &str = "Amazon RDS user guide, \"Working with storage for Amazon RDS DB instances\"";
const PARAMETERS: &str = "Amazon RDS user guide, \"Parameter groups for Amazon RDS\"";
const REBOOT: &str = "Amazon RDS user guide, \"Rebooting a DB instance\"";
const MULTI_AZ: &str =
    "Amazon RDS user guide, \"Converting a DB instance to be a Multi-AZ deployment\"";
const REPLACED: &str = "CloudFormation user guide, AWS::RDS::DBInstance, \"Updating DB instances\"";

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

/// An interruption without the property that causes it: [`Outage`]'s last four fields.
type Expect = (&'static str, (u32, u32), Option<&'static str>, &'static str);

const NONE: &str = "no interruption";

const fn none(then: Option<&'static str>, source: &'static str) -> Expect {
    (NONE, (0, 0), then, source)
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
    let old = step.before.as_ref().unwrap_or(&step.stack.template);
    let was = &old["Resources"][&change.logical_id]["Properties"];
    let new = &step.stack.template["Resources"][&change.logical_id]["Properties"];
    let standby = is_true(&was["MultiAZ"]);
    if matches!(change.action, ChangeAction::Add | ChangeAction::Remove) {
        return Vec::new();
    }
    let outage = |property: &str, (expect, seconds, then, source): Expect| Outage {
        logical_id: change.logical_id.clone(),
        property: property.to_owned(),
        expect,
        seconds,
        then,
        source,
    };
    if change.replacement == Replacement::Yes {
        return vec![outage("", REPLACEMENT)];
    }
    let mut names: Vec<&str> = change
        .properties
        .iter()
        .filter_map(|property| property.path.strip_prefix("Properties."))
        .map(|path| path.split('.').next().unwrap_or(path))
        .collect();
    names.sort_unstable();
    names.dedup();
    let known = |name: &str| {
        Some(outage(
            name,
            expected(name, standby, &was[name], &new[name])?,
        ))
    };
    names.into_iter().filter_map(known).collect()
}

/// What to expect of a property; `None` for tags and the like, which no user of a database notices.
fn expected(name: &str, standby: bool, was: &Value, new: &Value) -> Option<Expect> {
    Some(match name {
        "DBInstanceClass" if standby => (
            "a failover: one minute to two",
            (60, 120),
            Some("longer where long transactions have to be recovered"),
            IMPACT,
        ),
        "DBInstanceClass" => (
            "a move to another machine: several minutes, five to ten",
            (300, 600),
            Some("there is no standby to take over; recovery after long transactions comes on top"),
            IMPACT,
        ),
        // RDS upgrades primary and standby of Postgres at the same time.
        "EngineVersion" if major(was) == major(new) => (
            "an upgrade of one minute to ten, with a standby too",
            (60, 600),
            None,
            UPGRADES,
        ),
        "EngineVersion" => (
            "a major upgrade: ten minutes to hours, with a standby too",
            (600, 7200),
            Some("statistics are gone: run ANALYZE before the load comes back"),
            UPGRADES,
        ),
        "AllocatedStorage" | "StorageType" | "Iops" | "StorageThroughput" => none(
            Some(
                "then storage-optimization for hours, with more latency; for six hours, and until it \
                 is over, the storage can't be changed again",
            ),
            STORAGE,
        ),
        "MultiAZ" if is_true(new) => none(
            Some("more latency while the standby is filled from a snapshot"),
            MULTI_AZ,
        ),
        "MultiAZ" => none(Some("it no longer survives its zone"), SETTINGS),
        "BackupRetentionPeriod" if is_zero(was) != is_zero(new) => {
            ("a restart: one minute to five", (60, 300), None, SETTINGS)
        }
        "DBParameterGroupName" => none(
            Some("the parameters of the new group hold from the next reboot on"),
            REBOOT,
        ),
        "CACertificateIdentifier" => (
            "none, or a restart of one minute to five where the engine can't rotate it alive",
            (0, 300),
            Some("clients that pin the old authority can't connect"),
            SETTINGS,
        ),
        "BackupRetentionPeriod"
        | "DeletionProtection"
        | "MaxAllocatedStorage"
        | "PreferredBackupWindow"
        | "PreferredMaintenanceWindow"
        | "EnablePerformanceInsights"
        | "PerformanceInsightsRetentionPeriod"
        | "VPCSecurityGroups"
        | "EnableCloudwatchLogsExports" => none(None, SETTINGS),
        "Tags" => return None,
        _ => (
            "unknown: perhaps a restart of one minute to five",
            (0, 300),
            None,
            SETTINGS,
        ),
    })
}

/// A replacement of the whole instance.
const REPLACEMENT: Expect = (
    "replaced: a new, empty database under a new address",
    (600, u32::MAX),
    Some("until the data is restored into it and the clients know its address"),
    REPLACED,
);

/// Parameters of Postgres that hold only after a restart, one a line. From `pg_settings` (context
/// `postmaster`) of Postgres 14 to 18, and those of RDS's own that its parameter groups call static.
const STATIC: &str = include_str!("data/static-parameters.txt");

fn of_group(step: &Step, change: &ResourceChange) -> Vec<Outage> {
    let old = step.before.as_ref().unwrap_or(&step.stack.template);
    // In a group of its own making the parameters hold from the reboot on that its instance needs.
    if change.action != ChangeAction::Modify || change.replacement == Replacement::Yes {
        return Vec::new();
    }
    let of = |template: &Value| {
        let parameters = &template["Resources"][&change.logical_id]["Properties"]["Parameters"];
        parameters.as_object().cloned().unwrap_or_default()
    };
    let (was, new) = (of(old), of(&step.stack.template));
    let mut names: Vec<&String> = was.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| was.get(*name) != new.get(*name));
    let outage = |name: &String| {
        let waits = STATIC.lines().any(|line| line == name);
        Outage {
            logical_id: change.logical_id.clone(),
            property: format!("Parameters.{name}"),
            expect: NONE,
            seconds: (0, 0),
            then: waits.then_some(
                "static: holds from the next reboot on, which is one minute to five, a failover of \
                 one minute to two with a standby",
            ),
            source: PARAMETERS,
        }
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
