//! A client certificate from the cluster's own signer: asked for, approved, waited for. The key never
//! comes near here.

use std::time::Duration;

use ::kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1 as certificates;
use serde_json::json;

use super::{Api, KubeError};

/// The signer for clients of the API: it takes any user, but no `system:masters`.
const SIGNER: &str = "kubernetes.io/kube-apiserver-client";
/// Who says that it was approved.
const REASON: &str = "KubeCfnAccessGrant";
/// The signer works through its queue in a second or two.
const PATIENCE: Duration = Duration::from_mins(1);
const BETWEEN: Duration = Duration::from_millis(500);

/// What the signer made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificate {
    pub certificate_pem: String,
}

impl Api {
    /// Has a request signed. `name` names the request object, which the cluster removes by itself an
    /// hour after it was signed; `seconds` is the lifetime asked for, and the signer may give less.
    pub async fn sign(
        &self,
        name: &str,
        request_pem: &str,
        seconds: i32,
    ) -> Result<SignedCertificate, KubeError> {
        let requests = self.cluster::<certificates::CertificateSigningRequest>();
        let asked = certificates::CertificateSigningRequest {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            spec: certificates::CertificateSigningRequestSpec {
                request: ByteString(request_pem.as_bytes().to_vec()),
                signer_name: SIGNER.to_owned(),
                expiration_seconds: Some(seconds),
                usages: Some(vec![
                    "digital signature".to_owned(),
                    "client auth".to_owned(),
                ]),
                ..Default::default()
            },
            status: None,
        };
        let made = requests.create(&PostParams::default(), &asked).await;
        made.map_err(|error| self.failed(error))?;
        let approval = json!({"status": {"conditions": [{
            "type": "Approved",
            "status": "True",
            "reason": REASON,
            "message": "approved by kube-cfn access grant",
        }]}});
        let approved = requests
            .patch_approval(name, &PatchParams::default(), &Patch::Merge(&approval))
            .await;
        approved.map_err(|error| self.failed(error))?;
        let signed = async {
            loop {
                let now = requests
                    .get(name)
                    .await
                    .map_err(|error| self.failed(error))?;
                if let Some(end) = outcome(now.status.unwrap_or_default()) {
                    return end;
                }
                tokio::time::sleep(BETWEEN).await;
            }
        };
        let silent = "the cluster's signer did not answer within a minute; is the \
                      kube-controller-manager running?";
        match tokio::time::timeout(PATIENCE, signed).await {
            Ok(end) => end,
            Err(_) => Err(KubeError::NotSigned(silent.to_owned())),
        }
    }
}

/// How a request ended; `None` while nothing is decided.
fn outcome(
    status: certificates::CertificateSigningRequestStatus,
) -> Option<Result<SignedCertificate, KubeError>> {
    for condition in status.conditions.unwrap_or_default() {
        if condition.type_ == "Failed" || condition.type_ == "Denied" {
            let why = condition.message.or(condition.reason).unwrap_or_default();
            let why = format!("{}: {why}", condition.type_.to_lowercase());
            return Some(Err(KubeError::NotSigned(why)));
        }
    }
    let certificate = status.certificate.filter(|made| !made.0.is_empty())?;
    let text = String::from_utf8(certificate.0);
    Some(match text {
        Ok(certificate_pem) => Ok(SignedCertificate { certificate_pem }),
        Err(error) => Err(KubeError::Answer(error.to_string())),
    })
}
