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
