//! Each check on a cluster that is well, and on one in which exactly one thing is not.

use std::collections::BTreeSet;

use super::cases::{CASES, members};
use super::cluster::well;
use crate::upgrade::{Accepted, Check, Verdict, run};

#[test]
fn cluster_that_is_well_passes_every_check() {
    let report = run(&well(), &Accepted::default());
    for check in Check::ALL {
        assert_eq!(
            report.verdict(*check),
            Some(Verdict::Pass),
            "{check}: {report:#?}"
        );
    }
}

#[test]
fn each_fault_is_found_by_its_check() {
    for (name, check, verdict, word, breaks) in CASES {
        let mut facts = well();
        breaks(&mut facts);
        let report = run(&facts, &Accepted::default());
        assert_eq!(
            report.verdict(*check),
            Some(*verdict),
            "{name}: {report:#?}"
        );
        let found = report
            .findings
            .iter()
            .find(|one| one.check == *check && one.verdict == *verdict);
        let found = found.unwrap();
        assert!(found.says.contains(word), "{name}: {}", found.says);
        assert!(found.next.is_some(), "{name} says no next step");
        assert_eq!(report.stops().count() > 0, verdict.stops(), "{name}");
    }
}

#[test]
fn every_check_has_a_case() {
    let with: BTreeSet<_> = CASES.iter().map(|(_, check, ..)| *check).collect();
    let without: Vec<_> = Check::ALL
        .iter()
        .filter(|check| !with.contains(check))
        .collect();
    // What may be gone to is decided before facts are read.
    assert_eq!(without, [&Check::VersionStep]);
}

#[test]
fn what_accepts_a_finding_accepts_no_other() {
    for (name, _, verdict, _, breaks) in CASES.iter().filter(|(_, _, verdict, ..)| verdict.stops())
    {
        let mut facts = well();
        breaks(&mut facts);
        let report = run(&facts, &Accepted::default());
        let mut accepted = Accepted::default();
        for finding in report.stops() {
            let Some(argument) = &finding.accept else {
                assert!(
                    !finding.check.is_waivable(),
                    "{name}: {argument:?}",
                    argument = finding.accept
                );
                continue;
            };
            match argument.split_once(' ').unwrap() {
                ("--accept", check) => accepted.checks.push(check.parse().unwrap()),
                ("--accept-deprecated", name) => accepted.deprecated.push(name.to_owned()),
                ("--evict-anyway", name) => accepted.evict_anyway.push(name.to_owned()),
                ("--lose-pod", name) => accepted.lose_pods.push(name.to_owned()),
                other => panic!("{other:?}"),
            }
        }
        let all = run(&facts, &accepted);
        let left: Vec<_> = all.stops().map(|finding| finding.check).collect();
        assert!(
            left.iter().all(|check| !check.is_waivable()),
            "{name} {verdict:?}: {left:?}"
        );
        assert_eq!(all.unused, Vec::<String>::new(), "{name}");
        // On a cluster that is well the same arguments accept nothing, and that is said.
        let unused = run(&well(), &accepted).unused;
        let given = accepted.checks.len()
            + accepted.deprecated.len()
            + accepted.evict_anyway.len()
            + accepted.lose_pods.len();
        assert_eq!(unused.len(), given, "{name}");
    }
}

#[test]
fn checks_of_rules_can_not_be_accepted() {
    assert!("etcd".parse::<Check>().is_ok());
    let mut facts = well();
    members(&mut facts)[0].serves = false;
    let accepted = Accepted {
        checks: vec![Check::Etcd],
        ..Accepted::default()
    };
    let report = run(&facts, &accepted);
    assert_eq!(report.stops().count(), 1);
    assert_eq!(report.unused, ["--accept etcd"]);
    let error = "version".parse::<Check>().unwrap_err();
    assert!(
        error.contains("deprecated-apis") && !error.contains("etcd-step"),
        "{error}"
    );
}
