//! Certificates of nodes, as their programs answer.

use super::*;
use crate::etcd::certificates;

const READ: &str = r#"{"ok":true,"certificates":[{"name":"etcd-peer","notAfter":"2027-11-23T10:00:00Z"},{"name":"kubelet","error":"/k.pem is missing or empty"}]}"#;

#[tokio::test]
async fn certificates_of_nodes_are_dates_or_reasons() {
    let cloud = Machines::new();
    cloud.say("a certificates", &[READ]);
    cloud.say("b certificates", &[""]);
    cloud.say(
        "d certificates",
        &[r#"{"ok":false,"error":"read the certificates: x"}"#],
    );
    cloud.say("e certificates", &[r#"{"ok":true}"#]);
    cloud.say(
        "f certificates",
        &[r#"{"ok":true,"certificates":[{"name":"x","notAfter":"soon"}]}"#],
    );
    let found = certificates(&members(&cloud, "abcdef", &deaf)).await;
    let reason = |at: usize| found[at].expires.clone().unwrap_err();
    let seen: Vec<_> = found
        .iter()
        .map(|one| (one.slot, one.name.as_str()))
        .collect();
    let all = "certificates";
    let wanted = [
        ('a', "etcd-peer"),
        ('a', "kubelet"),
        ('b', all),
        ('c', all),
        ('d', all),
        ('e', all),
        ('f', all),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(
        found[0].expires,
        Ok("2027-11-23T10:00:00Z".parse().unwrap())
    );
    assert_eq!(reason(1), "/k.pem is missing or empty");
    assert!(reason(2).contains("it has older boot files"), "{found:?}");
    assert!(reason(3).contains("does not exist"), "{found:?}");
    assert_eq!(reason(4), "read the certificates: x");
    assert_eq!(reason(5), "its program lists none");
    assert!(reason(6).contains("without a readable result"), "{found:?}");
}
