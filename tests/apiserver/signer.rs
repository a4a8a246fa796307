//! The certificates of the API server of the tests: its own, and those that it signs for approved requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kube_cfn::pki::CertificateAuthority;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, Issuer, KeyPair,
    KeyUsagePurpose,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::http::Place;
use super::store::{Answer, Store};

const REQUESTS: &str = "apis/certificates.k8s.io/v1/certificatesigningrequests";

pub struct Signer {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer {
    pub fn of(authority: &CertificateAuthority) -> Self {
        let bundle = authority.to_bundle();
        let key = KeyPair::from_pem(&first_block(bundle.expose_secret())).unwrap();
        let certificate = authority.certificate_pem().to_owned();
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).unwrap();
        Self {
            certificate,
            issuer,
        }
    }

    /// TLS with a certificate for `names`; clients may show one of the same authority.
    pub fn server(&self, names: &[&str]) -> ServerConfig {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let mut wanted = CertificateParams::new(names).unwrap();
        lives(&mut wanted, 365 * 86_400);
        wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let made = wanted.signed_by(&key, &self.issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(ring::default_provider());
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .allow_unauthenticated()
                .build()
                .unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_single_cert(
                vec![made.der().clone()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap()
    }

    /// Signs what was approved; a real one does so a moment later, too, by a controller.
    pub fn work(&self, store: &mut Store) {
        for mut request in store.of(REQUESTS) {
            let conditions = request["status"]["conditions"].as_array();
            let approved =
                conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Approved"));
            if !approved || request["status"]["certificate"].is_string() {
                continue;
            }
            // First seen as approved: signed at the next look.
            if request["status"]["seen"].is_null() {
                request["status"]["seen"] = json!(true);
                store.put(REQUESTS, request);
                continue;
            }
            let made = self.sign(&request["spec"]);
            request["status"]["certificate"] = json!(STANDARD.encode(made));
            store.put(REQUESTS, request);
        }
    }

    fn sign(&self, spec: &Value) -> String {
        let pem = STANDARD.decode(spec["request"].as_str().unwrap()).unwrap();
        let mut request =
            CertificateSigningRequestParams::from_pem(&String::from_utf8(pem).unwrap()).unwrap();
        let seconds = spec["expirationSeconds"].as_i64().unwrap_or(365 * 86_400);
        lives(&mut request.params, seconds);
        request.params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.signed_by(&self.issuer).unwrap().pem()
    }
}

/// What a server refuses of a certificate request.
pub fn refused(place: &Place, object: &Value) -> Option<Answer> {
    if place.resource != "certificatesigningrequests" {
        return None;
    }
    let invalid = |why: &str| {
        let message = format!("CertificateSigningRequest.certificates.k8s.io is invalid: {why}");
        Some(Answer::status(422, "Invalid", &message, None))
    };
    let seconds = object["spec"]["expirationSeconds"].as_i64();
    if seconds.is_some_and(|seconds| seconds < 600) {
        return invalid("spec.expirationSeconds: may not specify a duration less than 600 seconds");
    }
    if object["spec"]["usages"]
        .as_array()
        .is_none_or(Vec::is_empty)
    {
        return invalid("spec.usages: Required value");
    }
    None
}

/// What a server refuses of a decision.
///
/// pkg/apis/certificates/validation/validation.go, `validateConditions`.
pub fn decided(place: &Place, object: &Value) -> Option<Answer> {
    if place.resource != "certificatesigningrequests" {
        return None;
    }
    let conditions = object["status"]["conditions"].as_array();
    let has = |kind: &str| {
        conditions.is_some_and(|all| {
            all.iter()
                .any(|one| one["type"] == kind && one["status"] == "True")
        })
    };
    let both = has("Approved") && has("Denied");
    let empty = conditions.is_some_and(|all| all.iter().any(|one| one["type"] == ""));
    let message = "CertificateSigningRequest.certificates.k8s.io is invalid: status.conditions: Invalid value: \
                   Approved and Denied conditions are mutually exclusive";
    (both || empty).then(|| Answer::status(422, "Invalid", message, None))
}

/// Valid from five minutes ago, as the controller's, for `seconds`.
fn lives(wanted: &mut CertificateParams, seconds: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Timestamp::now().as_second();
    let at = |second: i64| epoch + std::time::Duration::from_secs(u64::try_from(second).unwrap());
    wanted.not_before = at(now - 300);
    wanted.not_after = at(now + seconds);
}

fn first_block(text: &str) -> String {
    pem::encode(&pem::parse_many(text).unwrap()[0])
}
