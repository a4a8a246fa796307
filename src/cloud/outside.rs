//! What lies in an account outside the stacks of a cluster: what Kubernetes made there, what stacks left behind, and what
//! others put into its VPC. No stack lists it; it is found by its tags, by its VPC or by its name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::CloudError;

/// Makes the kinds and the list of them of one list: none can be left out.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)+) => {
        /// A kind of resource that can lie outside the stacks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub enum OutsideKind {
            $($(#[$doc])* $kind,)+
        }

        impl OutsideKind {
            /// Every kind.
            pub const ALL: [Self; [$(Self::$kind),+].len()] = [$(Self::$kind),+];
        }
    };
}

kinds! {
    /// An EC2 instance that is not terminated.
    Machine,
    /// A network, application or gateway load balancer.
    LoadBalancer,
    ClassicLoadBalancer,
    TargetGroup,
    /// A rule of a security group that names another group.
    GroupRule,
    SecurityGroup,
    /// A NAT gateway that is not deleted.
    NatGateway,
    /// A network interface.
    Interface,
    /// An Elastic IP address.
    Address,
    /// An EBS volume.
    Volume,
    /// An EBS snapshot.
    Snapshot,
    /// A record set of Route 53.
    DnsRecord,
    /// An RDS instance.
    Database,
    /// A log group of a database.
    LogGroup,
    /// Automated backups that RDS keeps of a deleted database.
    Backup,
    /// A manual snapshot of a database, as CloudFormation takes one before it deletes a database.
    DatabaseSnapshot,
    /// An S3 bucket.
    Bucket,
    /// A KMS key, also one that waits for its deletion.
    Key,
    Subnet,
    RouteTable,
    /// A VPC endpoint.
    Endpoint,
    /// A peering connection of the VPC.
    Peering,
    /// A network ACL that is not the VPC's default one.
    NetworkAcl,
    /// A virtual private gateway that is attached to the VPC.
    VpnGateway,
    /// An internet gateway, or an egress-only one.
    InternetGateway,
    Vpc,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutsideScope {
    pub cluster: String,
    /// The VPC of the cluster, where there is one: everything in it is listed, also what others made.
    pub vpc: Option<String>,
}

/// A resource as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideResource {
    pub kind: OutsideKind,
    /// As AWS's calls name it: an EC2 id (of an address its allocation's), the ARN of a load balancer, target group, key or
    /// automated backup, else a name. Of a record set `ZONE NAME TYPE`, with its set identifier where it has one.
    pub id: String,
    pub tags: BTreeMap<String, String>,
    /// The VPC that it lies in, is attached to, or is; none of a target group whose VPC is gone.
    pub vpc: Option<String>,
    /// AWS's word for its state: `in-use`, `available`, `active`, `running`.
    pub state: Option<String>,
    /// Its size in bytes: a volume's own, a snapshot's volume's, what a log group stores, the
    /// allocated storage of a database, also of one of a backup or snapshot.
    pub bytes: Option<u64>,
    pub created: Option<Timestamp>,
    /// When AWS deletes it for good: of a key that waits for its deletion.
    pub ends: Option<Timestamp>,
    /// ARN of the KMS key under which its data is encrypted: of a volume, a database and their snapshots.
    pub key: Option<String>,
    /// ARN of a deleted stack that left it, by CloudFormation's own record: of a key, on which CloudFormation puts no tag.
    pub left_by: Option<String>,
    /// Ids of what it is attached to, what it refers to, and what it is made of: the instance of a volume, instance and
    /// groups of an interface, both groups of a rule, the load balancers of a target group, the addresses of a NAT gateway,
    /// groups and subnets of a database.
    pub uses: BTreeSet<String>,
    /// What AWS or its maker says of it: a description, the DNS name of a load balancer, what an interface belongs to, the
    /// address itself.
    pub description: Option<String>,
    /// Whether AWS made it for another resource and takes it away with that one, as the interfaces of load balancers.
    pub by_aws: bool,
    /// What AWS wants back to remove it: a record set as it is, the id of the group that a rule is in. Empty for every other
    /// kind.
    pub body: String,
}

/// Listing and removing such resources. Every read returns every page.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Outside {
    /// Every resource of a kind that is tagged or named as the cluster's, and, for kinds that lie in a VPC, every one in
    /// that of `scope`. Those of stacks are listed too. What is on its way to its end is listed until it is gone, but for
    /// a terminated machine.
    async fn outside(
        &self,
        kind: OutsideKind,
        scope: &OutsideScope,
    ) -> Result<Vec<OutsideResource>, CloudError>;

    /// Begins to remove a resource; a bucket has to be empty, a key is disabled and deleted for good after 30 days. Not an
    /// error if it is gone. [`CloudError::Refused`] where something else still uses it: it may succeed later.
    async fn remove(&self, resource: &OutsideResource) -> Result<(), CloudError>;

    /// ARN of a deleted stack of this name that left a resource, which is named as CloudFormation does. CloudFormation keeps a
    /// record of what a stack had for 90 days after its deletion, and nobody else writes it. `None` where it has none, or one
    /// that says that the stack deleted the resource.
    async fn left_by(&self, stack: &str, physical_id: &str) -> Result<Option<String>, CloudError>;
}

/// What the identifier of a cluster's database begins with, which CloudFormation makes of its stack and its logical id; a
/// random part follows.
pub fn database_prefix(cluster: &str) -> String {
    format!("{cluster}-database-database-")
}

/// Whether an identifier is that of the cluster's database, and not of a cluster whose name begins like this.
pub fn is_database_of(identifier: &str, cluster: &str) -> bool {
    is_named_by_stack(identifier, &database_prefix(cluster))
}

/// Whether a name is one that CloudFormation made of this beginning: it adds a random part without a dash.
pub fn is_named_by_stack(name: &str, beginning: &str) -> bool {
    let random = name.strip_prefix(beginning);
    random.is_some_and(|random| {
        !random.is_empty() && random.chars().all(|letter| letter.is_ascii_alphanumeric())
    })
}

impl OutsideResource {
    /// A resource of which nothing but its id is known.
    pub fn new(kind: OutsideKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: id.into(),
            tags: BTreeMap::new(),
            vpc: None,
            state: None,
            bytes: None,
            created: None,
            ends: None,
            key: None,
            left_by: None,
            uses: BTreeSet::new(),
            description: None,
            by_aws: false,
            body: String::new(),
        }
    }

    /// Whether it waits for its deletion, which can be cancelled until then: a key.
    pub fn is_scheduled(&self) -> bool {
        let waits = ["PendingDeletion", "PendingReplicaDeletion"];
        self.kind == OutsideKind::Key
            && self
                .state
                .as_deref()
                .is_some_and(|state| waits.contains(&state))
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_of_a_cluster_is_known_by_its_name() {
        let of = |identifier| is_database_of(identifier, "canary");
        assert!(of("canary-database-database-x1y2z3"));
        for other in [
            "canary-database-database-",
            "canary-database-database-x-database-database-y1",
            "canary-2-database-database-x1",
            "other",
        ] {
            assert!(!of(other), "{other}");
        }
    }
}
