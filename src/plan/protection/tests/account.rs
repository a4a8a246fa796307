//! What is in the account, held against the template in force.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::account::{LiveAccount, layers};
use super::super::read::AccountFacts;
use super::super::{LayerState, ProtectionLayer, documents};
use crate::cloud::{
    ACCESS_BLOCKS, BucketAccess, Identity, KeyState, LiveResource, LiveStack, ResourceStatus,
    RoleAccess, StackStatus,
};
use crate::stacks::StackKind;

const ROLE_ARN: &str = "arn:aws:iam::123456789012:role/c-base-Role-1";

fn template() -> Value {
    let block: BTreeMap<&str, bool> = ACCESS_BLOCKS.into_iter().map(|part| (part, true)).collect();
    let trust = json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole"}]});
    json!({"Resources": {
        "Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": [
            {"Sid": "Account", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
             "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}},
            {"Sid": "Closed", "Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*", "Principal": {"AWS": "*"},
             "Condition": {"ArnNotEquals": {"aws:PrincipalArn": [{"Fn::GetAtt": ["Role", "Arn"]}]}}},
        ]}}},
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"PublicAccessBlockConfiguration": block}},
        "BucketPolicy": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "Bucket"},
            "PolicyDocument": {"Statement": [{"Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
                "Resource": {"Fn::Sub": "${Bucket.Arn}/*"},
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust,
            "ManagedPolicyArns": [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/Core"}]}},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "own", "Roles": [{"Ref": "Role"}],
            "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"],
                "Resource": {"Fn::GetAtt": ["Bucket", "Arn"]}}]}}},
        "Managed": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Roles": [{"Ref": "Role"}],
            "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}]}}},
    }})
}

/// As AWS gives it back: other orders and forms, the same meaning.
fn as_made() -> AccountFacts {
    let of = |id: &str, physical: &str, kind: &str| LiveResource {
        logical_id: id.to_owned(),
        physical_id: Some(physical.to_owned()),
        resource_type: kind.to_owned(),
        status: ResourceStatus::new("CREATE_COMPLETE"),
        reason: None,
    };
    let key_policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": ["kms:decrypt"], "Resource": ["*"],
         "Condition": {"ArnNotEquals": {"aws:principalarn": ROLE_ARN}}},
        {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "kms:*", "Resource": "*"},
    ]});
    let bucket_policy = json!({"Statement": {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*",
        "Resource": "arn:aws:s3:::state-1/*", "Condition": {"Bool": {"aws:SecureTransport": [false]}}}});
    let role = RoleAccess {
        trust: json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com"]},
            "Action": ["sts:AssumeRole"]}]}),
        attached: BTreeMap::from([
            ("arn:aws:iam::aws:policy/Core".to_owned(), None),
            (
                "arn:aws:iam::123456789012:policy/m".to_owned(),
                Some(
                    json!({"Statement": [{"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}]}),
                ),
            ),
        ]),
        inline: BTreeMap::from([(
            "own".to_owned(),
            json!({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::state-1"}]}),
        )]),
    };
    let access = BucketAccess {
        blocks: ACCESS_BLOCKS.into_iter().map(str::to_owned).collect(),
        policy: Some(bucket_policy),
    };
    AccountFacts {
        resources: vec![
            of("Key", "7f-1", "AWS::KMS::Key"),
            of("Bucket", "state-1", "AWS::S3::Bucket"),
            of("BucketPolicy", "state-1", "AWS::S3::BucketPolicy"),
            of("Role", "c-base-Role-1", "AWS::IAM::Role"),
            of("Policy", "p", "AWS::IAM::Policy"),
            of(
                "Managed",
                "arn:aws:iam::123456789012:policy/m",
                "AWS::IAM::ManagedPolicy",
            ),
        ],
        keys: BTreeMap::from([(
            "Key".to_owned(),
            (Ok(Some(KeyState::Enabled)), Ok(Some(key_policy))),
        )]),
        buckets: BTreeMap::from([("Bucket".to_owned(), Ok(Some(access)))]),
        roles: BTreeMap::from([("Role".to_owned(), Ok(Some(role)))]),
    }
}

fn checked(template: &Value, facts: &AccountFacts) -> Vec<ProtectionLayer> {
    let identity = Identity {
        account: "123456789012".to_owned(),
        caller: "me".to_owned(),
        region: "eu-west-1".to_owned(),
    };
    let found = LiveStack {
        id: "arn".to_owned(),
        name: "c-base".to_owned(),
        cluster: "c".to_owned(),
        kind: "base".to_owned(),
        status: StackStatus::CreateComplete,
        reason: None,
        parameters: BTreeMap::new(),
        outputs: BTreeMap::new(),
        tags: BTreeMap::new(),
        termination_protection: true,
        created: Timestamp::UNIX_EPOCH,
        updated: None,
    };
    let all = layers(LiveAccount {
        identity: &identity,
        kind: &StackKind::Base,
        found: &found,
        template,
        facts,
    });
    for one in &all {
        assert_eq!(
            one.next.is_some(),
            one.state == LayerState::Missing,
            "{one:?}"
        );
    }
    all
}

/// The one layer that does not hold after a change: its name, words and remedy.
fn broken(change: impl FnOnce(&mut AccountFacts)) -> (&'static str, String, String) {
    let mut facts = as_made();
    change(&mut facts);
    let mut all = checked(&template(), &facts);
    all.retain(|one| one.state != LayerState::Holds);
    assert_eq!(all.len(), 1, "{all:#?}");
    let one = all.remove(0);
    assert_eq!(one.state, LayerState::Missing, "{one:?}");
    (one.layer, one.text, one.next.unwrap_or_default())
}

fn role(facts: &mut AccountFacts) -> &mut RoleAccess {
    let role = facts
        .roles
        .get_mut("Role")
        .and_then(|role| role.as_mut().ok());
    role.and_then(Option::as_mut).expect("a role")
}

fn bucket(facts: &mut AccountFacts) -> &mut BucketAccess {
    let bucket = facts
        .buckets
        .get_mut("Bucket")
        .and_then(|bucket| bucket.as_mut().ok());
    bucket.and_then(Option::as_mut).expect("a bucket")
}

fn key_policy(facts: &mut AccountFacts) -> &mut Value {
    let key = facts
        .keys
        .get_mut("Key")
        .and_then(|(_, policy)| policy.as_mut().ok());
    key.and_then(Option::as_mut).expect("a policy")
}

/// The statements of the key policy in force.
fn statements(facts: &mut AccountFacts) -> &mut Vec<Value> {
    let statements = key_policy(facts)["Statement"].as_array_mut();
    statements.expect("a list")
}

#[test]
fn account_as_made_holds_whatever_form_aws_gives_it() {
    let all = checked(&template(), &as_made());
    let states: Vec<_> = all.iter().map(|one| (one.layer, one.state)).collect();
    assert_eq!(
        states,
        [
            "key",
            "key policy",
            "public access block",
            "bucket policy",
            "trust",
            "permissions"
        ]
        .map(|layer| (layer, LayerState::Holds)),
        "{all:#?}"
    );
}

#[test]
fn key_that_can_not_be_used_is_missing() {
    let state = |state: KeyState| {
        move |facts: &mut AccountFacts| {
            facts.keys.get_mut("Key").expect("a key").0 = Ok(Some(state));
        }
    };
    let day = "2026-12-30T00:00:00Z".parse().ok();
    let (layer, text, next) = broken(state(KeyState::PendingDeletion(day)));
    assert_eq!(layer, "key");
    assert!(
        text.starts_with("pending deletion: deleted for good on 2026-12-30"),
        "{text}"
    );
    assert_eq!(
        next,
        "`aws kms cancel-key-deletion --region eu-west-1 --key-id 7f-1`, then `aws kms enable-key --region eu-west-1 \
         --key-id 7f-1`"
    );
    let (layer, text, next) = broken(state(KeyState::Disabled));
    assert_eq!(layer, "key");
    assert!(text.starts_with("disabled"), "{text}");
    assert_eq!(
        next,
        "`aws kms enable-key --region eu-west-1 --key-id 7f-1`"
    );
}

#[test]
fn key_policy_is_named_wider_or_narrower() {
    let (layer, text, next) = broken(|facts| {
        let allowed = json!({"Sid": "Guest", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"},
            "Action": "kms:Decrypt", "Resource": "*"});
        statements(facts).push(allowed);
    });
    assert_eq!(layer, "key policy");
    assert_eq!(
        text,
        "wider than its template: Allow statement Guest is added"
    );
    let start = "`aws kms put-key-policy --region eu-west-1 --key-id 7f-1 --policy-name default --policy '{\"Statement\":[{\"Sid\":\"Account\"";
    assert!(next.starts_with(start) && next.contains(ROLE_ARN), "{next}");

    let (_, text, _) = broken(|facts| {
        statements(facts).remove(0);
    });
    assert_eq!(
        text,
        "wider than its template: Deny statement Closed is missing"
    );
    let (_, text, _) = broken(|facts| {
        statements(facts).remove(1);
    });
    assert_eq!(
        text,
        "narrower than its template: Allow statement Account is missing"
    );
}

#[test]
fn bucket_that_was_opened_is_missing() {
    let (layer, text, next) = broken(|facts| {
        bucket(facts).blocks.remove("RestrictPublicBuckets");
    });
    assert_eq!(layer, "public access block");
    assert_eq!(
        text,
        "off: RestrictPublicBuckets; the bucket can be made public"
    );
    assert!(
        next.contains("put-public-access-block --region eu-west-1 --bucket state-1")
            && next.contains("RestrictPublicBuckets=true")
    );

    let (layer, text, next) = broken(|facts| bucket(facts).policy = None);
    assert_eq!(layer, "bucket policy");
    assert_eq!(text, "there is none, its template has one");
    assert!(
        next.starts_with(
            "`aws s3api put-bucket-policy --region eu-west-1 --bucket state-1 --policy '{"
        ),
        "{next}"
    );

    let (layer, text, _) = broken(|facts| {
        let open =
            json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"});
        let policy =
            json!({"Statement": [open, bucket(facts).policy.take().expect("one")["Statement"]]});
        bucket(facts).policy = Some(policy);
    });
    assert_eq!(layer, "bucket policy");
    assert_eq!(
        text,
        "public; wider than its template: Allow statement for s3:getobject is added"
    );
}

#[test]
fn role_that_was_changed_is_missing() {
    const ADMIN: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    let (layer, text, next) =
        broken(|facts| drop(role(facts).attached.insert(ADMIN.to_owned(), None)));
    assert_eq!(layer, "permissions");
    assert_eq!(
        text,
        format!("wider than its template: policy {ADMIN} is attached")
    );
    assert_eq!(
        next,
        format!("`aws iam detach-role-policy --role-name c-base-Role-1 --policy-arn {ADMIN}`")
    );

    let everything = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    let added = everything.clone();
    let (_, text, next) =
        broken(|facts| drop(role(facts).inline.insert("extra".to_owned(), added)));
    assert_eq!(
        text,
        "wider than its template: inline policy extra is added"
    );
    assert_eq!(
        next,
        "`aws iam delete-role-policy --role-name c-base-Role-1 --policy-name extra`"
    );

    let changed = everything.clone();
    let (_, text, next) =
        broken(|facts| drop(role(facts).inline.insert("own".to_owned(), changed)));
    assert!(
        text.starts_with("inline policy own: wider than its template"),
        "{text}"
    );
    assert!(
        next.contains("put-role-policy --role-name c-base-Role-1 --policy-name own"),
        "{next}"
    );

    let managed = "arn:aws:iam::123456789012:policy/m".to_owned();
    let (_, text, next) =
        broken(|facts| drop(role(facts).attached.insert(managed, Some(everything))));
    assert!(
        text.starts_with("policy arn:aws:iam::123456789012:policy/m: wider"),
        "{text}"
    );
    assert!(
        next.contains("create-policy-version --policy-arn arn:aws:iam::123456789012:policy/m"),
        "{next}"
    );

    let (layer, text, next) = broken(|facts| {
        role(facts).trust["Statement"][0]["Principal"] = json!({"AWS": "999988887777"});
    });
    assert_eq!(layer, "trust");
    assert!(text.starts_with("wider than its template"), "{text}");
    assert!(
        next.starts_with("`aws iam update-assume-role-policy --role-name c-base-Role-1"),
        "{next}"
    );

    let (_, text, _) = broken(|facts| role(facts).inline.clear());
    assert_eq!(
        text,
        "narrower than its template: inline policy own is missing"
    );
}

#[test]
fn what_was_not_read_or_can_not_be_resolved_is_unknown() {
    let mut facts = as_made();
    facts
        .roles
        .insert("Role".to_owned(), Err("denied".to_owned()));
    let unknown = |all: Vec<ProtectionLayer>| {
        let all = all
            .into_iter()
            .filter(|one| one.state == LayerState::Unknown);
        all.map(|one| (one.layer, one.text)).collect::<Vec<_>>()
    };
    assert_eq!(
        unknown(checked(&template(), &facts)),
        [("permissions", "could not be read: denied".to_owned())]
    );
    let mut later = template();
    later["Resources"]["Policy"]["Properties"]["PolicyDocument"]["Statement"][0]["Resource"] =
        json!({"Fn::GetAtt": ["Bucket", "WebsiteURL"]});
    let said = unknown(checked(&later, &as_made()));
    assert_eq!(
        said,
        [(
            "permissions",
            "its template refers to something that can't be looked up".to_owned()
        )]
    );
}

#[test]
fn documents_differ_by_what_they_say_alone() {
    let one =
        json!({"Statement": [{"Effect": "Allow", "Action": ["a:B", "a:C"], "Resource": "*"}]});
    let same = json!({"Id": "x", "Statement": {"Sid": "Named", "Effect": "Allow", "Action": ["a:c", "a:b"],
        "Resource": ["*"]}});
    assert!(documents::compare(&one, &same).is_empty());
    let twice = json!({"Statement": [one["Statement"][0], one["Statement"][0]]});
    assert!(documents::compare(&twice, &one).text().contains("missing"));
    let other =
        json!({"Statement": [{"Effect": "Allow", "NotAction": ["a:B", "a:C"], "Resource": "*"}]});
    assert!(!documents::compare(&one, &other).is_empty());
}
