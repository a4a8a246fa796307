//! A restore: all slots stop before the first starts the restored cluster.

use super::{EtcdError, Members, RestoreToken, SnapshotKey, is_over};
use crate::cloud::remote::{Program, Remote, RemoteCommand};

/// Until all members serve after the last slot began.
const MINUTES: u64 = 10;

/// Restores `key` on every slot under `token`, which names the restored cluster: a new one for a new
/// restore, the same one to go on with a restore that was cut off.
///
/// Each slot's program brings its slot as far as the others allow; so the slots are asked in turn until
/// every one has started. The old data stays on the slots' volumes.
pub async fn restore<R: Remote>(
    members: &Members<'_, R>,
    key: &SnapshotKey,
    token: &RestoreToken,
) -> Result<(), EtcdError> {
    let command = RemoteCommand::new(Program::EtcdRestore).argument(key);
    let command = command.word("--token").argument(token);
    let began = members.cloud.now();
    let mut left: Vec<_> = members.slots.iter().collect();
    let mut doing = "stop, with the snapshot unpacked beside the old data";
    while !left.is_empty() {
        let mut waiting = Vec::new();
        for slot in left {
            let answer = members.ask(slot, doing, &command).await?;
            if answer.state.as_deref() != Some("started") {
                waiting.push(slot);
            }
        }
        left = waiting;
        doing = "start the restored cluster";
        if !left.is_empty() && is_over(began, members.cloud.now(), MINUTES) {
            return Err(EtcdError::Late {
                what: "all control-plane nodes to stop".to_owned(),
                minutes: MINUTES,
                state: "the waiting nodes still have their old data".to_owned(),
            });
        }
    }
    members.all_serve(MINUTES).await
}

/// Returns to the old data on every slot; refused once one has started the restored cluster.
pub async fn abandon<R: Remote>(
    members: &Members<'_, R>,
    token: &RestoreToken,
) -> Result<(), EtcdError> {
    let command = RemoteCommand::new(Program::EtcdRestore).word("--abandon");
    let command = command.argument(token);
    for slot in &members.slots {
        let asked = members.ask(slot, "return to the old data", &command);
        asked.await?;
    }
    members.all_serve(MINUTES).await
}
