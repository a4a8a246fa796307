//! Every check, each a pure function of the facts to at least one finding.

mod control_plane;
mod etcd;
mod nodes;
mod versions;
mod workloads;

use super::{Accepted, Check, Facts, Finding, Report, Verdict};
use crate::common::text::count;

/// Runs every check.
pub fn run(facts: &Facts, accepted: &Accepted) -> Report {
    let findings = Check::ALL.iter().flat_map(|check| {
        let found = one(*check, facts);
        debug_assert!(
            !found.is_empty(),
            "{check} found nothing, not even that all is well"
        );
        found
    });
    Report::new(findings.collect(), accepted)
}

fn one(check: Check, facts: &Facts) -> Vec<Finding> {
    match check {
        Check::VersionStep => vec![versions::step(facts)],
        Check::Stacks => versions::stacks(facts),
        Check::Lock => vec![versions::lock(facts)],
        Check::Drift => versions::drift(facts),
        Check::ApiServers => control_plane::api_servers(facts),
        Check::Kubelets => nodes::kubelets(facts),
        Check::Nodes => nodes::nodes(facts),
        Check::Etcd => etcd::members(facts),
        Check::EtcdStep => vec![etcd::step(facts)],
        Check::Snapshot => vec![etcd::snapshot(facts)],
        Check::DeprecatedApis => control_plane::deprecated(facts),
        Check::RemovedObjects => workloads::removed(facts),
        Check::Budgets => workloads::budgets(facts),
        Check::Pods => workloads::pods(facts),
        Check::Webhooks => workloads::webhooks(facts),
        Check::Certificates => control_plane::certificates(facts),
        Check::Downloads => versions::downloads(facts),
        Check::Addons => vec![versions::addons(facts)],
        Check::Capacity => nodes::capacity(facts),
    }
}

/// The findings, or that all is well where there are none.
fn or_pass(findings: Vec<Finding>, check: Check, says: impl Into<String>) -> Vec<Finding> {
    if findings
        .iter()
        .any(|finding| finding.verdict != Verdict::Pass)
    {
        return findings;
    }
    vec![Finding::pass(check, says)]
}

/// The first names of a list, and how many more there are.
fn named(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {}", count(more, "other")),
    }
}
