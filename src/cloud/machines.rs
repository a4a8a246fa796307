//! The machines of a cluster and the Auto Scaling groups that keep them: what a roll reads and does. Knows nothing of
//! Kubernetes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::CloudError;

/// EC2 and Auto Scaling, as far as machines are replaced. Every read returns every page.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Machines {
    /// The Auto Scaling groups of a cluster, by the tag of their stack, sorted by name.
    async fn machine_groups(&self, cluster: &str) -> Result<Vec<MachineGroup>, CloudError>;

    /// The instances of a cluster, those that were detached too, with those that EC2 still lists after their end
    /// (about an hour). Sorted by id. The group of each is the one of `groups`, as they were read before, that lists it: a tag
    /// that is left on a detached machine says nothing.
    async fn instances(
        &self,
        cluster: &str,
        groups: &[MachineGroup],
    ) -> Result<Vec<Instance>, CloudError>;

    /// What a group did and tried last, newest first; at most 20.
    async fn activities(&self, group: &str) -> Result<Vec<Activity>, CloudError>;

    /// Gives an instance the tag [`TAG_ROLL`](crate::common::tags::TAG_ROLL) with this value; a second time changes nothing.
    async fn mark_instance(&self, instance: &str, value: &str) -> Result<Presence, CloudError>;

    /// Takes that tag away. Not an error where it has none.
    async fn unmark_instance(&self, instance: &str) -> Result<Presence, CloudError>;

    /// Takes an instance out of its group, whose size stays: the group launches another one in its place.
    async fn detach(&self, group: &str, instance: &str) -> Result<Presence, CloudError>;

    /// Terminates an instance that is in no group.
    async fn terminate(&self, instance: &str) -> Result<Presence, CloudError>;

    /// Terminates an instance by its group, whose size stays: load balancers are deregistered first, and the group launches
    /// another one in its place.
    async fn terminate_in_group(&self, instance: &str) -> Result<Presence, CloudError>;

    /// The health of the targets of a load balancer, by instance.
    async fn targets(&self, target_group: &str) -> Result<Vec<Target>, CloudError>;
}

/// Whether what a request was about is still there. `Gone` is success: the autoscaler, EC2 or a request whose answer was
/// lost did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    There,
    Gone,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineGroup {
    pub name: String,
    /// The kind of its stack, as the tag has it: `control-plane`, `pool-workers`.
    pub stack: String,
    pub min: u32,
    pub desired: u32,
    pub max: u32,
    /// What its next machine is launched from. The version is a number: `$Latest` and `$Default` are resolved.
    pub template: TemplateVersion,
    /// Processes that are suspended, by Auto Scaling's names.
    pub suspended: BTreeSet<String>,
    /// Its instances.
    pub members: Vec<GroupMember>,
}

impl MachineGroup {
    /// Whether an instance is in service in it.
    pub fn serves(&self, instance: &str) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.instance == instance && member.is_in_service())
    }
}

/// A launch template, and one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemplateVersion {
    /// The template's id, `lt-…`.
    pub id: String,
    pub version: u64,
}

/// An instance as its group knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    pub instance: String,
    /// `InService`, `Pending`, `Terminating:Wait`, …: Auto Scaling's word.
    pub lifecycle: String,
}

impl GroupMember {
    pub fn is_in_service(&self) -> bool {
        self.lifecycle == "InService"
    }

    /// Whether it is on its way out of its group.
    pub fn is_leaving(&self) -> bool {
        self.lifecycle.starts_with("Detach") || self.is_ending()
    }

    /// Whether its group terminates it.
    pub fn is_ending(&self) -> bool {
        self.lifecycle.starts_with("Terminat")
    }
}

/// Gives each instance the group that lists it, unless it is on its way out.
pub fn assign_groups(instances: &mut [Instance], groups: &[MachineGroup]) {
    let members = groups.iter().flat_map(|group| {
        let staying = group.members.iter().filter(|member| !member.is_leaving());
        staying.map(|member| (member.instance.as_str(), &group.name))
    });
    let groups: BTreeMap<&str, &String> = members.collect();
    for one in instances {
        one.group = groups.get(one.id.as_str()).map(|&group| group.clone());
    }
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    /// Whether it costs and can hold pods.
    pub const fn is_alive(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Running | Self::Stopping | Self::Stopped
        )
    }
}

/// A machine: an EC2 instance. Its node has the instance's id as name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: String,
    /// The kind of its stack, as the tag has it.
    pub stack: Option<String>,
    pub state: InstanceState,
    pub launched: Option<Timestamp>,
    /// The group that has it now; `None` when it was detached.
    pub group: Option<String>,
    /// What it was launched from, by the tags that EC2 gives; `None` without them.
    pub template: Option<TemplateVersion>,
    /// `eu-west-1a`.
    pub zone: String,
    /// `m7g.xlarge`.
    pub instance_type: String,
    pub is_spot: bool,
    /// The value of [`TAG_ROLL`](crate::common::tags::TAG_ROLL): the group that it was detached from, or is about to be.
    pub roll: Option<String>,
}

impl Instance {
    /// Whether it is of the stack with this tag.
    pub fn is_of(&self, stack: &str) -> bool {
        self.stack.as_deref() == Some(stack)
    }
}

/// Something that a group did or tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    pub began: Timestamp,
    /// `Failed`, `Successful`, `InProgress`, …: Auto Scaling's word.
    pub status: String,
    /// `Launching a new EC2 instance: i-…`.
    pub description: String,
    /// Why it failed, in AWS's words.
    pub message: Option<String>,
}

/// A target of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub instance: String,
    pub is_healthy: bool,
    /// Why not, in AWS's words; its state where there is no more.
    pub reason: Option<String>,
}
