//! A deletion as text: which stacks and data are deleted, and what is kept on purpose.

use std::fmt::Write;

use console::Style;

use crate::common::terminal::paint;
use crate::common::text::listed_line;
use crate::events::Retained;
use crate::plan::DeletePlan;
use crate::plan::leftovers::DatabaseLeftovers;

/// The stacks that are deleted, with the data in them.
pub fn text(plan: &DeletePlan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "{} {}",
            paint(&Style::new().for_stderr().red(), "-"),
            step.found.name
        );
        for loss in step.losses().iter().filter(|loss| loss.is_data()) {
            let policy = match (loss.policy.as_str(), loss.resource_type.as_str()) {
                ("Snapshot", _) => "a last snapshot is taken",
                ("Retain" | "RetainExceptOnCreate", _) => "kept",
                (_, "AWS::KMS::Key") => "disabled, deleted for good some days later",
                _ => "deleted for good",
            };
            let line = format!("{} ({}): {policy}", loss.sentence, loss.logical_id);
            let _ = writeln!(text, "{}", listed_line("    ", &line));
            let left = step.database_leftovers(&loss.logical_id, None);
            for line in left.iter().flat_map(beside) {
                let _ = writeln!(
                    text,
                    "{}",
                    listed_line("      ", &format!("remains: {line}"))
                );
            }
        }
    }
    text
}

/// What RDS leaves behind of a database, in lines.
fn beside(left: &DatabaseLeftovers) -> Vec<String> {
    let days = left.backup_days;
    let backups = days.map(|days| backups(left.database.as_deref(), days));
    let logs = (!left.log_groups.is_empty()).then(|| log_groups(&left.log_groups));
    backups.into_iter().chain(logs).collect()
}

fn backups(database: Option<&str>, days: u64) -> String {
    let (of, filter) = match database {
        Some(id) => (
            format!(" of {id}"),
            format!(" --db-instance-identifier {id}"),
        ),
        None => (" of the database".to_owned(), String::new()),
    };
    format!(
        "automated backups{of} for {days} days: `aws rds describe-db-instance-automated-backups{filter}` shows them, \
         `aws rds delete-db-instance-automated-backup` deletes one"
    )
}

fn log_groups(names: &[String]) -> String {
    let commands = names
        .iter()
        .map(|name| format!("`aws logs delete-log-group --log-group-name {name}`"));
    let commands: Vec<String> = commands.collect();
    format!(
        "log groups, which never expire; delete them with {}",
        commands.join(" and ")
    )
}

/// One line for something that a deletion keeps on purpose.
pub fn retained(retained: &Retained) -> String {
    let text = match retained {
        Retained::Kept {
            stack,
            description,
            physical_id,
            ..
        } => {
            let id = physical_id.as_deref().unwrap_or("without a known id");
            format!("{description} of {stack}, kept by its template: {id}")
        }
        Retained::Snapshot {
            description,
            of,
            name,
            begins_with,
            ..
        } => {
            let of = of.as_deref().unwrap_or("unknown");
            match (name, begins_with) {
                (Some(name), _) => format!("last snapshot of {description} ({of}): {name}"),
                (None, Some(begin)) => {
                    format!("last snapshot of {description} ({of}): its name begins with {begin}")
                }
                (None, None) => format!("last snapshot of {description} ({of})"),
            }
        }
        Retained::LogGroups { names, .. } => log_groups(names),
        Retained::Backups { database, days, .. } => backups(database.as_deref(), *days),
        Retained::Key {
            physical_id, days, ..
        } => format!(
            "key {}: disabled, and deleted for good in {days} days",
            physical_id.as_deref().unwrap_or("of the cluster")
        ),
    };
    listed_line("remains: ", &text)
}
