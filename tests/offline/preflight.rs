//! What is looked at before the first stack, with the shipped templates and clusters: each check refuses, is fine, or says
//! that it does not know.

mod offers;
mod quotas;

use std::collections::{BTreeMap, BTreeSet};

use kube_cfn::catalog::permissions;
use kube_cfn::cloud::account::Effect;
use kube_cfn::cloud::{
    ChangeSetLifetime, ChangeSetRequest, Cloud, CloudError, Comparison, Identity, Protection,
};
use kube_cfn::definition::Defined;
use kube_cfn::plan::preflight::{names, preflight};
use kube_cfn::plan::{Action, Check, CheckCode, Plan, Step, Verdict};
use kube_cfn::report::plan::{ForecastInputs, PlanDetail, markdown, text, view};
use kube_cfn::simulated::{
    CallFault, FaultKind, Faults, Simulated, SimulatedAccount, SimulationConfig,
};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::StackKind;
use serde_json::json;

use crate::estimate::{cluster, creation};
use crate::support::specs;

fn cloud(spec: &ClusterSpec, account: SimulatedAccount, faults: Faults) -> Simulated {
    let cloud = Simulated::new(SimulationConfig {
        region: spec.region.clone(),
        faults,
        ..SimulationConfig::default()
    });
    cloud.set_account(account);
    cloud
}

async fn checked(cloud: &Simulated, plan: &Plan, skip: &[CheckCode]) -> Vec<Check> {
    let identity = cloud.identity().await.unwrap();
    let skip: BTreeSet<CheckCode> = skip.iter().copied().collect();
    preflight(plan, cloud, &identity, &skip).await
}

/// The plan to make `spec` of a cluster that is `was`, as far as the preflight reads it.
fn change(was: &ClusterSpec, spec: &ClusterSpec) -> Plan {
    let before = creation(was).steps;
    let mut plan = creation(spec);
    for step in &mut plan.steps {
        let mut old = before.iter();
        let old = old.find(|old| old.stack.name == step.stack.name);
        let old = &old.expect("the same stacks").stack.template;
        step.action = if *old == step.stack.template {
            Action::NoChange
        } else {
            Action::Deferred
        };
        step.before = Some(old.clone());
    }
    plan
}

async fn look(spec: &ClusterSpec, account: SimulatedAccount) -> Vec<Check> {
    let cloud = cloud(spec, account, Faults::default());
    checked(&cloud, &creation(spec), &[]).await
}

/// What is not fine.
fn bad(checks: &[Check]) -> Vec<(CheckCode, Verdict, &str)> {
    let bad = checks.iter().filter(|check| check.verdict != Verdict::Ok);
    bad.map(|check| (check.code, check.verdict, check.text.as_str()))
        .collect()
}

/// Zones of eu-west-1.
fn zones(letters: &str) -> BTreeSet<String> {
    letters
        .chars()
        .map(|letter| format!("eu-west-1{letter}"))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn account_with_room_for_everything_is_fine() {
    for spec in [
        specs::production(),
        specs::throw_away(),
        specs::zonal(),
        cluster("canary"),
    ] {
        let checks = look(&spec, SimulatedAccount::default()).await;
        assert_eq!(bad(&checks), [], "{}", spec.name);
        assert!(checks.len() >= 9, "{checks:#?}");
    }
    let seen = look(&specs::production(), SimulatedAccount::default()).await;
    let seen: BTreeSet<CheckCode> = seen.iter().map(|check| check.code).collect();
    let all: BTreeSet<CheckCode> = CheckCode::ALL.into();
    // Its spot pool starts with no machine.
    assert_eq!(
        all.difference(&seen).collect::<Vec<_>>(),
        [&CheckCode::QuotaSpotVcpus]
    );
}

#[tokio::test(start_paused = true)]
async fn public_access_block_of_the_account_is_refused() {
    for part in ["BlockPublicPolicy", "RestrictPublicBuckets"] {
        let account = SimulatedAccount {
            access_block: [part.to_owned()].into(),
            ..SimulatedAccount::default()
        };
        let checks = look(&specs::canary(), account).await;
        let [(CheckCode::PublicAccessBlock, Verdict::Refused, text)] = bad(&checks)[..] else {
            panic!("{checks:#?}");
        };
        assert!(
            text.contains(part) && text.contains("two documents of the issuer"),
            "{text}"
        );
    }
    // Access lists are not used.
    let account = SimulatedAccount {
        access_block: ["BlockPublicAcls".to_owned(), "IgnorePublicAcls".to_owned()].into(),
        ..SimulatedAccount::default()
    };
    assert_eq!(bad(&look(&specs::canary(), account).await), []);
}

#[tokio::test(start_paused = true)]
async fn missing_default_vpc_and_taken_alias_are_named() {
    let account = SimulatedAccount {
        lacks_default_vpc: true,
        alias_is_taken: true,
        ..SimulatedAccount::default()
    };
    let checks = look(&specs::canary(), account).await;
    let found: Vec<_> = bad(&checks)
        .iter()
        .map(|(code, verdict, _)| (*code, *verdict))
        .collect();
    let expected = [
        (CheckCode::KeyAlias, Verdict::Refused),
        (CheckCode::DefaultVpc, Verdict::Warning),
    ];
    assert_eq!(found, expected);
}

fn foreign(name: &str, tags: BTreeMap<String, String>) -> ChangeSetRequest {
    ChangeSetRequest {
        stack: name.to_owned(),
        template: json!({"Resources": {"It": {"Type": "AWS::SNS::Topic"}}}).to_string(),
        bucket: None,
        parameters: BTreeMap::new(),
        capabilities: Vec::new(),
        tags,
        token: name.to_owned(),
        lifetime: ChangeSetLifetime::Run,
        comparison: Comparison::Template,
    }
}

#[tokio::test(start_paused = true)]
async fn name_of_a_foreign_stack_is_refused_before_anything_is_made() {
    let spec = specs::canary();
    let cloud = cloud(&spec, SimulatedAccount::default(), Faults::default());
    let open = Protection {
        termination: false,
        policy: None,
    };
    let made = foreign("canary-network", BTreeMap::new());
    cloud.create(&made, &open).await.unwrap();
    let other = BTreeMap::from([("kube-cfn/cluster".to_owned(), "can".to_owned())]);
    cloud
        .create(&foreign("canary-edge", other), &open)
        .await
        .unwrap();
    let plan = creation(&spec);
    for checks in [
        checked(&cloud, &plan, &[]).await,
        names(&plan, &cloud).await,
    ] {
        let found = bad(&checks);
        let [
            (CheckCode::StackName, Verdict::Refused, first),
            (CheckCode::StackName, Verdict::Refused, second),
        ] = found[..]
        else {
            panic!("{found:#?}");
        };
        assert!(
            first.starts_with("a stack canary-network is there already"),
            "{first}"
        );
        assert!(first.ends_with("it does not belong to canary"), "{first}");
        assert!(second.ends_with("it belongs to cluster can"), "{second}");
        let next = checks
            .iter()
            .find_map(|check| check.next.as_deref())
            .unwrap();
        assert!(
            next.contains("write another `name`") && !next.contains("--skip-check"),
            "{next}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn denied_actions_are_refused_where_that_is_certain() {
    let spec = specs::canary();
    let lacks = |action: &str, effect| SimulatedAccount {
        not_allowed: BTreeMap::from([(action.to_owned(), effect)]),
        ..SimulatedAccount::default()
    };
    for (action, effect, verdict) in [
        ("ssm:PutParameter", Effect::NotAllowed, Verdict::Refused),
        (
            "cloudformation:CreateStack",
            Effect::NotAllowed,
            Verdict::Refused,
        ),
        ("ec2:CreateVpc", Effect::Denied, Verdict::Refused),
        // It may be allowed for the roles that the plan makes.
        ("iam:PassRole", Effect::NotAllowed, Verdict::Warning),
    ] {
        let checks = look(&spec, lacks(action, effect)).await;
        let [(CheckCode::Rights, found, text)] = bad(&checks)[..] else {
            panic!("{action}: {checks:#?}");
        };
        assert_eq!(found, verdict, "{action}");
        assert!(
            text.contains(action) && text.contains("as far as IAM"),
            "{text}"
        );
    }
    // What the plan does not need is not asked about.
    let unneeded = lacks("rds:CreateDBInstance", Effect::Denied);
    assert_eq!(bad(&look(&specs::throw_away(), unneeded).await), []);
}

#[tokio::test(start_paused = true)]
async fn callers_that_nobody_simulates_leave_their_rights_unknown() {
    let spec = specs::canary();
    let cloud = cloud(&spec, SimulatedAccount::default(), Faults::default());
    for (resource, verdict) in [
        ("root", Verdict::Unknown),
        ("federated-user/someone", Verdict::Unknown),
        ("user/paths/are/part/of/it", Verdict::Ok),
        (
            "assumed-role/AWSReservedSSO_Admin_0/me@example.com",
            Verdict::Ok,
        ),
    ] {
        let identity = Identity {
            account: "123456789012".to_owned(),
            caller: format!("arn:aws:iam::123456789012:{resource}"),
            region: spec.region.clone(),
        };
        let checks = preflight(&creation(&spec), &cloud, &identity, &BTreeSet::new()).await;
        let found = checks.iter().find(|check| check.code == CheckCode::Rights);
        assert_eq!(
            found.map(|check| check.verdict),
            Some(verdict),
            "{resource}"
        );
    }
}

/// Every question and the checks that it is asked for.
const QUESTIONS: [(&str, &[CheckCode]); 11] = [
    ("stack", &[CheckCode::StackName]),
    ("key", &[CheckCode::KeyAlias]),
    ("decisions", &[CheckCode::Rights]),
    ("role_arn", &[CheckCode::Rights]),
    ("zones", &[CheckCode::Zone]),
    ("offerings", &[CheckCode::MachineType]),
    ("database_offers", &[CheckCode::Database]),
    ("addresses", &[CheckCode::QuotaAddresses]),
    ("vpcs", &[CheckCode::QuotaVpcs, CheckCode::DefaultVpc]),
    ("running_machines", &[CheckCode::QuotaVcpus]),
    ("account_access_block", &[CheckCode::PublicAccessBlock]),
];

#[tokio::test(start_paused = true)]
async fn question_that_is_denied_or_fails_is_unknown_never_fine() {
    let spec = specs::production();
    let quota: (&str, &[CheckCode]) = (
        "quota",
        &[
            CheckCode::QuotaAddresses,
            CheckCode::QuotaVpcs,
            CheckCode::QuotaVcpus,
        ],
    );
    let denied = CloudError::Denied {
        caller_may_not: "you may not".to_owned(),
        action: None,
    };
    let lost = CloudError::Unreachable {
        operation: "it".to_owned(),
        message: "the line is dead".to_owned(),
    };
    for (verb, codes) in QUESTIONS.into_iter().chain([quota]) {
        for (error, next) in [(&denied, "allow "), (&lost, "look at the plan again")] {
            let faults = Faults {
                calls: vec![CallFault {
                    verb: Some(verb),
                    about: None,
                    after: 0,
                    times: u32::MAX,
                    kind: FaultKind::Refused(error.clone()),
                }],
                ..Faults::default()
            };
            let cloud = cloud(&spec, SimulatedAccount::default(), faults);
            let checks = checked(&cloud, &creation(&spec), &[]).await;
            let found: Vec<_> = bad(&checks)
                .iter()
                .map(|(code, verdict, _)| (*code, *verdict))
                .collect();
            let expected: Vec<_> = codes.iter().map(|code| (*code, Verdict::Unknown)).collect();
            assert_eq!(found, expected, "{verb}");
            let unknown = checks
                .iter()
                .filter(|check| check.verdict == Verdict::Unknown);
            for check in unknown {
                assert!(
                    check
                        .next
                        .as_deref()
                        .is_some_and(|text| text.starts_with(next)),
                    "{check:#?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn skipped_check_is_not_asked_and_is_shown() {
    let spec = specs::production();
    for code in CheckCode::ALL
        .into_iter()
        .filter(|code| code.can_be_skipped())
    {
        let cloud = cloud(&spec, SimulatedAccount::default(), Faults::default());
        let checks = checked(&cloud, &creation(&spec), &[code]).await;
        let found = bad(&checks);
        if code == CheckCode::QuotaSpotVcpus {
            assert_eq!(found, []);
            continue;
        }
        let [(found, Verdict::Unknown, text)] = found[..] else {
            panic!("{code}: {checks:#?}");
        };
        assert_eq!(found, code);
        assert!(text.contains(&format!("`--skip-check {code}`")), "{text}");
    }
}

/// A cluster as it stands, with one change of the number of machines.
fn grown(spec: &ClusterSpec, by: u32) -> Plan {
    let mut more = spec.clone();
    more.pools[0].min += by;
    more.pools[0].max += by;
    let before = creation(spec).steps.into_iter();
    let steps = creation(&more)
        .steps
        .into_iter()
        .zip(before)
        .map(|(step, before)| {
            let action = match (&step.stack.kind, by) {
                (StackKind::Pool(_), 1..) => Action::Deferred,
                _ => Action::NoChange,
            };
            Step {
                before: Some(before.stack.template),
                action,
                ..step
            }
        });
    Plan {
        steps: steps.collect(),
        ..creation(spec)
    }
}

#[tokio::test(start_paused = true)]
async fn update_asks_only_about_what_it_adds() {
    let spec = cluster("canary");
    let cloud = cloud(&spec, SimulatedAccount::default(), Faults::default());
    let identity = cloud.identity().await.unwrap();
    let before = cloud.calls().total();
    let skip = BTreeSet::new();
    let nothing = preflight(&grown(&spec, 0), &cloud, &identity, &skip).await;
    assert_eq!(nothing, []);
    assert_eq!(cloud.calls().total(), before, "nobody is asked");
    let checks = preflight(&grown(&spec, 2), &cloud, &identity, &skip).await;
    let codes: Vec<CheckCode> = checks.iter().map(|check| check.code).collect();
    assert_eq!(codes, [CheckCode::Zone, CheckCode::QuotaVcpus]);
    // A plan that is refused as a whole asks nothing either.
    let mut refused = creation(&spec);
    let why = kube_cfn::plan::Blocked::by_guard(kube_cfn::plan::Code::Zones, "no", "none");
    refused.refused.push(why);
    assert_eq!(preflight(&refused, &cloud, &identity, &skip).await, []);
}

#[test]
fn every_resource_type_of_the_templates_has_its_actions() {
    for spec in [
        specs::production(),
        specs::throw_away(),
        specs::zonal(),
        specs::canary(),
    ] {
        for step in creation(&spec).steps {
            for (id, of_type) in step.stack.resources() {
                assert!(
                    permissions::to_create(of_type).is_some(),
                    "{of_type} of {id}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn plan_shows_what_is_fine_on_one_line_and_the_rest_with_its_next_step() {
    let defined = Defined::load("clusters/canary.yaml".into()).unwrap();
    let account = SimulatedAccount {
        quotas: BTreeMap::from([("L-0263D0A3", 0)]),
        lacks_default_vpc: true,
        ..SimulatedAccount::default()
    };
    let faults = Faults {
        calls: vec![CallFault {
            verb: Some("account_access_block"),
            about: None,
            after: 0,
            times: 1,
            kind: FaultKind::Refused(CloudError::Denied {
                caller_may_not: "me may not s3:GetAccountPublicAccessBlock".to_owned(),
                action: Some("s3:GetAccountPublicAccessBlock".to_owned()),
            }),
        }],
        ..Faults::default()
    };
    let cloud = cloud(&defined.spec, account, faults);
    let mut plan = creation(&defined.spec);
    plan.checks = checked(&cloud, &plan, &[]).await;
    assert!(plan.is_refused());
    let identity = cloud.identity().await.unwrap();
    let view = view(&plan, &identity, &defined, &ForecastInputs::default());
    let shown = text(&view, PlanDetail::Short);
    let at = |part: &str| {
        let flat: String = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        flat.find(part)
            .unwrap_or_else(|| panic!("no {part:?} in\n{shown}"))
    };
    let order = [
        at("Checked before the first stack: names of the stacks, alias of the key, rights, zones"),
        at("! refused, quota-addresses: Elastic IP addresses: the plan adds 1, the quota in"),
        at("?? public access block of the account could not be checked: me may not"),
        at("next: allow s3:GetAccountPublicAccessBlock, which only reads"),
        at("!! default-vpc: "),
        at("Plan: "),
    ];
    assert!(order.is_sorted(), "{shown}");
    at("Not checked: instance capacity.");
    let page = markdown(&view);
    assert!(page.contains("> `!` refused, quota-addresses: "), "{page}");
    assert!(
        page.contains("\nChecked before the first stack: "),
        "{page}"
    );
    let data = serde_json::to_value(&view).unwrap();
    let checks = data["checks"].as_array().unwrap();
    let found = checks
        .iter()
        .find(|check| check["code"] == "quota-addresses")
        .unwrap();
    assert_eq!(found["verdict"], "refused");
    assert!(
        found["next"]
            .as_str()
            .is_some_and(|next| next.contains("L-0263D0A3"))
    );
}
