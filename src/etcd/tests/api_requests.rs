//! Requests to deprecated APIs, as the program of a node answers.

use super::*;
use crate::etcd::api_requests;

const READ: &str = r#"{"ok":true,"started":"2026-11-01T10:00:00Z","deprecated":[{"group":"policy","version":"v1beta1","resource":"podsecuritypolicies","removedIn":"1.25"}]}"#;

#[tokio::test]
async fn every_api_server_is_asked_and_none_is_assumed() {
    let cloud = Machines::new();
    cloud.say("a api-requests", &[READ]);
    cloud.say("b api-requests", &[r#"{"ok":true}"#]);
    cloud.say("c api-requests", &[r#"{"ok":false,"error":"no answer"}"#]);
    cloud.say("d api-requests", &[""]);
    let found = api_requests(&members(&cloud, "abcde", &deaf)).await;
    let (slots, found): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    assert_eq!(slots, ['a', 'b', 'c', 'd', 'e']);
    let first = found[0].as_ref().unwrap();
    assert_eq!(first.since, "2026-11-01T10:00:00Z".parse().unwrap());
    assert_eq!(first.deprecated[0].api_version(), "policy/v1beta1");
    let reason = |at: usize| found[at].clone().unwrap_err();
    assert!(reason(1).contains("since when"), "{}", reason(1));
    assert_eq!(reason(2), "no answer");
    assert!(reason(3).contains("older boot files"), "{}", reason(3));
    assert!(reason(4).contains("does not exist"), "{}", reason(4));
}
