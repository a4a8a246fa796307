//! A deletion as text: which stacks and data are deleted, and what is kept on purpose.

use std::fmt::Write;

use console::Style;

use super::outside::steps;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::terminal::paint;
use crate::common::text::listed_line;
use crate::events::Retained;
use crate::forecast::upkeep::has_resources;
use crate::plan::DeletePlan;

/// Where a text is printed: its colours are those of that stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Data, which is often piped.
    Stdout,
    /// Messages.
    Stderr,
}

impl Stream {
    pub(super) fn style(self) -> Style {
        match self {
            Self::Stdout => Style::new().for_stdout(),
            Self::Stderr => Style::new().for_stderr(),
        }
    }
}

/// The stacks that are deleted, with the data in them. What is left of it, and what that costs, is in
/// [`outside::deletion`](super::outside::deletion).
pub fn text(plan: &DeletePlan, stream: Stream) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "{} {}",
            paint(&stream.style().red(), "-"),
            step.found.name
        );
        let losses = step.losses();
        let data = losses.iter().filter(|loss| loss.is_data());
        for loss in data.filter(|_| has_resources(step)) {
            let policy = match (loss.policy.as_str(), loss.resource_type.as_str()) {
                ("Retain" | "RetainExceptOnCreate", _) => "kept".to_owned(),
                // An EBS snapshot is encrypted under the key of its volume.
                ("Snapshot", "AWS::EC2::Volume") => {
                    "a last snapshot is taken, which can be read as long as the key exists"
                        .to_owned()
                }
                ("Snapshot", _) => "a last snapshot is taken".to_owned(),
                (_, "AWS::KMS::Key") => {
                    let days = step.key_window(&loss.logical_id);
                    format!(
                        "disabled, and deleted for good in {days} days with all that it encrypts"
                    )
                }
                _ => "deleted for good".to_owned(),
            };
            let line = format!("{} ({}): {policy}", loss.sentence, loss.logical_id);
            let _ = writeln!(text, "{}", listed_line("    ", &line));
        }
    }
    text
}

fn backups(database: Option<&str>, days: u64, region: &str) -> String {
    let (of, filter) = match database {
        Some(id) => (
            format!(" of {id}"),
            format!(" --db-instance-identifier {id}"),
        ),
        None => (" of the database".to_owned(), String::new()),
    };
    format!(
        "automated backups{of} for {days} days: `aws rds describe-db-instance-automated-backups --region {region}{filter}` \
         shows them, `aws rds delete-db-instance-automated-backup --region {region} --dbi-resource-id ID` deletes one"
    )
}

fn log_groups(names: &[String], region: &str) -> String {
    let commands = names.iter().flat_map(|name| {
        let group = OutsideResource::new(OutsideKind::LogGroup, name);
        steps(&group, region)
    });
    let commands: Vec<String> = commands
        .map(|(_, command)| format!("`{command}`"))
        .collect();
    format!(
        "log groups, which never expire; delete them with {}",
        commands.join(" and ")
    )
}

/// A key that waits for its end, and how it is called back.
pub(super) fn key(id: Option<&str>, days: u64, region: &str) -> String {
    let (name, id) = (id.unwrap_or("of the cluster"), id.unwrap_or("KEY"));
    format!(
        "key {name}: disabled, and deleted for good in {days} days; from then on the snapshots of the etcd volumes \
         can't be read. To keep it: `aws kms cancel-key-deletion --region {region} --key-id {id}`, then \
         `aws kms enable-key --region {region} --key-id {id}`"
    )
}

/// One line for something that a deletion keeps on purpose.
pub fn retained(retained: &Retained, region: &str) -> String {
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
        Retained::LogGroups { names, .. } => log_groups(names, region),
        Retained::Backups { database, days, .. } => backups(database.as_deref(), *days, region),
        Retained::Key {
            physical_id, days, ..
        } => key(physical_id.as_deref(), *days, region),
    };
    listed_line("remains: ", &text)
}
