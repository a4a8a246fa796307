//! Snapshots of etcd and the steps on its members, as text.

use console::Style;
use jiff::Timestamp;

use super::format;
use crate::common::duration::age;
use crate::common::terminal::paint;
use crate::common::text::listed_line;
use crate::etcd::{MemberStep, Slot, Snapshot};

/// Snapshots for people; ages are counted to `now`.
pub fn table(found: &[Snapshot], now: Timestamp) -> String {
    let rows = found.iter().map(|one| {
        let revision = one.revision.map(|revision| revision.to_string());
        let sum = if one.verifiable { "yes" } else { "no checksum" };
        vec![
            one.key.clone(),
            revision.unwrap_or_default(),
            format!("{} KiB", one.bytes.div_ceil(1024)),
            age(now.duration_since(one.written)),
            sum.to_owned(),
        ]
    });
    format::table(&["KEY", "REVISION", "SIZE", "AGE", "VERIFIABLE"], rows)
}

/// What a restore is about to do.
pub fn restore_steps(slots: &[Slot], key: &str) -> String {
    let names: Vec<_> = slots.iter().map(Slot::member).collect();
    format!(
        "restore {key} on {}:\n\
         1  every control-plane node fetches and verifies it, then stops etcd and the API server\n\
         2  when all have stopped, each starts the restored cluster\n\
         {} everything written after the snapshot is lost; workloads keep running,\n   \
         the API is unavailable for some minutes",
        names.join(", "),
        paint(&Style::new().for_stderr().yellow(), "!!")
    )
}

/// A step on a control-plane node, when it starts and when it ends.
pub fn step(step: &MemberStep) -> String {
    let MemberStep {
        slot,
        doing,
        result,
    } = step;
    match result {
        None => listed_line(">  ", &format!("control-plane node {slot}  {doing}")),
        Some(result) => listed_line("ok ", &format!("control-plane node {slot}  {result}")),
    }
}
