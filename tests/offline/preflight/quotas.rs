//! Quotas against what is in use and what a plan adds.

use kube_cfn::cloud::account::RunningMachine;

use super::*;

/// Of production: three zones, three addresses, three control-plane machines, an on-demand pool.
#[tokio::test(start_paused = true)]
async fn quota_that_has_no_room_is_refused() {
    use CheckCode as C;
    let machine = RunningMachine {
        machine_type: "c5.4xlarge".to_owned(),
        vcpus: None,
        is_spot: false,
    };
    for (code, quota, limit, said, desired) in [
        (
            C::QuotaAddresses,
            "L-0263D0A3",
            5,
            "the plan adds 3, the quota in eu-west-1 is 5, 3 are in use: 2 left",
            6,
        ),
        (
            C::QuotaVpcs,
            "L-F678F1CE",
            5,
            "the plan adds 1, the quota in eu-west-1 is 5, 5 are in use: 0 left",
            6,
        ),
        (C::QuotaVcpus, "L-1216C47A", 20, "16 are in use: 4 left", 0),
    ] {
        let account = SimulatedAccount {
            quotas: BTreeMap::from([(quota, limit)]),
            other_addresses: 3,
            other_vpcs: 4,
            running: vec![machine.clone()],
            ..SimulatedAccount::default()
        };
        let checks = look(&specs::production(), account).await;
        let [(found, Verdict::Refused, text)] = bad(&checks)[..] else {
            panic!("{code}: {checks:#?}");
        };
        assert_eq!(found, code);
        assert!(text.contains(said), "{text}");
        let check = checks.iter().find(|check| check.code == code).unwrap();
        let next = check.next.as_deref().unwrap();
        assert!(
            next.contains(quota) && next.contains(&format!("`--skip-check {code}`")),
            "{next}"
        );
        assert!(
            desired == 0 || next.contains(&format!("--desired-value {desired}`")),
            "{next}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn spot_machines_count_to_a_quota_of_their_own() {
    let mut spec = specs::throw_away();
    spec.pools[0].min = 3;
    spec.pools[0].max = 3;
    let account = SimulatedAccount {
        // Of three machines with half of them spot, two are on demand beside one of the control plane.
        quotas: BTreeMap::from([("L-34B43A08", 1), ("L-1216C47A", 6)]),
        ..SimulatedAccount::default()
    };
    let checks = look(&spec, account).await;
    let [(CheckCode::QuotaSpotVcpus, Verdict::Refused, text)] = bad(&checks)[..] else {
        panic!("{checks:#?}");
    };
    assert!(
        text.contains("the plan adds 2, the quota in us-east-1 is 1, 0 are in use"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn running_machine_of_unknown_size_leaves_the_quota_unknown() {
    let account = SimulatedAccount {
        running: vec![RunningMachine {
            machine_type: "m99.large".to_owned(),
            vcpus: None,
            is_spot: false,
        }],
        ..SimulatedAccount::default()
    };
    let checks = look(&specs::canary(), account).await;
    assert!(
        matches!(
            bad(&checks)[..],
            [(CheckCode::QuotaVcpus, Verdict::Unknown, _)]
        ),
        "{checks:#?}"
    );
}
