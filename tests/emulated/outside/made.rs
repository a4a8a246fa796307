//! What a cluster and others have outside stacks: it is made and listed through AWS's own SDK, by the programs beside this
//! file.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::process::Said;
use crate::tools::tool;
use crate::world::World;

const MAKE: &str = include_str!("make.py");
const LIST: &str = include_str!("list.py");

/// Ids by kind, as `list.py` names the kinds.
pub struct Made(BTreeMap<String, Vec<String>>);

/// Everything in an account, by `KIND ID`, with AWS's own facts of each.
pub struct Listing(BTreeMap<String, Value>);

fn python(world: &World, arguments: &[&str]) -> String {
    let mut command = Command::new(tool("python"));
    world.furnish(&mut command);
    Said::of(command.arg("-c").args(arguments))
        .ends(0)
        .stdout
        .clone()
}

fn make(world: &World, what: &str) -> Made {
    let text = python(world, &[MAKE, &world.name, what]);
    Made(serde_json::from_str(&text).expect("ids by kind"))
}

/// What Kubernetes made for the cluster, and the machine of its pool, detached.
pub fn ours(world: &World) -> Made {
    make(world, "ours")
}

/// What others have elsewhere in the account: without a tag, of another cluster, shared.
pub fn beside(world: &World) -> Made {
    make(world, "beside")
}

/// What others put into the VPC of the cluster.
pub fn inside(world: &World) -> Made {
    make(world, "inside")
}

/// What there is.
pub fn list(world: &World) -> Listing {
    Listing(serde_json::from_str(&python(world, &[LIST])).expect("facts by id"))
}

impl Made {
    pub fn of(&self, kind: &str) -> &[String] {
        self.0.get(kind).map_or(&[], Vec::as_slice)
    }

    /// `KIND ID` of every one.
    pub fn keys(&self) -> BTreeSet<String> {
        let keys = self.0.iter();
        keys.flat_map(|(kind, ids)| ids.iter().map(move |id| format!("{kind} {id}")))
            .collect()
    }

    /// `KIND ID` of every one but those of some kinds.
    pub fn keys_without(&self, kinds: &[&str]) -> BTreeSet<String> {
        let other = |key: &String| !kinds.iter().any(|kind| is_of(key, kind));
        self.keys().into_iter().filter(other).collect()
    }

    /// What a person reads of every one of a kind: an id, or the name in an ARN.
    pub fn names(&self, kind: &str) -> Vec<&str> {
        self.of(kind).iter().map(|id| name(id)).collect()
    }
}

/// The name in the ARN of a load balancer or target group; else the id.
fn name(id: &str) -> &str {
    let parts: Vec<&str> = id.rsplit('/').collect();
    match (id.starts_with("arn:aws:elasticloadbalancing:"), &parts[..]) {
        (true, [_, name, ..]) => name,
        _ => id,
    }
}

fn is_of(key: &str, kind: &str) -> bool {
    key.split_once(' ').is_some_and(|(found, _)| found == kind)
}

impl Listing {
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub fn of(&self, kind: &str) -> BTreeSet<String> {
        self.keys()
            .into_iter()
            .filter(|key| is_of(key, kind))
            .collect()
    }

    pub fn keys(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub fn facts(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or_else(|| panic!("no {key}"))
    }

    /// None of these is there.
    #[track_caller]
    pub fn has_none_of(&self, keys: &BTreeSet<String>) {
        let left: Vec<_> = keys.iter().filter(|key| self.has(key)).collect();
        assert!(left.is_empty(), "still there: {left:#?}");
    }

    /// All of these are there, exactly as they were.
    #[track_caller]
    pub fn has_unchanged(&self, before: &Self, keys: &BTreeSet<String>) {
        for key in keys {
            assert!(self.has(key), "{key} is gone");
            assert_eq!(self.facts(key), before.facts(key), "{key} has changed");
        }
    }

    /// Nothing else than these is there.
    #[track_caller]
    pub fn has_only(&self, known: &[&BTreeSet<String>]) {
        let is_known = |key: &String| known.iter().any(|some| some.contains(key));
        let more: Vec<_> = self
            .keys()
            .into_iter()
            .filter(|key| !is_known(key))
            .collect();
        assert!(more.is_empty(), "not known before: {more:#?}");
    }

    /// Everything is as it was.
    #[track_caller]
    pub fn is(&self, before: &Self) {
        self.has_unchanged(before, &before.keys());
        self.has_only(&[&before.keys()]);
    }
}
