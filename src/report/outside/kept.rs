//! What a deletion keeps outside the stacks, and what that costs from then on; and the volumes that it deletes for good.

use std::cmp::Reverse;

use console::measure_text_width;

use super::contents::{Contents, Disk};
use super::page::{Mark, Page, SHOWN, listed};
use super::{DeletionView, MORE, commands, encrypted, money, names};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::text::{clean, count};
use crate::forecast::prices::{Meter, PriceKey, Prices};
use crate::forecast::upkeep::{Left, LeftKind, Upkeep, Upkeeps};
use crate::sweep::kubernetes::VolumeSource;
use crate::sweep::{Found, Owner, Past, kinds};

/// Volumes that are deleted, each of them: their data is gone.
pub(super) fn lost(page: &mut Page, view: &DeletionView<'_>, contents: &Contents<'_>) {
    let lost = contents.lost_volumes.iter();
    let (of_machines, all): (Vec<&Disk>, Vec<&Disk>) =
        lost.partition(|disk| disk.source == VolumeSource::Machine);
    if !of_machines.is_empty() {
        let whose = if of_machines.len() == 1 {
            "its machine"
        } else {
            "their machines"
        };
        let text = format!(
            "{} lost with {whose}, on whose disk the data is:",
            volumes(&of_machines)
        );
        page.entry(2, Mark::Warning, &text);
        for disk in of_machines {
            page.row(5, &row(disk, false), &tail(disk));
        }
    }
    if all.is_empty() {
        return;
    }
    let text = format!(
        "{} deleted for good, with all data in {}:",
        volumes(&all),
        if all.len() == 1 { "it" } else { "them" }
    );
    page.entry(2, Mark::Warning, &text);
    for disk in &all {
        page.row(5, &row(disk, false), &tail(disk));
    }
    if let Some(first) = all.iter().find(|disk| disk.is_ebs) {
        page.line(5, "To save one of them first, while nothing writes to it:");
        page.command(7, &commands::save_volume(&first.id, view.region));
    }
}

/// Everything that is kept.
pub(super) fn kept(page: &mut Page, view: &DeletionView<'_>, contents: &Contents<'_>) {
    let Contents {
        kept_volumes,
        past_volumes,
        kept,
        left,
        ..
    } = contents;
    let has_volumes = !kept_volumes.is_empty() || !past_volumes.is_empty();
    if !has_volumes && kept.is_empty() && left.is_empty() {
        return;
    }
    page.line(2, "kept, with what it costs a month from now on:");
    kept_disks(page, view, kept_volumes);
    past_disks(page, view, past_volumes);
    for kind in OutsideKind::ALL {
        let of_kind = kept.iter().filter(|(found, _)| found.resource.kind == kind);
        kept_kind(page, view, kind, &of_kind.collect::<Vec<_>>());
    }
    for left in left {
        page.entry(4, Mark::Kept, &left_text(left, view.region));
    }
    if let Some(total) = money::total(&contents.upkeep(), view.region) {
        page.line(4, &format!("Together {total}."));
    }
}

fn kept_disks(page: &mut Page, view: &DeletionView<'_>, all: &[Disk<'_>]) {
    if all.is_empty() {
        return;
    }
    let costs = Upkeeps::of(all.iter().map(|disk| &disk.upkeep));
    let head = listed([
        volumes(&all.iter().collect::<Vec<_>>()),
        money::together(&costs),
    ]);
    page.entry(4, Mark::Kept, &head);
    let mut shown: Vec<&Disk<'_>> = all.iter().collect();
    if shown.len() > SHOWN {
        shown.sort_by_key(|disk| Reverse(disk.bytes));
        page.line(6, &format!("the {SHOWN} largest:"));
    }
    for disk in shown.iter().take(SHOWN) {
        let end = disk
            .found
            .and_then(|one| encrypted::end(one, &view.inventory.found));
        let tail = listed([tail(disk), end.unwrap_or_default()]);
        page.row(6, &row(disk, true), &tail);
    }
    more(page, 6, all.len());
    if view.inventory.found.iter().any(is_disk) {
        page.line(6, "To list them later:");
        let command = commands::list_volumes(&view.plan.cluster, view.region);
        page.command(8, &command);
    }
}

/// Volumes of an earlier cluster, and those that Kubernetes has let go of: nobody has agreed to their loss.
fn past_disks(page: &mut Page, view: &DeletionView<'_>, all: &[Disk<'_>]) {
    if all.is_empty() {
        return;
    }
    let costs = Upkeeps::of(all.iter().map(|disk| &disk.upkeep));
    let mut found = all.iter().filter_map(|disk| disk.found);
    let which = if found.all(|found| found.owner == Owner::Past(Past::ThisOrEarlier)) {
        "not known to be this cluster's"
    } else if all.len() == 1 {
        "that this cluster does not use"
    } else {
        "which this cluster does not use"
    };
    let kept = if view.delete_volumes {
        "; `--delete-volumes` does not delete them"
    } else {
        ""
    };
    let head = listed([
        volumes(&all.iter().collect::<Vec<_>>()),
        money::together(&costs),
        format!("{which}{kept}:"),
    ]);
    page.entry(4, Mark::Kept, &head);
    for disk in all.iter().take(SHOWN) {
        page.row(
            6,
            &row(disk, true),
            &format!("{}{}", tail(disk), disk.found.map(past).unwrap_or_default()),
        );
    }
    more(page, 6, all.len());
    page.line(6, "To delete them, where nobody needs the data:");
    for disk in all.iter().take(SHOWN) {
        let resource = OutsideResource::new(OutsideKind::Volume, disk.id.clone());
        for (_, command) in commands::steps(&resource, view.region) {
            page.command(8, &command);
        }
    }
    more(page, 6, all.len());
}

/// Why a volume is not this cluster's, or may not be.
pub(in crate::report) fn past(found: &Found) -> String {
    let Owner::Past(past) = found.owner else {
        return String::new();
    };
    match (past, found.resource.created) {
        (Past::Earlier, Some(created)) => {
            format!(
                ", made on {}, before this cluster",
                created.strftime("%Y-%m-%d")
            )
        }
        (Past::ThisOrEarlier, Some(created)) => format!(
            ", made on {}: not known which cluster made it, since its stacks are gone",
            created.strftime("%Y-%m-%d")
        ),
        (Past::ThisOrEarlier, None) => ": not known which cluster made it".to_owned(),
        (Past::Released, _) => ", without a PersistentVolume in it".to_owned(),
        (Past::Earlier, None) => String::new(),
    }
}

fn is_disk(found: &Found) -> bool {
    found.resource.kind == OutsideKind::Volume
}

fn kept_kind(
    page: &mut Page,
    view: &DeletionView<'_>,
    kind: OutsideKind,
    all: &[&(&Found, Upkeep)],
) {
    if all.is_empty() {
        return;
    }
    let cluster = &view.plan.cluster;
    let kept_text = |one: &Found, upkeep: &Upkeep| {
        let end = encrypted::end(one, &view.inventory.found).unwrap_or_default();
        listed([kept_text(one, upkeep, cluster), end])
    };
    if let [(found, upkeep)] = all {
        let text = kept_text(found, upkeep);
        page.entry(4, Mark::Kept, &format!("{} {text}", kinds::row(kind).name));
        call_back(page, view, all);
        return;
    }
    let costs = Upkeeps::of(all.iter().map(|(_, upkeep)| upkeep));
    let head = listed([kinds::row(kind).counted(all.len()), money::together(&costs)]);
    page.entry(4, Mark::Kept, &head);
    for (found, upkeep) in all.iter().take(SHOWN) {
        page.line(6, &kept_text(found, upkeep));
    }
    more(page, 6, all.len());
    call_back(page, view, all);
}

/// How keys are called back that wait for their deletion.
fn call_back(page: &mut Page, view: &DeletionView<'_>, all: &[&(&Found, Upkeep)]) {
    let keys = all.iter().map(|(found, _)| &found.resource);
    let keys = keys.filter(|resource| resource.is_scheduled()).take(SHOWN);
    for (words, command) in keys.flat_map(|key| commands::call_back(key, view.region)) {
        page.line(6, &format!("To {words}:"));
        page.command(8, &command);
    }
}

/// How many are not shown, and where they are, below rows of this indent.
pub(super) fn more(page: &mut Page, indent: usize, all: usize) {
    if let Some(rest) = all.checked_sub(SHOWN).filter(|rest| *rest > 0) {
        page.line(indent, &format!("and {rest} more: {MORE}"));
    }
}

/// Something that is kept, on one line: name, size, cost, what it is of.
pub(super) fn kept_text(found: &Found, upkeep: &Upkeep, cluster: &str) -> String {
    // The name of a log group has that of its database.
    let purpose = match found.resource.kind {
        OutsideKind::LogGroup => String::new(),
        _ => names::purpose(found, cluster),
    };
    listed([
        names::short(&found.resource),
        size_of(&found.resource),
        money::monthly(upkeep),
        purpose,
    ])
}

/// The same with its kind, until when it can be read, and whether it may be an earlier cluster's; for a list of its own.
pub(in crate::report) fn kept_line(
    found: &Found,
    upkeep: &Upkeep,
    cluster: &str,
    all: &[Found],
) -> String {
    let name = kinds::row(found.resource.kind).name;
    let text = kept_text(found, upkeep, cluster);
    let end = encrypted::end(found, all).unwrap_or_default();
    listed([format!("{name} {text}"), end]) + &past(found)
}

/// The size of something; nothing for a kind that has none.
pub(super) fn size_of(resource: &OutsideResource) -> String {
    match resource.kind {
        OutsideKind::Key | OutsideKind::DnsRecord => String::new(),
        _ => size(resource.bytes),
    }
}

pub(super) fn size(bytes: Option<u64>) -> String {
    bytes.map_or("size unknown".to_owned(), names::size)
}

/// `3 volumes, 70 GiB`.
fn volumes(all: &[&Disk<'_>]) -> String {
    let bytes = all
        .iter()
        .filter_map(|disk| disk.bytes)
        .fold(0, u64::saturating_add);
    let unsized_ones = all.iter().filter(|disk| disk.bytes.is_none()).count();
    let number = count(all.len(), "volume");
    match unsized_ones {
        0 => format!("{number}, {}", names::size(bytes)),
        _ if bytes == 0 => format!("{number} of unknown size"),
        some => format!(
            "{number}, {} and {some} of unknown size",
            names::size(bytes)
        ),
    }
}

/// A volume in columns: id, size, AWS's state, cost.
fn row(disk: &Disk<'_>, with_cost: bool) -> String {
    let cost = if with_cost {
        format!("  {:>7}", money::price(&disk.upkeep))
    } else {
        String::new()
    };
    let state = disk.state.as_deref().unwrap_or_default();
    let id = &disk.id;
    let room = 21_usize.saturating_sub(measure_text_width(id));
    format!(
        "{id}{:room$}  {:>8}  {state:<9}{cost}",
        "",
        size(disk.bytes)
    )
}

/// What is behind the columns: the claim.
fn tail(disk: &Disk<'_>) -> String {
    let origin = match &disk.source {
        VolumeSource::Other(driver) => format!(
            " (not deleted: its driver {} has it; delete its claim first)",
            clean(driver)
        ),
        VolumeSource::Machine => " (local or hostPath)".to_owned(),
        VolumeSource::Ebs if disk.is_untagged => " (without the cluster's tags)".to_owned(),
        VolumeSource::Ebs => String::new(),
    };
    format!("{}{origin}", disk.words)
}

/// What a stack leaves on purpose, before it is there.
fn left_text(left: &Left, region: &str) -> String {
    let price = match (&left.upkeep, left.gib) {
        (Upkeep::UpTo(_), Some(gib)) => {
            format!("{} for {gib} GiB", money::monthly(&left.upkeep))
        }
        (upkeep, _) => money::monthly(upkeep),
    };
    let of = format!("{} of {}", left.logical_id, left.stack);
    match &left.what {
        LeftKind::Kept => listed([format!("{of}, kept by its template"), price]),
        LeftKind::Snapshot => listed([format!("last snapshot of {of}"), price]),
        LeftKind::Backups { database, days } => {
            let of = database.as_deref().unwrap_or("the database");
            listed([format!("automated backups of {of} for {days} days"), price])
        }
        LeftKind::LogGroup { name } => {
            let rate = PriceKey::new(region, Meter::LogGib);
            let rate = Prices::table().find(&rate).map(|price| price.usd);
            let rate = rate.map_or("price unknown".to_owned(), |usd| {
                format!("{} a month per GiB", money::dollars(usd))
            });
            let text = format!("log group {name}, which never expires, if RDS has made it");
            listed([text, rate])
        }
    }
}
