//! The end of a deletion: what remains on purpose, and what should be gone and is not.

use super::page::{command_lines, listed};
use super::{commands, kept, money, names};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::text::{clean, listed_line};
use crate::events::Retained;
use crate::forecast::prices::Prices;
use crate::forecast::upkeep::{Upkeep, Upkeeps, upkeep};
use crate::report::deletion::retained as retained_line;
use crate::sweep::kinds::row;
use crate::sweep::{Found, Orphan, Purpose, SweepReport};

const REMAINS: &str = "remains: ";
const WARNING: &str = "!! ";
/// Where it is said how a volume is used again.
const GUIDE: &str = "docs/delete.md, \"Volumes afterwards\"";

/// What remains on purpose after a deletion: what was found outside the stacks, and what the stacks kept. Each begins with
/// `remains:`; what to do with things of a kind is below the last of them. What templates announce of a database is said
/// where it was not looked for, or is not there yet.
pub fn remains(report: &SweepReport, retained: &[Retained], region: &str) -> Vec<String> {
    let prices = Prices::table();
    let mut lines: Vec<String> = retained
        .iter()
        .filter(|retained| is_open(retained, report))
        .map(|retained| retained_line(retained, region))
        .collect();
    let mut costs = Vec::new();
    for kind in OutsideKind::ALL {
        let of_kind: Vec<&Found> = report
            .kept
            .iter()
            .filter(|found| found.resource.kind == kind)
            .collect();
        for (at, found) in of_kind.iter().enumerate() {
            let cost = upkeep(&found.resource, region, &prices);
            let mut text = listed_line(REMAINS, &remains_text(found, &cost));
            if at + 1 == of_kind.len() {
                text.push_str(&use_of_kind(kind, &of_kind, region));
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
            of: Some(of),
            begins_with: Some(begin),
            ..
        } => !report.kept.iter().any(|found| {
            found.resource.kind == OutsideKind::DatabaseSnapshot
                && found.resource.id.starts_with(begin)
                && found.resource.uses.contains(of)
        }),
        Retained::Kept { .. } | Retained::Snapshot { .. } | Retained::Key { .. } => true,
    }
}

fn is_backup(found: &Found) -> bool {
    found.resource.kind == OutsideKind::Backup
}

/// `volume vol-0a1b, 20 GiB, $1.76 a month, claim shop/data`.
fn remains_text(found: &Found, cost: &Upkeep) -> String {
    let resource = &found.resource;
    let short = names::short(resource);
    let (name, of) = if let (Some(Purpose::Database(id)), true) = (&found.purpose, is_backup(found))
    {
        (format!("automated backups of {id}"), short)
    } else {
        (
            format!("{} {short}", row(resource.kind).name),
            purpose(found),
        )
    };
    listed([name, kept::size(resource.bytes), money::monthly(cost), of])
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
    let id = match all {
        [only] => only.resource.id.as_str(),
        _ => "ID",
    };
    let id = if kind == OutsideKind::Backup && id == "ID" {
        "ARN"
    } else {
        id
    };
    let mut text = String::new();
    if kind == OutsideKind::Volume {
        let line = format!("to use one again as a PersistentVolume: {GUIDE}");
        text.push('\n');
        text.push_str(&listed_line("         ", &line));
    }
    let reuse = commands::reuse(kind, id, region);
    let delete = ("delete it", commands::plain(kind, id, region));
    for (words, command) in reuse.into_iter().chain([delete]) {
        text.push('\n');
        text.push_str(&listed_line("         ", &format!("to {words}:")));
        text.push('\n');
        text.push_str(&command_lines(11, &command));
    }
    text
}

/// What should be gone and is not, what of others holds the network, and what was not looked for. Each begins with `!!`, says
/// what keeps it, and what to do.
pub fn orphans(report: &SweepReport, region: &str) -> Vec<String> {
    let left = report.left.iter().map(|orphan| left(orphan, region));
    let foreign = report.foreign.iter().map(|found| foreign(found, region));
    let unknown = report.unknown.iter().map(|unknown| {
        let text = format!(
            "{} were not looked for ({}): what there is of them is still there; to look takes {}",
            names::plural(unknown.kind),
            clean(&unknown.why),
            commands::actions(unknown.kind).join(", ")
        );
        listed_line(WARNING, &text)
    });
    left.chain(foreign).chain(unknown).collect()
}

fn left(orphan: &Orphan, region: &str) -> String {
    let Orphan { found, why } = orphan;
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
        clean(&resource.id),
        clean(why)
    );
    listed_line(WARNING, &text) + &advice(resource, why, region)
}

/// What to do about something that is still there.
fn advice(resource: &OutsideResource, why: &str, region: &str) -> String {
    let mut all = commands::delete(resource, region);
    if let Some(first) = protection(resource, why, region) {
        all.insert(0, first);
    }
    let lines = all.iter().map(|(words, command)| {
        let words = listed_line("   ", &format!("{words}:"));
        format!("\n{words}\n{}", command_lines(5, command))
    });
    lines.collect()
}

/// How a protection is lifted that AWS names as the reason.
fn protection(resource: &OutsideResource, why: &str, region: &str) -> Option<commands::Advice> {
    let id = &resource.id;
    let why = why.to_lowercase();
    let is_protected = why.contains("deletion protection") || why.contains("disableapitermination");
    let command = if !is_protected {
        return None;
    } else if resource.kind == OutsideKind::LoadBalancer {
        format!(
            "aws elbv2 modify-load-balancer-attributes --region {region} --load-balancer-arn {id} \
             --attributes Key=deletion_protection.enabled,Value=false"
        )
    } else if resource.kind == OutsideKind::Machine {
        format!(
            "aws ec2 modify-instance-attribute --region {region} --instance-id {id} --disable-api-termination Value=false"
        )
    } else {
        return None;
    };
    Some(("lift its protection", command))
}

fn foreign(found: &Found, region: &str) -> String {
    let resource = &found.resource;
    let label = names::foreign(found, "the cluster");
    let label = if label.is_empty() {
        label
    } else {
        format!(" ({label})")
    };
    let text = format!(
        "{} {}{label} is somebody else's and was not touched; the network's stack can't be deleted while it is there. Ask \
         its owner; where nobody needs it:",
        row(resource.kind).name,
        clean(&resource.id)
    );
    let lines = commands::delete(resource, region);
    let commands = lines
        .iter()
        .map(|(_, command)| format!("\n{}", command_lines(5, command)));
    let commands: String = commands.collect();
    listed_line(WARNING, &text) + &commands
}
