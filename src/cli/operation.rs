//! The operation lock of a command that changes a cluster: looked at first, taken after the confirmation, given
//! back at the end. No question is asked while it is held.

use std::time::Duration;

use super::error::{CommandError, Exit};
use super::out::eprint;
use super::{ask, cluster, session::Session};
use crate::cloud::aws::Aws;
use crate::cloud::{Cloud, CloudError, Identity, LiveStack};
use crate::common::Clock;
use crate::operation::{self, Claim, Lease, LockError, Observation, OperationVerb};

/// How long giving the lock back may take; after a signal the command has to be gone within a second.
const RELEASE: Duration = Duration::from_secs(5);
const RELEASE_STOPPED: Duration = Duration::from_millis(700);

/// The cluster that a command changes.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    pub name: &'a str,
    pub cloud: &'a Aws,
    pub identity: &'a Identity,
    pub verb: OperationVerb,
    /// Whether there is a definition here.
    pub is_defined: bool,
}

impl Session {
    /// The cluster, for the operation lock.
    pub fn subject(&self, verb: OperationVerb) -> Subject<'_> {
        Subject {
            name: &self.spec().name,
            cloud: &self.cloud,
            identity: &self.identity,
            verb,
            is_defined: true,
        }
    }
}

impl<'a> Subject<'a> {
    /// Looks at the lock before anything is planned: a run that certainly lives is the end of this one, any other
    /// holder is shown. A lock that can't be read is dealt with when it is taken.
    pub async fn observe(self) -> Result<Option<Observation>, CommandError> {
        match operation::observe(self.cloud, self.name).await {
            Ok(Some((seen, holder))) => {
                if let Some(holder) = holder {
                    eprint(&format!("{}: {holder} holds the operation lock", self.name));
                }
                Ok(Some(seen))
            }
            Err(held @ LockError::Held { .. }) => Err(self.refused(held)),
            Ok(None) | Err(LockError::Cloud(_)) => Ok(None),
        }
    }

    /// Takes the lock. Interrupted while it waits for a holder that may have ended, it takes nothing.
    pub async fn lock(
        self,
        run: &str,
        seen: Option<Observation>,
    ) -> Result<Lease<'a, Aws>, CommandError> {
        let (caller, started) = (&self.identity.caller, self.cloud.now());
        let claim = Claim::new(self.name, self.verb, run, caller, started);
        let say = |text: String| eprint(&format!("{}: {text}", self.name));
        tokio::select! {
            taken = operation::acquire(self.cloud, claim, seen, say) => {
                taken.map_err(|error| self.refused(error))
            }
            () = ask::interrupted() => {
                let message = "interrupted; nothing was changed";
                Err(CommandError::new(Exit::Interrupted, message))
            }
        }
    }

    /// Refuses a plan whose stacks have moved since it was shown. `moved` compares it with those of now.
    pub async fn refuse_moved(
        self,
        again: &str,
        moved: impl FnOnce(&[LiveStack]) -> Vec<String>,
    ) -> Result<(), CommandError> {
        let now = self.cloud.stacks(Some(self.name)).await?;
        let moved: Vec<String> = moved(&now)
            .iter()
            .map(|line| format!("\n  - {line}"))
            .collect();
        if moved.is_empty() {
            return Ok(());
        }
        Err(CommandError::refused(format!(
            "the stacks of {} have moved since the plan was shown; nothing was changed:{}",
            self.name,
            moved.concat()
        ))
        .help(format!("re-run `{again}`: it plans again")))
    }

    /// The error of a run that lost the lock on the way. What it did counts no more: the other run works on all of it.
    pub fn taken_over(self, who: &str) -> CommandError {
        let message = format!(
            "{}: another run ({who}) took over the operation lock; this one starts nothing more, AWS continues what \
             runs",
            self.name
        );
        CommandError::new(Exit::NeedsAction, message).help(self.watch())
    }

    fn watch(self) -> String {
        let argument = cluster::argument(self.name, self.identity, self.is_defined);
        format!("`kube-cfn watch {argument}` follows it")
    }

    fn refused(self, error: LockError) -> CommandError {
        let name = self.name;
        match error {
            LockError::Held {
                ref holder,
                is_here,
            } => {
                let hangs = match holder {
                    Some(holder) if is_here => {
                        format!("; if {} hangs, end it", holder.place())
                    }
                    _ => String::new(),
                };
                let watch = format!("{}{hangs}", self.watch());
                CommandError::refused(format!("{name}: {error}; nothing was changed")).help(watch)
            }
            LockError::Cloud(error @ CloudError::Denied { .. }) => {
                let message = format!(
                    "{name}: without the operation lock nothing is changed, and it can't be taken: {error}"
                );
                let path = crate::stacks::operation_parameter(name);
                CommandError::refused(message).help(format!(
                    "ask for ssm:GetParameter, ssm:PutParameter and, for `delete`, ssm:DeleteParameters on {path}, or use \
                     another profile"
                ))
            }
            LockError::Cloud(error) => CommandError::from(error)
                .context("the operation lock can't be taken; nothing was changed"),
        }
    }
}

/// Gives the lock back after a run.
pub async fn release(lease: Lease<'_, Aws>, is_stopped: bool) {
    let within = if is_stopped { RELEASE_STOPPED } else { RELEASE };
    lease.release(within).await;
}
