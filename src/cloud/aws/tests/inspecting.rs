//! What KMS and IAM answer about keys and roles.

use super::*;
use crate::cloud::{Inspect, KeyState};

fn json(status: u16, text: &str) -> Answer {
    Answer::Xml(status, text.to_owned())
}

#[tokio::test]
async fn key_is_read_with_state_and_policy() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("PolicyName") {
            json(200, r#"{"Policy": "{\"Statement\": []}"}"#)
        } else if asked.contains("going") {
            let about = r#"{"KeyMetadata": {"KeyState": "PendingDeletion", "DeletionDate": 1798588800.5}}"#;
            json(200, about)
        } else if asked.contains("gone") {
            json(400, r#"{"__type": "NotFoundException", "message": "Key 'gone' does not exist"}"#)
        } else if asked.contains("closed") {
            json(400, r#"{"__type": "AccessDeniedException", "Message": "User: me is not authorized to perform: kms:DescribeKey"}"#)
        } else {
            json(200, r#"{"KeyMetadata": {"KeyState": "Enabled"}}"#)
        }
    })
    .await;
    assert_eq!(aws.key("arn:key").await, Ok(Some(KeyState::Enabled)));
    assert_eq!(asked.recv().expect("a request"), r#"{"KeyId":"arn:key"}"#);
    let end = "2026-12-30T00:00:00Z".parse().ok();
    assert_eq!(
        aws.key("going").await,
        Ok(Some(KeyState::PendingDeletion(end)))
    );
    assert_eq!(aws.key("gone").await, Ok(None));
    let denied = aws.key("closed").await;
    assert!(
        matches!(denied, Err(CloudError::Denied { .. })),
        "{denied:?}"
    );
    let policy = aws.key_policy("arn:key").await;
    assert_eq!(policy, Ok(Some(serde_json::json!({"Statement": []}))));
}

#[tokio::test]
async fn key_without_an_answer_of_kms_is_no_answer() {
    let (aws, asked) = serve(|_| json(200, "<html>welcome</html>")).await;
    let error = aws.key("arn:key").await.expect_err("not KMS");
    assert!(error.is_transient(), "{error:?}");
    assert!(asked.recv().is_ok());
}

#[tokio::test]
async fn proxy_pages_under_200_are_asked_again() {
    for page in ["<html>welcome</html>", "", "{\"KeyMetadata\": "] {
        let mut calls = 0;
        let (aws, asked) = serve(move |asked| {
            calls += 1;
            match (calls, asked.contains("Action=GetRole")) {
                (1, _) => Answer::Foreign(200, page.to_owned()),
                (2, _) => json(200, page),
                (_, true) => refusal("NoSuchEntity", "no"),
                (_, false) => json(200, r#"{"KeyMetadata": {"KeyState": "Enabled"}}"#),
            }
        })
        .await;
        assert_eq!(
            aws.key("arn:key").await,
            Ok(Some(KeyState::Enabled)),
            "{page}"
        );
        assert_eq!(asked.try_iter().count(), 3, "{page}");
        let mut calls = 0;
        let (aws, _asked) = serve(move |_| {
            calls += 1;
            match calls {
                1 => Answer::Foreign(200, page.to_owned()),
                2 => json(200, page),
                _ => refusal("NoSuchEntity", "no"),
            }
        })
        .await;
        assert_eq!(aws.role("gone").await, Ok(None), "{page}");
    }
}

#[tokio::test]
async fn page_in_place_of_a_bucket_setting_is_no_setting() {
    for page in ["<html>welcome</html>", ""] {
        let (aws, _asked) = serve(move |_| json(200, page)).await;
        let error = aws.bucket_access("b").await.expect_err("not an answer");
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn role_is_read_page_by_page() {
    const OWN: &str = "arn:aws:iam::1:policy/own";
    let (aws, _asked) = serve(|asked| {
        if asked.contains("Action=GetRole&") {
            ok("GetRole", "<Role><AssumeRolePolicyDocument>%7B%22a%22%3A%20%22%2B%22%7D</AssumeRolePolicyDocument></Role>")
        } else if asked.contains("Action=ListAttachedRolePolicies") && asked.contains("Marker=two") {
            let one = "<member><PolicyArn>arn:aws:iam::aws:policy/Core</PolicyArn></member>";
            ok("ListAttachedRolePolicies", &format!("<AttachedPolicies>{one}</AttachedPolicies><IsTruncated>false</IsTruncated>"))
        } else if asked.contains("Action=ListAttachedRolePolicies") {
            let one = format!("<member><PolicyName>own</PolicyName><PolicyArn>{OWN}</PolicyArn></member>");
            let more = "<IsTruncated>true</IsTruncated><Marker>two</Marker>";
            ok("ListAttachedRolePolicies", &format!("<AttachedPolicies>{one}</AttachedPolicies>{more}"))
        } else if asked.contains("Action=ListRolePolicies") {
            ok("ListRolePolicies", "<PolicyNames><member>inline</member></PolicyNames><IsTruncated>false</IsTruncated>")
        } else if asked.contains("Action=GetPolicyVersion") {
            assert!(asked.contains("VersionId=v3"), "{asked}");
            ok("GetPolicyVersion", "<PolicyVersion><Document>%7B%22v%22%3A3%7D</Document></PolicyVersion>")
        } else if asked.contains("Action=GetPolicy&") {
            ok("GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>")
        } else {
            assert!(asked.contains("Action=GetRolePolicy") && asked.contains("PolicyName=inline"), "{asked}");
            ok("GetRolePolicy", "<PolicyDocument>%7B%7D</PolicyDocument>")
        }
    })
    .await;
    let role = aws.role("canary-role").await.expect("read").expect("there");
    assert_eq!(role.trust, serde_json::json!({"a": "+"}));
    let attached: Vec<_> = role.attached.iter().collect();
    assert_eq!(attached.len(), 2, "{attached:?}");
    assert_eq!(role.attached[OWN], Some(serde_json::json!({"v": 3})));
    assert_eq!(role.attached["arn:aws:iam::aws:policy/Core"], None);
    assert_eq!(role.inline["inline"], serde_json::json!({}));
}

#[tokio::test]
async fn role_that_does_not_exist_is_none() {
    let (aws, _asked) = serve(|_| {
        let error =
            "<Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>no</Message></Error>";
        Answer::Xml(404, format!("<ErrorResponse>{error}</ErrorResponse>"))
    })
    .await;
    assert_eq!(aws.role("gone").await, Ok(None));
}
