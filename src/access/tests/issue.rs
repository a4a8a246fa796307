//! Who gets a credential, for how long, and in which words.

use base64::Engine as _;
use secrecy::ExposeSecret;

use super::*;
use crate::cloud::Store as _;
use crate::pki::CertificateInfo;

#[tokio::test(start_paused = true)]
async fn issuing_needs_readable_authorities() {
    let cloud = cloud().await;
    let none = issue(&cloud, "canary", &request("ada", None), limits(), now()).await;
    assert_eq!(
        none.unwrap_err().to_string(),
        "no CA of cluster `canary` in this account and region: wrong profile? for a living cluster \
         `kube-cfn certs restore canary` puts it back; if it was never created, `kube-cfn plan canary` \
         shows what would be"
    );
    let none = authority_certificate(&cloud, "canary").await;
    assert!(matches!(none, Err(AccessError::NoAuthorities { .. })));
    deny(&cloud, None);
    let denied = issue(&cloud, "canary", &request("ada", None), limits(), now()).await;
    assert_eq!(
        denied.unwrap_err().to_string(),
        "no permission to read /kube-cfn/canary/cp/ca.key: \
         arn:aws:iam::123456789012:user/ada may not; IAM decides who may: \
         this takes ssm:GetParameter on it and kms:Decrypt on the cluster's key"
    );
}

#[tokio::test(start_paused = true)]
async fn lifetime_is_the_default_or_the_requested_one_up_to_the_limit() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    for (asked, minutes) in [(None, 8 * 60), (Some(60), 1), (Some(24 * 3600), 24 * 60)] {
        let made = issue(&cloud, "canary", &request("ada", asked), limits(), now()).await;
        assert_eq!(made.unwrap().expires, later(minutes));
    }
    let long = request("ada", Some(24 * 3600 + 1));
    let error = issue(&cloud, "canary", &long, limits(), now())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("24h 1s is more than the 24h"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn invalid_stored_authority_is_named_not_quoted() {
    let cloud = cloud().await;
    let junk = "hunter2".into();
    cloud
        .put_secret_if_absent("/kube-cfn/canary/cp/ca.key", &junk, &key(&cloud))
        .await
        .unwrap();
    let error = issue(&cloud, "canary", &request("ada", None), limits(), now())
        .await
        .unwrap_err();
    let message = format!("{error} {error:?}");
    assert!(message.contains("/kube-cfn/canary/cp/ca.key"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn plugin_prints_an_exec_credential() {
    let cloud = cloud().await;
    ensure(&cloud).await.unwrap();
    let made = issue(&cloud, "canary", &request("ada", None), limits(), now())
        .await
        .unwrap();
    let answer: serde_json::Value =
        serde_json::from_str(made.exec_credential().expose_secret()).unwrap();
    assert_eq!(answer["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(
        answer["status"]["expirationTimestamp"],
        "2026-11-23T18:00:00Z"
    );
    assert_eq!(
        answer["status"]["clientCertificateData"],
        made.certificate_pem
    );
    assert_eq!(answer["status"]["clientKeyData"], made.key.expose_secret());
    let shown = format!("{made:?} {:?}", made.exec_credential());
    assert!(!shown.contains("BEGIN"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn trusted_authority_is_read_from_exec_info() {
    let cloud = cloud().await;
    let ensured = ensure(&cloud).await.unwrap();
    let data = base64::engine::general_purpose::STANDARD.encode(&ensured.certificate_pem);
    let info = serde_json::json!({
        "kind": "ExecCredential",
        "spec": {"interactive": false, "cluster": {"certificate-authority-data": data}},
    });
    let facts = CertificateInfo::of_pem("it", &ensured.certificate_pem).unwrap();
    assert_eq!(
        authority_of_exec_info(&info.to_string()),
        Some(facts.fingerprint)
    );
    for silent in [
        "",
        "{}",
        "{\"spec\":{\"cluster\":{\"certificate-authority-data\":\"?\"}}}",
    ] {
        assert_eq!(authority_of_exec_info(silent), None);
    }
}
