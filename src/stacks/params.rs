//! The parameters of a stack, each with where its value comes from.

use serde_json::{Map, Value, json};

use super::security_groups::SecurityGroup;
use super::{Input, Source, StackKind};
use crate::catalog::images;
use crate::spec::{Architecture, ClusterSpec};

/// What a parameter may hold; CloudFormation checks it before it makes anything.
#[derive(Debug, Clone, Copy)]
pub(super) enum ParameterType {
    Text,
    Vpc,
    Subnet,
    SecurityGroup,
}

impl ParameterType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Vpc => "AWS::EC2::VPC::Id",
            Self::Subnet => "AWS::EC2::Subnet::Id",
            Self::SecurityGroup => "AWS::EC2::SecurityGroup::Id",
        }
    }
}

/// The parameters of a stack, each with its source; the template gets them as a whole, so a parameter
/// without a source can't be.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    inputs: Vec<Input>,
    parameters: Map<String, Value>,
}

impl Inputs {
    /// The output `key` of another stack, as a parameter of the same name.
    pub fn output(
        mut self,
        stack: StackKind,
        key: impl Into<String>,
        of_type: ParameterType,
    ) -> Self {
        let key = key.into();
        let from = format!("{key} of the {stack} stack");
        self.declare(&key, of_type.as_str(), &from);
        self.inputs.push(Input {
            parameter: key.clone(),
            source: Source::Output { stack, key },
        });
        self
    }

    /// Several outputs of the network stack.
    pub fn network(self, keys: impl IntoIterator<Item = String>, of_type: ParameterType) -> Self {
        keys.into_iter().fold(self, |inputs, key| {
            inputs.output(StackKind::Network, key, of_type)
        })
    }

    /// A security group of the network stack.
    pub fn group(self, group: SecurityGroup) -> Self {
        self.output(StackKind::Network, group.id(), ParameterType::SecurityGroup)
    }

    /// The machine image, from the lock file. The parameter holds an id: a path there would let any
    /// later update swap the image.
    pub fn image(mut self, spec: &ClusterSpec, architecture: Architecture) -> Self {
        let path = images::parameter(&spec.kubernetes, architecture.as_str());
        let from = format!("Machine image, resolved once from {path}");
        self.declare("ImageId", "AWS::EC2::Image::Id", &from);
        self.inputs.push(Input {
            parameter: "ImageId".to_owned(),
            source: Source::Locked { parameter: path },
        });
        self
    }

    fn declare(&mut self, name: &str, of: &str, description: &str) {
        let declared = json!({ "Type": of, "Description": description });
        self.parameters.insert(name.to_owned(), declared);
    }

    /// The `Parameters` of the template.
    pub fn parameters(&self) -> &Map<String, Value> {
        &self.parameters
    }

    pub fn into_inputs(self) -> Vec<Input> {
        self.inputs
    }
}
