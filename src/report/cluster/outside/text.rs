//! The lines of what lies outside the stacks, a kind each.

use super::OutsideRow;
use crate::cloud::outside::OutsideKind;
use crate::common::text::{clean, count};
use crate::report::outside::{more_of, purpose, short, size};
use crate::sweep::kinds::row;
use crate::sweep::{Owner, Past, Purpose, UnknownKind};

/// Names that one line has.
pub(super) const SHOWN: usize = 5;

/// `load balancers, volumes`
pub(super) fn plurals<'a>(all: impl Iterator<Item = &'a UnknownKind>) -> String {
    let names: Vec<&str> = all.map(|one| row(one.kind).plural).collect();
    names.join(", ")
}

pub(super) fn balancers_text(rows: &[&OutsideRow]) -> Option<String> {
    let name = |row: &&OutsideRow| match &row.found.purpose {
        Some(Purpose::Service(name) | Purpose::Ingress(name)) => clean(name),
        Some(_) | None => short(&row.found.resource),
    };
    let names = few(rows.iter().map(name).collect());
    (!rows.is_empty()).then(|| format!("{} for {names}", count(rows.len(), "load balancer")))
}

/// Claims by name; volumes of none by their ids. Those of an earlier cluster apart.
pub(super) fn volumes_text(rows: &[&OutsideRow]) -> Vec<String> {
    let is_earlier = |row: &&&OutsideRow| row.found.owner == Owner::Past(Past::Earlier);
    let (earlier, own): (Vec<&OutsideRow>, Vec<&OutsideRow>) = rows.iter().partition(is_earlier);
    let own = of_volumes(&own, "");
    let earlier = of_volumes(&earlier, " of an earlier cluster");
    own.into_iter().chain(earlier).collect()
}

fn of_volumes(rows: &[&OutsideRow], whose: &str) -> Option<String> {
    let (with, without): (Vec<&OutsideRow>, Vec<&OutsideRow>) =
        rows.iter().partition(|row| row.claim().is_some());
    let claims: Vec<String> = with.iter().filter_map(|row| row.claim()).collect();
    let ids: Vec<String> = without.iter().map(|row| row.id().to_owned()).collect();
    let bytes = rows
        .iter()
        .filter_map(|row| row.found.resource.bytes)
        .sum::<u64>();
    let claims = (!claims.is_empty()).then(|| format!("claims {}", few(claims)));
    let ids = (!ids.is_empty()).then(|| format!("without a claim: {}", few(ids)));
    let names: Vec<String> = claims.into_iter().chain(ids).collect();
    (!rows.is_empty()).then(|| {
        let number = count(rows.len(), "volume");
        format!("{number}{whose}, {}: {}", size(bytes), names.join("; "))
    })
}

pub(super) fn machines_text(rows: &[&OutsideRow]) -> Option<String> {
    let name = |row: &&OutsideRow| match &row.found.resource.state {
        Some(state) => format!("{} ({})", row.id(), clean(state)),
        None => row.id().to_owned(),
    };
    if rows.is_empty() {
        return None;
    }
    let machines = count(rows.len(), "machine");
    let names = few(rows.iter().map(name).collect());
    Some(format!(
        "{machines} in no Auto Scaling group any more: {names}"
    ))
}

/// What is left, by kinds: counted where Kubernetes made it, named where a stack left it.
pub(super) fn others_text(rows: &[&OutsideRow], cluster: &str) -> Vec<String> {
    let (left, made): (Vec<&OutsideRow>, Vec<&OutsideRow>) =
        rows.iter().partition(|row| row.is_left());
    let (waiting, made): (Vec<&OutsideRow>, Vec<&OutsideRow>) = made
        .iter()
        .partition(|row| row.found.resource.is_scheduled());
    let waiting = waiting.into_iter().map(|row| {
        let end = row.end.as_deref().unwrap_or_default();
        format!("{}, {end}", row.name())
    });
    let kinds = OutsideKind::ALL.into_iter().filter_map(|kind| {
        let of_kind = || made.iter().filter(move |row| row.kind() == kind);
        let number = of_kind().count();
        let bytes = of_kind()
            .filter_map(|row| row.found.resource.bytes)
            .sum::<u64>();
        let bytes = (bytes > 0).then(|| format!(" ({})", size(bytes)));
        (number > 0).then(|| row(kind).counted(number) + &bytes.unwrap_or_default())
    });
    let kinds: Vec<String> = kinds.collect();
    let names = OutsideKind::ALL.into_iter().flat_map(|kind| {
        let of_kind: Vec<_> = left.iter().filter(|row| row.kind() == kind).collect();
        let more = of_kind.len().saturating_sub(SHOWN);
        let more = (more > 0)
            .then(|| format!("and {} that stacks left, see -o json", more_of(kind, more)));
        let shown = of_kind.into_iter().take(SHOWN);
        shown
            .map(|row| format!("{}, {}", row.name(), purpose(&row.found, cluster)))
            .chain(more)
            .collect::<Vec<_>>()
    });
    let made = (!kinds.is_empty()).then(|| kinds.join(", "));
    made.into_iter().chain(names).chain(waiting).collect()
}

/// Everything by kind, name and purpose.
pub(super) fn named(rows: &[&OutsideRow]) -> String {
    let name = |row: &&OutsideRow| format!("{} {}", row.found.row().name, row.named());
    rows.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// A line for each kind: how many there are, and the first of them.
pub(super) fn named_by_kind(before: &str, rows: &[&OutsideRow]) -> Vec<String> {
    let kinds = OutsideKind::ALL.into_iter().filter_map(|kind| {
        let of_kind = rows.iter().filter(|row| row.kind() == kind);
        let names: Vec<String> = of_kind.map(|row| row.named()).collect();
        let number = row(kind).counted(names.len());
        (!names.is_empty()).then(|| format!("{before}{number}: {}", few(names)))
    });
    kinds.collect()
}

/// The first names in their order, and how many more there are.
fn few(mut names: Vec<String>) -> String {
    names.sort();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let text = names.join(", ");
    if more == 0 {
        return text;
    }
    format!("{text} and {more} more, see -o json")
}
