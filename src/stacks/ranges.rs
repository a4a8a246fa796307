//! The ranges of pod and service addresses that a cluster lives with: outputs of the control-plane stack, as no
//! resource has them; and in the bundle of a stack made before there were those outputs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::versions;
use crate::node;
use crate::spec::Network;

/// Key of the output of the control-plane stack that holds the range of pod addresses.
pub const POD_CIDR: &str = "PodCidr";
/// Key of the output of the control-plane stack that holds the range of service addresses.
pub const SERVICE_CIDR: &str = "ServiceCidr";

/// Ranges that machines boot with, in the form of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    pub pods: String,
    pub services: String,
}

impl Ranges {
    /// Those that a stack puts out.
    pub fn of_outputs(outputs: &BTreeMap<String, String>) -> Option<Self> {
        Some(Self {
            pods: outputs.get(POD_CIDR)?.clone(),
            services: outputs.get(SERVICE_CIDR)?.clone(),
        })
    }

    /// Those that a template puts out. `None` for one that was made before there were those outputs.
    pub fn declared(template: &Value) -> Option<Self> {
        let value = |key: &str| {
            template["Outputs"][key]["Value"]
                .as_str()
                .map(str::to_owned)
        };
        Some(Self {
            pods: value(POD_CIDR)?,
            services: value(SERVICE_CIDR)?,
        })
    }

    /// Those of the bundle of this key. `None` where the bytes are not those that the key names, or have none.
    pub fn of_bundle(key: &str, bytes: &[u8]) -> Option<Self> {
        let (pods, services) = versions::is_bundle(key, bytes)
            .then(|| node::ranges_of(bytes))
            .flatten()?;
        Some(Self { pods, services })
    }
}

/// Adds the outputs to a template.
pub(super) fn put_out(template: &mut Value, network: &Network) {
    let output = |of: &str, range: String| json!({"Description": format!("Range of {of} addresses"), "Value": range});
    template["Outputs"][POD_CIDR] = output("pod", network.pod_cidr.to_string());
    template["Outputs"][SERVICE_CIDR] = output("service", network.service_cidr.to_string());
}
