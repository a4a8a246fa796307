//! Who may use the cluster's key, the copy of the authorities and the database's password: rendered policies evaluated.

use kube_cfn::spec::rules::{self, WarningCode};
use kube_cfn::stacks::{Input, Source, Stack, StackKind, operation_parameter};
use serde_json::{Value, json};

use super::iam::{ACCOUNT, Answer, Request, arn, of_resource, of_role};
use super::{design, of_type, stack, walk};
use crate::support::specs;

/// What launching a machine with a volume under a customer-managed key needs (user guide of EC2 Auto Scaling,
/// "Required AWS KMS key policy for use with encrypted volumes").
const USES: [&str; 7] = [
    "kms:Encrypt",
    "kms:Decrypt",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:DescribeKey",
];

/// Every disk of a launch template under a key that comes from another stack: the parameter that names the key.
fn disks_under_a_key(stack: &Stack) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (id, template) in of_type(stack, "AWS::EC2::LaunchTemplate") {
        let data = &template["Properties"]["LaunchTemplateData"];
        for mapping in data["BlockDeviceMappings"].as_array().unwrap() {
            if let Some(key) = mapping["Ebs"].get("KmsKeyId") {
                found.push((id.to_owned(), key["Ref"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

/// The logical id of the key that a parameter comes to, in the stack that puts it out.
fn key_of(stacks: &[Stack], inputs: &[Input], parameter: &str) -> (usize, String) {
    let input = inputs
        .iter()
        .find(|input| input.parameter == parameter)
        .unwrap();
    let Source::Output { stack, key } = &input.source else {
        panic!("{parameter} does not come from a stack");
    };
    let at = stacks.iter().position(|one| one.kind == *stack).unwrap();
    let output = &stacks[at].template["Outputs"][key]["Value"]["Fn::GetAtt"][0];
    (at, output.as_str().unwrap().to_owned())
}

/// What Auto Scaling's service-linked role lacks of what it needs. It has no KMS permission of its own, so a statement
/// that only lets IAM policies decide is not enough.
fn lacking(policy: &Value) -> Vec<String> {
    let role = format!(
        "arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
    );
    let grant = Request::new(&role, "kms:CreateGrant", "key");
    let mut requests: Vec<Request> = USES.map(|action| Request::new(&role, action, "key")).into();
    requests.push(grant.with("kms:GrantIsForAWSResource", "true"));
    requests.retain(|request| of_resource(policy, request) != Answer::Allowed);
    requests.into_iter().map(|request| request.action).collect()
}

#[test]
fn key_of_every_launched_disk_lets_auto_scaling_use_it() {
    let mut disks = 0;
    for spec in specs::all() {
        let stacks = design(&spec);
        for stack in &stacks {
            for (id, parameter) in disks_under_a_key(stack) {
                let (at, key) = key_of(&stacks, &stack.inputs, &parameter);
                let policy = &stacks[at].template["Resources"][&key]["Properties"]["KeyPolicy"];
                assert_eq!(lacking(policy), [""; 0], "{} {id}", stack.name);
                disks += 1;
            }
        }
    }
    assert!(disks > 5, "{disks}");
}

#[test]
fn auto_scaling_lacks_what_a_missing_statement_gave() {
    let base = stack(&specs::production(), &StackKind::Base);
    let policy = &base.template["Resources"]["Key"]["Properties"]["KeyPolicy"];
    let without = |sid: &str| {
        let mut policy = policy.clone();
        let statements = policy["Statement"].as_array_mut().unwrap();
        let all = statements.len();
        statements.retain(|one| one["Sid"] != sid);
        assert_eq!(statements.len() + 1, all, "{sid}");
        policy
    };
    assert_eq!(lacking(&without("AutoScalingUsesTheKeyForVolumes")), USES);
    assert_eq!(
        lacking(&without("AutoScalingLetsEc2UseTheKey")),
        ["kms:CreateGrant"]
    );
    assert_eq!(lacking(&without("AccountDecidesThroughIam")), [""; 0]);
    // As a principal the account would only delegate.
    let mut delegated = policy.clone();
    for statement in delegated["Statement"].as_array_mut().unwrap() {
        if statement["Effect"] == "Allow" {
            statement["Principal"] = policy["Statement"][0]["Principal"].clone();
        }
    }
    assert_eq!(lacking(&delegated).len(), USES.len() + 1);
}

#[test]
fn key_policy_gives_nobody_else_anything() {
    let base = stack(&specs::production(), &StackKind::Base);
    let policy = &base.template["Resources"]["Key"]["Properties"]["KeyPolicy"];
    let service = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling";
    for (principal, best) in [
        (
            format!("arn:aws:iam::{ACCOUNT}:role/anybody"),
            Answer::Delegated,
        ),
        (
            format!("arn:aws:iam::999988887777:{service}"),
            Answer::Nothing,
        ),
        (
            "arn:aws:iam::999988887777:role/anybody".to_owned(),
            Answer::Nothing,
        ),
    ] {
        for action in USES
            .into_iter()
            .chain(["kms:CreateGrant", "kms:PutKeyPolicy"])
        {
            let request =
                Request::new(&principal, action, "key").with("kms:GrantIsForAWSResource", "true");
            assert_eq!(of_resource(policy, &request), best, "{principal} {action}");
        }
    }
    // Not for the role's own use: a grant is for EC2 alone.
    let auto_scaling = Request::new(
        &format!("arn:aws:iam::{ACCOUNT}:{service}"),
        "kms:CreateGrant",
        "key",
    );
    let own = auto_scaling.with("kms:GrantIsForAWSResource", "false");
    assert_eq!(of_resource(policy, &own), Answer::Delegated);
}

/// An object of the state bucket.
fn object(principal: &str, action: &str, key: &str) -> Request {
    Request::new(principal, action, &format!("{}/{key}", arn("StateBucket")))
}

const COPY: &str = "authorities/parameters.json";
const READS: [&str; 3] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAttributes",
];

#[test]
fn copy_of_the_authorities_is_read_by_issuers_and_the_control_plane() {
    let stranger = format!("arn:aws:iam::{ACCOUNT}:role/operator");
    let open = specs::canary();
    let closed = specs::production();
    let issuer = closed.access.issuers[0].clone();
    assert!(open.access.issuers.is_empty());
    for (spec, who, expected) in [
        (&closed, &stranger, Answer::Denied),
        (&closed, &arn("NodeRole"), Answer::Denied),
        (&closed, &arn("ControlPlaneRole"), Answer::Nothing),
        (&closed, &issuer, Answer::Nothing),
        (&open, &stranger, Answer::Nothing),
    ] {
        let base = stack(spec, &StackKind::Base);
        let policy =
            &base.template["Resources"]["StateBucketPolicy"]["Properties"]["PolicyDocument"];
        for action in READS {
            let said = of_resource(policy, &object(who, action, COPY));
            assert_eq!(said, expected, "{} {who} {action}", spec.name);
            let snapshot = of_resource(policy, &object(who, action, "etcd/1.db"));
            assert_eq!(snapshot, Answer::Nothing, "{} {who} {action}", spec.name);
        }
        // `apply` writes it for those who may read the parameters; `delete` empties the bucket for everybody.
        let writes = if spec.access.issuers.is_empty() {
            Answer::Nothing
        } else {
            Answer::Denied
        };
        for (action, expected) in [
            ("s3:PutObject", writes),
            ("s3:DeleteObjectVersion", Answer::Nothing),
        ] {
            let said = of_resource(policy, &object(&stranger, action, COPY));
            assert_eq!(said, expected, "{} {action}", spec.name);
        }
    }
}

#[test]
fn no_machine_changes_the_copy_of_the_authorities() {
    for spec in specs::all() {
        let base = stack(&spec, &StackKind::Base);
        let policy =
            &base.template["Resources"]["StateBucketPolicy"]["Properties"]["PolicyDocument"];
        for role in ["ControlPlaneRole", "NodeRole"] {
            for action in [
                "s3:PutObject",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:PutObjectTagging",
            ] {
                let said = of_resource(policy, &object(&arn(role), action, COPY));
                assert_eq!(said, Answer::Denied, "{} {role} {action}", spec.name);
                let snapshot = of_resource(policy, &object(&arn(role), action, "etcd/1.db"));
                assert_eq!(snapshot, Answer::Nothing, "{} {role} {action}", spec.name);
            }
        }
        let own =
            |role: &str, action: &str| of_role(&base, role, &object(&arn(role), action, COPY));
        assert_eq!(own("ControlPlaneRole", "s3:GetObject"), Answer::Allowed);
        assert_eq!(own("NodeRole", "s3:GetObject"), Answer::Nothing);
        for role in ["ControlPlaneRole", "NodeRole"] {
            assert_eq!(own(role, "s3:PutObject"), Answer::Nothing, "{role}");
        }
    }
}

#[test]
fn no_role_writes_the_operation_lock() {
    for spec in specs::all() {
        let base = stack(&spec, &StackKind::Base);
        let parameter = |name: &str| {
            format!(
                "arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/kube-cfn/{}/{name}",
                spec.name
            )
        };
        let lock = operation_parameter(&spec.name);
        assert_eq!(
            parameter("operation"),
            format!("arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter{lock}")
        );
        let mut roles = 0;
        for (role, _) in of_type(&base, "AWS::IAM::Role") {
            for action in [
                "ssm:PutParameter",
                "ssm:DeleteParameter",
                "ssm:DeleteParameters",
                "ssm:LabelParameterVersion",
            ] {
                let request = Request::new(&arn(role), action, &parameter("operation"));
                let said = of_role(&base, role, &request);
                assert_eq!(said, Answer::Nothing, "{} {role} {action}", spec.name);
            }
            roles += 1;
        }
        assert!(roles >= 2);
        let note = Request::new(
            &arn("ControlPlaneRole"),
            "ssm:PutParameter",
            &parameter("state/x"),
        );
        assert_eq!(of_role(&base, "ControlPlaneRole", &note), Answer::Allowed);
    }
}

#[test]
fn nothing_of_the_authorities_expires() {
    let base = stack(&specs::production(), &StackKind::Base);
    let bucket = &base.template["Resources"]["StateBucket"]["Properties"];
    assert_eq!(bucket["VersioningConfiguration"]["Status"], "Enabled");
    let rules = bucket["LifecycleConfiguration"]["Rules"]
        .as_array()
        .unwrap();
    let ends = [
        "ExpirationInDays",
        "NoncurrentVersionExpiration",
        "Transitions",
    ];
    let mut old = Vec::new();
    for rule in rules
        .iter()
        .filter(|rule| ends.iter().any(|end| rule.get(*end).is_some()))
    {
        let prefix = rule["Prefix"].as_str().unwrap_or_default();
        assert!(!prefix.is_empty(), "{rule}");
        assert!(!COPY.starts_with(prefix), "{rule}");
        old.extend(rule.get("NoncurrentVersionExpiration").map(|_| prefix));
    }
    old.sort_unstable();
    assert_eq!(old, ["boot/", "bundles/", "etcd/", "templates/"]);
}

#[test]
fn ebs_driver_uses_keys_of_volumes_but_no_clusters() {
    let base = stack(&specs::canary(), &StackKind::Base);
    let role = arn("EbsCsiRole");
    let key = format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/1");
    let uses = [
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ];
    for action in uses {
        let direct = Request::new(&role, action, &key);
        let through = direct
            .clone()
            .with("kms:ViaService", "ec2.eu-west-1.amazonaws.com");
        let through = through.with("kms:GrantIsForAWSResource", "true");
        let answer = |request: &Request| of_role(&base, "EbsCsiRole", request);
        assert_eq!(answer(&through), Answer::Allowed, "{action}");
        assert_eq!(answer(&direct), Answer::Nothing, "{action}");
        let elsewhere = through
            .clone()
            .with("kms:ViaService", "s3.eu-west-1.amazonaws.com");
        assert_eq!(answer(&elsewhere), Answer::Nothing, "{action}");
        for cluster in ["canary", "production"] {
            let ours = through
                .clone()
                .with("aws:ResourceTag/kube-cfn/cluster", cluster);
            assert_eq!(answer(&ours), Answer::Nothing, "{action} {cluster}");
        }
    }
    // Its stack gives the key that tag.
    assert_eq!(base.tags["kube-cfn/cluster"], "canary");
}

#[test]
fn master_secret_is_read_by_its_own_control_plane_alone() {
    let base = stack(&specs::canary(), &StackKind::Base);
    let secret = format!("arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:rds!db-1");
    let answer = |instance: &str| {
        let request = Request::new(
            &arn("ControlPlaneRole"),
            "secretsmanager:GetSecretValue",
            &secret,
        );
        let instance = format!("arn:aws:rds:eu-west-1:{ACCOUNT}:db:{instance}");
        let request = request.with("aws:ResourceTag/aws:rds:primaryDBInstanceArn", &instance);
        of_role(&base, "ControlPlaneRole", &request)
    };
    assert_eq!(
        answer("canary-database-database-1jx3kq2r8vbn"),
        Answer::Allowed
    );
    for other in [
        "canary-database-database-database-1jx3kq2r8vbn",
        "canary-database-x-database-database-1jx3kq2r8vbn",
        "canary-eu-database-database-1jx3kq2r8vbn",
        "production-database-database-1jx3kq2r8vbn",
    ] {
        assert_eq!(answer(other), Answer::Nothing, "{other}");
    }
}

/// Whether a new cluster may have this name.
fn is_taken(name: &str) -> bool {
    let mut spec = specs::canary();
    name.clone_into(&mut spec.name);
    let additions = rules::additions(&spec);
    let mut codes = additions.iter().map(|(_, warning)| warning.code);
    !rules::check(&spec).iter().any(|broken| broken.at == "name")
        && !codes.any(|code| code == WarningCode::ClusterName)
}

#[test]
fn no_cluster_is_called_like_the_stacks_of_another() {
    for refused in ["a-pool", "a-pool-b", "a-database", "a-database-b"] {
        assert!(!is_taken(refused), "{refused}");
    }
    for taken in ["pool", "a-pools", "database", "a-databases", "carpool"] {
        assert!(is_taken(taken), "{taken}");
    }
    let stacks_of = |cluster: &str| {
        StackKind::examples()
            .map(|kind| kind.stack_name(cluster))
            .collect::<Vec<_>>()
    };
    for kind in StackKind::examples() {
        let longer = kind.stack_name("a");
        if !is_taken(&longer.to_lowercase()) {
            continue;
        }
        for stack in stacks_of(&longer) {
            assert!(
                !stack.starts_with("a-pool-"),
                "{stack} could be a pool of a"
            );
            assert!(!stacks_of("a").contains(&stack), "{stack}");
        }
    }
}

/// A pattern that begins with the cluster's name fits what belongs to a cluster of a longer name, unless a dash or a slash
/// that no name has comes first: each needs a rule for names, or a denial.
#[test]
fn patterns_over_the_name_of_the_cluster_are_known() {
    let base = stack(&specs::canary(), &StackKind::Base);
    let mut found = Vec::new();
    walk(&base.template["Resources"], "", &mut |_, value| {
        let text = value.as_str().unwrap_or_default();
        let after = text.split_once("canary-").map(|(_, rest)| rest);
        if after.is_some_and(|rest| rest.contains(['*', '?'])) {
            found.push(text.rsplit(':').next().unwrap().to_owned());
        }
    });
    assert_eq!(
        json!(found),
        json!(["canary-database-*", "canary-database-*-database-*"])
    );
}
