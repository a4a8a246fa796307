//! Commands on the machines of groups, and the objects of buckets. What a machine answers is scripted:
//! no program runs here.

use super::Simulated;
use super::state::State;
use crate::cloud::CloudError;
use crate::cloud::remote::{CommandResult, ObjectSummary, Program, Remote, RemoteCommand};

impl Remote for Simulated {
    async fn run(&self, group: &str, command: &RemoteCommand) -> Result<CommandResult, CloudError> {
        let line = command.line();
        let about = format!("{group} {line}");
        self.write("run", &about, |state| {
            let asked = (group.to_owned(), line);
            let answers = state.commands.get_mut(&asked);
            let answer = answers.and_then(|all| match all.len() {
                0 | 1 => all.front().cloned(),
                _ => all.pop_front(),
            });
            let answer = answer.or_else(|| state.fleet_answer(group, command));
            answer.ok_or_else(|| CloudError::NotFound(format!("machine for {about}")))
        })
        .await
    }

    async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectSummary>, CloudError> {
        self.read("objects", bucket, |state| {
            let all = state.env.buckets.get(bucket).into_iter().flatten();
            let found = all.filter(|(key, _)| key.starts_with(prefix));
            let object = found.map(|(key, object)| ObjectSummary {
                key: key.clone(),
                bytes: object.bytes.len() as u64,
                written: object.written,
            });
            Ok(object.collect())
        })
        .await
    }
}

impl State {
    /// What the machines of a fleet answer.
    fn fleet_answer(&self, group: &str, command: &RemoteCommand) -> Option<CommandResult> {
        let fleet = self.fleet.as_ref();
        let asked = fleet.filter(|_| command.program() == Program::EtcdMember)?;
        let (instance, stdout) = asked.etcd_status(group)?;
        Some(CommandResult {
            instance,
            code: 0,
            stdout,
            stderr: String::new(),
        })
    }
}

impl Simulated {
    /// What the machine of a group answers to a command (its line) from now on, one after the other; the last answer
    /// stays. A machine that was given no answer is not there.
    pub fn answer_command(&self, group: &str, command: &str, answers: Vec<CommandResult>) {
        let asked = (group.to_owned(), command.to_owned());
        self.with_now(|state| state.commands.insert(asked, answers.into()));
    }
}
