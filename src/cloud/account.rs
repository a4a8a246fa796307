//! What an account has and may do in its region, asked before anything is made: quotas and what is used of them,
//! zones, machine types, database classes, the account's access block, rights.

mod principal;

use std::collections::{BTreeMap, BTreeSet};

use super::CloudError;

pub use principal::Principal;

/// Reads of an account that change nothing. Every read returns every page.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Account {
    /// The value of a quota in force; AWS's default where the account has none of its own.
    async fn quota(&self, quota: Quota) -> Result<u64, CloudError>;

    /// How many Elastic IP addresses count towards their quota.
    async fn addresses(&self) -> Result<u64, CloudError>;

    /// The VPCs of the region.
    async fn vpcs(&self) -> Result<Vpcs, CloudError>;

    /// The machines that count towards the quotas of vCPUs: those that start or run.
    async fn running_machines(&self) -> Result<Vec<RunningMachine>, CloudError>;

    /// The availability zones that the account can use, by name.
    async fn zones(&self) -> Result<BTreeSet<String>, CloudError>;

    /// The zones in which each of these machine types is offered; one that the region lacks is absent.
    async fn offerings(
        &self,
        types: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError>;

    /// What is known of these machine types; one that the region lacks is absent.
    async fn machine_types(
        &self,
        types: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, MachineType>, CloudError>;

    /// How a `PostgreSQL` of this class (`db.t4g.medium`) can be ordered with a gp3 disk, of one engine version if
    /// named.
    async fn database_offers(
        &self,
        class: &str,
        version: Option<&str>,
    ) -> Result<Vec<DatabaseOffer>, CloudError>;

    /// The parts of the account's own public access block of S3 that are on, by the names of their properties.
    async fn account_access_block(&self, account: &str) -> Result<BTreeSet<String>, CloudError>;

    /// The ARN of a role, with its path. `None` when there is no such role.
    async fn role_arn(&self, name: &str) -> Result<Option<String>, CloudError>;

    /// What IAM's policy simulator says of each action.
    async fn decisions(&self, question: &RightsQuestion) -> Result<Vec<Decision>, CloudError>;
}

/// A quota of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quota {
    ElasticIps,
    Vpcs,
    /// vCPUs of running on-demand machines.
    OnDemand(Family),
    /// vCPUs of spot machines.
    Spot(Family),
}

/// Machine families that share a quota of vCPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// A, C, D, H, I, M, R, T and Z.
    Standard,
    /// G and VT.
    G,
    P,
}

impl Quota {
    /// The codes of its service and of itself in Service Quotas.
    pub const fn codes(self) -> (&'static str, &'static str) {
        match self {
            Self::ElasticIps => ("ec2", "L-0263D0A3"),
            Self::Vpcs => ("vpc", "L-F678F1CE"),
            Self::OnDemand(Family::Standard) => ("ec2", "L-1216C47A"),
            Self::OnDemand(Family::G) => ("ec2", "L-DB2E81BA"),
            Self::OnDemand(Family::P) => ("ec2", "L-417A185B"),
            Self::Spot(Family::Standard) => ("ec2", "L-34B43A08"),
            Self::Spot(Family::G) => ("ec2", "L-3819A6DF"),
            Self::Spot(Family::P) => ("ec2", "L-7212CCBC"),
        }
    }
}

/// The VPCs of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vpcs {
    pub number: u64,
    pub has_default: bool,
}

/// A machine that starts or runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningMachine {
    pub machine_type: String,
    /// `None` where AWS does not say it.
    pub vcpus: Option<u32>,
    pub is_spot: bool,
}

/// What EC2 says of a machine type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineType {
    pub vcpus: u32,
    pub memory_mib: u32,
    /// `arm64`, `x86_64`.
    pub architectures: BTreeSet<String>,
    /// `nitro` or `xen`; `None` for bare metal.
    pub hypervisor: Option<String>,
}

/// One way in which a database can be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseOffer {
    /// Engine version.
    pub version: String,
    pub zones: BTreeSet<String>,
}

/// What the policy simulator is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsQuestion {
    /// ARN of the user or role.
    pub principal: String,
    /// ARNs of the resources that each action is about; none is any.
    pub resources: BTreeSet<String>,
    /// IAM actions.
    pub actions: BTreeSet<String>,
}

/// What the simulator says of an action, on one resource where it was asked about some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub action: String,
    /// ARN of the resource; `None` where it was asked about any.
    pub resource: Option<String>,
    pub effect: Effect,
    /// Whether a condition was left open because the simulation lacks the value of its key.
    pub lacks_context: bool,
}

/// How policies decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Allowed,
    /// Nothing allows it.
    NotAllowed,
    /// A statement denies it.
    Denied,
}
