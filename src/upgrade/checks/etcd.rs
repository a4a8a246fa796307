//! etcd: its members, its version, its snapshots.

use semver::Version;

use super::{Check, Facts, Finding, named, or_pass};
use crate::catalog::kubernetes;
use crate::common::duration;
use crate::common::text::count;
use crate::etcd::{DATABASE_QUOTA, MAX_DATABASE, Member, Membership};
use crate::upgrade::Direction;

/// The least patch of 3.6 that every member must have before one of 3.7 joins
/// (<https://etcd.io/docs/v3.7/upgrades/upgrade_3_7/>).
const BEFORE_3_7: Version = Version::new(3, 6, 11);

pub(super) fn members(facts: &Facts) -> Vec<Finding> {
    let check = Check::Etcd;
    let next = format!("`kube-cfn status {}`", facts.cluster);
    let (members, alarms) = match &facts.etcd {
        Ok(Membership { members, alarms }) => (members, alarms),
        Err(why) => return vec![Finding::unknown(check, why, next)],
    };
    let fail = |says: String| Finding::fail(check, says, &next);
    let mut findings: Vec<_> = members
        .iter()
        .filter_map(|member| {
            let name = name(member);
            let says = match member {
                Member { serves: false, .. } => format!("member {name} does not serve"),
                Member { learner: true, .. } => {
                    format!("member {name} is a learner: it is being replaced")
                }
                Member { bytes, .. } if *bytes > MAX_DATABASE => format!(
                    "the database of member {name} has {} MiB of its quota of {} MiB",
                    bytes >> 20,
                    DATABASE_QUOTA >> 20
                ),
                _ => return None,
            };
            Some(fail(says))
        })
        .collect();
    findings.extend(
        alarms
            .iter()
            .map(|alarm| fail(format!("etcd has the alarm {alarm}"))),
    );
    let slots = facts.api_servers.len();
    if members.len() != slots {
        let (members, nodes) = (
            count(members.len(), "member"),
            count(slots, "control-plane node"),
        );
        findings.push(fail(format!("{members} for {nodes}")));
    }
    if members.iter().filter(|member| member.leader).count() != 1 {
        findings.push(fail("the members do not agree on one leader".to_owned()));
    }
    or_pass(
        findings,
        check,
        format!("{} serving", count(members.len(), "member")),
    )
}

/// etcd's minor never moves together with Kubernetes's: each has a way back of its own.
pub(super) fn step(facts: &Facts) -> Finding {
    let check = Check::EtcdStep;
    let to = &facts.target.to;
    let wanted: Option<Version> =
        kubernetes::minor(to).and_then(|row| row.etcd_version().parse().ok());
    let Some(wanted) = wanted else {
        let says = format!("this program has no etcd version for Kubernetes {to}");
        return Finding::fail(check, says, "a newer kube-cfn");
    };
    let members = match &facts.etcd {
        Ok(membership) => &membership.members,
        Err(why) => {
            return Finding::unknown(check, why, format!("`kube-cfn status {}`", facts.cluster));
        }
    };
    let mut running = Vec::new();
    for member in members {
        let Ok(version) = member.version.parse() else {
            let why = format!("the etcd version of member {}", name(member));
            return Finding::unknown(check, &why, format!("`kube-cfn status {}`", facts.cluster));
        };
        running.push(version);
    }
    judge(facts.target.direction, &running, &wanted)
}

fn judge(direction: Direction, running: &[Version], wanted: &Version) -> Finding {
    let check = Check::EtcdStep;
    let minor = |version: &Version| (version.major, version.minor);
    if let Some(newer) = running.iter().find(|version| *version > wanted) {
        let says = format!("a member runs etcd {newer}, newer than the {wanted} of this version");
        return Finding::fail(check, says, "a newer kube-cfn");
    }
    let Some(oldest) = running.iter().min() else {
        return Finding::unknown(check, "no member is known", "see `kube-cfn list`");
    };
    let moves = minor(oldest) != minor(wanted);
    if moves && direction == Direction::Minor {
        let says = format!(
            "etcd would go from {oldest} to {wanted} together with a minor of Kubernetes: there would be no way back"
        );
        return Finding::fail(
            check,
            says,
            "first a patch of the minor that runs, with its newest etcd",
        );
    }
    if moves && minor(wanted) == (3, 7) && *oldest < BEFORE_3_7 {
        let says = format!(
            "a member runs etcd {oldest}; etcd 3.7 wants every member at {BEFORE_3_7} or later"
        );
        return Finding::fail(check, says, "first the newest patch of the minor that runs");
    }
    let says = if oldest == wanted {
        format!("{wanted} stays")
    } else {
        format!("{oldest} to {wanted}")
    };
    Finding::pass(check, says)
}

pub(super) fn snapshot(facts: &Facts) -> Finding {
    let check = Check::Snapshot;
    match &facts.newest_snapshot {
        Err(why) => Finding::unknown(
            check,
            why,
            format!("`kube-cfn etcd list {}`", facts.cluster),
        ),
        Ok(None) => Finding::warn(
            check,
            "there is none yet; one is taken before anything moves",
            format!(
                "`kube-cfn etcd snapshot {}` shows whether that works",
                facts.cluster
            ),
        ),
        Ok(Some(at)) => {
            let age = facts.now.duration_since(*at);
            let age = duration::age(age);
            Finding::pass(
                check,
                format!("the newest is {age} old; one more is taken before anything moves"),
            )
        }
    }
}

fn name(member: &Member) -> String {
    match (member.slot.as_str(), member.name.as_str()) {
        ("", "") => member.id.clone(),
        ("", name) => named(&[name.to_owned()]),
        (slot, _) => slot.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upgrade::Verdict;

    #[test]
    fn etcd_minor_never_moves_with_a_minor_of_kubernetes() {
        let of = |text: &str| text.parse::<Version>().unwrap();
        let judged = |direction, running: &[&str], wanted: &str| {
            let running: Vec<_> = running.iter().map(|text| of(text)).collect();
            judge(direction, &running, &of(wanted)).verdict
        };
        let both = [Direction::Patch, Direction::Minor];
        for direction in both {
            assert_eq!(
                judged(direction, &["3.6.8", "3.6.11"], "3.6.11"),
                Verdict::Pass
            );
            assert_eq!(
                judged(direction, &["3.6.12", "3.6.11"], "3.6.11"),
                Verdict::Fail
            );
            assert_eq!(judged(direction, &[], "3.6.11"), Verdict::Unknown);
        }
        assert_eq!(
            judged(Direction::Minor, &["3.6.11"], "3.7.0"),
            Verdict::Fail
        );
        assert_eq!(
            judged(Direction::Patch, &["3.6.11"], "3.7.0"),
            Verdict::Pass
        );
        assert_eq!(
            judged(Direction::Patch, &["3.6.11", "3.6.10"], "3.7.0"),
            Verdict::Fail
        );
    }
}
