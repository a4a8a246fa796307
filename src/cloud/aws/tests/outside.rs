//! What AWS answers about resources outside the stacks: shapes as in its API references, every page, every refusal.

mod balancers;
mod checks;
mod dns;
mod machines;
mod network;
mod removing;
mod rest;

use super::*;
use crate::cloud::{Outside, OutsideKind, OutsideResource, OutsideScope};

fn scope() -> OutsideScope {
    OutsideScope {
        cluster: "canary".to_owned(),
        vpc: Some("vpc-1".to_owned()),
    }
}

/// An answer of EC2, whose lists lie directly in its root.
fn ec2(call: &str, inside: &str) -> Answer {
    let space = "http://ec2.amazonaws.com/doc/2016-11-15/";
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{call}Response xmlns=\"{space}\">\
         <requestId>8f7724cf</requestId>{inside}</{call}Response>"
    );
    Answer::Xml(200, body)
}

/// EC2's form of a refusal.
fn ec2_refusal(code: &str, message: &str) -> Answer {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = format!("<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>");
    Answer::Xml(400, body)
}

fn ec2_tag(key: &str, value: &str) -> String {
    format!("<tagSet><item><key>{key}</key><value>{value}</value></item></tagSet>")
}

fn json(answer: &serde_json::Value) -> Answer {
    Answer::Xml(200, answer.to_string())
}

async fn listed(aws: &Aws, kind: OutsideKind) -> Vec<OutsideResource> {
    aws.outside(kind, &scope()).await.expect("listed")
}

fn ids(resources: &[OutsideResource]) -> Vec<&str> {
    resources.iter().map(|one| one.id.as_str()).collect()
}

/// The texts of a set.
fn texts(set: &std::collections::BTreeSet<String>) -> Vec<&str> {
    set.iter().map(String::as_str).collect()
}

#[tokio::test]
async fn page_of_a_proxy_or_an_answer_without_its_list_is_never_an_empty_list() {
    let bodies = ["<html>sign in</html>", "{}", "", "<DescribeOtherResponse/>"];
    let looks = OutsideKind::ALL
        .iter()
        .flat_map(|kind| bodies.iter().map(move |body| (*kind, *body)));
    let looks = looks.map(async |(kind, body)| {
        let (aws, _asked) = serve(move |_| Answer::Xml(200, body.to_owned())).await;
        let error = aws.outside(kind, &scope()).await;
        let error = error.expect_err("not an answer");
        assert!(error.is_transient(), "{kind:?} {body}: {error:?}");
    });
    futures::future::join_all(looks).await;
}

#[tokio::test]
async fn denied_list_names_the_action() {
    // As EC2 says it: without the action's name.
    let short = "You are not authorized to perform this operation.";
    let (aws, _asked) = serve(move |_| ec2_refusal("UnauthorizedOperation", short)).await;
    let error = aws.outside(OutsideKind::Volume, &scope()).await;
    let Err(CloudError::Denied { action, .. }) = error else {
        panic!("{error:?}")
    };
    assert_eq!(action.as_deref(), Some("ec2:DescribeVolumes"));
    let long = r#"{"__type": "AccessDeniedException", "message":
        "User: arn:aws:iam::1:user/me is not authorized to perform: tag:GetResources because no policy allows it"}"#;
    let (aws, _asked) = serve(move |_| Answer::Xml(400, long.to_owned())).await;
    for kind in [
        OutsideKind::LoadBalancer,
        OutsideKind::ClassicLoadBalancer,
        OutsideKind::TargetGroup,
        OutsideKind::Bucket,
        OutsideKind::Key,
    ] {
        let error = aws.outside(kind, &scope()).await;
        let Err(CloudError::Denied { action, .. }) = error else {
            panic!("{error:?}")
        };
        assert_eq!(action.as_deref(), Some("tag:GetResources"));
    }
}

#[tokio::test]
async fn throttled_list_is_asked_again() {
    let mut tries = 0;
    let (aws, asked) = serve(move |_| {
        tries += 1;
        if tries == 1 {
            ec2_refusal("RequestLimitExceeded", "Request limit exceeded.")
        } else {
            ec2("DescribeSnapshots", "<snapshotSet/>")
        }
    })
    .await;
    assert_eq!(listed(&aws, OutsideKind::Snapshot).await, []);
    let requests: Vec<String> = asked.try_iter().collect();
    assert_eq!(requests.len(), 3, "two tags, one of them twice");
    assert!(requests.iter().all(|one| one.contains("Owner.1=self")));
    assert!(aws.limiter.is_slowed(Service::Ec2, CallKind::Read));
}
