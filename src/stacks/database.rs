//! The database: an RDS instance with its subnets and parameters. Needs the network only, as it takes
//! longer than everything else together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::common;
use super::kind::KindRow;
use super::params::{Inputs, ParameterType};
use super::security_groups::SecurityGroup;
use super::{DesignError, Stack, StackKind, Versions};
use crate::spec::{ClusterSpec, Database};
use crate::templates::Templates;

/// What holds for this stack.
pub(super) static KIND: KindRow = KindRow {
    kind: StackKind::Database,
    name: "database",
    holds_data: true,
    has_machines: false,
    joins: None,
    suppliers: &[StackKind::Base, StackKind::Network],
    fields: FIELDS,
    design,
};

/// Which field decides what in this stack.
const FIELDS: &str = "
DatabaseSubnets     Properties.SubnetIds                  zones
DatabaseParameters  Properties.Family                     database.engineVersion
DatabaseParameters  Properties.Description                database.engineVersion
DatabaseParameters  Metadata                              database.engineVersion
DatabaseParameters  Properties.Parameters                 database.parameters
DatabaseParameters  -                                     database.parameters
Database            Properties.EngineVersion              database.engineVersion
Database            Properties.DBInstanceClass            database.class
Database            Properties.MultiAZ                    database.multiAz
Database            Properties.AllocatedStorage           database.storageGib
Database            Properties.MaxAllocatedStorage        database.storageLimitGib, database.storageGib
Database            Properties.DBSnapshotIdentifier       database.restoreFrom
Database            Properties.StorageEncrypted           database.restoreFrom
Database            Properties.DBName                     database.restoreFrom
Database            Properties.MasterUsername             database.restoreFrom
Database            Properties.DeletionProtection         protect
Database            Properties.BackupRetentionPeriod      database.backupDays
Database            Properties.PreferredBackupWindow      database.backupWindow
Database            Properties.PreferredMaintenanceWindow  database.maintenanceWindow
Database            Metadata                              database.engineVersion, database.class, database.multiAz
*                   -                                     database
";

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

fn design(
    spec: &ClusterSpec,
    _: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    let Some(database) = &spec.database else {
        return Ok(Vec::new());
    };
    let subnets: Vec<_> = spec.zones.iter().map(common::database_subnet).collect();
    let inputs = Inputs::default().network(subnets.clone(), ParameterType::Subnet);
    let inputs = inputs.group(SecurityGroup::Database);
    let Database {
        engine_version,
        class,
        storage_gib,
        storage_limit_gib,
        multi_az,
        backup_days,
        backup_window,
        maintenance_window,
        parameters: _,
        restore_from,
        // Goes to the machines of the control plane.
        secret: _,
    } = database;
    let context = Context {
        cluster: &spec.name,
        parameters: inputs.parameters(),
        subnets: &subnets,
        description: description(database),
        engine_version,
        family: family(engine_version),
        engine_parameters: engine_parameters(database),
        class,
        multi_az: *multi_az,
        storage_gib: *storage_gib,
        storage_limit_gib: *storage_limit_gib,
        backup_days: *backup_days,
        backup_window,
        maintenance_window,
        restore_from: restore_from.as_deref(),
        protect: spec.protect,
    };
    let data = templates.render_data(&StackKind::Database.template(), &context)?;
    Ok(vec![common::stack(
        spec,
        StackKind::Database,
        data,
        inputs,
    )?])
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
