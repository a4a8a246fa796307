//! What a deletion removes outside the stacks, what it leaves alone because it is somebody else's, and what it could not
//! look for.

use std::collections::BTreeSet;

use super::contents::Contents;
use super::kept::more;
use super::page::{Mark, Page, SHOWN, listed};
use super::{DeletionView, commands, names};
use crate::cloud::outside::OutsideKind;
use crate::common::text::clean;
use crate::sweep::kinds::row;
use crate::sweep::{Found, Owner, Seen, UnknownKind};

/// What is removed, by kind.
pub(super) fn removed(page: &mut Page, view: &DeletionView<'_>, contents: &Contents<'_>) {
    let (with_others, own): (Vec<&Found>, Vec<&Found>) = contents
        .removed
        .iter()
        .partition(|found| found.resource.by_aws);
    if own.is_empty() && with_others.is_empty() {
        return;
    }
    let by = match view.kubernetes {
        Seen::Objects(_) => "removed, by Kubernetes's controllers or by AWS's calls:",
        Seen::NoApi | Seen::Silent(_) => "removed, by AWS's calls:",
    };
    page.line(2, by);
    for kind in OutsideKind::ALL {
        let of_kind = own.iter().filter(|found| found.resource.kind == kind);
        removed_kind(page, view, kind, &of_kind.copied().collect::<Vec<_>>());
    }
    if !with_others.is_empty() {
        let kinds: BTreeSet<OutsideKind> = kinds(&with_others);
        let counted = kinds.into_iter().map(|kind| {
            let of_kind = with_others.iter().filter(|it| it.resource.kind == kind);
            names::counted(kind, of_kind.count())
        });
        let text = format!(
            "{}, which AWS removes with what {}, within minutes",
            listed(counted),
            if with_others.len() == 1 {
                "it belongs to"
            } else {
                "they belong to"
            }
        );
        page.entry(4, Mark::Removed, &text);
    }
}

fn kinds(all: &[&Found]) -> BTreeSet<OutsideKind> {
    all.iter().map(|found| found.resource.kind).collect()
}

fn removed_kind(page: &mut Page, view: &DeletionView<'_>, kind: OutsideKind, all: &[&Found]) {
    if all.is_empty() {
        return;
    }
    let end = if kind == OutsideKind::Bucket {
        ", deleted with everything in it"
    } else if kind == OutsideKind::Key {
        ", disabled now, and deleted for good in 30 days with all that is encrypted with it"
    } else {
        ""
    };
    let mark = if end.is_empty() {
        Mark::Removed
    } else {
        Mark::Warning
    };
    let text = |found: &Found| {
        listed([
            names::short(&found.resource),
            found.resource.bytes.map(names::size).unwrap_or_default(),
            names::purpose(found, &view.plan.cluster),
        ])
    };
    if let [only] = all {
        page.entry(4, mark, &format!("{} {}{end}", row(kind).name, text(only)));
        return;
    }
    let head = format!("{}{end}", names::counted(kind, all.len()));
    page.entry(4, mark, &head);
    for found in all.iter().take(SHOWN) {
        page.line(6, &text(found));
    }
    more(page, 6, all.len());
}

/// What others have in the VPC.
pub(super) fn foreign(page: &mut Page, view: &DeletionView<'_>, contents: &Contents<'_>) {
    let (own, foreign): (Vec<&Found>, Vec<&Found>) = contents
        .foreign
        .iter()
        .partition(|found| found.owner == Owner::Stack);
    let (holding, others): (Vec<&Found>, Vec<&Found>) = foreign
        .iter()
        .partition(|found| row(found.resource.kind).holds_network);
    let cluster = &view.plan.cluster;
    if !own.is_empty() {
        let text = "made by stacks that are gone, and of kinds that are not deleted one by one:";
        page.entry(2, Mark::Warning, text);
        rows(page, view, &own);
        delete_commands(page, view, &own, "To delete them");
    }
    if !others.is_empty() {
        page.line(2, &format!("not {cluster}'s, and left alone:"));
        rows(page, view, &others);
    }
    if holding.is_empty() {
        return;
    }
    let text = format!(
        "not {cluster}'s, and never touched; {cluster}-network can't be deleted while these are in its VPC:"
    );
    page.entry(2, Mark::Warning, &text);
    rows(page, view, &holding);
    let text = format!(
        "All else of {cluster} is deleted all the same. Ask their owners to move or delete them, before or after that; \
         then this command deletes the rest."
    );
    page.line(5, &text);
    delete_commands(page, view, &holding, "Where nobody needs them");
}

/// A command for each that does not go with another one.
fn delete_commands(page: &mut Page, view: &DeletionView<'_>, all: &[&Found], when: &str) {
    let kinds = commands::delete_all(all, view.region);
    if kinds.is_empty() {
        return;
    }
    let order = if kinds.len() > 1 {
        ", in this order (AWS takes some minutes to release what uses another one: where it refuses, repeat)"
    } else {
        ""
    };
    page.line(5, &format!("{when}{order}:"));
    for (_, commands) in kinds {
        for command in commands.iter().take(SHOWN) {
            page.command(7, command);
        }
        more(page, 7, commands.len());
    }
}

fn rows(page: &mut Page, view: &DeletionView<'_>, all: &[&Found]) {
    for kind in kinds(all) {
        let of_kind: Vec<&&Found> = all
            .iter()
            .filter(|found| found.resource.kind == kind)
            .collect();
        for found in of_kind.iter().take(SHOWN) {
            let text = listed([
                format!("{} {}", row(kind).name, names::short(&found.resource)),
                names::foreign(found, &view.plan.cluster),
            ]);
            page.line(5, &text);
        }
        more(page, 5, of_kind.len());
    }
}

/// What could not be looked for: it may be there, cost something and hold the network.
pub(super) fn unknown(page: &mut Page, view: &DeletionView<'_>) {
    let all = &view.inventory.unknown;
    if all.is_empty() {
        return;
    }
    let kinds = listed(all.iter().map(|unknown| row(unknown.kind).plural()));
    page.entry(2, Mark::Warning, &format!("could not look for {kinds}:"));
    for (why, of_kinds) in by_reason(all) {
        page.line(5, &clean(why));
        let actions: BTreeSet<&str> = of_kinds
            .iter()
            .flat_map(|kind| commands::actions(*kind))
            .copied()
            .collect();
        let actions: Vec<&str> = actions.into_iter().collect();
        page.line(7, &format!("to look takes {}", actions.join(", ")));
    }
    page.line(5, &what_it_means(view));
}

fn what_it_means(view: &DeletionView<'_>) -> String {
    let cluster = &view.plan.cluster;
    let mut unknown = view.inventory.unknown.iter();
    let network = if unknown.any(|unknown| row(unknown.kind).holds_network) {
        format!(", and may keep {cluster}-network from being deleted")
    } else {
        String::new()
    };
    let then = if view.accepts_unknown {
        "That is accepted."
    } else {
        "Nothing is deleted while that is unknown: fix the causes, or add `--accept unknown`."
    };
    format!("What there is of them stays and costs money{network}. {then}")
}

/// The kinds by what kept from looking, which often is the same for several.
fn by_reason(all: &[UnknownKind]) -> Vec<(&str, Vec<OutsideKind>)> {
    let mut reasons: Vec<(&str, Vec<OutsideKind>)> = Vec::new();
    for unknown in all {
        match reasons.iter_mut().find(|(why, _)| *why == unknown.why) {
            Some((_, kinds)) => kinds.push(unknown.kind),
            None => reasons.push((&unknown.why, vec![unknown.kind])),
        }
    }
    reasons
}
