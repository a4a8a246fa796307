//! Our authorities and certificates, checked by openssl.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use kube_cfn::pki::{
    Authority, CertificateAuthority, ClientCertificate, ServiceAccountKey, Subject, issue_client,
};
use secrecy::ExposeSecret;
use tempfile::{TempDir, tempdir};

use crate::tools::{openssl, run, try_run};

fn authority(role: Authority) -> CertificateAuthority {
    CertificateAuthority::generate(role, "canary", Timestamp::now()).unwrap()
}

fn ada(by: &CertificateAuthority) -> ClientCertificate {
    let groups = ["kube-cfn:admins".to_owned(), "ops".to_owned()];
    let subject = Subject::new("ada@example.com", &groups).unwrap();
    issue_client(
        by,
        &subject,
        SignedDuration::from_hours(8),
        Timestamp::now(),
    )
    .unwrap()
}

fn put(place: &TempDir, name: &str, text: &str) {
    fs::write(place.path().join(name), text).unwrap();
}

fn ask(place: &Path, question: &str) -> String {
    run(openssl().args(question.split(' ')), place)
}

#[test]
fn openssl_accepts_every_authority() {
    let place = tempdir().unwrap();
    for (role, name) in [
        (Authority::Kubernetes, "kubernetes"),
        (Authority::Etcd, "etcd-ca"),
        (Authority::FrontProxy, "front-proxy-ca"),
    ] {
        let made = authority(role);
        put(&place, "ca.crt", made.certificate_pem());
        let verdict = ask(
            place.path(),
            "verify -x509_strict -check_ss_sig -CAfile ca.crt ca.crt",
        );
        assert_eq!(verdict, "ca.crt: OK\n");
        let text = ask(place.path(), "x509 -in ca.crt -noout -text");
        for wanted in [
            format!("Subject: CN = {name}, O = canary"),
            "X509v3 Basic Constraints: critical\n                CA:TRUE\n".to_owned(),
            "X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign, CRL Sign".to_owned(),
            "ASN1 OID: prime256v1".to_owned(),
            "X509v3 Subject Key Identifier".to_owned(),
        ] {
            assert!(text.contains(&wanted), "{wanted} is missing in {text}");
        }
        let ten_years = SignedDuration::from_hours(24 * 3650 - 2).as_secs();
        ask(
            place.path(),
            &format!("x509 -in ca.crt -noout -checkend {ten_years}"),
        );
    }
}

#[test]
fn the_bundle_is_a_key_file_and_a_certificate_file_for_openssl() {
    let place = tempdir().unwrap();
    let made = authority(Authority::Kubernetes);
    put(&place, "ca.key", made.to_bundle().expose_secret());
    put(&place, "ca.crt", made.certificate_pem());
    let of_key = ask(place.path(), "pkey -in ca.key -pubout");
    assert_eq!(of_key, ask(place.path(), "x509 -in ca.crt -noout -pubkey"));
    assert_eq!(of_key, ask(place.path(), "x509 -in ca.key -noout -pubkey"));
}

#[test]
fn openssl_verifies_a_client_certificate_and_reads_user_and_groups() {
    let place = tempdir().unwrap();
    let by = authority(Authority::Kubernetes);
    let made = ada(&by);
    put(&place, "ca.crt", by.certificate_pem());
    put(&place, "ada.crt", &made.certificate_pem);
    put(&place, "ada.key", made.key.expose_secret());
    let verdict = "verify -x509_strict -purpose sslclient -CAfile ca.crt ada.crt";
    assert_eq!(ask(place.path(), verdict), "ada.crt: OK\n");
    let text = ask(place.path(), "x509 -in ada.crt -noout -text");
    for wanted in [
        "Subject: O = kube-cfn:admins, O = ops, CN = ada@example.com\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Authority Key Identifier",
        "Version: 3 (0x2)",
    ] {
        assert!(text.contains(wanted), "{wanted} is missing in {text}");
    }
    assert_eq!(
        ask(place.path(), "pkey -in ada.key -pubout"),
        ask(place.path(), "x509 -in ada.crt -noout -pubkey")
    );
    let print = ask(place.path(), "x509 -in ada.crt -noout -fingerprint -sha256");
    let print = print
        .trim()
        .rsplit('=')
        .next()
        .unwrap()
        .replace(':', "")
        .to_lowercase();
    assert_eq!(print, made.fingerprint);
}

#[test]
fn a_client_certificate_is_valid_for_its_authority_and_as_client_only() {
    let place = tempdir().unwrap();
    let (by, other) = (
        authority(Authority::Kubernetes),
        authority(Authority::Kubernetes),
    );
    put(&place, "ca.crt", by.certificate_pem());
    put(&place, "other.crt", other.certificate_pem());
    put(&place, "ada.crt", &ada(&by).certificate_pem);
    for refused in [
        "verify -CAfile other.crt ada.crt",
        "verify -purpose sslserver -CAfile ca.crt ada.crt",
    ] {
        let output = try_run(openssl().args(refused.split(' ')), place.path());
        assert!(!output.status.success(), "{refused}");
    }
}

#[test]
fn openssl_verifies_service_account_signatures() {
    let place = tempdir().unwrap();
    let pair = ServiceAccountKey::generate().unwrap();
    put(&place, "sa.key", pair.private_pem().expose_secret());
    put(&place, "sa.pub", pair.public_pem());
    put(&place, "token", "header.payload");
    ask(
        place.path(),
        "dgst -sha256 -sign sa.key -out signature token",
    );
    let verdict = ask(
        place.path(),
        "dgst -sha256 -verify sa.pub -signature signature token",
    );
    assert_eq!(verdict, "Verified OK\n");
}
