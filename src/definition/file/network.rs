//! The sections `network` and `api` of the file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms;
use crate::spec::{ApiDns, Exposure, Nat};

/// Address ranges and the way to the internet.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NetworkFile {
    /// Range of the VPC, /16 to /18. Never changes; no two clusters that shall ever be connected
    /// may share it.
    #[schemars(extend("patternErrorMessage" = "expected an IPv4 range"), regex(pattern = r"^[0-9.]+/[0-9]+$"), example = &"10.20.0.0/16")]
    pub cidr: String,

    /// How nodes reach the internet. Left out, `regional`; `single` in GovCloud, which has no regional NAT
    /// gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<Nat>,

    /// Range of pod addresses, a /24 for every node. Inside the cluster only, so clusters may share
    /// it. Never changes.
    #[schemars(extend("patternErrorMessage" = "expected an IPv4 range"), regex(pattern = r"^[0-9.]+/[0-9]+$"), example = &"100.64.0.0/14")]
    pub pod_cidr: String,

    /// Range of service addresses, /12 to /24. Inside the cluster only, so clusters may share it.
    /// Never changes.
    #[schemars(extend("patternErrorMessage" = "expected an IPv4 range"), regex(pattern = r"^[0-9.]+/[0-9]+$"), example = &"100.68.0.0/16")]
    pub service_cidr: String,
}

impl Default for NetworkFile {
    fn default() -> Self {
        Self {
            // Clear of 10.0.0.0/16 and 172.31.0.0/16, which every other VPC in the world has.
            cidr: "10.20.0.0/16".to_owned(),
            // By the region.
            nat: None,
            // Shared address space (RFC 6598) meets no network of a company; room for 1,024 nodes.
            pod_cidr: "100.64.0.0/14".to_owned(),
            // The next range after the pods; 65,536 services.
            service_cidr: "100.68.0.0/16".to_owned(),
        }
    }
}

/// The load balancer before the API servers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiFile {
    /// Where the API has its address. Changing it makes a new load balancer.
    pub exposure: Exposure,

    /// Ranges that may reach the API, besides the nodes themselves.
    #[schemars(length(max = 40), with = "Vec<forms::Range>")]
    pub allowed_cidrs: Vec<String>,

    /// A name for the API that outlives its load balancer. Left out, the load balancer's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<ApiDns>,
}

impl Default for ApiFile {
    fn default() -> Self {
        Self {
            // Nothing is open to the world unless the definition says so.
            exposure: Exposure::Internal,
            allowed_cidrs: Vec::new(),
            dns: None,
        }
    }
}
