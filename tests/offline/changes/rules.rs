//! When the table of changes says what: while machines run, with what can be read, by the rules of RDS.

use std::collections::{BTreeMap, BTreeSet};

use kube_cfn::cloud::StackStatus;
use kube_cfn::plan::changes::LiveValues;
use kube_cfn::plan::offline::{Inputs, Resolution, classify};
use kube_cfn::plan::ranges::LiveRanges;
use kube_cfn::plan::{Action, Code, Unknown, changes};
use kube_cfn::stacks::{Ranges, Stack};
use serde_json::{Value, json};

use super::{Stacks, live, refused, said, survey};
use crate::stacks::fields::{Changes, designed};

#[test]
fn unchanged_cluster_has_no_verdict() {
    let was = designed(&[]);
    assert_eq!(said(&was, &was), Vec::<String>::new());
}

#[test]
fn cluster_without_machines_may_be_changed() {
    let is = designed(&[&vec![
        ("/network/podCidr", json!("100.72.0.0/14")),
        ("/controlPlane/nodes", json!(1)),
    ]]);
    for status in StackStatus::ALL {
        let refused = refused(&designed(&[]), &is, status, None);
        let never_ran = ["ROLLBACK_", "DELETE_", "REVIEW_"].iter();
        let never_ran = never_ran
            .clone()
            .any(|start| status.to_string().starts_with(start));
        assert_eq!(refused.is_empty(), never_ran, "{status}");
    }
}

#[test]
fn api_address_may_change_while_no_control_plane_runs() {
    let plain: Changes = vec![("/api/dns", Value::Null)];
    let mut was = designed(&[&plain]);
    let is = designed(&[&plain, &vec![("/api/exposure", json!("internal"))]]);
    let codes = |was: &Stacks| -> Vec<Code> {
        let all = refused(was, &is, &StackStatus::CreateComplete, None);
        all.into_iter().map(|(_, why)| why.code).collect()
    };
    assert_eq!(codes(&was), [Code::ApiAddress]);
    was.remove("control-plane");
    assert_eq!(codes(&was), []);
}

#[test]
fn every_refusal_is_listed_at_once() {
    let is = designed(&[&vec![
        ("/network/podCidr", json!("100.72.0.0/14")),
        ("/network/serviceCidr", json!("100.69.0.0/16")),
        ("/controlPlane/nodes", json!(1)),
        ("/controlPlane/etcdVolumeGib", json!(10)),
        ("/database/storageGib", json!(50)),
        ("/pools/0/spread", json!("zonal")),
    ]]);
    let all = refused(&designed(&[]), &is, &StackStatus::CreateComplete, None);
    let codes: BTreeSet<Code> = all.iter().map(|(_, why)| why.code).collect();
    let wanted = [
        Code::ControlPlaneNodes,
        Code::PodCidr,
        Code::PoolSpread,
        Code::ServiceCidr,
        Code::StorageShrink,
        Code::VolumeShrink,
    ];
    assert_eq!(codes, BTreeSet::from(wanted));
    assert_eq!(all.len(), wanted.len(), "{all:#?}");
}

#[test]
fn ranges_that_cannot_be_read_are_refused() {
    let mut was = designed(&[]);
    let outputs = was.get_mut("control-plane").unwrap().template["Outputs"].as_object_mut();
    let outputs = outputs.unwrap();
    assert!(outputs.remove("PodCidr").is_some() && outputs.remove("ServiceCidr").is_some());
    let is = designed(&[]);
    let codes = |ranges: LiveRanges| -> Vec<(Code, String)> {
        let all = refused(&was, &is, &StackStatus::CreateComplete, Some(&ranges));
        all.into_iter()
            .map(|(_, why)| (why.code, why.reason))
            .collect()
    };
    let of = |pods: &str| Ranges {
        pods: pods.to_owned(),
        services: "100.68.0.0/16".to_owned(),
    };
    assert_eq!(codes(Ok(of("100.64.0.0/14"))), []);
    assert_eq!(codes(Ok(of("100.72.0.0/14")))[0].0, Code::PodCidr);
    let unknown = codes(Err(Unknown {
        reason: "no bundle".to_owned(),
        remedy: None,
    }));
    assert_eq!(unknown[0].0, Code::ValuesUnknown);
    assert!(unknown[0].1.ends_with(": no bundle"), "{unknown:?}");
    let unknown: LiveRanges = Err(Unknown {
        reason: "no bundle".to_owned(),
        remedy: None,
    });
    let all = refused(&was, &is, &StackStatus::CreateComplete, Some(&unknown));
    assert!(
        all[0].1.remedy.starts_with("apply once, without a change"),
        "nothing was changed that could be undone: {}",
        all[0].1.remedy
    );
}

#[test]
fn template_that_cannot_be_read_is_refused() {
    let was = designed(&[]);
    let mut survey = survey(&was, &StackStatus::UpdateComplete);
    survey.templates.clear();
    let wanted: Vec<Stack> = was.values().cloned().collect();
    let all = changes::refusals(&wanted, &survey, &LiveValues::default(), &|_| String::new());
    assert_eq!(all.len(), wanted.len());
    assert!(all.iter().all(|(_, why)| why.code == Code::ValuesUnknown));
}

/// A change that a template beside the definition makes.
fn overridden(stack: &str, at: &str, value: Value) -> (Stacks, Stacks) {
    let was = designed(&[]);
    let mut is = was.clone();
    *is.get_mut(stack).unwrap().template.pointer_mut(at).unwrap() = value;
    (was, is)
}

#[test]
fn major_upgrade_is_a_warning_where_the_template_allows_it() {
    let (was, mut is) = overridden(
        "database",
        "/Resources/Database/Properties/EngineVersion",
        json!("18.6"),
    );
    assert!(said(&was, &is)[0].starts_with("refused database engine-major: "));
    let template = &mut is.get_mut("database").unwrap().template;
    template["Resources"]["Database"]["Properties"]["AllowMajorVersionUpgrade"] = json!(true);
    let said = said(&was, &is);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("warning database: ") && said[0].contains("is a major upgrade"));
}

#[test]
fn major_version_that_runs_already_is_let_through_with_a_warning() {
    let at = "/Resources/Database/Properties/EngineVersion";
    let (was, is) = overridden("database", at, json!("18.4"));
    let running = |version: &str| BTreeMap::from([("Database".to_owned(), version.to_owned())]);
    let codes = |version: &str| -> Vec<Code> {
        let wanted: Vec<Stack> = is.values().cloned().collect();
        let known = LiveValues {
            engines: running(version),
            ..LiveValues::default()
        };
        let survey = survey(&was, &StackStatus::UpdateComplete);
        let all = changes::refusals(&wanted, &survey, &known, &|_| String::new());
        all.into_iter().map(|(_, why)| why.code).collect()
    };
    assert_eq!(codes("17.10"), [Code::EngineMajor]);
    assert_eq!(codes("18.4"), []);
    let found = live(&was["database"], StackStatus::UpdateComplete);
    let classified = |engines| {
        let known = Inputs {
            engines,
            ..Inputs::default()
        };
        let before = Some(was["database"].template.clone());
        classify(
            "full",
            is["database"].clone(),
            Some(found.clone()),
            before,
            known,
        )
    };
    let blocked = |resolution| matches!(resolution, Resolution::Decided(Action::Blocked(_)));
    assert!(blocked(classified(BTreeMap::new()).resolution));
    let mut draft = classified(running("18.4"));
    assert!(!blocked(draft.resolution), "in mid-run too");
    draft.step.sizes.engines = running("18.4");
    let warnings = changes::warnings(&draft.step);
    assert!(
        warnings[0].contains("RDS runs 18.4 already"),
        "{warnings:?}"
    );
}

#[test]
fn replaced_database_has_no_verdict_of_its_own() {
    let (was, mut is) = overridden(
        "database",
        "/Resources/Database/Properties/AllocatedStorage",
        json!("50"),
    );
    assert!(said(&was, &is)[0].starts_with("refused database storage-shrink: "));
    let template = &mut is.get_mut("database").unwrap().template;
    template["Resources"]["Database"]["Properties"]["DBSnapshotIdentifier"] = json!("monday");
    assert_eq!(said(&was, &is), Vec::<String>::new());
}

#[test]
fn engine_version_is_compared_by_number() {
    for (was, is, expected) in [
        ("16.4", "17.2", Some("engine-major")),
        ("9.6", "10.1", Some("engine-major")),
        ("17.2", "16.4", Some("engine-downgrade")),
        ("16.10", "16.9", Some("engine-downgrade")),
        ("16.9", "16.10", None),
        ("16.4", "16", None),
        ("16.4", "next", None),
    ] {
        let at = "/Resources/Database/Properties/EngineVersion";
        let before = overridden("database", at, json!(was)).1;
        let after = overridden("database", at, json!(is)).1;
        let said = said(&before, &after);
        assert_eq!(
            said.len(),
            usize::from(expected.is_some()),
            "{was} {is}: {said:?}"
        );
        assert!(
            expected.is_none_or(|code| said[0].contains(code)),
            "{was} {is}: {said:?}"
        );
    }
}

#[test]
fn new_key_of_disks_is_a_warning() {
    let disk = "/Resources/LaunchTemplateA/Properties/LaunchTemplateData/BlockDeviceMappings/0/Ebs/KmsKeyId";
    let (was, is) = overridden("control-plane", disk, json!("another"));
    let said = said(&was, &is);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("warning control-plane: LaunchTemplateA: disks"),
        "{said:?}"
    );
}

#[test]
fn stack_that_is_looked_at_again_in_mid_run_is_judged_too() {
    let (was, mut is) = (
        designed(&[]),
        designed(&[&vec![("/controlPlane/etcdVolumeGib", json!(10))]]),
    );
    let classified = |was: &Stack, is: Stack| {
        let found = live(was, StackStatus::UpdateComplete);
        let before = Some(was.template.clone());
        classify("full", is, Some(found), before, Inputs::default()).resolution
    };
    let volume = classified(&was["control-plane"], is.remove("control-plane").unwrap());
    let Resolution::Decided(Action::Blocked(why)) = volume else {
        panic!("{volume:?}")
    };
    assert_eq!(why.code, Code::VolumeShrink);
    assert!(
        why.remedy
            .starts_with("set `controlPlane.etcdVolumeGib` back to 20; ")
    );
    let network = classified(&was["network"], is.remove("network").unwrap());
    assert_eq!(network, Resolution::Decided(Action::NoChange));
}
