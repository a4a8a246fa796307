//! Who reaches the API and who may issue credentials.

use super::Violation;
use crate::spec::{ClusterSpec, Exposure};

/// Shorter credentials would end while a person still reads the first error.
const SHORTEST_TTL: u64 = 10 * 60;
/// A certificate can't be taken back: thirty days is the longest anyone should have to wait.
pub const LONGEST_TTL: u64 = 30 * 24 * 3600;

pub(super) fn check(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    api(spec, broken);
    issuers(spec, broken);
    lifetimes(spec, broken);
}

fn api(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let at = "api.allowedCidrs";
    if spec.api.exposure == Exposure::Public && spec.api.allowed_cidrs.is_empty() {
        let what = "the API is public, but no address may reach it";
        let help = "list the ranges that you work from, such as 203.0.113.7/32";
        broken.push(Violation::new(at, what, help).with(["api.exposure"]));
    }
    for (index, range) in spec.api.allowed_cidrs.iter().enumerate() {
        let before = &spec.api.allowed_cidrs[..index];
        if let Some(first) = before.iter().position(|other| other == range) {
            let what = format!("{range} is listed twice");
            broken.push(
                Violation::new(format!("{at}[{index}]"), what, "remove one of them")
                    .with([format!("{at}[{first}]")]),
            );
        }
    }
}

fn issuers(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let Some(own) = spec.account.as_deref() else {
        return;
    };
    for (index, arn) in spec.access.issuers.iter().enumerate() {
        let Some(account) = arn.split(':').nth(4).filter(|account| *account != own) else {
            continue;
        };
        let what = format!("the role is in account {account}, the cluster in {own}");
        let help = "the cluster's authorities can't be read from another account: let people \
                    assume a role in this one";
        broken
            .push(Violation::new(format!("access.issuers[{index}]"), what, help).with(["account"]));
    }
}

fn lifetimes(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let access = &spec.access;
    for (at, seconds) in [
        ("access.ttl", access.ttl_seconds),
        ("access.maxTtl", access.max_ttl_seconds),
    ] {
        if seconds < SHORTEST_TTL {
            let what = format!("expected ten minutes at least, got {}", shown(seconds));
            let help = "a shorter credential ends before kubectl has done its work";
            broken.push(Violation::new(at, what, help));
        } else if seconds > LONGEST_TTL {
            let what = format!(
                "expected thirty days (720h) at most, got {}",
                shown(seconds)
            );
            let help = "a client certificate can't be revoked: it has to expire";
            broken.push(Violation::new(at, what, help));
        }
    }
    let over = access.ttl_seconds > access.max_ttl_seconds;
    if over && access.ttl_seconds <= LONGEST_TTL && access.max_ttl_seconds >= SHORTEST_TTL {
        let what = format!(
            "the ordinary lifetime of {} is longer than the longest allowed, {}",
            shown(access.ttl_seconds),
            shown(access.max_ttl_seconds)
        );
        let help = "write a ttl of maxTtl or less";
        broken.push(Violation::new("access.ttl", what, help).with(["access.maxTtl"]));
    }
}

/// `8h`, `1h 30m`, `45s`.
fn shown(seconds: u64) -> String {
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if parts.is_empty() {
        "0s".to_owned()
    } else {
        parts.join(" ")
    }
}
