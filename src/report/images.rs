//! The machine images of a lock file, for people.

use super::format;
use crate::definition::lock::Lock;

/// The locked images.
pub fn table(lock: &Lock) -> String {
    let rows = lock.images.iter().map(|(parameter, image)| {
        vec![
            short(parameter).to_owned(),
            image.id.clone(),
            image.resolved_at.to_string(),
        ]
    });
    format::table(&["IMAGE", "AMI", "RESOLVED"], rows)
}

/// The images that changed, a line each.
pub fn changes(before: &Lock, lock: &Lock) -> String {
    let before = before.ids();
    let ids = lock.ids();
    let changed = ids.iter().filter_map(|(parameter, id)| {
        let name = short(parameter);
        match before.get(parameter) {
            Some(old) if old == id => None,
            Some(old) => Some(format!("locked {name}: {old} -> {id}")),
            None => Some(format!("locked {name} = {id}")),
        }
    });
    changed.collect::<Vec<_>>().join("\n")
}

/// The part of an SSM public parameter that people read.
fn short(parameter: &str) -> &str {
    parameter.rsplit('/').next().unwrap_or(parameter)
}
