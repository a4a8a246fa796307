//! What each stack of a cluster needs: template, inputs, outputs, capabilities, policy.
//! Pure: the same definition gives the same bytes. Knows nothing of AWS calls or of the screen.

mod base;
mod common;
mod control_plane;
mod database;
mod edge;
mod fields;
mod kind;
mod limits;
mod machine;
mod network;
mod params;
mod policy;
mod pool;
pub mod ranges;
mod references;
mod security_groups;
pub mod versions;
mod volume_key;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::node::NodeError;
use crate::spec::ClusterSpec;
use crate::templates::{TemplateError, Templates};

pub use fields::FieldOrigin;
pub use kind::StackKind;
pub use machine::{machine, machines};
pub use ranges::Ranges;
pub use versions::{KUBERNETES_VERSION, Versions};

/// One stack as the definition wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    pub kind: StackKind,
    /// Name in CloudFormation: `<cluster>-<kind>`.
    pub name: String,
    /// The template as plain data; [`Stack::body`] is what AWS gets.
    pub template: Value,
    pub inputs: Vec<Input>,
    /// IAM capabilities that CloudFormation wants acknowledged.
    pub capabilities: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// Stack policy document; denies replacing and deleting what holds data.
    pub policy: Option<Value>,
    /// Whether CloudFormation refuses to delete the stack.
    pub termination_protection: bool,
    /// What has to lie in the state bucket before the stack starts.
    pub objects: Vec<Object>,
}

/// A stack parameter and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub parameter: String,
    pub source: Source,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Known from the definition.
    Value(String),
    /// Known when another stack is done.
    Output { stack: StackKind, key: String },
    /// An AMI id from the lock file, by the SSM public parameter it was resolved from.
    Locked { parameter: String },
}

/// A content-addressed object for the state bucket.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    pub bytes: Vec<u8>,
}

/// Why a cluster has no stacks; fits after "failed to design the cluster: ".
#[derive(Debug, thiserror::Error)]
pub enum DesignError {
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(
        "fit stack {stack} into AWS's limits: {what} {is}, AWS takes at most {limit} {unit}; {help}"
    )]
    Limit {
        stack: String,
        what: String,
        is: usize,
        limit: usize,
        unit: &'static str,
        help: &'static str,
    },
    #[error(
        "let the machines of {stack} start: their disks are encrypted under the cluster's key, and its key policy in the \
         overridden base template does not allow {action} to Auto Scaling's role; copy the statements \
         AutoScalingUsesTheKeyForVolumes and AutoScalingLetsEc2UseTheKey from the built-in template"
    )]
    KeyPolicy { stack: String, action: &'static str },
    #[error("use {name}: it has no `{part}`, so it makes no stack template")]
    NoTemplate { name: String, part: &'static str },
    /// A line for each, with the template, the place in it and what was meant.
    #[error("resolve {count} of the templates' references; correct these names, or declare them in the same template:\n  {}", .0.join("\n  "), count = .0.len())]
    Unresolved(Vec<String>),
}

/// Every stack of a cluster: base, network, edge, database (if there is one), control plane, pools in
/// the order of the definition; all at the definition's Kubernetes version. Reads nothing but its
/// arguments.
pub fn design(spec: &ClusterSpec, templates: &Templates) -> Result<Vec<Stack>, DesignError> {
    design_at(spec, &Versions::all(&spec.kubernetes), templates)
}

/// The same, each stack with machines at a Kubernetes version of its own.
pub fn design_at(
    spec: &ClusterSpec,
    versions: &Versions,
    templates: &Templates,
) -> Result<Vec<Stack>, DesignError> {
    every_field_has_its_place(spec);
    let mut stacks = Vec::new();
    for kind in kind::KINDS {
        stacks.extend((kind.design)(spec, versions, templates)?);
    }
    references::check(&stacks)?;
    volume_key::check(&stacks)?;
    stacks.iter().try_for_each(limits::check)?;
    Ok(stacks)
}

/// Does not compile when the spec gets a field that is not handled here. The fields of its parts are
/// named where a stack is made of them.
fn every_field_has_its_place(spec: &ClusterSpec) {
    let ClusterSpec {
        // In every stack.
        name: _,
        tags: _,
        protect: _,
        // In several: the address plan, the names of zones, where machines and the database are placed.
        region: _,
        zones: _,
        network: _,
        // In the stack of its name, or of the machines.
        control_plane: _,
        pools: _,
        database: _,
        kubernetes: _,
        mirror: _,
        // In the edge, and for the ranges in the network.
        api: _,
        // In the base; the lifetimes are for those who ask for a certificate.
        access: _,
        // In none: the commands compare it with the credentials.
        account: _,
    } = spec;
}

/// The path above all SSM parameters of a cluster, without a slash at its end. IAM policies in the
/// templates name the same path.
pub fn parameter_path(cluster: &str) -> String {
    format!("/kube-cfn/{cluster}")
}

/// The parameter that holds the operation lock of a cluster. No machine's role may write it.
pub fn operation_parameter(cluster: &str) -> String {
    format!("{}/operation", parameter_path(cluster))
}

/// The alias of a cluster's KMS key, which the base stack makes for people.
pub fn key_alias(cluster: &str) -> String {
    format!("alias/kube-cfn/{cluster}")
}

/// Key of the output of [`StackKind::Base`] that names the state bucket.
pub const STATE_BUCKET: &str = "StateBucket";
/// Key of the output of [`StackKind::Base`] that holds the ARN of the cluster's KMS key.
pub const KEY_ARN: &str = "KeyArn";
/// Key of the output of [`StackKind::Base`] that names the bucket of the issuer's documents.
pub const OIDC_BUCKET: &str = "OidcBucket";
/// Key of the output of [`StackKind::Base`] that holds the issuer of service-account tokens: an https
/// URL without a slash at its end.
pub const OIDC_ISSUER: &str = "OidcIssuer";
/// Key of the output of [`StackKind::Base`] that holds the ARN of the EBS driver's role.
pub const EBS_CSI_ROLE: &str = "EbsCsiRoleArn";
/// Key of the output of [`StackKind::Base`] that holds the ARN of the cluster autoscaler's role.
pub const AUTOSCALER_ROLE: &str = "ClusterAutoscalerRoleArn";
/// Keys in the issuer's bucket that everybody may read: OpenID Connect's discovery document, and the
/// keys where Kubernetes has them.
pub const ISSUER_DOCUMENTS: [&str; 2] = [".well-known/openid-configuration", "openid/v1/jwks"];
/// Key of the output of [`StackKind::Edge`] that holds the API's host name.
pub const API_HOST: &str = "ApiHost";
/// Key of the edge stack's output with the target group of the API's load balancer, an ARN.
pub const API_TARGET_GROUP: &str = "ApiTargetGroupArn";
/// Key of the output of [`StackKind::Database`] that holds its host name.
pub const DATABASE_HOST: &str = "Endpoint";
/// Key of the output of [`StackKind::Database`] that holds its port.
pub const DATABASE_PORT: &str = "Port";
/// Key of the output of [`StackKind::Database`] that names the secret with its master password.
pub const DATABASE_SECRET: &str = "MasterSecretArn";

impl Stack {
    /// The template as AWS gets it: canonical JSON without white space.
    pub fn body(&self) -> String {
        self.template.to_string()
    }

    /// The template for people: the same data as YAML.
    pub fn yaml(&self) -> String {
        // Plain data always has a YAML form, so the text is never empty.
        let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
        serde_saphyr::to_string_with_options(&self.template, options).unwrap_or_default()
    }

    /// What a resource is in the words of people ("NAT gateway in eu-west-1a"), from its metadata.
    /// `None` for a logical id that this template does not have.
    pub fn description(&self, logical_id: &str) -> Option<&str> {
        description(&self.template, logical_id)
    }

    /// Logical id and type of every resource, in the order of the template.
    pub fn resources(&self) -> impl Iterator<Item = (&str, &str)> {
        let resources = self.template.get("Resources").and_then(Value::as_object);
        resources
            .into_iter()
            .flatten()
            .filter_map(|(id, resource)| Some((id.as_str(), resource.get("Type")?.as_str()?)))
    }

    /// The stacks whose outputs this one takes as parameters.
    pub fn needs(&self) -> impl Iterator<Item = &StackKind> {
        self.inputs.iter().filter_map(|input| match &input.source {
            Source::Output { stack, .. } => Some(stack),
            Source::Value(_) | Source::Locked { .. } => None,
        })
    }
}

/// What a resource is in the words of people, from the metadata of a template.
pub fn description<'a>(template: &'a Value, logical_id: &str) -> Option<&'a str> {
    let resource = template.get("Resources")?.get(logical_id)?;
    resource.get("Metadata")?.get("Description")?.as_str()
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}, {} bytes)", self.key, self.bytes.len())
    }
}
