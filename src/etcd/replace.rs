//! Replaces a member without usable data: the new one copies the data of the others.

use super::names::{MemberName, Seconds};
use super::{EtcdError, Member, Members, POLL_INTERVAL, Slot, is_over};
use crate::cloud::CloudError;
use crate::cloud::remote::{Program, Remote, RemoteCommand};

/// Until the new member has all data: a machine may have to boot first.
const MINUTES: u64 = 30;

/// What to do about a member that is healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHealthyMember {
    /// It is left alone.
    Keep,
    /// Its data is replaced all the same.
    Replace,
}

/// Replaces the member of a slot (`cp-b` or `b`): out of the membership, in again as a learner without
/// data, and a vote once it has caught up. The others keep serving. Returns whether anything was to do.
pub async fn replace<R: Remote>(
    members: &Members<'_, R>,
    name: &str,
    healthy: OnHealthyMember,
) -> Result<bool, EtcdError> {
    let slot = members.slot(name)?;
    let member = slot.member;
    if members.slots.len() == 1 {
        return Err(EtcdError::Single(member.to_string()));
    }
    let (helper, found) = members.status_without(Some(slot.letter())).await?;
    if healthy == OnHealthyMember::Keep && is_healthy(&found.members, slot) {
        return Ok(false);
    }
    let remove = program().word("remove").argument(&member);
    let remove = match healthy {
        OnHealthyMember::Keep => remove,
        OnHealthyMember::Replace => remove.word("--even-if-healthy"),
    };
    members
        .ask(helper, &format!("remove {member}"), &remove)
        .await?;
    let add = program().word("add").argument(&member);
    members
        .ask(helper, &format!("add {member} as a learner"), &add)
        .await?;
    rejoin(members, slot).await?;
    promote(members, helper, member).await?;
    members.all_serve(MINUTES).await?;
    Ok(true)
}

const fn program() -> RemoteCommand {
    RemoteCommand::new(Program::EtcdMember)
}

fn is_healthy(found: &[Member], slot: &Slot) -> bool {
    let letter = slot.letter().to_string();
    let of_slot = found.iter().find(|member| member.slot == letter);
    of_slot.is_some_and(|member| member.serves && !member.learner)
}

/// A slot without a machine that answers is no failure: its next machine finds at boot what to do.
async fn rejoin<R: Remote>(members: &Members<'_, R>, slot: &Slot) -> Result<(), EtcdError> {
    let doing = "boot again, to join without data";
    match members.ask(slot, doing, &program().word("rejoin")).await {
        Ok(_) => Ok(()),
        Err(EtcdError::Cloud {
            source: source @ (CloudError::NotFound(_) | CloudError::Offline(_)),
            ..
        }) => {
            let later = format!("{source}; the node's next boot does it");
            members.emit_step(slot, doing, Some(later));
            Ok(())
        }
        Err(EtcdError::NoProgram { instance, .. }) => {
            let later = format!("{instance} is still in its first boot, which does it");
            members.emit_step(slot, doing, Some(later));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

async fn promote<R: Remote>(
    members: &Members<'_, R>,
    helper: &Slot,
    member: MemberName,
) -> Result<(), EtcdError> {
    let began = members.cloud.now();
    let doing = format!("give {member} a vote");
    let promote = program().word("promote").argument(&member);
    let promote = promote.word("--wait").argument(&Seconds(20));
    loop {
        let answer = members.ask(helper, &doing, &promote).await?;
        if answer.promoted {
            return Ok(());
        }
        if is_over(began, members.cloud.now(), MINUTES) {
            return Err(EtcdError::Late {
                what: format!("{member} to catch up"),
                minutes: MINUTES,
                state: answer.reason.unwrap_or_default(),
            });
        }
        members.cloud.sleep(POLL_INTERVAL).await;
    }
}
