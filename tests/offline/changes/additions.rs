//! What AWS does not enforce: refused where it is new, a warning where a cluster has it already.

use kube_cfn::cloud::StackStatus;
use kube_cfn::plan::{Code, Survey, additions};
use kube_cfn::spec::rules;
use kube_cfn::stacks::StackKind;
use serde_json::json;

use super::survey;
use crate::stacks::fields::{Changes, designed, specified};

fn refused(changes: &[&Changes], survey: &Survey) -> Vec<(StackKind, Code)> {
    let broken = rules::additions(&specified(changes));
    let stacks: Vec<_> = designed(changes).into_values().collect();
    let all = additions::refused(&broken, &stacks, survey, &|field| {
        format!("full.yaml ({field})")
    });
    all.into_iter()
        .map(|(kind, why)| {
            assert!(
                why.by_guard && why.remedy.contains("full.yaml ("),
                "{why:?}"
            );
            (kind, why.code)
        })
        .collect()
}

#[test]
fn machines_that_can_not_be_nodes_are_refused_where_they_are_new() {
    let unfit: Changes = vec![
        ("/controlPlane/instanceType", json!("t2.medium")),
        ("/pools/0/instanceTypes", json!(["t3.micro", "t3.large"])),
    ];
    let pool = StackKind::Pool(specified(&[]).pools[0].name.clone());
    let both = [
        (StackKind::ControlPlane, Code::MachineUnfit),
        (pool.clone(), Code::MachineUnfit),
    ];
    assert_eq!(refused(&[&unfit], &Survey::default()), both);
    let rests = StackStatus::UpdateComplete;
    assert_eq!(refused(&[&unfit], &survey(&designed(&[]), &rests)), both);
    let standing = survey(&designed(&[&unfit]), &rests);
    assert_eq!(refused(&[&unfit], &standing), []);
    // What was rolled back is not there.
    let leftover = survey(&designed(&[&unfit]), &StackStatus::RollbackComplete);
    assert_eq!(refused(&[&unfit], &leftover), both);
    let more: Changes = vec![(
        "/pools/0/instanceTypes",
        json!(["t3.micro", "t2.micro", "t3.large"]),
    )];
    assert_eq!(
        refused(&[&unfit, &more], &standing),
        [(pool, Code::MachineUnfit)]
    );
}

#[test]
fn more_machines_than_addresses_are_refused_where_a_pool_grows() {
    let many = |max: u32| -> Changes {
        vec![
            ("/network/nat", json!("none")),
            ("/pools/0/max", json!(max)),
        ]
    };
    let codes = |max, standing: &Survey| -> Vec<Code> {
        let all = refused(&[&many(max)], standing).into_iter();
        all.map(|(_, code)| code).collect()
    };
    assert_eq!(codes(900, &Survey::default()), [Code::SubnetsTooSmall]);
    let standing = survey(&designed(&[&many(900)]), &StackStatus::CreateComplete);
    assert_eq!(codes(900, &standing), []);
    assert_eq!(codes(850, &standing), []);
    assert_eq!(codes(901, &standing), [Code::SubnetsTooSmall]);
}

#[test]
fn name_like_anothers_database_is_refused_for_a_new_cluster() {
    let named: Changes = vec![("/name", json!("full-database"))];
    let refused_for = |survey: &Survey| refused(&[&named], survey);
    assert_eq!(
        refused_for(&Survey::default()),
        [(StackKind::Base, Code::ClusterName)]
    );
    let standing = survey(&designed(&[&named]), &StackStatus::CreateComplete);
    assert_eq!(refused_for(&standing), []);
}
