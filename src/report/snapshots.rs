//! Snapshots of etcd and the steps on its members, as text.

use console::Style;
use jiff::Timestamp;

use super::format;
use crate::common::duration::age;
use crate::common::terminal::paint;
use crate::common::text::{clean, count, listed_line};
use crate::etcd::{MemberStep, Slot, Snapshot, SnapshotKey};

/// Names that a message lists.
const SHOWN: usize = 3;

/// Snapshots for people; ages are counted to `now`.
pub fn table(found: &[Snapshot], now: Timestamp) -> String {
    let rows = found.iter().map(|one| {
        let sum = if one.verifiable { "yes" } else { "no checksum" };
        vec![
            one.key.to_string(),
            one.revision.to_string(),
            format!("{} KiB", one.bytes.div_ceil(1024)),
            age(now.duration_since(one.written)),
            sum.to_owned(),
        ]
    });
    format::table(&["KEY", "REVISION", "SIZE", "AGE", "VERIFIABLE"], rows)
}

/// The newest snapshots of a list that begins with them.
pub fn newest(found: &[Snapshot]) -> String {
    let keys = found.iter().map(|one| one.key.as_str());
    match few(keys).as_str() {
        "" => "there are no snapshots".to_owned(),
        keys => format!("the newest are {keys}"),
    }
}

/// Warns of objects beside the snapshots that nothing of ours writes; `None` without any.
pub fn foreign(bucket: &str, keys: &[String]) -> Option<String> {
    if keys.is_empty() {
        return None;
    }
    let shown: Vec<String> = keys.iter().map(|key| clean(key)).collect();
    let warning = format!(
        "{} below etcd/ in {bucket} that no control-plane node wrote, left out here: {}; \
         find out who may write to that bucket",
        count(keys.len(), "object"),
        few(shown.iter().map(String::as_str))
    );
    Some(listed_line("!! ", &warning))
}

/// The first three of some names, and how many more there are.
fn few<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(SHOWN);
    let shown: Vec<_> = names.take(SHOWN).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What a restore is about to do.
pub fn restore_steps(slots: &[Slot], key: &SnapshotKey) -> String {
    let names: Vec<_> = slots.iter().map(|slot| slot.member.to_string()).collect();
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
