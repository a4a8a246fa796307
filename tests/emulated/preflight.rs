//! What AWS would refuse is found before the first stack: refused with 5, nothing made.

use kube_cfn::cloud::Cloud;
use serde_json::{Value, json};

use crate::process::Said;
use crate::support::{OPEN, created, follow, network, proposal};
use crate::tools::ask;
use crate::world::World;

async fn made(world: &World) -> Vec<String> {
    let found = world.aws().await.stacks(None).await.expect("listed");
    found.into_iter().map(|stack| stack.name).collect()
}

/// What was printed, on one line.
fn flat(said: &Said) -> String {
    let text = format!("{} {}", said.stdout, said.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn has(said: &Said, parts: &[&str]) {
    let text = flat(said);
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{said}");
    }
}

#[tokio::test]
async fn quota_of_addresses_without_room_is_refused_and_can_be_skipped() {
    let world = World::small("crowded");
    world.account_facts(&json!({"quotas": {"L-0263D0A3": 0}}));
    let text = "quota-addresses: Elastic IP addresses: the plan adds 1, the quota in eu-west-1 is 0, 0 are in use";
    has(world.cluster("plan", &["--no-drift"]).ends(5), &[text]);
    let file = world.path("plan.json");
    let file = file.to_str().expect("a path");
    let saved = world.cluster("plan", &["--no-drift", "--out", file]);
    saved
        .ends(5)
        .tells("no plan was saved: apply would refuse it");
    let said = world.apply();
    has(
        said.ends(5),
        &[
            text,
            "nothing was changed",
            "--quota-code L-0263D0A3 --desired-value 1`",
            "`--skip-check quota-addresses`",
        ],
    );
    assert_eq!(made(&world).await, [""; 0]);
    let data = world.cluster("plan", &["--no-drift", "-o", "json"]);
    let data: Value = serde_json::from_str(&data.ends(5).stdout).expect("JSON");
    let mut checks = data["checks"].as_array().expect("checks").iter();
    let check = checks.find(|check| check["code"] == "quota-addresses");
    assert_eq!(check.expect("it")["verdict"], "refused");
    // The emulated AWS has no quotas: it makes what the check refused.
    let skipped = ["--yes", "--skip-check", "quota-addresses"];
    let said = world.cluster("apply", &skipped);
    has(
        said.ends(0),
        &["quota of Elastic IP addresses not checked: `--skip-check quota-addresses`"],
    );
    world
        .cluster("plan", &["--skip-check", "stack-name"])
        .ends(64)
        .tells("the checks that can be skipped are key-alias");
    // An update that adds no address asks nothing about them.
    world.edit("max: 1", "max: 2");
    world.apply().ends(0).omits("quota-addresses");
}

#[tokio::test]
async fn name_of_a_foreign_stack_is_refused_before_the_base_is_made() {
    let world = World::small("squatted");
    let file = world.path("plan.json");
    let file = file.to_str().expect("a path");
    world
        .cluster("plan", &["--no-drift", "--out", file])
        .ends(0);
    let aws = world.aws().await;
    let mut foreign = proposal("squatted-network", &network("x"), "theirs");
    foreign.tags.clear();
    let id = aws.create(&foreign, &OPEN).await.expect("made");
    follow(&aws, &id, "theirs").await;
    let text = "a stack squatted-network is there already, in CREATE_COMPLETE: it does not belong to squatted";
    has(
        world.cluster("plan", &["--no-drift"]).ends(5),
        &[text, "write another `name`"],
    );
    has(world.apply().ends(5), &[text, "nothing was changed"]);
    // A plan that was made before looks again.
    has(
        world.run(&["apply", file, "--yes"]).ends(5),
        &[text, "nothing was changed"],
    );
    assert_eq!(made(&world).await, [""; 0]);
}

#[tokio::test]
async fn placeholder_of_somebody_elses_change_set_is_refused() {
    let world = World::small("reviewed");
    let arguments = json!({
        "StackName": "reviewed-edge", "ChangeSetName": "theirs", "ChangeSetType": "CREATE",
        "TemplateBody": network("x").to_string(),
        "Parameters": [{"ParameterKey": "Cidr", "ParameterValue": "10.9.0.0/16"}],
    });
    ask(&world, "cloudformation", "create_change_set", &arguments);
    let said = world.apply();
    has(
        said.ends(5),
        &[
            "a stack reviewed-edge is there already, in REVIEW_IN_PROGRESS",
            "`aws cloudformation delete-stack --region eu-west-1 --stack-name reviewed-edge` removes it",
        ],
    );
    assert_eq!(made(&world).await, [""; 0]);
}

#[tokio::test]
async fn zone_and_type_that_are_not_there_are_refused() {
    let world = World::small("zoneless");
    world.account_facts(&json!({"zones": "a"}));
    has(
        world.apply().ends(5),
        &["zone: this account has no zone eu-west-1b in eu-west-1; it has eu-west-1a"],
    );
    world.account_facts(&json!({"notOffered": {"t4g.medium": "a"}}));
    has(
        world.apply().ends(5),
        &[
            "machine-type: Machine of control-plane node a in eu-west-1a: t4g.medium is offered in",
            "controlPlane.instanceType",
        ],
    );
    assert_eq!(made(&world).await, [""; 0]);
}

#[tokio::test]
async fn missing_right_to_write_parameters_is_found_before_anything_is_paid_for() {
    let world = World::small("powerless");
    let caller = format!("arn:aws:iam::{}:user/operator", world.account());
    world.account_facts(&json!({"caller": caller, "notAllowed": ["ssm:PutParameter"]}));
    has(
        world.apply().ends(5),
        &[
            "rights: as far as IAM's policy simulator sees it, arn:aws:iam::",
            "may not ssm:PutParameter",
        ],
    );
    assert_eq!(made(&world).await, [""; 0]);
    world.account_facts(&json!({"caller": caller, "notAllowed": ["iam:PassRole"]}));
    has(
        world.cluster("plan", &["--no-drift"]).ends(0),
        &["!! rights: ", "may not iam:PassRole on every resource"],
    );
    world.account_facts(&json!({"caller": caller, "accessBlock": ["BlockPublicPolicy"]}));
    has(
        world.apply().ends(5),
        &[
            "public-access-block: account ",
            "blocks public buckets as a whole (BlockPublicPolicy)",
        ],
    );
    assert_eq!(made(&world).await, [""; 0]);
    world.account_facts(&json!({"caller": caller}));
    let said = world.cluster("plan", &["--no-drift"]);
    has(
        said.ends(0),
        &[
            "Checked before the first stack: names of the stacks, alias of the key, rights, zones, machine types, quota of \
             Elastic IP addresses, quota of VPCs, quota of vCPUs, public access block of the account, default VPC.",
        ],
    );
    said.omits("??");
}

#[tokio::test]
async fn denied_look_ups_are_unknown_and_stop_nothing() {
    let world = World::with_database("unseen");
    world.account_facts(&json!({
        "defaultVpc": false,
        "refuses": ["GetServiceQuota", "GetPublicAccessBlock", "DescribeInstanceTypeOfferings",
            "DescribeAvailabilityZones", "DescribeOrderableDBInstanceOptions"],
    }));
    let said = world.cluster("plan", &["--no-drift"]);
    has(
        said.ends(0),
        &[
            "?? zones could not be checked: arn:aws:iam::",
            "next: allow ec2:DescribeAvailabilityZones, which only reads",
            "?? machine types could not be checked",
            "?? database class and engine version could not be checked",
            "next: allow rds:DescribeOrderableDBInstanceOptions, which only reads",
            "?? quota of Elastic IP addresses could not be checked",
            "next: allow servicequotas:GetServiceQuota, which only reads",
            "?? public access block of the account could not be checked",
            "next: allow s3:GetAccountPublicAccessBlock, which only read",
            // The emulated caller is the root user.
            "?? rights could not be checked: the caller is the root user of the account",
            "!! default-vpc: eu-west-1 has no default VPC",
            "Checked before the first stack: names of the stacks, alias of the key.",
        ],
    );
    world.account_facts(&json!({"databases": {"db.t4g.medium": ["17.12", "16.9"]}}));
    has(
        world.cluster("plan", &["--no-drift"]).ends(5),
        &[
            "database: RDS makes no new database with PostgreSQL ",
            "it offers ",
        ],
    );
}

/// The account's own quota, and the default of AWS where it has none.
#[tokio::test]
async fn default_of_aws_stands_in_for_a_quota_that_was_never_applied() {
    use kube_cfn::cloud::Quota;
    use kube_cfn::cloud::account::Account;

    let world = World::new("fresh-account");
    let aws = world.aws().await;
    world.account_facts(&json!({"quotas": {"L-F678F1CE": 9}}));
    assert_eq!(aws.quota(Quota::Vpcs).await, Ok(9));
    world.account_facts(&json!({"applied": false}));
    assert_eq!(aws.quota(Quota::Vpcs).await, Ok(5));
    let before = aws.vpcs().await.expect("read");
    assert!(before.has_default);
    created(&aws, "canary-network", &network("counted")).await;
    let after = aws.vpcs().await.expect("read");
    assert_eq!(after.number, before.number + 1);
}
