//! The section `database` of the file.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms;

/// The RDS Postgres instance.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DatabaseFile {
    /// Exact version of Postgres, 14 to 18. A minor moves only when this line does.
    #[schemars(
        regex(pattern = r"^1[4-8]\.[0-9]+$"),
        extend("patternErrorMessage" = "expected an exact Postgres version, 14 to 18"),
        example = &"17.11"
    )]
    pub engine_version: String,

    /// Instance class. Changing it restarts the database. Left out, `db.t4g.medium`; `db.t3.medium` in
    /// regions that do not have it.
    #[schemars(
        regex(pattern = r"^db\.[a-z][a-z0-9-]*[0-9][a-z0-9-]*\.[a-z0-9-]+$"),
        extend("patternErrorMessage" = "expected a class of database instances"),
        example = &"db.t4g.medium"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,

    /// Storage in GiB (gp3). It can grow, never shrink.
    #[schemars(range(min = 20, max = 65536))]
    pub storage_gib: u32,

    /// Storage grows by itself up to this many GiB. Left out, five times `storageGib`.
    #[schemars(range(min = 20, max = 65536))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_limit_gib: Option<u32>,

    /// Whether a standby in another zone takes over when the first one fails.
    pub multi_az: bool,

    /// Days that automated backups are kept.
    #[schemars(range(min = 1, max = 35))]
    pub backup_days: u32,

    /// Daily window for backups, UTC, half an hour or more.
    #[schemars(
        regex(pattern = r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$"),
        extend("patternErrorMessage" = "expected a daily window"),
        example = &"03:00-04:00"
    )]
    pub backup_window: String,

    /// Weekly window for maintenance, UTC, half an hour or more.
    #[schemars(
        regex(pattern = r"^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$"),
        extend("patternErrorMessage" = "expected a weekly window"),
        example = &"sun:04:30-sun:05:30"
    )]
    pub maintenance_window: String,

    /// Parameters of Postgres, on top of the tool's own.
    pub parameters: BTreeMap<String, String>,

    /// Name or ARN of the snapshot that the database starts from. The line stays for the life of
    /// the database: removing it replaces the instance.
    #[schemars(
        regex(pattern = r"^(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:snapshot:)?(rds:)?[A-Za-z][A-Za-z0-9-]*$"),
        extend("patternErrorMessage" = "expected the name or ARN of a database snapshot"),
        example = &"arn:aws:rds:eu-west-1:111122223333:snapshot:production-2026-11-20"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore_from: Option<String>,

    /// The Secret that gives workloads a user of their own. Left out, they get none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretFile>,
}

/// The Secret that workloads connect with: host, port, database, user, password, `sslmode`, `ca.crt`
/// and a ready `url`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretFile {
    /// Name of the Secret, the same in every namespace.
    #[schemars(
        regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        extend("patternErrorMessage" = "expected up to 63 lower-case letters, digits and dashes, a letter or digit first and last"),
        example = &"database"
    )]
    #[serde(default = "SecretFile::default_name")]
    pub name: String,

    /// Namespaces that get the Secret. It follows within minutes of the namespace; taken out of the
    /// list, its Secret goes. Empty takes all of them away.
    #[schemars(length(max = 50), with = "Vec<forms::NamespaceName>")]
    pub namespaces: Vec<String>,

    /// User in the database that workloads connect as; it may create and change what it likes in the
    /// one database, and nothing else. One that a snapshot brings is taken over with a new password.
    #[schemars(
        regex(pattern = r"^[a-z_][a-z0-9_]{0,62}$"),
        extend("patternErrorMessage" = "expected up to 63 lower-case letters, digits and underscores, no digit first"),
        example = &"app"
    )]
    #[serde(default = "SecretFile::default_user")]
    pub user: String,
}

impl SecretFile {
    /// What it leads to.
    fn default_name() -> String {
        "database".to_owned()
    }

    /// The same as the database's own name.
    fn default_user() -> String {
        "app".to_owned()
    }
}

impl Default for DatabaseFile {
    fn default() -> Self {
        Self {
            // Community support until February 2030; 18 is still young.
            engine_version: "17.11".to_owned(),
            // By the region: 2 vCPU and 4 GiB, the smallest with room for a connection pool.
            class: None,
            // The least that RDS takes for gp3; it grows by itself.
            storage_gib: 20,
            storage_limit_gib: None,
            // A database that is worth keeping survives its zone.
            multi_az: true,
            // Two weeks: an error made before a holiday can still be undone after it.
            backup_days: 14,
            // Night in Europe, evening in America; maintenance follows on the quietest day.
            backup_window: "03:00-04:00".to_owned(),
            maintenance_window: "sun:04:30-sun:05:30".to_owned(),
            parameters: BTreeMap::new(),
            restore_from: None,
            // Who needs it has to be said.
            secret: None,
        }
    }
}
