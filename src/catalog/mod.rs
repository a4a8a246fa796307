//! Data that the tool is built with: Kubernetes versions, node binaries, addons, machine images,
//! durations, regions, instance types, database engines, resources that hold data, hints against failures, causes for
//! which a machine does not boot.
//! Look-up only: no I/O, no rules.
//!
//! The tables live in `data/*.json`, each naming its source; a new figure is one line there.

pub mod addons;
pub mod boot_causes;
pub mod durations;
pub mod engines;
pub mod hints;
pub mod images;
pub mod instances;
pub mod kubernetes;
pub mod permissions;
pub mod regions;
pub mod resources;

/// A table of this program: `text` is the file `name` in `data/`.
fn table<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> T {
    serde_json::from_str(text)
        .unwrap_or_else(|error| unreachable!("{name} is part of this program and parses: {error}"))
}
