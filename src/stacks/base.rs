//! The slow small things that need nothing: encryption key, state bucket, identities of the machines
//! and of the addons' pods.

use serde::Serialize;
use serde_json::{Map, json};

use super::common;
use super::kind::KindRow;
use super::params::Inputs;
use super::{DesignError, ISSUER_DOCUMENTS, Stack, StackKind, Versions};
use crate::catalog::addons;
use crate::spec::{Access, ClusterSpec};
use crate::templates::Templates;

/// What holds for this stack.
pub(super) static KIND: KindRow = KindRow {
    kind: StackKind::Base,
    name: "base",
    holds_data: true,
    has_machines: false,
    joins: None,
    suppliers: &[],
    fields: FIELDS,
    design,
};

/// Which field decides what in this stack.
const FIELDS: &str = "
Key  Properties.KeyPolicy            access.issuers
StateBucketPolicy  Properties.PolicyDocument  access.issuers
*    -                               name
";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    issuers: &'a [String],
    roles: [Role; 2],
    /// Keys of the documents that everybody may read.
    documents: [&'static str; 2],
    pods: Vec<Pod>,
}

/// A pod that calls AWS under a role of its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    /// Start of its logical ids.
    id: &'static str,
    name: &'static str,
    who: &'static str,
    /// Who may take its role, as text with CloudFormation's placeholders.
    trust: String,
}

impl Pod {
    /// A pod of this service account of an addon.
    fn new(id: &'static str, name: &'static str, who: &'static str, account: &str) -> Self {
        let issuer = "${OidcBucket.RegionalDomainName}";
        let mut equals = Map::new();
        equals.insert(format!("{issuer}:aud"), json!("sts.amazonaws.com"));
        let subject = format!("system:serviceaccount:{}:{account}", addons::NAMESPACE);
        equals.insert(format!("{issuer}:sub"), json!(subject));
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Federated": "${OidcProvider}" },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": { "StringEquals": equals },
            }]
        });
        Self {
            id,
            name,
            who,
            trust: trust.to_string(),
        }
    }
}

/// The service accounts are named in the values of their charts.
fn pods() -> Vec<Pod> {
    vec![
        Pod::new(
            "EbsCsi",
            "ebs-csi",
            "the driver of EBS volumes",
            "ebs-csi-controller-sa",
        ),
        Pod::new(
            "ClusterAutoscaler",
            "cluster-autoscaler",
            "the cluster autoscaler",
            "cluster-autoscaler",
        ),
    ]
}

/// Who boots from the state bucket, and what it may read.
#[derive(Serialize)]
struct Role {
    /// Start of its logical ids.
    id: &'static str,
    name: &'static str,
    who: &'static str,
    /// Paths below `/kube-cfn/<cluster>/`.
    reads: &'static [&'static str],
    /// Those of them that hold encrypted parameters.
    secrets: &'static [&'static str],
    /// Start of the names of its bundles.
    bundles: &'static str,
}

const ROLES: [Role; 2] = [
    Role {
        id: "ControlPlane",
        name: "control-plane",
        who: "the control plane",
        reads: &["cp", "pub", "state", "worker"],
        secrets: &["cp", "state", "worker"],
        bundles: "control-plane",
    },
    Role {
        id: "Node",
        name: "node",
        who: "the nodes of the pools",
        reads: &["pub", "worker"],
        secrets: &["worker"],
        bundles: "pool",
    },
];

fn design(
    spec: &ClusterSpec,
    _: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    let Access {
        issuers,
        // For those who ask for a certificate.
        ttl_seconds: _,
        max_ttl_seconds: _,
    } = &spec.access;
    let context = Context {
        cluster: &spec.name,
        issuers,
        roles: ROLES,
        documents: ISSUER_DOCUMENTS,
        pods: pods(),
    };
    let data = templates.render_data(&StackKind::Base.template(), &context)?;
    let mut stack = common::stack(spec, StackKind::Base, data, Inputs::default())?;
    stack.capabilities = vec!["CAPABILITY_IAM".to_owned()];
    Ok(vec![stack])
}
