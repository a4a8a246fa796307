//! A deletion as text: which stacks and data are deleted, and what is kept on purpose.

use std::fmt::Write;

use console::Style;

use crate::common::terminal::paint;
use crate::common::text::listed_line;
use crate::events::Retained;
use crate::plan::DeletePlan;

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
        }
    }
    text
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
        Retained::Key {
            physical_id, days, ..
        } => format!(
            "key {}: disabled, and deleted for good in {days} days",
            physical_id.as_deref().unwrap_or("of the cluster")
        ),
    };
    listed_line("remains: ", &text)
}
