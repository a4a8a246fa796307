//! Operations on the etcd members of a running cluster, step by step: snapshots, a restore on all slots,
//! the replacement of a member; when the certificates of their machines end, and what their API servers are asked for. Programs on the machines do each step, and only what is left of it; so
//! every operation can be interrupted and repeated. Must not know Systems Manager or the screen.

mod answer;
mod api_requests;
mod certificates;
mod names;
mod replace;
mod restore;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use answer::Member;
pub use api_requests::{ApiRequests, DeprecatedApi, api_requests};
pub use certificates::{NodeCertificate, certificates};
pub use names::{MemberName, RestoreToken, SnapshotKey};
pub use replace::{OnHealthyMember, replace};
pub use restore::{abandon, restore};
pub use snapshot::{Snapshot, Snapshots, TakenSnapshot, list, snapshot};

use crate::cloud::CloudError;
use crate::cloud::remote::{CommandResult, Program, Remote, RemoteCommand};
use answer::ProgramResult;

/// Bytes that a member's database may have: `quota-backend-bytes` of `node/kubeadm.rs`.
pub const DATABASE_QUOTA: u64 = 4 << 30;

/// Bytes that it may have before members are replaced, 60 % of the quota: what rewrites objects has room then.
pub const MAX_DATABASE: u64 = DATABASE_QUOTA / 10 * 6;

/// A slot of the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The name of its member, which has its letter.
    pub member: MemberName,
    /// Physical name of its Auto Scaling group.
    pub group: String,
}

impl Slot {
    pub const fn letter(&self) -> char {
        self.member.letter()
    }
}

/// The slots, from the outputs of the control plane's stack (`SlotA`: the group's name).
pub fn slots(outputs: &BTreeMap<String, String>) -> Vec<Slot> {
    let slot = |(key, group): (&String, &String)| {
        let mut letters = key.strip_prefix("Slot")?.chars();
        let letter = letters.next().filter(char::is_ascii_uppercase)?;
        let member = MemberName::of(letter.to_ascii_lowercase())?;
        letters.next().is_none().then(|| Slot {
            member,
            group: group.clone(),
        })
    };
    outputs.iter().filter_map(slot).collect()
}

/// The members of a cluster, reached through the machines of its slots.
pub struct Members<'a, R> {
    pub cloud: &'a R,
    pub slots: Vec<Slot>,
    /// Called before and after every step.
    pub on_step: &'a dyn Fn(&MemberStep),
}

/// The members of etcd, and what etcd itself complains about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Membership {
    pub members: Vec<Member>,
    /// etcd's words: `NOSPACE`, `CORRUPT`. With one of them members refuse writes.
    pub alarms: Vec<String>,
}

/// A step on a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberStep {
    pub slot: char,
    /// What is done there: `take a snapshot`.
    pub doing: String,
    /// `None` when it begins; its result when it ended.
    pub result: Option<String>,
}

/// Why a step could not be done; fits after "failed to …: ".
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    #[error("{doing} on control-plane node {slot}: {source}")]
    Cloud {
        slot: char,
        doing: String,
        source: CloudError,
    },
    /// The program on the machine refused or failed; `reason` is its own.
    #[error("{doing} on control-plane node {slot}: {reason}")]
    Refused {
        slot: char,
        doing: String,
        reason: String,
    },
    /// The shell on the machine did not find the program.
    #[error(
        "{doing} on control-plane node {slot}: the machine {instance} has no {program} yet; its boot has not installed it yet: {output}"
    )]
    NoProgram {
        slot: char,
        doing: String,
        instance: String,
        program: String,
        output: String,
    },
    /// The program ended without a line of JSON that can be read.
    #[error(
        "{doing} on control-plane node {slot}: the program on {instance} ended (exit code {code}) without a readable result: {output}"
    )]
    NoAnswer {
        slot: char,
        doing: String,
        instance: String,
        code: i32,
        output: String,
    },
    #[error("find the control-plane node {name}: the cluster has {known}")]
    NoSlot { name: String, known: String },
    #[error(
        "replace {0}: there is no other member to copy its data from; restore a snapshot instead"
    )]
    Single(String),
    #[error("read the snapshots: {0}")]
    Bucket(CloudError),
    #[error("wait for {what}: timed out after {minutes} minutes; {state}")]
    Late {
        what: String,
        minutes: u64,
        state: String,
    },
}

impl<R: Remote> Members<'_, R> {
    /// Runs a program on a slot and reports the step; a refusal is an error.
    async fn ask(
        &self,
        slot: &Slot,
        doing: &str,
        command: &RemoteCommand,
    ) -> Result<ProgramResult, EtcdError> {
        self.emit_step(slot, doing, None);
        let answer = self.run_program(slot, doing, command).await?;
        self.emit_step(slot, doing, Some(answer.summary()));
        Ok(answer)
    }

    async fn run_program(
        &self,
        slot: &Slot,
        doing: &str,
        command: &RemoteCommand,
    ) -> Result<ProgramResult, EtcdError> {
        let ran = self.cloud.run(&slot.group, command).await;
        let ran = ran.map_err(|source| EtcdError::Cloud {
            slot: slot.letter(),
            doing: doing.to_owned(),
            source,
        })?;
        let Some(answer) = ProgramResult::of(&ran.stdout) else {
            return Err(unreadable(slot.letter(), doing, command.program(), ran));
        };
        if answer.ok {
            return Ok(answer);
        }
        Err(EtcdError::Refused {
            slot: slot.letter(),
            doing: doing.to_owned(),
            reason: answer.error.unwrap_or_default(),
        })
    }

    fn emit_step(&self, slot: &Slot, doing: &str, result: Option<String>) {
        (self.on_step)(&MemberStep {
            slot: slot.letter(),
            doing: doing.to_owned(),
            result,
        });
    }

    /// The members as the first slot that answers sees them; the error is the last slot's.
    pub async fn status(&self) -> Result<Vec<Member>, EtcdError> {
        self.membership().await.map(|membership| membership.members)
    }

    /// The members with their alarms, as the first slot that answers sees them; the error is the last slot's.
    pub async fn membership(&self) -> Result<Membership, EtcdError> {
        self.status_without(None)
            .await
            .map(|(_, membership)| membership)
    }

    /// The same without asking one slot, and which slot answered.
    async fn status_without(
        &self,
        without: Option<char>,
    ) -> Result<(&Slot, Membership), EtcdError> {
        let mut failed = EtcdError::NoSlot {
            name: "that answers".to_owned(),
            known: self.known(),
        };
        let others = self
            .slots
            .iter()
            .filter(|slot| Some(slot.letter()) != without);
        for slot in others {
            let status = RemoteCommand::new(Program::EtcdMember).word("status");
            let asked = self.run_program(slot, "list the members of etcd", &status);
            match asked.await {
                Ok(ProgramResult {
                    members, alarms, ..
                }) => return Ok((slot, Membership { members, alarms })),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn slot(&self, name: &str) -> Result<&Slot, EtcdError> {
        let named =
            |slot: &&Slot| slot.member.to_string() == name || slot.letter().to_string() == name;
        self.slots
            .iter()
            .find(named)
            .ok_or_else(|| EtcdError::NoSlot {
                name: name.to_owned(),
                known: self.known(),
            })
    }

    fn known(&self) -> String {
        let names: Vec<_> = self
            .slots
            .iter()
            .map(|slot| slot.member.to_string())
            .collect();
        match names.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        }
    }

    /// Waits until every slot's member serves and has a vote.
    async fn all_serve(&self, minutes: u64) -> Result<(), EtcdError> {
        let began = self.cloud.now();
        loop {
            let state = match self.status().await {
                Ok(members) if self.served_by(&members) => return Ok(()),
                Ok(members) => format!("these serve: {}", serving(&members)),
                Err(error) => error.to_string(),
            };
            if is_over(began, self.cloud.now(), minutes) {
                return Err(EtcdError::Late {
                    what: "all members of etcd".to_owned(),
                    minutes,
                    state,
                });
            }
            self.cloud.sleep(POLL_INTERVAL).await;
        }
    }

    fn served_by(&self, members: &[Member]) -> bool {
        members.len() == self.slots.len()
            && members
                .iter()
                .all(|member| member.serves && !member.learner)
    }
}

/// Exit codes of a shell that did not find, or may not run, a program (POSIX, Shell Command Language 2.8.2).
const NOT_RUN: [i32; 2] = [126, 127];

fn unreadable(slot: char, doing: &str, program: Program, ran: CommandResult) -> EtcdError {
    let doing = doing.to_owned();
    if NOT_RUN.contains(&ran.code) {
        return EtcdError::NoProgram {
            slot,
            doing,
            instance: ran.instance,
            program: program.path(),
            output: answer::last_line(&ran.stderr),
        };
    }
    let printed = if ran.stdout.trim().is_empty() {
        &ran.stderr
    } else {
        &ran.stdout
    };
    EtcdError::NoAnswer {
        slot,
        doing,
        code: ran.code,
        output: answer::last_line(printed),
        instance: ran.instance,
    }
}

/// Between two polls.
const POLL_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

fn is_over(began: Timestamp, now: Timestamp, minutes: u64) -> bool {
    let most = i64::try_from(minutes * 60).unwrap_or(i64::MAX);
    now.duration_since(began).as_secs() >= most
}

fn serving(members: &[Member]) -> String {
    let names: Vec<_> = members
        .iter()
        .filter(|member| member.serves)
        .map(|member| member.name.as_str())
        .collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    names.join(", ")
}
