//! The only door to AWS, in our own words: what the tool asks of a cloud and what it gets back.
//! Knows nothing of definitions, templates or screens; only `aws/` names the SDK.

pub mod aws;
pub mod remote;
mod stack_change;
pub mod status;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::common::Clock;

pub use status::{ResourceStatus, StackStatus};

/// The largest template that travels inside a request, in bytes; a larger one needs
/// [`Proposal::bucket`]. CloudFormation's quota.
pub const INLINE: usize = 51_200;

/// Stands in [`PropertyChange::after`] for a value, or a part of one, that is decided only when another
/// resource has changed.
pub const KNOWN_AFTER_APPLY: &str = "(known after apply)";

/// Who is asking, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub account: String,
    /// ARN of the caller.
    pub caller: String,
    pub region: String,
}

/// A stack as it stands in the account.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundStack {
    /// ARN: stacks are matched by it, never by name, once it is known.
    pub id: String,
    pub name: String,
    /// Value of [`TAG_CLUSTER`](crate::common::tags::TAG_CLUSTER).
    pub cluster: String,
    /// Value of [`TAG_STACK`](crate::common::tags::TAG_STACK).
    pub kind: String,
    pub status: StackStatus,
    pub reason: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub outputs: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub termination_protection: bool,
    pub created: Timestamp,
    pub updated: Option<Timestamp>,
}

/// A resource of a stack as it stands in the account.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundResource {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: ResourceStatus,
    pub reason: Option<String>,
}

/// What a stack shall become.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    pub stack: String,
    /// Canonical JSON; the cloud decides how it travels.
    pub template: String,
    /// Bucket for a template that is too large to travel inline; the base stack has none yet.
    pub bucket: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// Idempotency token of the step: letters, digits, dashes, at most 128.
    pub token: String,
    pub keeping: Keeping,
}

/// How long a change set is meant to lie about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keeping {
    /// Executed or removed by the run that asked for it. Named by its content, so that a run that was
    /// killed leaves nothing that the next one would not find and use.
    #[default]
    Run,
    /// Kept for a saved plan, until that is applied or the stack moves.
    Saved,
}

/// What becomes of a stack when its update fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It goes back to where it was.
    #[default]
    GoBack,
    /// It stops where it stands. From `CREATE_FAILED` and `UPDATE_FAILED` CloudFormation updates only so:
    /// "to update the stack from this state, please use the disable-rollback parameter".
    Stop,
}

/// What keeps a stack from harm.
#[derive(Debug, Clone, PartialEq)]
pub struct Protection {
    pub termination: bool,
    /// Stack policy document.
    pub policy: Option<Value>,
}

/// A change set that CloudFormation computed; nothing happens until it is executed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeSet {
    /// ARN.
    pub id: String,
    pub stack_id: String,
    /// Every page of it. Empty when there is nothing to change.
    pub changes: Vec<ResourceChange>,
    /// What early validation warns of; it does not keep the change set from being executed.
    pub warnings: Vec<Finding>,
}

/// A change set that lies with a stack, by whomever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChangeSet {
    /// ARN.
    pub id: String,
    pub name: String,
    pub created: Timestamp,
}

/// Something that CloudFormation's early validation found in a template, before anything is made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `None` where it is about the template as a whole.
    pub logical_id: Option<String>,
    /// Path inside the resource, with dots, as in [`PropertyChange::path`].
    pub path: Option<String>,
    /// What is wrong, in AWS's words.
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub action: ChangeAction,
    pub replacement: Replacement,
    /// What becomes of the resource that is removed or replaced; `None` where CloudFormation does not
    /// say and for everything else.
    pub fate: Option<Fate>,
    pub properties: Vec<PropertyChange>,
}

/// What becomes of a resource that is removed, or of the old one of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// Deleted with everything in it.
    Delete,
    /// Deleted after a last snapshot.
    Snapshot,
    /// Left in the account, outside the stack.
    Retain,
}

/// A resource that is not as its stack's template made it: somebody changed it by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    pub logical_id: String,
    pub resource_type: String,
    /// Whether it is gone altogether.
    pub deleted: bool,
    pub differences: Vec<Difference>,
}

/// A property that drifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// With dots, as in [`PropertyChange::path`].
    pub path: String,
    /// As the template has it.
    pub expected: Option<String>,
    /// As it is.
    pub actual: Option<String>,
}

/// The end of what a machine said on its console while it booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// The instance's id.
    pub instance: String,
    /// Its last lines, oldest first.
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeAction {
    Add,
    Modify,
    Remove,
    /// Anything else that CloudFormation says (`Import`, `Dynamic`, …), in its own word.
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Replacement {
    No,
    /// Depends on values not known yet.
    Might,
    Yes,
}

/// One property (or `Tags`, `DeletionPolicy`, …) that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PropertyChange {
    /// Path inside the resource: `Properties.DBInstanceClass`, `Tags`.
    pub path: String,
    /// `None` where CloudFormation does not say.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Whether this change replaces the resource.
    pub recreates: Replacement,
    /// The parameter, resource or attribute that causes it, where it is not the template itself.
    pub cause: Option<String>,
}

/// A running or finished operation on a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// ARN of the stack.
    pub stack_id: String,
    /// Token that started it; `None` follows whatever operation is the newest.
    pub token: Option<String>,
}

/// Something that happened to a resource, or to the stack itself.
#[derive(Debug, Clone, PartialEq)]
pub struct StackEvent {
    /// Unique: events are told apart by it alone.
    pub id: String,
    /// The server's time.
    pub at: Timestamp,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: ResourceStatus,
    pub reason: Option<String>,
    pub token: Option<String>,
    /// Whether it tells of the stack itself; then `stack_status` is set.
    pub stack_status: Option<StackStatus>,
}

/// What a parameter store answered to a secret offered for keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Ours is stored.
    Stored,
    /// There was one already: read it and use it.
    AlreadyThere,
}

/// Why a question to the cloud had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudError {
    /// No credentials, or expired ones; `help` says how to get some.
    #[error("no valid AWS credentials: {reason}")]
    Credentials { reason: String, help: String },
    /// The caller may not do this; `action` is the missing IAM action where AWS names it.
    #[error("{caller_may_not}")]
    Denied {
        caller_may_not: String,
        action: Option<String>,
    },
    #[error("AWS asks to slow down and kept asking: {0}")]
    Throttled(String),
    #[error("{0} does not exist")]
    NotFound(String),
    /// Another operation holds the stack, or it exists already.
    #[error("{0}")]
    Conflict(String),
    /// Early validation refused a template, before anything was made.
    #[error("AWS refused the template of {stack}: {reason}")]
    Invalid {
        stack: String,
        reason: String,
        findings: Vec<Finding>,
    },
    /// AWS refused the request itself.
    #[error("AWS refused {operation}: {message}")]
    Refused { operation: String, message: String },
    /// No answer: network, time-out, garbled. What was asked may have happened.
    #[error("no answer from AWS for {operation}: {message}")]
    Unreachable { operation: String, message: String },
}

impl CloudError {
    /// Whether asking again later can help without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Throttled(_) | Self::Unreachable { .. })
    }
}

/// CloudFormation, as far as the tool uses it. Every read returns every page.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Cloud: Clock {
    /// Account, caller and region. The first call of every run.
    async fn identity(&self) -> Result<Identity, CloudError>;

    /// Every stack of the account and region that carries [`TAG_CLUSTER`](crate::common::tags::TAG_CLUSTER); of one cluster if named.
    async fn stacks(&self, cluster: Option<&str>) -> Result<Vec<FoundStack>, CloudError>;

    /// One stack by ARN, deleted ones too. `None` when nobody knows it.
    async fn stack(&self, id: &str) -> Result<Option<FoundStack>, CloudError>;

    /// The template that a stack was last given, as data.
    async fn template(&self, stack_id: &str) -> Result<Value, CloudError>;

    /// Creates a stack at once, protected from the first moment. Returns its ARN.
    /// Asked again with the same token it returns the same stack.
    async fn create(
        &self,
        wanted: &Proposal,
        protection: &Protection,
    ) -> Result<String, CloudError>;

    /// Asks what would change in an existing stack. An empty answer leaves no change set behind.
    async fn propose(&self, wanted: &Proposal) -> Result<ChangeSet, CloudError>;

    /// Executes a change set exactly as it was shown.
    async fn execute(
        &self,
        change_set: &ChangeSet,
        token: &str,
        on_failure: OnFailure,
    ) -> Result<(), CloudError>;

    /// Removes a change set that will not be executed. Not an error if it is gone.
    async fn discard(&self, change_set: &ChangeSet) -> Result<(), CloudError>;

    /// Sets termination protection and stack policy.
    async fn protect(&self, stack_id: &str, protection: &Protection) -> Result<(), CloudError>;

    /// The operation's events not in `seen`, oldest first; none of operations before it.
    async fn events(
        &self,
        operation: &Operation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError>;

    /// What a stack holds, deleted resources included as far as CloudFormation tells.
    async fn resources(&self, stack_id: &str) -> Result<Vec<FoundResource>, CloudError>;

    /// Starts deleting a stack.
    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError>;

    /// ARNs of all stacks of the account and region in which an operation runs, whoever's they are.
    /// One call serves every follower of a run.
    async fn moving(&self) -> Result<BTreeSet<String>, CloudError>;

    /// The change sets that lie with a stack.
    async fn change_sets(&self, stack_id: &str) -> Result<Vec<OpenChangeSet>, CloudError>;

    /// Reads a change set again that was proposed before. `None` when it is gone, or can't be executed
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

    /// The resources of a stack that somebody changed by hand. Takes CloudFormation half a minute or
    /// more; changes nothing.
    async fn drift(&self, stack_id: &str) -> Result<Vec<Drift>, CloudError>;
}

/// What lies outside CloudFormation: parameters, secrets, objects.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Store {
    /// A plain parameter by name, AWS's public ones too. `None` when there is none.
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError>;

    /// A secret by name. `None` when there is none.
    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError>;

    /// Keeps a secret under `key` (a KMS key's ARN), never overwriting one.
    async fn keep_secret(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<Kept, CloudError>;

    /// Keeps a plain value, never overwriting one.
    async fn keep_parameter(&self, name: &str, value: &str) -> Result<Kept, CloudError>;

    /// Deletes every parameter under `path`; returns their names.
    async fn forget_parameters(&self, path: &str) -> Result<Vec<String>, CloudError>;

    /// Puts an object unless one of that key is there. The keys are content-addressed.
    async fn upload(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), CloudError>;

    /// The bytes of an object. `None` when there is none.
    async fn object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, CloudError>;

    /// Deletes every object and version in a bucket; returns how many. Not an error if it is gone.
    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError>;

    /// What the newest machine of an Auto Scaling group said last on its console; `None` when there is
    /// no machine or it said nothing yet.
    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError>;
}
