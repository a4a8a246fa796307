//! The API servers: their versions, what is asked of them, their certificates.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use semver::Version;

use super::nodes::api;
use super::{Check, Facts, Finding, named, or_pass};
use crate::common::duration;
use crate::etcd::DeprecatedApi;

/// How long certificates must last: an upgrade renews those of the nodes, which have a year.
const LEAST_CERTIFICATE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// One version, or two of which the later one is the wanted: an upgrade that stopped half-way goes on.
pub(super) fn api_servers(facts: &Facts) -> Vec<Finding> {
    let check = Check::ApiServers;
    let mut findings = Vec::new();
    let mut versions: BTreeMap<&Version, Vec<String>> = BTreeMap::new();
    for server in &facts.api_servers {
        match &server.pods {
            Ok(pods) => {
                versions
                    .entry(&pods.api_server)
                    .or_default()
                    .push(server.slot.to_string());
                if let Some(trouble) = &pods.trouble {
                    let says = format!(
                        "the API server of node {} is not Ready: {trouble}",
                        server.slot
                    );
                    findings.push(Finding::fail(
                        check,
                        says,
                        format!("`kube-cfn diagnose {}`", facts.cluster),
                    ));
                }
            }
            Err(why) => {
                let why = format!("the API server of node {} ({why})", server.slot);
                findings.push(Finding::unknown(check, &why, api(facts)));
            }
        }
    }
    let all: Vec<_> = versions
        .iter()
        .map(|(version, slots)| format!("{version} ({})", slots.join(", ")))
        .collect();
    // Whatever the stack says: machines may be older than it.
    let to = &facts.target.to;
    let before: Vec<&&Version> = versions.keys().filter(|version| **version != to).collect();
    let is_step = |version: &Version| {
        version.major == to.major && version < to && to.minor - version.minor <= 1
    };
    if before.len() > 1 || !before.iter().all(|version| is_step(version)) {
        let says = format!(
            "they run {}: not one version that goes to {to} in one step",
            all.join(", ")
        );
        let next = format!("`kube-cfn roll {} --control-plane`", facts.cluster);
        findings.push(Finding::fail(check, says, next));
    }
    or_pass(findings, check, all.join(", "))
}

/// Requests that the wanted version would refuse, asked on each API server: a load balancer answers with one of them.
pub(super) fn deprecated(facts: &Facts) -> Vec<Finding> {
    let check = Check::DeprecatedApis;
    let mut findings = Vec::new();
    let mut asked: BTreeMap<String, BTreeSet<&DeprecatedApi>> = BTreeMap::new();
    let mut shortest = None;
    for server in &facts.api_servers {
        match &server.requests {
            Err(why) => {
                let why = format!(
                    "the requests to the API server of node {} ({why})",
                    server.slot
                );
                let next = format!("`kube-cfn status {}`", facts.cluster);
                findings.push(Finding::unknown(check, &why, next));
            }
            Ok(requests) => {
                shortest = shortest.max(Some(requests.since));
                let removed = requests
                    .deprecated
                    .iter()
                    .filter(|one| is_removed(one, &facts.target.to));
                for one in removed {
                    asked.entry(one.api_version()).or_default().insert(one);
                }
            }
        }
    }
    for (api_version, all) in asked {
        let resources: Vec<_> = all.iter().map(|one| one.resource.clone()).collect();
        let says = format!(
            "{} of {api_version} is asked for; {} does not serve it",
            named(&resources),
            facts.target.to
        );
        let next = "change what asks for it to a newer version of the API".to_owned();
        findings.push(
            Finding::fail(check, says, next).by(format!("--accept-deprecated {api_version}")),
        );
    }
    let since = shortest.map(|since| duration::age(facts.now.duration_since(since)));
    let says = match since {
        Some(since) => format!("none in {since}, as long as every API server runs"),
        None => "no API server is known".to_owned(),
    };
    or_pass(findings, check, says)
}

/// Whether a version serves an API no more: the minor of its removal is as old or older. None is planned where it is empty;
/// one that can't be read counts.
fn is_removed(one: &DeprecatedApi, target: &Version) -> bool {
    let removed = one.removed_in.split_once('.').and_then(|(major, minor)| {
        let (major, minor): (u64, u64) = (major.parse().ok()?, minor.parse().ok()?);
        Some((major, minor))
    });
    !one.removed_in.is_empty()
        && removed.is_none_or(|removed| removed <= (target.major, target.minor))
}

pub(super) fn certificates(facts: &Facts) -> Vec<Finding> {
    let check = Check::Certificates;
    let next = format!("`kube-cfn certs status {}`", facts.cluster);
    let found = facts
        .certificates
        .iter()
        .filter_map(|one| match &one.expires {
            Err(why) => {
                let why = format!("{} of node {} ({why})", one.name, one.slot);
                Some(Finding::unknown(check, &why, &next))
            }
            Ok(end) if end.duration_since(facts.now) < LEAST_CERTIFICATE => {
                let says = format!("{} of node {} ends at {end}", one.name, one.slot);
                Some(Finding::fail(check, says, &next))
            }
            Ok(_) => None,
        });
    let first = facts
        .certificates
        .iter()
        .filter_map(|one| one.expires.as_ref().ok())
        .min();
    let says = first.map(|end| duration::age(end.duration_since(facts.now)));
    match (says, facts.certificates.is_empty()) {
        (_, true) => vec![Finding::unknown(check, "no certificate is known", next)],
        (says, false) => or_pass(
            found.collect(),
            check,
            format!("the first ends in {}", says.unwrap_or_default()),
        ),
    }
}
