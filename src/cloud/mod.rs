//! The only way to AWS, in our own words: what the tool asks of a cloud and what it gets back.
//! Knows nothing of definitions, templates or screens; only `aws/` names the SDK.

pub mod account;
pub mod aws;
mod boots;
mod change_set;
mod dependencies;
mod downloads;
mod drift;
mod error;
mod event;
mod inspect;
mod limited;
mod limiter;
mod machines;
mod nodes;
pub mod outside;
pub mod remote;
mod removal_checks;
mod scaling;
mod stack;
pub mod status;
mod store;
mod versioned;
mod write_gate;

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;
use serde_json::Value;

use crate::common::Clock;

pub use account::{Account, Quota};
pub use boots::{BOOT_LOGS, Boots, Machine, instance_of_log};
pub use change_set::{
    ChangeAction, ChangeSet, ChangeSetLifetime, ChangeSetRequest, Comparison, DeletionPolicy,
    Finding, INLINE, KNOWN_AFTER_APPLY, OnFailure, OpenChangeSet, PropertyChange, Replacement,
    ResourceChange, template_key,
};
pub use dependencies::{Backend, Dependencies, Extension, Webhook};
pub use downloads::Downloads;
pub use drift::{Difference, Drift, DriftReport};
pub use error::CloudError;
pub use event::{StackEvent, StackOperation};
pub use inspect::{ACCESS_BLOCKS, BucketAccess, Inspect, KeyState, RoleAccess};
pub use limited::Limited;
pub use machines::{
    Activity, GroupMember, Instance, InstanceState, MachineGroup, Machines, Presence, Target,
    TemplateVersion, assign_groups,
};
pub use nodes::{
    Attachment, Budget, Eviction, Expression, NodeMark, NodeResources, NodeState, Nodes,
    NodesError, OUTDATED, PodOwner, PodPhase, PodRef, PodState, ROLL, Selector, image_version,
};
pub use outside::{Outside, OutsideKind, OutsideResource, OutsideScope};
pub use removal_checks::{DryRun, Lock, Lockable, RemovalChecks, denies_deletion};
pub use scaling::{AZ_REBALANCE, LiveDatabase, Scaling, ScalingGroup};
pub use stack::{LiveResource, LiveStack, Protection, StackRef};
pub use status::{ResourceStatus, StackStatus};
pub use store::{
    Console, ParameterSummary, PutResult, Store, StoredContent, UploadOutcome, UploadedObject,
    replaced_object,
};
pub use versioned::{VersionedParameters, VersionedValue};
pub use write_gate::{Moment, WriteGate};

/// Who is asking, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub account: String,
    /// ARN of the caller.
    pub caller: String,
    pub region: String,
}

/// CloudFormation, as far as the tool uses it, with the live sizes that it does not know. Every read returns every page.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Cloud: Clock + Scaling {
    /// Account, caller and region. The first call of every run.
    async fn identity(&self) -> Result<Identity, CloudError>;

    /// Every stack of the account and region that carries [`TAG_CLUSTER`](crate::common::tags::TAG_CLUSTER); of one cluster if named.
    async fn stacks(&self, cluster: Option<&str>) -> Result<Vec<LiveStack>, CloudError>;

    /// One stack by ARN, deleted ones too. `None` when there is none.
    async fn stack(&self, id: &str) -> Result<Option<LiveStack>, CloudError>;

    /// The template that a stack was last given, as data.
    async fn template(&self, stack_id: &str) -> Result<Value, CloudError>;

    /// Creates a stack at once, protected from the first moment. Returns its ARN.
    /// Asked again with the same token it returns the same stack.
    async fn create(
        &self,
        wanted: &ChangeSetRequest,
        protection: &Protection,
    ) -> Result<String, CloudError>;

    /// Asks what would change in an existing stack. An empty answer leaves no change set behind.
    async fn create_change_set(&self, wanted: &ChangeSetRequest) -> Result<ChangeSet, CloudError>;

    /// Executes a change set exactly as it was shown.
    async fn execute(
        &self,
        change_set: &ChangeSet,
        token: &str,
        on_failure: OnFailure,
    ) -> Result<(), CloudError>;

    /// Removes a change set that will not be executed. Not an error if it is gone.
    async fn delete_change_set(&self, change_set: &ChangeSet) -> Result<(), CloudError>;

    /// Sets termination protection and stack policy.
    async fn set_protection(
        &self,
        stack_id: &str,
        protection: &Protection,
    ) -> Result<(), CloudError>;

    /// The operation's events not in `seen`, oldest first; none of operations before it.
    async fn events(
        &self,
        operation: &StackOperation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError>;

    /// What a stack holds, deleted resources included as far as CloudFormation lists them.
    async fn resources(&self, stack_id: &str) -> Result<Vec<LiveResource>, CloudError>;

    /// Starts deleting a stack.
    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError>;

    /// ARNs of all stacks of the account and region in which an operation runs, all owners' alike.
    /// One call serves every follower of a run.
    async fn in_progress_stacks(&self) -> Result<BTreeSet<String>, CloudError>;

    /// The change sets that lie with a stack.
    async fn change_sets(&self, stack_id: &str) -> Result<Vec<OpenChangeSet>, CloudError>;

    /// Reads a change set again that was created before. `None` when it does not exist, or can't be executed
    /// any more because the stack moved.
    async fn change_set(&self, id: &str, stack_id: &str) -> Result<Option<ChangeSet>, CloudError>;

    /// The stack policy in force; `None` when there is none.
    async fn policy(&self, stack_id: &str) -> Result<Option<Value>, CloudError>;

    /// Goes on with the rollback of a stack in `UPDATE_ROLLBACK_FAILED`, without the resources in
    /// `skip`: they are taken as they are.
    async fn continue_rollback(
        &self,
        stack_id: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), CloudError>;

    /// Cancels an update that runs: it is rolled back.
    async fn cancel_update(&self, stack_id: &str, token: &str) -> Result<(), CloudError>;

    /// The resources of a stack that were changed outside CloudFormation. Takes half a minute or
    /// more; changes nothing.
    async fn drift(&self, stack_id: &str) -> Result<DriftReport, CloudError>;
}
