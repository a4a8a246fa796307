//! The database: an RDS instance with its subnets and parameters. Needs the network only, as it takes
//! longer than everything else together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::{Row, row};
use super::parts::{self, Holds, Inputs};
use super::{DesignError, Stack, StackKind, firewall};
use crate::spec::{ClusterSpec, Database};
use crate::templates::Templates;

/// Which field decides what in this stack.
pub(super) const FIELDS: &[Row] = &[
    row("DatabaseSubnets", "Properties.SubnetIds", &["zones"]),
    row(
        "DatabaseParameters",
        "Properties.Family",
        &["database.engineVersion"],
    ),
    row(
        "DatabaseParameters",
        "Properties.Description",
        &["database.engineVersion"],
    ),
    row(
        "DatabaseParameters",
        "Metadata",
        &["database.engineVersion"],
    ),
    row(
        "DatabaseParameters",
        "Properties.Parameters",
        &["database.parameters"],
    ),
    row("DatabaseParameters", "", &["database.parameters"]),
    row(
        "Database",
        "Properties.EngineVersion",
        &["database.engineVersion"],
    ),
    row(
        "Database",
        "Properties.DBInstanceClass",
        &["database.class"],
    ),
    row("Database", "Properties.MultiAZ", &["database.multiAz"]),
    row(
        "Database",
        "Properties.AllocatedStorage",
        &["database.storageGib"],
    ),
    row(
        "Database",
        "Properties.MaxAllocatedStorage",
        &["database.storageLimitGib", "database.storageGib"],
    ),
    row(
        "Database",
        "Properties.DBSnapshotIdentifier",
        &["database.restoreFrom"],
    ),
    row(
        "Database",
        "Properties.StorageEncrypted",
        &["database.restoreFrom"],
    ),
    row("Database", "Properties.DBName", &["database.restoreFrom"]),
    row(
        "Database",
        "Properties.MasterUsername",
        &["database.restoreFrom"],
    ),
    row("Database", "Properties.DeletionProtection", &["protect"]),
    row(
        "Database",
        "Properties.BackupRetentionPeriod",
        &["database.backupDays"],
    ),
    row(
        "Database",
        "Properties.PreferredBackupWindow",
        &["database.backupWindow"],
    ),
    row(
        "Database",
        "Properties.PreferredMaintenanceWindow",
        &["database.maintenanceWindow"],
    ),
    row(
        "Database",
        "Metadata",
        &[
            "database.engineVersion",
            "database.class",
            "database.multiAz",
        ],
    ),
    row("*", "", &["database"]),
];

/// Parameters of the engine that hold unless the definition says otherwise: TLS only, slow queries in
/// the log, figures a query.
const PARAMETERS: [(&str, &str); 3] = [
    ("log_min_duration_statement", "1000"),
    ("rds.force_ssl", "1"),
    ("shared_preload_libraries", "pg_stat_statements"),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    parameters: &'a Map<String, Value>,
    subnets: &'a [String],
    description: String,
    engine_version: &'a str,
    family: String,
    engine_parameters: BTreeMap<&'a str, &'a str>,
    class: &'a str,
    multi_az: bool,
    storage_gib: u32,
    storage_limit_gib: u32,
    backup_days: u8,
    backup_window: &'a str,
    maintenance_window: &'a str,
    restore_from: Option<&'a str>,
    protect: bool,
}

pub(super) fn design(
    spec: &ClusterSpec,
    database: &Database,
    templates: &Templates,
) -> Result<Stack, DesignError> {
    let subnets: Vec<_> = spec.zones.iter().map(parts::database_subnet).collect();
    let inputs = Inputs::default().network(subnets.clone(), Holds::Subnet);
    let inputs = firewall::input(inputs, firewall::DB);
    let context = Context {
        cluster: &spec.name,
        parameters: inputs.parameters(),
        subnets: &subnets,
        description: description(database),
        engine_version: &database.engine_version,
        family: family(&database.engine_version),
        engine_parameters: engine_parameters(database),
        class: &database.class,
        multi_az: database.multi_az,
        storage_gib: database.storage_gib,
        storage_limit_gib: database.storage_limit_gib,
        backup_days: database.backup_days,
        backup_window: &database.backup_window,
        maintenance_window: &database.maintenance_window,
        restore_from: database.restore_from.as_deref(),
        protect: spec.protect,
    };
    let data = templates.render_data(StackKind::Database.template(), &context)?;
    parts::stack(spec, StackKind::Database, data, inputs)
}

fn description(database: &Database) -> String {
    let Database {
        engine_version,
        class,
        ..
    } = database;
    let zones = if database.multi_az {
        "two zones"
    } else {
        "one zone"
    };
    format!("PostgreSQL {engine_version} on {class} in {zones}")
}

/// RDS names the families of parameters by the major version of the engine.
fn family(engine_version: &str) -> String {
    let major = engine_version.split('.').next().unwrap_or(engine_version);
    format!("postgres{major}")
}

fn engine_parameters(database: &Database) -> BTreeMap<&str, &str> {
    let own = database.parameters.iter();
    let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
    PARAMETERS.into_iter().chain(own).collect()
}
