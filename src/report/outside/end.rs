//! The end of a deletion: what remains on purpose, and what should be gone and is not.

use super::obstacles::unlock_named;
use super::page::{SHOWN, command_lines, listed};
use super::{commands, encrypted, kept, money, names};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::text::{clean, listed_line};
use crate::events::Retained;
use crate::forecast::prices::Prices;
use crate::forecast::upkeep::{Upkeep, Upkeeps, upkeep};
use crate::report::deletion::{key as key_text, retained as retained_line};
use crate::stacks::StackKind;
use crate::sweep::kinds::row;
use crate::sweep::{Found, Orphan, Owner, Purpose, SweepReport, has_interface};

const REMAINS: &str = "remains: ";
const WARNING: &str = "!! ";
/// Why something is there that goes after the last stack.
const WAITS: &str = "waits for the last stack; the same command deletes it after that";
/// Days that a key waits which no stack had.
const KEY_DAYS: u64 = 30;
/// Where it is said how a volume is used again.
const GUIDE: &str = "docs/delete.md, \"Volumes afterwards\"";

/// What remains on purpose after a deletion: what was found outside the stacks, and what the stacks kept. Each begins with
/// `remains:`; what to do with things of a kind is below the last of them. What templates announce of a database is said
/// where it was not looked for, or is not there yet.
pub fn remains(report: &SweepReport, retained: &[Retained], region: &str) -> Vec<String> {
    let prices = Prices::table();
    let keys: Vec<&Found> = report.kept.iter().collect();
    let mut lines: Vec<String> = retained
        .iter()
        .filter(|retained| is_open(retained, report))
        .map(|retained| retained_line(retained, region))
        .collect();
    // One whose end could not be looked at.
    let ended = report.removed.iter();
    let ended = ended.filter(|found| found.resource.kind == OutsideKind::Key);
    let ended = ended.filter(|found| !is_kept(report, &found.resource.id));
    lines.extend(ended.map(|found| {
        let text = key_text(Some(&found.resource.id), KEY_DAYS, region);
        listed_line(REMAINS, &text)
    }));
    let mut costs = Vec::new();
    for (kind, of_kind) in by_use(&report.kept) {
        for (at, found) in of_kind.iter().enumerate() {
            let cost = upkeep(&found.resource, region, &prices);
            let mut text = listed_line(REMAINS, &remains_text(found, &cost, retained, &keys));
            if at + 1 == of_kind.len() {
                text.push_str(&use_of_kind(kind, &of_kind, region));
                let is_dated = |one: &&Found| encrypted::end(one, keys.iter().copied()).is_some();
                if kind == OutsideKind::Snapshot && !of_kind.iter().all(is_dated) {
                    text.push_str(&key_of_snapshots(&of_kind, retained));
                }
            }
            lines.push(text);
            costs.push(cost);
        }
    }
    if let Some(total) = money::total(&Upkeeps::of(&costs), region) {
        let text = format!("what was found outside the stacks costs together {total}");
        lines.push(listed_line(REMAINS, &text));
    }
    lines
}

/// What is kept, by kind; volumes of an earlier cluster apart from those of this one.
fn by_use(kept: &[Found]) -> impl Iterator<Item = (OutsideKind, Vec<&Found>)> {
    let groups = OutsideKind::ALL.into_iter();
    let groups = groups.flat_map(|kind| [(kind, false), (kind, true)]);
    groups.map(move |(kind, is_past)| {
        let kept = kept.iter().filter(|found| found.resource.kind == kind);
        let kept = kept.filter(|found| found.owner.is_past() == is_past);
        (kind, kept.collect())
    })
}

/// Whether what a template announced is not said better by what was found.
fn is_open(retained: &Retained, report: &SweepReport) -> bool {
    // The report of a run that ended before it looked.
    let is_empty = *report == SweepReport::default();
    let is_unknown = |kind| report.unknown.iter().any(|unknown| unknown.kind == kind);
    match retained {
        Retained::LogGroups { .. } => is_empty || is_unknown(OutsideKind::LogGroup),
        Retained::Backups { database, .. } => {
            let of_database = Purpose::Database(database.clone().unwrap_or_default());
            let mut backups = report.kept.iter().filter(|found| is_backup(found));
            !backups.any(|found| found.purpose.as_ref() == Some(&of_database))
        }
        Retained::Snapshot {
            of, begins_with, ..
        } => !report.kept.iter().any(|found| {
            let is_of = of.is_some() && snapshot_of(found) == of.as_deref();
            let begins = begins_with.as_deref();
            let is_of_database = found.resource.kind == OutsideKind::DatabaseSnapshot
                && begins.is_some_and(|begin| found.resource.id.starts_with(begin))
                && of
                    .as_ref()
                    .is_some_and(|of| found.resource.uses.contains(of));
            is_of || is_of_database
        }),
        // It is said with its date.
        Retained::Key { physical_id, .. } => {
            !physical_id.as_deref().is_some_and(|id| is_kept(report, id))
        }
        Retained::Kept { .. } => true,
    }
}

/// Whether a key is among what is kept, by the end of its ARN.
fn is_kept(report: &SweepReport, key: &str) -> bool {
    let mut kept = report.kept.iter().map(|found| &found.resource);
    kept.any(|resource| resource.kind == OutsideKind::Key && resource.id.ends_with(key))
}

fn is_backup(found: &Found) -> bool {
    found.resource.kind == OutsideKind::Backup
}

/// The volume that a snapshot was made of.
fn snapshot_of(found: &Found) -> Option<&str> {
    let resource = &found.resource;
    if resource.kind != OutsideKind::Snapshot {
        return None;
    }
    resource.uses.first().map(String::as_str)
}

/// How a stack's template describes the volume of a snapshot, where this deletion made it.
fn last_of(found: &Found, retained: &[Retained]) -> Option<String> {
    let volume = snapshot_of(found)?;
    retained.iter().find_map(|retained| match retained {
        Retained::Snapshot {
            of, description, ..
        } if of.as_deref() == Some(volume) => {
            Some(format!("last snapshot of {description} ({volume})"))
        }
        Retained::Snapshot { .. }
        | Retained::Kept { .. }
        | Retained::LogGroups { .. }
        | Retained::Backups { .. }
        | Retained::Key { .. } => None,
    })
}

/// A snapshot of a volume of etcd is encrypted under the key of its cluster, which is deleted with it.
fn key_of_snapshots(all: &[&Found], retained: &[Retained]) -> String {
    let of_etcd = Purpose::Stack(StackKind::ControlPlane.to_string());
    let is_of_etcd = |found: &&&Found| found.purpose.as_ref() == Some(&of_etcd);
    let number = all.iter().filter(is_of_etcd).count();
    if number == 0 {
        return String::new();
    }
    let key = retained.iter().find_map(|retained| match retained {
        Retained::Key { physical_id, .. } => physical_id.as_deref(),
        Retained::Kept { .. }
        | Retained::Snapshot { .. }
        | Retained::LogGroups { .. }
        | Retained::Backups { .. } => None,
    });
    let (key, keep) = match key {
        Some(key) => (format!("key {key}"), "its line says how to keep it"),
        None => (
            "the cluster's key".to_owned(),
            "while that waits for its deletion, cancel the deletion and enable the key to keep it",
        ),
    };
    let which = match (number, all.len()) {
        (1, 1) => "it can't be read any more once".to_owned(),
        (1, _) => "the one of a volume of etcd can't be read any more once".to_owned(),
        _ => format!("the {number} of volumes of etcd can't be read any more once"),
    };
    let text = format!("{which} {key} is deleted; {keep}");
    format!("\n{}", listed_line("         ", &text))
}

/// `volume vol-0a1b, 20 GiB, $1.76 a month, claim shop/data`.
fn remains_text(found: &Found, cost: &Upkeep, retained: &[Retained], all: &[&Found]) -> String {
    let resource = &found.resource;
    let short = names::short(resource);
    let (name, of) = if let (Some(Purpose::Database(id)), true) = (&found.purpose, is_backup(found))
    {
        (format!("automated backups of {id}"), short)
    } else {
        (
            format!("{} {short}", row(resource.kind).name),
            last_of(found, retained).unwrap_or_else(|| purpose(found)),
        )
    };
    let end = encrypted::end(found, all.iter().copied()).unwrap_or_default();
    let text = listed([name, kept::size_of(resource), money::monthly(cost), of, end]);
    text + &kept::past(found)
}

/// What something is for; nothing where only its tags say whose it is, and of a log group, whose name has its database.
fn purpose(found: &Found) -> String {
    match found.purpose {
        Some(_) if found.resource.kind != OutsideKind::LogGroup => {
            names::purpose(found, "the cluster")
        }
        Some(_) | None => String::new(),
    }
}

/// What can be done with the kept things of a kind.
fn use_of_kind(kind: OutsideKind, all: &[&Found], region: &str) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push('\n');
        text.push_str(line);
    };
    if kind == OutsideKind::Volume {
        let words = format!("to use one again as a PersistentVolume: {GUIDE}");
        line(&listed_line("         ", &words));
    }
    let (waiting, there): (Vec<&Found>, Vec<&Found>) =
        all.iter().partition(|found| found.resource.is_scheduled());
    for (words, command) in waiting
        .iter()
        .take(SHOWN)
        .flat_map(|found| commands::call_back(&found.resource, region))
    {
        line(&listed_line("         ", &format!("to {words}:")));
        line(&command_lines(11, &command));
    }
    if there.is_empty() {
        return text;
    }
    let (one, them) = match there[..] {
        [_] => ("", "it"),
        _ => (", here the first", "them"),
    };
    let reuse = there
        .first()
        .and_then(|found| commands::reuse(&found.resource, region));
    if let Some((words, command)) = reuse {
        line(&listed_line("         ", &format!("to {words}{one}:")));
        line(&command_lines(11, &command));
    }
    line(&listed_line("         ", &format!("to delete {them}:")));
    for found in there.iter().take(SHOWN) {
        for (_, command) in commands::steps(&found.resource, region) {
            line(&command_lines(11, &command));
        }
    }
    if let Some(rest) = there.len().checked_sub(SHOWN).filter(|rest| *rest > 0) {
        line(&listed_line(
            "           ",
            &format!("and so the other {rest}"),
        ));
    }
    text
}

/// What should be gone and is not, what of others holds the network, and what was not looked for. Each begins with `!!`, says
/// what keeps it, and what to do.
pub fn orphans(report: &SweepReport, region: &str) -> Vec<String> {
    // AWS refuses the commands in another order.
    let has_line = |orphan: &&Orphan| !goes_with_named(&orphan.found.resource, report);
    let mut left: Vec<&Orphan> = report.left.iter().filter(has_line).collect();
    left.sort_by_key(|orphan| orphan.found.row().place());
    let left = left.into_iter().map(|orphan| self::left(orphan, region));
    let waiting = report.waiting.iter();
    let waiting = waiting.map(|found| still_there(found, WAITS, region));
    let named = |found: &&Found| !goes_with_named(&found.resource, report);
    let mut foreign: Vec<&Found> = report.foreign.iter().filter(named).collect();
    foreign.sort_by_key(|found| found.row().place());
    let foreign = foreign
        .into_iter()
        .map(|found| self::foreign(found, region));
    let unknown = report.unknown.iter().map(|unknown| {
        let text = format!(
            "{} were not looked for ({}): what there is of them is still there; to look takes {}",
            row(unknown.kind).plural,
            clean(&unknown.why),
            commands::actions(unknown.kind).join(", ")
        );
        listed_line(WARNING, &text)
    });
    left.chain(waiting).chain(foreign).chain(unknown).collect()
}

fn left(orphan: &Orphan, region: &str) -> String {
    let Orphan { found, why } = orphan;
    still_there(found, why, region) + &advice(&found.resource, why, region)
}

fn still_there(found: &Found, why: &str, region: &str) -> String {
    let resource = &found.resource;
    let facts = listed([
        purpose(found),
        resource.bytes.map(names::size).unwrap_or_default(),
        money::monthly(&upkeep(resource, region, &Prices::table())),
    ]);
    let facts = if facts.is_empty() {
        facts
    } else {
        format!(" ({facts})")
    };
    let text = format!(
        "{} {} is still there{facts}: {}",
        row(resource.kind).name,
        names::short(resource),
        clean(why)
    );
    listed_line(WARNING, &text)
}

/// What to do about something that is still there.
fn advice(resource: &OutsideResource, why: &str, region: &str) -> String {
    let mut all = commands::delete(resource, region);
    all.splice(0..0, unlock_named(resource, why, region));
    let lines = all.iter().map(|(words, command)| {
        let words = listed_line("   ", &format!("{words}:"));
        format!("\n{words}\n{}", command_lines(5, command))
    });
    lines.collect()
}

/// Whether it is an interface of something that has a line itself, with which it goes.
fn goes_with_named(interface: &OutsideResource, report: &SweepReport) -> bool {
    let left = report.left.iter().map(|orphan| &orphan.found);
    let mut named = left.chain(&report.foreign);
    interface.kind == OutsideKind::Interface
        && commands::goes_along(interface)
        && named.any(|found| has_interface(&found.resource, interface))
}

fn foreign(found: &Found, region: &str) -> String {
    let resource = &found.resource;
    let label = names::foreign(found, "the cluster");
    let label = if label.is_empty() {
        label
    } else {
        format!(" ({label})")
    };
    let whose = match found.owner {
        Owner::Unclear => "was not touched, for it is not known whose it is",
        Owner::Foreign | Owner::Kubernetes | Owner::Stack | Owner::Past(_) => {
            "is somebody else's and was not touched"
        }
    };
    let lines = commands::delete(resource, region);
    // The commands on an interface that something has only show what that is.
    let to_do = match lines.first() {
        Some((words, _)) if commands::goes_along(resource) => words,
        Some(_) | None => "where nobody needs it",
    };
    let text = format!(
        "{} {}{label} {whose}; the network's stack can't be deleted while it is there. Ask \
         its owner; {to_do}:",
        row(resource.kind).name,
        names::short(resource)
    );
    let commands = lines
        .iter()
        .map(|(_, command)| format!("\n{}", command_lines(5, command)));
    let commands: String = commands.collect();
    listed_line(WARNING, &text) + &commands
}
