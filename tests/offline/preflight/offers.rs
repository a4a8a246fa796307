//! Zones, machine types and databases that are not to be had.

use kube_cfn::cloud::account::{DatabaseOffer, MachineType};

use super::*;

#[tokio::test(start_paused = true)]
async fn zone_that_the_account_lacks_is_refused() {
    let account = SimulatedAccount {
        zones: Some(zones("ab")),
        ..SimulatedAccount::default()
    };
    let checks = look(&specs::production(), account).await;
    let found = bad(&checks);
    assert!(
        found.iter().any(|(code, verdict, text)| {
            *code == CheckCode::Zone
                && *verdict == Verdict::Refused
                && *text == "this account has no zone eu-west-1c in eu-west-1; it has eu-west-1a, eu-west-1b"
        }),
        "{found:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn machine_type_that_is_not_offered_is_refused_and_one_of_several_warned_about() {
    let spec = specs::production();
    let control_plane = spec.control_plane.instance_type.clone();
    let lacks = |name: &str, letters: &str| SimulatedAccount {
        not_offered: BTreeMap::from([(name.to_owned(), zones(letters))]),
        ..SimulatedAccount::default()
    };
    // A control-plane node has one zone and one type.
    let checks = look(&spec, lacks(&control_plane, "c")).await;
    let found = bad(&checks);
    assert!(
        found
            .iter()
            .any(|(code, verdict, text)| *code == CheckCode::MachineType
                && *verdict == Verdict::Refused
                && text.starts_with("Machine of control-plane node c in eu-west-1c: ")),
        "{found:#?}"
    );
    // A pool starts its machines elsewhere, or others.
    let checks = look(&spec, lacks("m6g.xlarge", "")).await;
    let [(CheckCode::MachineType, Verdict::Warning, text)] = bad(&checks)[..] else {
        panic!("{checks:#?}");
    };
    assert!(
        text.ends_with("m6g.xlarge is not offered in this region"),
        "{text}"
    );
    let check = checks
        .iter()
        .find(|check| check.verdict == Verdict::Warning)
        .unwrap();
    let next = check.next.as_deref().unwrap();
    assert!(next.contains("pools[batch].instanceTypes"), "{next}");
    // One without any type left can't start.
    let mut account = lacks("m6g.xlarge", "");
    for name in ["m7g.xlarge", "c7g.xlarge"] {
        account.not_offered.insert(name.to_owned(), BTreeSet::new());
    }
    let checks = look(&spec, account).await;
    assert!(
        matches!(
            bad(&checks)[..],
            [(CheckCode::MachineType, Verdict::Refused, _)]
        ),
        "{checks:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn machine_type_outside_the_catalogue_is_looked_up() {
    let with = |architecture: &str, hypervisor: &str, memory_mib| SimulatedAccount {
        machine_types: BTreeMap::from([(
            "m99.large".to_owned(),
            MachineType {
                vcpus: 2,
                memory_mib,
                architectures: [architecture.to_owned()].into(),
                hypervisor: Some(hypervisor.to_owned()),
            },
        )]),
        ..SimulatedAccount::default()
    };
    let mut spec = specs::throw_away();
    "m99.large".clone_into(&mut spec.control_plane.instance_type);
    for (account, said) in [
        (
            with("arm64", "nitro", 8192),
            "`m99.large` is arm64, its machine image would be x86_64",
        ),
        (
            with("x86_64", "xen", 8192),
            "`m99.large` is not on AWS Nitro",
        ),
        (
            with("x86_64", "nitro", 1024),
            "too small for a control plane: 2 vCPU",
        ),
    ] {
        let checks = look(&spec, account).await;
        let [(CheckCode::MachineType, Verdict::Refused, text)] = bad(&checks)[..] else {
            panic!("{said}: {checks:#?}");
        };
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(bad(&look(&spec, with("x86_64", "nitro", 8192)).await), []);
    // Nobody knows its vCPUs: no all-clear for the quota.
    let checks = look(&spec, SimulatedAccount::default()).await;
    let found = bad(&checks);
    assert!(
        found
            .iter()
            .any(|(code, verdict, text)| *code == CheckCode::QuotaVcpus
                && *verdict == Verdict::Unknown
                && text.contains("nobody knows how many vCPUs m99.large has")),
        "{found:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn database_that_can_not_be_ordered_is_refused() {
    let offer = |version: &str, letters: &str| DatabaseOffer {
        version: version.to_owned(),
        zones: zones(letters),
    };
    let all = |offers| SimulatedAccount {
        database_offers: Some(offers),
        ..SimulatedAccount::default()
    };
    let mut spec = specs::production();
    for (offers, said) in [
        (
            vec![],
            "RDS offers no PostgreSQL on db.m7g.large with a gp3 disk",
        ),
        (
            vec![
                offer("17.12", "abc"),
                offer("17.9", "abc"),
                offer("18.1", "abc"),
            ],
            "makes no new database with PostgreSQL 17.11 on db.m7g.large; it offers 17.12, 17.9",
        ),
        (
            vec![offer("17.11", "a")],
            "with PostgreSQL 17.11 in eu-west-1a alone",
        ),
    ] {
        let checks = look(&spec, all(offers)).await;
        let [(CheckCode::Database, Verdict::Refused, text)] = bad(&checks)[..] else {
            panic!("{said}: {checks:#?}");
        };
        assert!(text.contains(said), "{text}");
    }
    assert_eq!(bad(&look(&spec, all(vec![offer("17.11", "ab")])).await), []);
    // A major alone is any of its minors; 1 is not 17.
    let database = spec.database.as_mut().unwrap();
    "17".clone_into(&mut database.engine_version);
    assert_eq!(bad(&look(&spec, all(vec![offer("17.2", "ab")])).await), []);
    assert!(!bad(&look(&spec, all(vec![offer("170.2", "ab")])).await).is_empty());
}

#[tokio::test(start_paused = true)]
async fn change_of_a_database_is_looked_up_too() {
    let was = specs::production();
    let look = async |spec: &ClusterSpec, offers: &[&str]| -> Vec<(Verdict, String)> {
        let offer = |version: &&str| DatabaseOffer {
            version: (*version).to_owned(),
            zones: zones("a"),
        };
        let account = SimulatedAccount {
            database_offers: Some(offers.iter().map(offer).collect()),
            ..SimulatedAccount::default()
        };
        let cloud = cloud(spec, account, Faults::default());
        let checks = checked(&cloud, &change(&was, spec), &[]).await;
        let of_database = checks.into_iter();
        of_database
            .filter(|check| check.code == CheckCode::Database)
            .map(|check| (check.verdict, check.text))
            .collect()
    };
    assert_eq!(look(&was, &[]).await, [], "nothing changes");
    let mut backups = was.clone();
    backups.database.as_mut().unwrap().backup_days += 1;
    assert_eq!(look(&backups, &[]).await, [], "AWS always has that");
    let mut class = was.clone();
    "db.m99.large".clone_into(&mut class.database.as_mut().unwrap().class);
    let said = look(&class, &[]).await;
    assert_eq!(said[0].0, Verdict::Refused, "{said:?}");
    assert!(said[0].1.contains("on db.m99.large"), "{said:?}");
    // The version that runs may be none for new databases.
    assert_eq!(look(&class, &["17.12"]).await[0].0, Verdict::Warning);
    assert_eq!(look(&class, &["17.11"]).await[0].0, Verdict::Ok);
    let mut version = was.clone();
    "17.99".clone_into(&mut version.database.as_mut().unwrap().engine_version);
    assert_eq!(look(&version, &["17.12"]).await[0].0, Verdict::Refused);
}
