//! Nodes, their kubelets, and room for more of them.

use semver::Version;

use super::{Check, Facts, Finding, named, or_pass};
use crate::cloud::NodeState;
use crate::common::tags::SLOT_LABEL;
use crate::common::text::count;

/// How many minors older than the API servers a kubelet may be before an upgrade. Kubernetes allows three; one is left, so
/// that another upgrade stays possible while a pool can't be replaced.
const MAX_SKEW: u64 = 2;

/// The version that a kubelet or an image names: `v1.36.2`.
pub(super) fn version(text: &str) -> Option<Version> {
    text.strip_prefix('v').unwrap_or(text).parse().ok()
}

pub(super) fn kubelets(facts: &Facts) -> Vec<Finding> {
    let check = Check::Kubelets;
    let roll = format!("`kube-cfn roll {}`", facts.cluster);
    let nodes = match &facts.nodes {
        Ok(nodes) => nodes,
        Err(why) => return vec![Finding::unknown(check, why, api(facts))],
    };
    let names = |wanted: &dyn Fn(&NodeState, &Version) -> bool| -> Vec<String> {
        let is =
            |node: &&NodeState| version(&node.version).is_some_and(|found| wanted(node, &found));
        let found = nodes.iter().filter(is);
        found
            .map(|node| format!("{} ({})", node.name, node.version))
            .collect()
    };
    let mut findings = Vec::new();
    let unread: Vec<_> = nodes
        .iter()
        .filter(|node| version(&node.version).is_none())
        .map(|node| node.name.clone())
        .collect();
    if !unread.is_empty() {
        let why = format!("the kubelet version of {}", named(&unread));
        findings.push(Finding::unknown(check, &why, api(facts)));
    }
    let minor = |version: &Version| (version.major, version.minor);
    let newer = names(&|node, found| {
        server_of(facts, node).is_some_and(|server| minor(found) > minor(server))
    });
    if !newer.is_empty() {
        let says = format!(
            "newer than the API servers that they ask: {}",
            named(&newer)
        );
        findings.push(Finding::fail(
            check,
            says,
            format!("`kube-cfn roll {} --control-plane`", facts.cluster),
        ));
    }
    let least = facts.target.to.minor.saturating_sub(MAX_SKEW);
    let older = names(&|_, found| found.minor < least);
    if !older.is_empty() {
        let says = format!(
            "more than {MAX_SKEW} minors older than {}: {}",
            facts.target.to,
            named(&older)
        );
        findings.push(Finding::fail(check, says, roll));
    }
    let says = format!(
        "{}, none newer than the API servers or too old",
        count(nodes.len(), "kubelet")
    );
    or_pass(findings, check, says)
}

/// The API server that a kubelet may ask: on a control-plane node its own, elsewhere any, so the oldest.
fn server_of<'a>(facts: &'a Facts, node: &NodeState) -> Option<&'a Version> {
    let slot = node.labels.get(SLOT_LABEL);
    let servers = facts.api_servers.iter();
    let asked = servers.filter(|one| slot.is_none_or(|slot| *slot == one.slot.to_string()));
    let known = asked.filter_map(|one| one.pods.as_ref().ok());
    known.map(|pods| &pods.api_server).min()
}

pub(super) fn nodes(facts: &Facts) -> Vec<Finding> {
    let check = Check::Nodes;
    let nodes = match &facts.nodes {
        Ok(nodes) => nodes,
        Err(why) => return vec![Finding::unknown(check, why, api(facts))],
    };
    let mut findings: Vec<_> = nodes
        .iter()
        .filter_map(|node| {
            let trouble = node.trouble.as_ref()?;
            let says = format!("node {} is not Ready: {trouble}", node.name);
            let next = format!("`kube-cfn roll {} --node {}`", facts.cluster, node.name);
            Some(Finding::fail(check, says, next))
        })
        .collect();
    let cordoned = nodes
        .iter()
        .filter(|node| node.is_cordoned && node.roll.is_none());
    findings.extend(cordoned.map(|node| {
        let says = format!(
            "node {} is cordoned, not by kube-cfn: it is replaced like the others",
            node.name
        );
        Finding::warn(check, says, format!("kubectl uncordon {}", node.name))
    }));
    or_pass(
        findings,
        check,
        format!("{} Ready", count(nodes.len(), "node")),
    )
}

pub(super) fn capacity(facts: &Facts) -> Vec<Finding> {
    let check = Check::Capacity;
    let next = "a smaller --surge, or a higher quota";
    match &facts.capacity {
        Err(why) => vec![Finding::unknown(check, why, next)],
        Ok(capacity) => {
            let lacking = capacity.lacking.iter();
            let found = lacking
                .map(|says| Finding::warn(check, says, next))
                .collect();
            let extra = capacity.extra.values().map(|extra| *extra as usize).sum();
            or_pass(
                found,
                check,
                format!("room for {} more at a time", count(extra, "machine")),
            )
        }
    }
}

/// What to do where the API did not answer.
pub(super) fn api(facts: &Facts) -> String {
    format!(
        "`kube-cfn status {}` says whether the API answers",
        facts.cluster
    )
}
