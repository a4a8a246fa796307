//! What RDS leaves behind of a database that its stack deletes: log groups, which never expire, and automated backups,
//! where the template keeps them. No stack has them.

use serde_json::Value;

use super::deletion::{DeleteStep, policy};

const DATABASE: &str = "AWS::RDS::DBInstance";
/// Days of RDS where the template says nothing.
const RETENTION: u64 = 1;

/// What remains of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseLeftovers {
    /// Its identifier, where it is known.
    pub database: Option<String>,
    /// Names of log groups; empty where the database is not known.
    pub log_groups: Vec<String>,
    /// Days for which its automated backups stay; `None` where they are deleted with it.
    pub backup_days: Option<u64>,
}

impl DeleteStep {
    /// What remains of a database once its stack is deleted; `None` for other resources, and for a database that stays.
    /// `physical_id` is its identifier, if it is not an output of the stack.
    pub fn database_leftovers(
        &self,
        logical_id: &str,
        physical_id: Option<&str>,
    ) -> Option<DatabaseLeftovers> {
        let template = self.template.as_ref()?;
        let body = template.get("Resources")?.get(logical_id)?;
        if body["Type"] != DATABASE || policy(template, logical_id, DATABASE).starts_with("Retain")
        {
            return None;
        }
        let properties = &body["Properties"];
        let database = physical_id.or_else(|| self.output_of(template, logical_id));
        let exports = properties["EnableCloudwatchLogsExports"].as_array();
        let exports = exports.into_iter().flatten().filter_map(Value::as_str);
        let log_groups = database.map(|database| {
            exports
                .map(|log| format!("/aws/rds/instance/{database}/{log}"))
                .collect()
        });
        let days = properties["BackupRetentionPeriod"].as_u64();
        let kept = properties["DeleteAutomatedBackups"] == Value::Bool(false);
        Some(DatabaseLeftovers {
            database: database.map(str::to_owned),
            log_groups: log_groups.unwrap_or_default(),
            backup_days: Some(days.unwrap_or(RETENTION)).filter(|days| kept && *days > 0),
        })
    }

    /// The identifier of a resource, where the stack puts it out.
    fn output_of(&self, template: &Value, logical_id: &str) -> Option<&str> {
        let mut outputs = template.get("Outputs")?.as_object()?.iter();
        let (key, _) = outputs.find(|(_, output)| output["Value"]["Ref"] == logical_id)?;
        self.found.outputs.get(key).map(String::as_str)
    }
}
