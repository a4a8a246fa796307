//! The slow small things that need nothing: encryption key, state bucket, identities of the machines.

use serde::Serialize;

use super::fields::{Row, row};
use super::parts::{self, Inputs};
use super::{DesignError, Stack, StackKind};
use crate::spec::ClusterSpec;
use crate::templates::Templates;

/// Which field decides what in this stack.
pub(super) const FIELDS: &[Row] = &[
    row("Key", "Properties.PendingWindowInDays", &["protect"]),
    row("Key", "Properties.KeyPolicy", &["access.issuers"]),
    row("*", "", &["name"]),
];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    /// Days in which a deleted key can be called back.
    pending_days: u8,
    issuers: &'a [String],
    roles: [Role; 2],
}

/// Who boots from the state bucket, and what it may read.
#[derive(Serialize)]
struct Role {
    /// Start of its logical ids.
    id: &'static str,
    name: &'static str,
    who: &'static str,
    /// Paths below `/kube-cfn/<cluster>/`.
    reads: &'static [&'static str],
    /// Those of them that hold encrypted parameters.
    secrets: &'static [&'static str],
    /// Start of the names of its bundles.
    bundles: &'static str,
}

const ROLES: [Role; 2] = [
    Role {
        id: "ControlPlane",
        name: "control-plane",
        who: "the control plane",
        reads: &["cp", "pub", "state", "worker"],
        secrets: &["cp", "worker"],
        bundles: "control-plane",
    },
    Role {
        id: "Node",
        name: "node",
        who: "the nodes of the pools",
        reads: &["pub", "worker"],
        secrets: &["worker"],
        bundles: "pool",
    },
];

pub(super) fn design(spec: &ClusterSpec, templates: &Templates) -> Result<Stack, DesignError> {
    let context = Context {
        cluster: &spec.name,
        pending_days: if spec.protect { 30 } else { 7 },
        issuers: &spec.access.issuers,
        roles: ROLES,
    };
    let name = "stacks/base.yaml.tera";
    let data = templates.render_data(name, &context)?;
    let mut stack = parts::stack(spec, StackKind::Base, name, data, Inputs::default())?;
    stack.capabilities = vec!["CAPABILITY_IAM".to_owned()];
    Ok(stack)
}
