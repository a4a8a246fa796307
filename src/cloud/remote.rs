//! Running a program on a machine of the cluster, and looking into its bucket. Knows what is asked of a
//! cloud for that; must not know what the programs do.

mod command;

use crate::common::Clock;
use jiff::Timestamp;

pub use command::{Argument, Program, RemoteCommand};

use super::CloudError;

/// How a command on a machine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    /// The machine's id.
    pub instance: String,
    /// Its exit code.
    pub code: i32,
    /// The first 24,000 characters of its standard output.
    pub stdout: String,
    /// The first 8,000 characters of its standard error.
    pub stderr: String,
}

/// An object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSummary {
    pub key: String,
    pub bytes: u64,
    /// When it was written, by the server's clock.
    pub written: Timestamp,
}

/// Machines as far as commands are run on them.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Remote: Clock {
    /// Runs a command on the machine of an Auto Scaling group (the newest that runs) and waits for its end,
    /// half an hour at most. Runs it once, also where an answer of AWS is lost. `NotFound` when the group has
    /// no running machine, `Offline` when no agent on it answers: then nothing was run. `Unreachable` when
    /// nobody knows whether it ran. A command that fails is no error: [`CommandResult::code`] says so.
    async fn run(&self, group: &str, command: &RemoteCommand) -> Result<CommandResult, CloudError>;

    /// The objects of a bucket whose keys begin with `prefix`, sorted by key; every page.
    async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, CloudError>;
}
