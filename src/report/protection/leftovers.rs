//! What is left over outside the stacks: it costs or is in the way, and nothing uses it any more. Pure: it judges what
//! was found. Kinds, their names and what becomes of them are those of the sweep's table.

mod judge;
mod remaining;
mod unjudged;
mod uses;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::cloud::outside::OutsideKind;
use crate::common::text::{clean, listed_line};
use crate::forecast::prices::Prices;
use crate::report::outside::{more_of, short};
use crate::sweep::kinds::row;
use crate::sweep::{Found, Inventory, Seen};
use judge::{is_balancer, is_free_volume, is_made_rule, maker};

/// Lines that one kind has on a screen, for each state.
const SHOWN: usize = 10;
/// Names that a line about several has.
const NAMED: usize = 5;

/// What was read.
pub struct LeftoverFacts<'a> {
    pub cluster: &'a str,
    /// The cluster as it is named to a command.
    pub argument: &'a str,
    pub region: &'a str,
    pub inventory: &'a Inventory,
    /// Needed only where [`asks_kubernetes`] says so.
    pub kubernetes: &'a Seen,
    /// Whether it was asked at the end of a tunnel.
    pub is_tunnelled: bool,
    /// Ids of the security groups that network interfaces have, or why those could not be listed.
    pub used_groups: &'a Result<BTreeSet<String>, String>,
    /// The run that holds the operation lock, or why that is not known.
    pub operation: &'a Result<Option<String>, String>,
    /// Whether a deletion has come as far as the network's stack and not further.
    pub is_network_stuck: bool,
    /// Where there is no stack at all: how many parameters there are, or why that is not known.
    pub parameters_left: Option<&'a Result<usize, String>>,
    pub prices: &'a Prices,
    pub now: Timestamp,
}

/// Something outside the stacks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// `None` where nothing could be looked for.
    pub kind: Option<OutsideKind>,
    /// `None` where it is about several resources, or about a kind.
    pub id: Option<String>,
    pub state: LeftoverState,
    /// The state in words.
    pub text: String,
    pub bytes: Option<u64>,
    /// US dollars by list prices; `None` where that is not known.
    pub monthly_usd: Option<f64>,
    /// The command that ends it.
    pub next: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LeftoverState {
    /// Nothing uses it.
    Orphaned,
    /// A command that runs ends it.
    Ending,
    /// It keeps the network's stack from being deleted, and a deletion does not touch it.
    Holding,
    /// A deletion keeps it on purpose, and there is no stack any more.
    Kept,
    /// Nobody holds it against what might use it.
    NotCompared,
    /// It could not be looked for, or what would use it could not be asked.
    Unknown,
}

/// Whether Kubernetes knows what is to be judged: Services and Ingresses of load balancers and of rules, claims of volumes
/// that no machine has. One that a machine has is in use, whatever it says.
pub fn asks_kubernetes(inventory: &Inventory) -> bool {
    let mut all = inventory.found.iter();
    all.any(|found| {
        is_balancer(found) && maker(found).is_some() || is_made_rule(found) || is_free_volume(found)
    })
}

/// Where nothing outside the stacks could be looked for.
pub fn not_looked_for(why: &str) -> Leftover {
    Leftover {
        kind: None,
        id: None,
        state: LeftoverState::Unknown,
        text: format!("nothing could be looked for: {}", clean(why)),
        bytes: None,
        monthly_usd: None,
        next: None,
    }
}

/// What is left over, by kind, and what could not be judged.
pub fn leftovers(facts: &LeftoverFacts<'_>) -> Vec<Leftover> {
    let found = facts.inventory.found.iter();
    let mut all: Vec<Leftover> = found.filter_map(|found| facts.judge(found)).collect();
    all.extend(facts.parameters());
    all.extend(facts.unjudged());
    all.extend(facts.not_compared());
    all.extend(facts.inventory.unknown.iter().map(|unknown| Leftover {
        kind: Some(unknown.kind),
        text: format!(
            "{}: could not be looked for: {}",
            row(unknown.kind).name,
            clean(&unknown.why)
        ),
        ..not_looked_for("")
    }));
    all
}

/// How many are in a state.
pub fn number_in(all: &[Leftover], state: LeftoverState) -> usize {
    all.iter().filter(|one| one.state == state).count()
}

/// The lines of `doctor`: each with the command below it.
pub(in crate::report) fn lines(all: &[Leftover]) -> Vec<String> {
    if all.is_empty() {
        return vec![line("ok", "nothing is left over there")];
    }
    let mut lines = Vec::new();
    let is_like =
        |one: &Leftover, other: &Leftover| (one.kind, one.state) == (other.kind, other.state);
    let mut seen: BTreeMap<(Option<OutsideKind>, LeftoverState), usize> = BTreeMap::new();
    for (at, one) in all.iter().enumerate() {
        let seen = seen.entry((one.kind, one.state)).or_default();
        *seen += 1;
        let is_last_shown = *seen == SHOWN;
        if *seen > SHOWN {
            continue;
        }
        let mark = mark(one.state);
        lines.push(line(mark, &one.text));
        // A command that is for several is below the last of them.
        let after = all.get(at + 1).filter(|_| !is_last_shown);
        let is_last = after.is_none_or(|after| after.next != one.next);
        let next = one.next.as_ref().filter(|_| is_last);
        lines.extend(next.map(|next| listed_line("   ", &format!("next: {next}"))));
        let number = all.iter().filter(|other| is_like(one, other)).count();
        let more = number.saturating_sub(SHOWN);
        if let Some(kind) = one.kind.filter(|_| is_last_shown && more > 0) {
            let text = format!("and {}; -o json lists all", more_of(kind, more));
            lines.push(line(mark, &text));
        }
    }
    lines
}

fn mark(state: LeftoverState) -> &'static str {
    match state {
        LeftoverState::Orphaned | LeftoverState::Holding => "!!",
        LeftoverState::Ending | LeftoverState::Kept | LeftoverState::NotCompared => "--",
        LeftoverState::Unknown => "??",
    }
}

fn line(mark: &str, text: &str) -> String {
    listed_line("", &format!("{mark} {:<14} {text}", "outside"))
}

/// One line about several resources of a kind; `None` for none.
fn several<'a>(found: impl Iterator<Item = &'a Found>, why: &str) -> Option<Leftover> {
    let found: Vec<&Found> = found.collect();
    let first = found.first()?;
    let names: Vec<String> = found
        .iter()
        .take(NAMED)
        .map(|one| short(&one.resource))
        .collect();
    let more = match found.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let bytes: u64 = found.iter().filter_map(|one| one.resource.bytes).sum();
    Some(Leftover {
        kind: Some(first.resource.kind),
        text: format!(
            "{}: {}{more}: {why}",
            row(first.resource.kind).counted(found.len()),
            names.join(", ")
        ),
        bytes: (bytes > 0).then_some(bytes),
        ..not_looked_for("")
    })
}
