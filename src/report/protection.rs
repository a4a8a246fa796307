//! The layers that protect a cluster's data, and what is left over outside its stacks: as data and for people.

mod authorities;
mod leftovers;
mod nodes;
mod snapshots;

pub use authorities::{CopyRead, copy_layer, parameter_layers, unlisted_layer, validity_layer};
pub(super) use leftovers::lines;
pub use leftovers::{
    Leftover, LeftoverFacts, LeftoverState, asks_kubernetes, leftovers, not_looked_for, number_in,
};
pub use nodes::node_certificates_layer;
pub use snapshots::snapshot_layer;

use std::collections::BTreeSet;

use serde::Serialize;

use crate::cloud::outside::OutsideKind;
use crate::common::text::listed_line;
use crate::plan::protection::{LayerState, ProtectionLayer};
use crate::sweep::kinds::row;

/// What was found, as data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Findings {
    pub cluster: String,
    pub layers: Vec<ProtectionLayer>,
    /// Stacks that should hold data and do not exist, or can't be checked in their present status.
    pub stacks: Vec<String>,
    /// Whether a deletion has come as far as the network and not further: then what protects data is not checked.
    pub half_deleted: bool,
    /// Whether there is no stack at all: then what protects data is not checked either.
    pub gone: bool,
    /// What lies outside the stacks, costs or is in the way, and is used by nothing.
    pub leftovers: Vec<Leftover>,
}

impl Findings {
    /// How many things outside the stacks are used by nothing.
    pub fn orphaned(&self) -> usize {
        number_in(&self.leftovers, LeftoverState::Orphaned)
    }

    /// How much of what lies outside the stacks could not be looked for, or could not be judged.
    pub fn not_judged(&self) -> usize {
        number_in(&self.leftovers, LeftoverState::Unknown)
    }

    /// The same in words: whether these are used is not known. `None` where everything is.
    pub fn not_judged_kinds(&self) -> Option<String> {
        let all = self.leftovers.iter();
        let mut all = all
            .filter(|one| one.state == LeftoverState::Unknown)
            .peekable();
        all.peek()?;
        let kinds: Option<BTreeSet<OutsideKind>> = all.map(|one| one.kind).collect();
        let Some(kinds) = kinds else {
            return Some("what lies outside the stacks".to_owned());
        };
        let names: Vec<&str> = kinds.into_iter().map(|kind| row(kind).plural).collect();
        let names = names.join(", ");
        Some(format!(
            "whether these are in use outside the stacks: {names}"
        ))
    }

    /// The command that looks where this one could not.
    pub fn looks_closer(&self) -> Option<&str> {
        let mut all = self.leftovers.iter();
        let first = all.find(|one| one.state == LeftoverState::Unknown && one.next.is_some())?;
        first.next.as_deref()
    }

    /// How many layers and stacks are missing.
    pub fn missing(&self) -> usize {
        self.count(LayerState::Missing) + self.stacks.len()
    }

    /// How many layers could not be checked.
    pub fn unknown(&self) -> usize {
        self.count(LayerState::Unknown)
    }

    fn count(&self, state: LayerState) -> usize {
        self.layers
            .iter()
            .filter(|layer| layer.state == state)
            .count()
    }
}

/// The findings for people.
pub fn text(found: &Findings) -> String {
    let line = |layer: &ProtectionLayer| {
        let mark = match layer.state {
            LayerState::Holds => "ok",
            LayerState::Open => "--",
            LayerState::Missing => "!!",
            LayerState::Unknown => "??",
        };
        let whose = layer.resource.as_ref().map(|one| format!("{one}: "));
        let (stack, whose) = (layer.stack.to_string(), whose.unwrap_or_default());
        format!("{mark} {stack:<14} {whose}{}: {}", layer.layer, layer.text)
    };
    let mut lines = Vec::new();
    if found.half_deleted {
        let text = "is left of a deletion that has not ended; what protects data is not checked";
        lines.push(listed_line("", &format!("!! {:<14} {text}", "network")));
        let next = format!("next: `kube-cfn delete {}` goes on with it", found.cluster);
        lines.push(listed_line("   ", &next));
    }
    if found.gone {
        let text = format!(
            "{} has none; what protects data is not checked",
            found.cluster
        );
        lines.push(listed_line("", &format!("-- {:<14} {text}", "stacks")));
    }
    for layer in &found.layers {
        lines.push(listed_line("", &line(layer)));
        let next = layer.next.as_ref().map(|next| format!("next: {next}"));
        lines.extend(next.map(|next| listed_line("   ", &next)));
    }
    lines.extend(leftovers::lines(&found.leftovers));
    let stacks = found.stacks.iter();
    lines.extend(stacks.map(|stack| listed_line("", &format!("!! {stack}"))));
    lines.join("\n")
}
