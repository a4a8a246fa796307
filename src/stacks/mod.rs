//! What each stack of a cluster needs: template, inputs, outputs, capabilities, policy.
//! Pure: the same definition gives the same bytes. Knows nothing of AWS calls or of the screen.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

/// The six kinds of stack, in the order in which people read them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StackKind {
    Base,
    Network,
    Edge,
    Database,
    ControlPlane,
    /// One stack a node pool, by the pool's name.
    Pool(String),
}

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

/// Key of the output of [`StackKind::Base`] that names the state bucket.
pub const STATE_BUCKET: &str = "StateBucket";
/// Key of the output of [`StackKind::Base`] that holds the ARN of the cluster's KMS key.
pub const KEY_ARN: &str = "KeyArn";
/// Key of the output of [`StackKind::Edge`] that holds the API's host name.
pub const API_HOST: &str = "ApiHost";

impl StackKind {
    /// The stack's name in CloudFormation for `cluster`.
    pub fn stack_name(&self, cluster: &str) -> String {
        format!("{cluster}-{self}")
    }
}

impl Stack {
    /// The template as AWS gets it: canonical JSON without white space.
    pub fn body(&self) -> String {
        self.template.to_string()
    }

    /// The stacks whose outputs this one takes as parameters.
    pub fn needs(&self) -> impl Iterator<Item = &StackKind> {
        self.inputs.iter().filter_map(|input| match &input.source {
            Source::Output { stack, .. } => Some(stack),
            _ => None,
        })
    }
}

impl fmt::Display for StackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Network => f.write_str("network"),
            Self::Edge => f.write_str("edge"),
            Self::Database => f.write_str("database"),
            Self::ControlPlane => f.write_str("control-plane"),
            Self::Pool(name) => write!(f, "pool-{name}"),
        }
    }
}

impl Serialize for StackKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({}, {} bytes)", self.key, self.bytes.len())
    }
}
