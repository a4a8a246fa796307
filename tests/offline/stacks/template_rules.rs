//! The rules that every template follows: closed, encrypted, named, protected.

use std::collections::BTreeSet;

use kube_cfn::catalog::resources;
use kube_cfn::spec::{ClusterSpec, Exposure, Nat};
use kube_cfn::stacks::{Stack, StackKind};
use serde_json::{Value, json};

use super::{design, every_stack, of_type, stack, walk};
use crate::support::specs;

#[test]
fn every_resource_has_a_unique_description() {
    for stack in every_stack() {
        let mut seen = BTreeSet::new();
        for (id, _) in stack.resources() {
            let description = stack
                .description(id)
                .unwrap_or_else(|| panic!("{} {id}", stack.name));
            assert!(description.len() > 3, "{} {id}: {description}", stack.name);
            assert!(
                seen.insert(description.to_owned()),
                "{} {id}: {description} twice",
                stack.name
            );
        }
    }
    let edge = &stack(&specs::canary(), &StackKind::Edge);
    assert_eq!(
        edge.description("NatGateway"),
        Some("NAT gateway in eu-west-1a")
    );
    assert_eq!(edge.description("Nothing"), None);
}

#[test]
fn no_value_looks_like_a_secret() {
    const WORDS: &[&str] = &["PRIVATE KEY", "MasterUserPassword", "AKIA", "SecretString"];
    for stack in every_stack() {
        for object in &stack.objects {
            assert!(!object.bytes.is_empty());
        }
        walk(&stack.template, "", &mut |path, value| {
            let last = path.rsplit('/').next().unwrap_or_default();
            let text = value.as_str().unwrap_or_default();
            for word in WORDS {
                assert!(
                    last != *word && !text.contains(word),
                    "{} {path}: {word}",
                    stack.name
                );
            }
        });
        for input in &stack.inputs {
            let name = input.parameter.to_lowercase();
            assert!(
                !name.contains("password") && !name.contains("token"),
                "{name}"
            );
        }
    }
}

#[test]
fn only_the_api_is_open_to_the_allowed_ranges() {
    for spec in specs::all() {
        let vpc = spec.network.cidr.to_string();
        let allowed: BTreeSet<_> = spec
            .api
            .allowed_cidrs
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut found = BTreeSet::new();
        for stack in design(&spec) {
            for (id, group) in of_type(&stack, "AWS::EC2::SecurityGroup") {
                assert!(
                    group["Properties"].get("SecurityGroupIngress").is_none(),
                    "{id}"
                );
            }
            for (id, rule) in of_type(&stack, "AWS::EC2::SecurityGroupIngress") {
                let rule = &rule["Properties"];
                assert!(
                    rule.get("CidrIpv6").is_none() && rule.get("SourcePrefixListId").is_none(),
                    "{id}"
                );
                let Some(range) = rule.get("CidrIp").and_then(Value::as_str) else {
                    continue;
                };
                if range == vpc {
                    assert_eq!(rule["FromPort"], 30000, "{id}");
                    continue;
                }
                assert_eq!(
                    (&rule["FromPort"], &rule["ToPort"]),
                    (&json!(6443), &json!(6443)),
                    "{id}"
                );
                assert_eq!(
                    rule["GroupId"],
                    json!({"Fn::GetAtt": ["NlbSg", "GroupId"]}),
                    "{id}"
                );
                found.insert(range.to_owned());
            }
        }
        assert_eq!(found, allowed, "{}", spec.name);
    }
}

#[test]
fn nodes_behind_nat_reach_a_public_api() {
    let edge = &stack(&specs::production(), &StackKind::Edge);
    assert_eq!(of_type(edge, "AWS::EC2::SecurityGroupIngress").len(), 3);
    let edge = &stack(&specs::canary(), &StackKind::Edge);
    assert_eq!(of_type(edge, "AWS::EC2::SecurityGroupIngress").len(), 0);
}

#[test]
fn the_database_is_reached_from_machines_of_the_cluster_only() {
    let spec = specs::production();
    let network = &stack(&spec, &StackKind::Network);
    let mut sources: Vec<_> = of_type(network, "AWS::EC2::SecurityGroupIngress")
        .into_iter()
        .filter(|(_, rule)| rule["Properties"]["GroupId"]["Fn::GetAtt"][0] == "DbSg")
        .map(|(_, rule)| {
            assert_eq!(rule["Properties"]["FromPort"], 5432);
            &rule["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0]
        })
        .collect();
    sources.sort_by_key(|source| source.as_str());
    assert_eq!(sources, ["CpSg", "NodeSg"]);
    let database = &stack(&spec, &StackKind::Database);
    let (_, database) = of_type(database, "AWS::RDS::DBInstance")[0];
    assert_eq!(database["Properties"]["PubliclyAccessible"], false);
    assert_eq!(database["Properties"]["DeletionProtection"], true);
    assert_eq!(database["Properties"]["ManageMasterUserPassword"], true);
}

#[test]
fn every_disk_and_store_is_encrypted() {
    let mut disks = 0;
    for stack in every_stack() {
        for (id, volume) in of_type(&stack, "AWS::EC2::Volume") {
            assert_eq!(volume["Properties"]["Encrypted"], true, "{id}");
            assert_eq!(
                volume["Properties"]["KmsKeyId"],
                json!({"Ref": "KeyArn"}),
                "{id}"
            );
        }
        for (id, template) in of_type(&stack, "AWS::EC2::LaunchTemplate") {
            let data = &template["Properties"]["LaunchTemplateData"];
            for mapping in data["BlockDeviceMappings"].as_array().unwrap() {
                assert_eq!(mapping["Ebs"]["Encrypted"], true, "{id}");
                // The control plane's keys are on its disk; workers' are under the account's default key.
                let ours = json!({"Ref": "KeyArn"});
                let key = Some(&ours).filter(|_| stack.kind == StackKind::ControlPlane);
                assert_eq!(mapping["Ebs"].get("KmsKeyId"), key, "{id}");
                disks += 1;
            }
        }
        for (id, bucket) in of_type(&stack, "AWS::S3::Bucket") {
            let rule =
                &bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
            // What everybody may read can't lie under a key.
            let public = id == "OidcBucket";
            assert_eq!(
                rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"],
                if public { "AES256" } else { "aws:kms" },
                "{id}"
            );
        }
        for (id, database) in of_type(&stack, "AWS::RDS::DBInstance") {
            let database = &database["Properties"];
            let restored = database.get("DBSnapshotIdentifier").is_some();
            assert!(restored || database["StorageEncrypted"] == true, "{id}");
        }
    }
    assert!(disks > 15, "{disks}");
}

#[test]
fn metadata_service_needs_tokens_and_hop_limit_one() {
    for stack in every_stack() {
        for (id, template) in of_type(&stack, "AWS::EC2::LaunchTemplate") {
            let options = &template["Properties"]["LaunchTemplateData"]["MetadataOptions"];
            assert_eq!(options["HttpTokens"], "required", "{id}");
            assert_eq!(options["HttpPutResponseHopLimit"], 1, "{id}");
        }
    }
}

#[test]
fn data_resources_have_deletion_policies_and_stack_policy() {
    // The ground under data is made again from the definition; it holds nothing itself.
    const GROUND: &[&str] = &[
        "AWS::EC2::VPC",
        "AWS::EC2::Subnet",
        "AWS::RDS::DBSubnetGroup",
    ];
    for stack in every_stack() {
        let mut kept = Vec::new();
        for (id, kind) in stack.resources() {
            if resources::stored_data(kind).is_none() {
                continue;
            }
            kept.push(format!("LogicalResourceId/{id}"));
            let resource = &stack.template["Resources"][id];
            if !GROUND.contains(&kind) {
                assert!(
                    resource["DeletionPolicy"].is_string(),
                    "{} {id}",
                    stack.name
                );
                assert!(
                    resource["UpdateReplacePolicy"].is_string(),
                    "{} {id}",
                    stack.name
                );
                assert_ne!(
                    resource["UpdateReplacePolicy"], "Delete",
                    "{} {id}",
                    stack.name
                );
            }
        }
        let Some(policy) = &stack.policy else {
            assert!(kept.is_empty(), "{} has no policy", stack.name);
            assert!(
                matches!(stack.kind, StackKind::Edge | StackKind::Pool(_)),
                "{}",
                stack.name
            );
            continue;
        };
        let deny = &policy["Statement"][1];
        assert_eq!(deny["Effect"], "Deny");
        assert_eq!(deny["Action"], json!(["Update:Replace", "Update:Delete"]));
        let denied = deny["Resource"].as_array().unwrap();
        assert!(
            kept.iter().all(|id| denied.contains(&json!(id))),
            "{}",
            stack.name
        );
        if stack.kind == StackKind::ControlPlane {
            assert!(denied.contains(&json!("LogicalResourceId/EniA")));
        }
    }
}

#[test]
fn protection_covers_the_stacks_that_hold_data() {
    for stack in design(&specs::production()) {
        let holds = !matches!(stack.kind, StackKind::Edge | StackKind::Pool(_));
        assert_eq!(stack.termination_protection, holds, "{}", stack.name);
    }
    assert!(
        design(&specs::minimal())
            .iter()
            .all(|stack| !stack.termination_protection)
    );
}

#[test]
fn only_base_creates_iam_resources() {
    for stack in every_stack() {
        let identities = stack
            .resources()
            .filter(|(_, kind)| kind.starts_with("AWS::IAM::"))
            .count();
        let wanted: &[&str] = if stack.kind == StackKind::Base {
            &["CAPABILITY_IAM"]
        } else {
            &[]
        };
        assert_eq!(
            identities > 0,
            stack.kind == StackKind::Base,
            "{}",
            stack.name
        );
        assert_eq!(stack.capabilities, wanted, "{}", stack.name);
    }
}

#[test]
fn write_statements_name_their_resources() {
    let base = &stack(&specs::production(), &StackKind::Base);
    let mut seen = 0;
    let managed = of_type(base, "AWS::IAM::ManagedPolicy");
    for (id, policy) in of_type(base, "AWS::IAM::Policy").into_iter().chain(managed) {
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            .as_array()
            .unwrap()
        {
            let actions = match &statement["Action"] {
                Value::Array(actions) => actions.clone(),
                one => vec![one.clone()],
            };
            let looks = |action: &Value| {
                let action = action.as_str().unwrap();
                action.contains(":Describe")
                    || action == "ec2:GetInstanceTypesFromInstanceRequirements"
            };
            assert!(
                actions
                    .iter()
                    .all(|action| !action.as_str().unwrap().ends_with(":*")),
                "{id}"
            );
            let anywhere = statement["Resource"] == "*" && statement.get("Condition").is_none();
            assert!(
                !anywhere || actions.iter().all(looks),
                "{id} {}",
                statement["Sid"]
            );
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn every_machine_and_stack_carries_the_tags_of_its_cluster() {
    for spec in specs::all() {
        for stack in design(&spec) {
            assert_eq!(stack.tags[kube_cfn::common::tags::TAG_CLUSTER], spec.name);
            assert_eq!(
                stack.tags[kube_cfn::common::tags::TAG_STACK],
                stack.kind.to_string()
            );
            assert!(
                spec.tags
                    .iter()
                    .all(|(key, value)| stack.tags.get(key) == Some(value))
            );
            for (id, template) in of_type(&stack, "AWS::EC2::LaunchTemplate") {
                let specifications =
                    &template["Properties"]["LaunchTemplateData"]["TagSpecifications"];
                for specification in specifications.as_array().unwrap() {
                    let tags = specification["Tags"].as_array().unwrap();
                    let has = |key: &str, value: &str| {
                        tags.contains(&json!({"Key": key, "Value": value}))
                    };
                    assert!(has("kube-cfn/cluster", &spec.name), "{id}");
                    assert!(
                        has(&format!("kubernetes.io/cluster/{}", spec.name), "owned"),
                        "{id}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_nat_there_is_nothing_private_and_slots_have_public_addresses() {
    let spec = specs::throw_away();
    assert_eq!(spec.network.nat, Nat::None);
    let network = stack(&spec, &StackKind::Network);
    let mut ids = network.resources().map(|(id, _)| id);
    assert!(ids.all(|id| !id.starts_with("Private")));
    let edge = &stack(&spec, &StackKind::Edge);
    assert_eq!(of_type(edge, "AWS::EC2::NatGateway").len(), 0);
    let slots = &stack(&spec, &StackKind::ControlPlane);
    assert_eq!(of_type(slots, "AWS::EC2::EIPAssociation").len(), 1);
    let (_, group) = of_type(slots, "AWS::AutoScaling::AutoScalingGroup")[0];
    assert_eq!(
        group["DependsOn"],
        json!(["AddressAAssociation", "EtcdVolumeA"])
    );
}

#[test]
fn the_address_of_a_slot_is_reserved_where_cloudformation_can() {
    let reserved = |spec| {
        let network = stack(&spec, &StackKind::Network);
        let found = of_type(&network, "AWS::EC2::SubnetCidrReservation").into_iter();
        let found = found.map(|(_, one)| one["Properties"]["Cidr"].as_str().unwrap().to_owned());
        found.collect::<Vec<_>>()
    };
    assert_eq!(
        reserved(specs::throw_away()),
        ["10.40.24.8/29", "10.40.24.72/29"]
    );
    assert!(reserved(specs::production()).is_empty());
}

/// The stack of the first pool.
fn zonal_pool(spec: &ClusterSpec) -> Stack {
    stack(spec, &StackKind::Pool(spec.pools[0].name.clone()))
}

#[test]
fn a_zonal_pool_has_a_group_a_zone_that_share_its_size() {
    let pool = zonal_pool(&specs::zonal());
    let groups = of_type(&pool, "AWS::AutoScaling::AutoScalingGroup");
    let sizes: Vec<_> = groups
        .iter()
        .map(|(id, group)| {
            let group = &group["Properties"];
            assert_eq!(group["VPCZoneIdentifier"].as_array().unwrap().len(), 1);
            (
                *id,
                group["MinSize"].as_str().unwrap(),
                group["MaxSize"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        sizes,
        [
            ("GroupA", "2", "2"),
            ("GroupB", "1", "2"),
            ("GroupC", "1", "2")
        ]
    );
}

#[test]
fn groups_of_a_zone_share_the_machines_that_are_never_spot() {
    let mut spec = specs::zonal();
    spec.pools[0].spot_percent = 50;
    spec.pools[0].on_demand_base = 2;
    let pool = zonal_pool(&spec);
    let groups = of_type(&pool, "AWS::AutoScaling::AutoScalingGroup");
    let base = |group: &Value| {
        let mixed = &group["Properties"]["MixedInstancesPolicy"];
        mixed["InstancesDistribution"]["OnDemandBaseCapacity"].clone()
    };
    let found: Vec<_> = groups.into_iter().map(|(_, group)| base(group)).collect();
    assert_eq!(found, [json!(1), json!(1), json!(0)]);
}

#[test]
fn another_exposure_brings_a_target_group_of_its_own() {
    // ELB refuses a second load balancer at one target group, and the old one goes last.
    let mut spec = specs::canary();
    let before = stack(&spec, &StackKind::Edge);
    spec.api.exposure = Exposure::Public;
    let after = stack(&spec, &StackKind::Edge);
    let ids = |stack| {
        let found = of_type(stack, "AWS::ElasticLoadBalancingV2::TargetGroup");
        found
            .iter()
            .map(|(id, _)| (*id).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&before), ["InternalApiTargets"]);
    assert_eq!(ids(&after), ["PublicApiTargets"]);
}

#[test]
fn a_restored_database_takes_its_names_from_the_snapshot() {
    let stack = stack(&specs::zonal(), &StackKind::Database);
    let (_, database) = of_type(&stack, "AWS::RDS::DBInstance")[0];
    let database = &database["Properties"];
    assert!(database["DBSnapshotIdentifier"].is_string());
    // RDS deletes them with the instance unless configured otherwise.
    assert_eq!(database["DeleteAutomatedBackups"], false);
    for property in ["DBName", "MasterUsername", "StorageEncrypted"] {
        assert!(database.get(property).is_none(), "{property}");
    }
    let (_, group) = of_type(&stack, "AWS::RDS::DBParameterGroup")[0];
    assert_eq!(group["Properties"]["Family"], "postgres18");
    assert_eq!(group["Properties"]["Parameters"]["rds.force_ssl"], "0");
}

#[test]
fn limits_of_cloudformation_are_checked_before_any_request() {
    let templates = kube_cfn::templates::Templates::new(None).unwrap();
    let fail = |spec| {
        kube_cfn::stacks::design(&spec, &templates)
            .unwrap_err()
            .to_string()
    };
    let mut long = specs::minimal();
    long.pools[0].name = "x".repeat(130);
    assert!(fail(long).contains("128 characters"));
    let mut label = specs::minimal();
    label.pools[0]
        .labels
        .insert("k".repeat(120), "v".to_owned());
    assert!(fail(label).contains("127 characters"));
    let mut ranges = specs::minimal();
    let range = |n: u8| format!("10.{n}.0.0/16").parse().unwrap();
    let other = |n: u8| format!("172.16.{n}.0/24").parse().unwrap();
    ranges.api.allowed_cidrs = (0..=255).map(range).chain((0..=255).map(other)).collect();
    assert!(fail(ranges).contains("at most 500 resources"));
    let mut narrow = specs::minimal();
    narrow.network.cidr = "10.0.0.0/20".parse().unwrap();
    assert!(fail(narrow).contains("10.0.0.0/20"));
}
