//! What is in the way of a deletion, before it begins.

use super::*;
use kube_cfn::cloud::Lock;
use kube_cfn::report::outside::refusal;
use kube_cfn::sweep::{Cause, Obstacle, Unchecked};

fn locked(kind: Kind, id: &str, stack: Option<&str>, lock: Lock) -> Obstacle {
    Obstacle {
        kind,
        id: id.to_owned(),
        stack: stack.map(str::to_owned),
        cause: Cause::Lock(lock),
        blocks: kind != Kind::Bucket,
    }
}

fn obstacles() -> Obstacles {
    let right = |kind, id: &str, action: &str, more: &[&str], why: &str, blocks| Obstacle {
        kind,
        id: id.to_owned(),
        stack: None,
        cause: Cause::Right {
            action: action.to_owned(),
            why: why.to_owned(),
            ids: more
                .iter()
                .chain(&[id])
                .map(|id| (*id).to_owned())
                .collect(),
        },
        blocks,
    };
    let jane = "arn:aws:iam::111122223333:user/jane";
    let machine = Kind::Machine;
    Obstacles {
        found: vec![
            locked(
                Kind::LoadBalancer,
                &balancer_arn(),
                None,
                Lock::DeletionProtection,
            ),
            locked(
                machine,
                "i-0a1b2c3d4e5f60718",
                None,
                Lock::TerminationProtection,
            ),
            locked(machine, "i-0b2c3d4e5f6071829", None, Lock::StopProtection),
            locked(
                Kind::Database,
                DATABASE,
                Some("canary-database"),
                Lock::DeletionProtection,
            ),
            right(
                Kind::SecurityGroup,
                "sg-0aa11bb22cc33dd44",
                "ec2:DeleteSecurityGroup",
                &["sg-0ee55ff66aa77bb88"],
                &format!(
                    "{jane} may not ec2:DeleteSecurityGroup: no identity-based policy allows it"
                ),
                true,
            ),
            locked(Kind::Bucket, "canary-state", None, Lock::BucketPolicy),
            locked(Kind::Bucket, "canary-state", None, Lock::ObjectLock),
            right(
                Kind::DnsRecord,
                "Z0123456789ABCDEFGHIJ shop.example.com. A",
                "route53:ChangeResourceRecordSets",
                &[],
                &format!("as far as IAM's policy simulator sees it, {jane} may not"),
                false,
            ),
        ],
        unchecked: vec![Unchecked {
            kind: machine,
            id: "i-0c3d4e5f607182930".to_owned(),
            why: "the caller may not ec2:DescribeInstanceAttribute".to_owned(),
        }],
    }
}

fn case() -> Case {
    let mut case = Case::of(Vec::new());
    case.plan = bare();
    case.seen = Seen::NoApi;
    case.obstacles = obstacles();
    case
}

#[test]
fn obstacles_are_said_with_the_commands_that_remove_them() {
    let mut case = case();
    check("obstacles", &case.text());
    case.accepts_obstacles = true;
    let text = case.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains("that is accepted:"), "{text}");
    assert!(!text.contains("nothing is deleted before"), "{text}");
    case.obstacles = Obstacles::default();
    assert!(!case.text().contains("in the way"));
}

#[test]
fn obstacles_are_in_the_json_with_their_commands() {
    let json = case().json();
    let all = json["obstacles"].as_array().unwrap();
    assert_eq!(all.len(), 8);
    assert_eq!(
        (&all[0]["thing"], &all[0]["lock"]),
        (&json!("load balancer"), &json!("deletionProtection"))
    );
    assert_eq!(
        (&all[3]["thing"], &all[3]["stack"]),
        (&json!("database"), &json!("canary-database"))
    );
    assert_eq!(
        (&all[4]["action"], &all[4]["lock"]),
        (&json!("ec2:DeleteSecurityGroup"), &Value::Null)
    );
    for one in all {
        let is_lock = one["lock"] != Value::Null;
        assert_eq!(
            one["commands"].as_array().unwrap().is_empty(),
            !is_lock,
            "{one}"
        );
    }
    assert_eq!(json["unchecked"][0]["id"], "i-0c3d4e5f607182930");
}

#[test]
fn only_what_a_stack_needs_gone_refuses() {
    let why = refusal(&obstacles(), "kube-cfn delete canary").unwrap();
    assert_eq!((why.code, why.by_guard), (Code::RemovalBlocked, true));
    assert!(why.reason.contains("2 security groups: "), "{}", why.reason);
    assert!(!why.reason.contains("canary-state"), "{}", why.reason);
    assert!(
        why.remedy
            .contains("`kube-cfn delete canary --accept obstacles`"),
        "{}",
        why.remedy
    );
    let mut rest = obstacles();
    rest.found.retain(|one| !one.blocks);
    assert_eq!(refusal(&rest, "kube-cfn delete canary"), None);
}

/// What can't be removed stands under what stays, with what keeps it, and so does what it uses; it is not said to be removed.
#[test]
fn accepted_obstacles_stand_under_what_stays() {
    let balancer = made(
        Kind::LoadBalancer,
        balancer_arn(),
        Some(service("shop/web")),
    );
    let name = "net/a4f5c6d7e8f90123456789abcdef0123/50dc6c495c0c9188";
    let mut interface = made(Kind::Interface, "eni-0f9e8d7c6b5a40312", None);
    interface.resource.by_aws = true;
    interface.resource.description = Some(format!("ELB {name}"));
    interface.resource.uses = ["sg-0aa11bb22cc33dd44".to_owned()].into();
    let group = made(Kind::SecurityGroup, "sg-0aa11bb22cc33dd44", None);
    let other = made(Kind::SecurityGroup, "sg-0ee55ff66aa77bb88", None);
    let volume = volume("vol-0a1b2c3d4e5f60718", 50, "available", "shop/data");
    let mut case = Case::of(vec![balancer, interface, group, other, volume]);
    case.plan = bare();
    case.seen = Seen::NoApi;
    case.delete_volumes = true;
    case.obstacles.found = vec![
        locked(
            Kind::LoadBalancer,
            &balancer_arn(),
            None,
            Lock::DeletionProtection,
        ),
        locked(
            Kind::Database,
            DATABASE,
            Some("canary-database"),
            Lock::DeletionProtection,
        ),
        Obstacle {
            kind: Kind::Volume,
            id: "vol-0a1b2c3d4e5f60718".to_owned(),
            stack: None,
            cause: Cause::Right {
                action: "ec2:DeleteVolume".to_owned(),
                why: "jane may not ec2:DeleteVolume".to_owned(),
                ids: ["vol-0a1b2c3d4e5f60718".to_owned()].into(),
            },
            blocks: false,
        },
    ];
    // Nothing is deleted while the lock refuses it: it would go.
    let ids = |json: &Value, list: &str| -> Vec<String> {
        let all = json[list].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&case.json(), "stays"), ["vol-0a1b2c3d4e5f60718"]);
    case.accepts_obstacles = true;
    let json = case.json();
    assert_eq!(ids(&json, "stays").len(), 4, "{json:#}");
    assert_eq!(ids(&json, "outside"), ["sg-0ee55ff66aa77bb88"]);
    assert_eq!(ids(&json, "lostVolumes"), [""; 0]);
    assert_eq!(json["stays"][0]["disposition"], "untouched");
    check("stays", &case.text());
}

/// Said before consent, and with it why the rest of its network stays.
#[test]
fn vpc_waits_for_the_database_in_it() {
    let of_stack = |kind, id: &str, disposition| {
        let mut one = made(kind, id, Some(Purpose::Stack("network".to_owned())));
        one.owner = Owner::Stack;
        one.resource.vpc = Some("vpc-0a".to_owned());
        one.disposition = disposition;
        one
    };
    let mut database = of_stack(Kind::Database, DATABASE, Disposition::Untouched);
    database.resource.uses = ["subnet-0a".to_owned()].into();
    let all = vec![
        database,
        of_stack(Kind::Subnet, "subnet-0a", Disposition::Removed),
        of_stack(Kind::Subnet, "subnet-0b", Disposition::Removed),
        of_stack(Kind::Vpc, "vpc-0a", Disposition::Removed),
    ];
    let mut case = Case::of(all);
    case.plan = bare();
    case.plan.steps.clear();
    case.seen = Seen::NoApi;
    let json = case.json();
    let stays: Vec<_> = json["stays"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(stays, ["subnet-0a", "vpc-0a"]);
    let text = case.text();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = format!("not in it any more: database {DATABASE} is in it, and stays");
    assert!(words.contains(&wanted), "{text}");
}
