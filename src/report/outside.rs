//! What lies outside the stacks as text: what a deletion removes, keeps and leaves alone, what is kept costs from then on,
//! and what remains at its end.

mod commands;
mod names;

use serde::Serialize;

use crate::plan::DeletePlan;
use crate::sweep::kubernetes::Seen;
use crate::sweep::{Inventory, SweepReport};

pub(in crate::report) use commands::{plain as delete_command, save_volume};
pub(in crate::report) use names::{counted, purpose, short, size};

/// What a deletion would do, for the question and for `--plan`.
pub struct DeletionView<'a> {
    pub inventory: &'a Inventory,
    pub kubernetes: &'a Seen,
    pub delete_volumes: bool,
    pub region: &'a str,
}

/// What a deletion does with what lies outside the stacks, in lines for 80 columns; empty where there is nothing to say.
pub fn deletion(_view: &DeletionView<'_>) -> String {
    String::new()
}

/// The same as data, for `delete --plan -o json`.
pub fn json(_view: &DeletionView<'_>, _plan: &DeletePlan) -> impl Serialize + use<> {
    serde_json::Value::Null
}

/// What remains on purpose after a deletion, a line each that begins with `remains:`.
pub fn remains(_report: &SweepReport, _region: &str) -> Vec<String> {
    Vec::new()
}

/// What should be gone and is not, a line each that begins with `!!`: id, what keeps it, what to do.
pub fn orphans(_report: &SweepReport, _region: &str) -> Vec<String> {
    Vec::new()
}
