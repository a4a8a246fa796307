//! What a plan adds against the quotas of the region and what is used of them. Pure.

use std::collections::BTreeMap;

use super::needs::Fleet;
use super::offers::MachineTypes;
use super::{Check, CheckCode};
use crate::catalog::instances;
use crate::cloud::account::{Family, RunningMachine};
use crate::cloud::{CloudError, Quota};

/// How much is used of a quota, and how much there is. `None` is a use that AWS does not say.
pub(super) type Answers = (Result<Option<u64>, CloudError>, Result<u64, CloudError>);

/// Whether the quota has room for `added` more.
pub(super) fn check(
    (code, quota): (CheckCode, Quota),
    added: u64,
    (used, limit): Answers,
    region: &str,
) -> Check {
    let (used, limit) = match (used, limit) {
        (Ok(Some(used)), Ok(limit)) => (used, limit),
        (Ok(None), Ok(_)) => {
            let text = format!(
                "{} could not be checked: EC2 does not say how many vCPUs the machines have that run",
                code.subject()
            );
            return Check::unknown(code, text, Some(raise(quota, None, region)));
        }
        (Err(error), _) | (_, Err(error)) => return Check::unanswered(code, &error),
    };
    let what = unit(quota);
    let wanted = used + added;
    if wanted <= limit {
        return Check::ok(code, format!("{what}: {wanted} of {limit}"));
    }
    let (is_used, is_left) = (
        if used == 1 { "is" } else { "are" },
        limit.saturating_sub(used),
    );
    let text = format!(
        "{what}: the plan adds {added}, the quota in {region} is {limit}, {used} {is_used} in use: \
         {is_left} left"
    );
    let next = format!(
        "{}, or free {} of them",
        raise(quota, Some(wanted), region),
        wanted - limit
    );
    Check::refused(code, text, next)
}

fn raise(quota: Quota, wanted: Option<u64>, region: &str) -> String {
    let (service, code) = quota.codes();
    match wanted {
        Some(wanted) => format!(
            "ask for more: `aws service-quotas request-service-quota-increase --region {region} \
             --service-code {service} --quota-code {code} --desired-value {wanted}`"
        ),
        None => format!("compare quota {code} with what runs"),
    }
}

fn unit(quota: Quota) -> &'static str {
    match quota {
        Quota::ElasticIps => "Elastic IP addresses",
        Quota::Vpcs => "VPCs",
        Quota::OnDemand(Family::Standard) => "vCPUs of on-demand machines",
        Quota::OnDemand(Family::G) => "vCPUs of on-demand G and VT machines",
        Quota::OnDemand(Family::P) => "vCPUs of on-demand P machines",
        Quota::Spot(Family::Standard) => "vCPUs of spot machines",
        Quota::Spot(Family::G) => "vCPUs of spot G and VT machines",
        Quota::Spot(Family::P) => "vCPUs of spot P machines",
    }
}

/// vCPUs that a plan adds, by quota, and checks of machines whose quota or size nobody knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Vcpus {
    pub added: BTreeMap<Quota, u64>,
    pub unknown: Vec<Check>,
}

/// Counts the vCPUs of fleets. Where AWS may choose between types, those of the smallest: so many for certain.
pub(super) fn vcpus(fleets: &[Fleet], facts: &MachineTypes) -> Vcpus {
    let mut found = Vcpus::default();
    for fleet in fleets {
        for (machines, quota, code) in [
            (
                fleet.on_demand,
                Quota::OnDemand as fn(Family) -> Quota,
                CheckCode::QuotaVcpus,
            ),
            (fleet.spot, Quota::Spot, CheckCode::QuotaSpotVcpus),
        ] {
            if machines == 0 {
                continue;
            }
            match smallest(fleet, facts) {
                Ok((family, each)) => {
                    *found.added.entry(quota(family)).or_default() += machines * u64::from(each);
                }
                Err(why) => {
                    let text = format!("{}: {why}", fleet.what);
                    let next = "compare the quota of their family with what runs".to_owned();
                    found.unknown.push(Check::unknown(code, text, Some(next)));
                }
            }
        }
    }
    found
}

fn smallest(fleet: &Fleet, facts: &MachineTypes) -> Result<(Family, u32), String> {
    let mut least: Option<(Family, u32)> = None;
    for name in &fleet.types {
        let family = family(name).ok_or_else(|| {
            format!("no quota of vCPUs is known for {name}, so it could not be checked")
        })?;
        let each = vcpus_of(name, facts)
            .ok_or_else(|| format!("nobody knows how many vCPUs {name} has"))?;
        match least {
            Some((other, _)) if other != family => {
                return Err("its types are of families with quotas of their own".to_owned());
            }
            Some((_, known)) if known <= each => {}
            _ => least = Some((family, each)),
        }
    }
    least.ok_or_else(|| "its types are known only when it is made".to_owned())
}

fn vcpus_of(name: &str, facts: &MachineTypes) -> Option<u32> {
    let known = instances::find(name).and_then(|one| one.vcpu);
    known.or_else(|| facts.get(name).map(|one| one.vcpus))
}

/// How many vCPUs of running machines count to a quota. `None` where that is not known of one of them.
pub(super) fn used(machines: &[RunningMachine], quota: Quota) -> Option<u64> {
    let (wanted, is_spot) = match quota {
        Quota::OnDemand(family) => (family, false),
        Quota::Spot(family) => (family, true),
        Quota::ElasticIps | Quota::Vpcs => return None,
    };
    let counted = machines.iter().filter(|machine| {
        machine.is_spot == is_spot && family(&machine.machine_type) == Some(wanted)
    });
    let none = MachineTypes::new();
    let each = counted.map(|machine| {
        let known = machine
            .vcpus
            .or_else(|| vcpus_of(&machine.machine_type, &none));
        known.map(u64::from)
    });
    each.sum()
}

/// The families that share a quota, by the letters before the generation. `None` for the others: their quotas are
/// those of special machines.
fn family(machine_type: &str) -> Option<Family> {
    let letters: String = machine_type
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    match letters.as_str() {
        "a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z" => Some(Family::Standard),
        "g" | "gr" | "vt" => Some(Family::G),
        "p" => Some(Family::P),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_types_share_the_quota_of_their_family() {
        for (name, expected) in [
            ("m7g.large", Some(Family::Standard)),
            ("t4g.medium", Some(Family::Standard)),
            ("im4gn.large", Some(Family::Standard)),
            ("g5g.xlarge", Some(Family::G)),
            ("vt1.3xlarge", Some(Family::G)),
            ("p5.48xlarge", Some(Family::P)),
            ("inf2.xlarge", None),
            ("x2gd.large", None),
            ("u-6tb1.metal", None),
        ] {
            assert_eq!(family(name), expected, "{name}");
        }
    }
}
