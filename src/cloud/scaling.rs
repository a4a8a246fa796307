//! What AWS resizes by itself: Auto Scaling groups and databases, as they are now. CloudFormation gives neither the size
//! that runs nor the processes of a group that are suspended.

use std::collections::BTreeSet;

use super::CloudError;

/// The process of Auto Scaling that terminates machines, undrained, to even out a group's zones.
pub const AZ_REBALANCE: &str = "AZRebalance";

/// Auto Scaling and RDS, as far as the tool uses them. `None` where something does not exist.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Scaling {
    /// An Auto Scaling group by name.
    async fn group(&self, name: &str) -> Result<Option<ScalingGroup>, CloudError>;

    /// Suspends a process of a group. Not an error if it is suspended.
    async fn suspend(&self, group: &str, process: &str) -> Result<(), CloudError>;

    /// A database instance by its identifier.
    async fn database(&self, identifier: &str) -> Result<Option<LiveDatabase>, CloudError>;
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScalingGroup {
    pub min: u32,
    /// How many machines it is to have now: what the autoscaler or an operator set.
    pub desired: u32,
    /// Zones over which its machines are spread.
    pub zones: BTreeSet<String>,
    /// Processes that are suspended, by Auto Scaling's names.
    pub suspended: BTreeSet<String>,
}

impl ScalingGroup {
    /// Whether Auto Scaling may terminate its machines to even out zones.
    pub fn rebalances(&self) -> bool {
        self.zones.len() > 1 && !self.suspended.contains(AZ_REBALANCE)
    }
}

/// A database instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveDatabase {
    /// Allocated storage, GiB.
    pub storage_gib: u32,
    pub engine_version: String,
}
