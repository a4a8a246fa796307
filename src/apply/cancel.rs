//! Cancelling what runs: what cancelling each stack would mean, and doing it. The first is shown before
//! the second.

use futures::future::join_all;

use super::requests::unprotect;
use super::retry::with_retry;
use crate::cloud::status::ResourcePhase;
use crate::cloud::{Cloud, CloudError, LiveResource, LiveStack, StackStatus};
use crate::plan::recovery::is_data;
use crate::plan::token;
use crate::stacks::StackKind;

/// What cancelling would do to one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Cancellation {
    pub stack: StackKind,
    pub found: LiveStack,
    pub effect: CancelEffect,
}

/// What cancelling an operation does to its stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelEffect {
    /// Its update is cancelled and rolled back.
    RollsBack,
    /// It is being created: it is deleted.
    Deleted,
    /// Left alone, and why.
    LeftAlone(String),
}

impl Cancellation {
    /// What would happen, as a sentence without its subject.
    pub fn description(&self) -> String {
        match &self.effect {
            CancelEffect::RollsBack => "its update is cancelled and rolled back".to_owned(),
            CancelEffect::Deleted => "its creation is cancelled and it is deleted".to_owned(),
            CancelEffect::LeftAlone(why) => format!("left alone: {why}"),
        }
    }
}

/// What cancelling would do to each of these stacks. Stacks without an operation are left out.
pub async fn cancellations(
    found: &[LiveStack],
    cloud: &impl Cloud,
) -> Vec<Result<Cancellation, CloudError>> {
    let moving = found.iter().filter(|found| found.status.is_in_progress());
    let known = moving.filter_map(|found| Some((StackKind::parse(&found.kind)?, found)));
    let all = known.map(|(stack, found)| async move {
        Ok(Cancellation {
            effect: effect(found, cloud).await?,
            found: found.clone(),
            stack,
        })
    });
    join_all(all).await
}

async fn effect(found: &LiveStack, cloud: &impl Cloud) -> Result<CancelEffect, CloudError> {
    match found.status {
        StackStatus::UpdateInProgress => Ok(CancelEffect::RollsBack),
        StackStatus::CreateInProgress => {
            let held = with_retry(cloud, async |cloud| cloud.resources(&found.id).await).await?;
            let data = held.iter().find(|one| holds_data(one));
            Ok(data.map_or(CancelEffect::Deleted, |one| {
                let logical = &one.logical_id;
                let id = one.physical_id.as_ref().unwrap_or(logical);
                CancelEffect::LeftAlone(format!(
                    "{logical} ({id}) is complete and may hold data by now"
                ))
            }))
        }
        _ => Ok(CancelEffect::LeftAlone(format!(
            "{} can't be cancelled; it ends by itself",
            found.status
        ))),
    }
}

fn holds_data(one: &LiveResource) -> bool {
    let there = one.status.phase() == ResourcePhase::Done && !one.status.is_delete();
    there && is_data(&one.resource_type)
}

/// Cancels what can be cancelled. Reads each stack again before: one that was empty when it was shown may
/// hold data by now, and one that has begun something else since is left alone. Returns what was begun, or why nothing was.
pub async fn cancel(
    all: &[Cancellation],
    cloud: &impl Cloud,
    run: &str,
) -> Vec<(StackKind, Result<String, CloudError>)> {
    let one = async |one: &Cancellation| (one.stack.clone(), begin(&one.found, cloud, run).await);
    join_all(all.iter().map(one)).await
}

async fn begin(was: &LiveStack, cloud: &impl Cloud, run: &str) -> Result<String, CloudError> {
    let now = with_retry(cloud, async |cloud| cloud.stack(&was.id).await).await?;
    let Some(now) = now.filter(|now| now.status.is_in_progress()) else {
        return Ok("its operation is over: nothing to cancel".to_owned());
    };
    if now.status != was.status || now.updated != was.updated {
        let status = &now.status;
        return Ok(format!(
            "left alone: it has moved on since it was shown, to {status}"
        ));
    }
    let (id, token) = (&now.id, token(run, &now.name, "cancel"));
    match effect(&now, cloud).await? {
        CancelEffect::LeftAlone(why) => Ok(format!("left alone: {why}")),
        CancelEffect::RollsBack => {
            with_retry(cloud, async |cloud| cloud.cancel_update(id, &token).await).await?;
            Ok("its update is cancelled, it is rolling back".to_owned())
        }
        CancelEffect::Deleted => {
            unprotect(cloud, &now).await?;
            with_retry(cloud, async |cloud| cloud.delete(id, &token).await).await?;
            Ok("its creation is cancelled, it is being deleted".to_owned())
        }
    }
}
