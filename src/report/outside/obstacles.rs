//! What keeps something from being removed, before consent: what is locked and how the lock is lifted, and rights that the
//! caller lacks.

use std::collections::BTreeMap;

use serde::Serialize;

use super::commands::{self, Advice};
use super::page::{Mark, Page, SHOWN, listed};
use super::{DeletionView, kept, names};
use crate::cloud::Lock;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::text::{clean, count};
use crate::plan::{Blocked, Code};
use crate::sweep::kinds::row;
use crate::sweep::{Cause, Obstacle, Obstacles, Unchecked};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObstacleJson<'a> {
    /// What it is, in words.
    thing: &'static str,
    id: &'a str,
    /// The stack that has it.
    stack: Option<&'a str>,
    lock: Option<Lock>,
    /// The IAM action that is missing.
    action: Option<&'a str>,
    text: String,
    /// Whether a stack can't be deleted because of it.
    blocks: bool,
    commands: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UncheckedJson<'a> {
    thing: &'static str,
    id: &'a str,
    why: &'a str,
}

/// Obstacles, the ones first that keep a deletion from beginning.
pub(super) fn section(page: &mut Page, view: &DeletionView<'_>) {
    let (blocking, others): (Vec<&Obstacle>, Vec<&Obstacle>) =
        view.obstacles.found.iter().partition(|one| one.blocks);
    if !blocking.is_empty() {
        let then = if view.accepts_obstacles {
            "what needs them gone stays too; that is accepted:"
        } else {
            "nothing is deleted before that changes:"
        };
        let text = format!("{} in the way; {then}", things(blocking.len()));
        page.entry(2, Mark::Warning, &text);
        rows(page, view, &blocking);
    }
    if !others.is_empty() {
        let text = format!(
            "{} in the way of what no stack needs gone; that stays, and is named at the end:",
            things(others.len())
        );
        page.entry(2, Mark::Warning, &text);
        rows(page, view, &others);
    }
    unchecked(page, &view.obstacles.unchecked);
}

fn things(number: usize) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", count(number, "obstacle"))
}

fn rows(page: &mut Page, view: &DeletionView<'_>, all: &[&Obstacle]) {
    for one in all.iter().take(SHOWN) {
        page.line(5, &text(one));
        for (words, command) in advice(one, view.region) {
            page.line(7, &format!("{words}:"));
            page.command(9, &command);
        }
    }
    kept::more(page, 6, all.len());
}

fn unchecked(page: &mut Page, all: &[Unchecked]) {
    if all.is_empty() {
        return;
    }
    let text =
        "not known before, as these were not answered; what can't be removed is named at the end:";
    page.entry(2, Mark::Warning, text);
    // One missing right is the reason of many.
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in all {
        let names = reasons.entry(&one.why).or_default();
        names.push(named(one.kind, &one.id));
    }
    for (why, names) in &reasons {
        let shown = names.iter().take(SHOWN).cloned();
        let rest = names.len().saturating_sub(SHOWN);
        let rest = (rest > 0).then(|| format!("and {rest} more"));
        let text = format!("{}: {}", listed(shown.chain(rest)), clean(why));
        page.line(5, &text);
    }
}

/// `load balancer a1b2 (network) of canary-edge: deletion protection is on`.
pub(super) fn text(obstacle: &Obstacle) -> String {
    let of = obstacle.stack.as_ref();
    let of = of.map_or_else(String::new, |stack| format!(" of {stack}"));
    let what = match &obstacle.cause {
        Cause::Right { ids, .. } if ids.len() > 1 => row(obstacle.kind).counted(ids.len()),
        Cause::Right { .. } | Cause::Lock(_) => named(obstacle.kind, &obstacle.id),
    };
    let ask = match &obstacle.cause {
        Cause::Right { .. } => "; ask for that right, or use another profile",
        Cause::Lock(_) => "",
    };
    format!("{what}{of}: {}{ask}", why(obstacle))
}

/// What keeps it: `deletion protection is on`.
pub(super) fn why(obstacle: &Obstacle) -> String {
    match &obstacle.cause {
        Cause::Lock(lock) => match lock {
            Lock::DeletionProtection => "deletion protection is on",
            Lock::TerminationProtection => "termination protection is on",
            Lock::StopProtection => "stop protection is on, which refuses a termination too",
            Lock::ObjectLock => "Object Lock keeps what is in it until its retention ends",
            Lock::BucketPolicy => "its policy denies everybody to delete it or what is in it",
        }
        .to_owned(),
        Cause::Right { action, why, .. } => {
            let why = clean(why);
            if why.contains(action.as_str()) {
                why
            } else {
                format!("{why} {action}")
            }
        }
    }
}

fn named(kind: OutsideKind, id: &str) -> String {
    let short = names::short(&OutsideResource::new(kind, id));
    format!("{} {short}", row(kind).name)
}

fn advice(obstacle: &Obstacle, region: &str) -> Vec<Advice> {
    match obstacle.cause {
        Cause::Lock(lock) => unlock(obstacle.kind, lock, &obstacle.id, region),
        Cause::Right { .. } => Vec::new(),
    }
}

/// How a lock is lifted, or looked at where it can't be.
fn unlock(kind: OutsideKind, lock: Lock, id: &str, region: &str) -> Vec<Advice> {
    let lift = "lift its protection";
    match lock {
        Lock::DeletionProtection if kind == OutsideKind::Database => {
            commands::unprotect_database(id, region)
                .into_iter()
                .collect()
        }
        Lock::DeletionProtection => vec![(
            lift,
            format!(
                "aws elbv2 modify-load-balancer-attributes --region {region} --load-balancer-arn {id} \
                 --attributes Key=deletion_protection.enabled,Value=false"
            ),
        )],
        Lock::TerminationProtection => vec![(
            lift,
            format!(
                "aws ec2 modify-instance-attribute --region {region} --instance-id {id} --disable-api-termination Value=false"
            ),
        )],
        Lock::StopProtection => vec![(
            lift,
            format!(
                "aws ec2 modify-instance-attribute --region {region} --instance-id {id} --disable-api-stop Value=false"
            ),
        )],
        Lock::ObjectLock => vec![(
            "see for how long",
            format!("aws s3api get-object-lock-configuration --region {region} --bucket {id}"),
        )],
        Lock::BucketPolicy => vec![
            (
                "see it",
                format!("aws s3api get-bucket-policy --region {region} --bucket {id}"),
            ),
            (
                "delete it",
                format!("aws s3api delete-bucket-policy --region {region} --bucket {id}"),
            ),
        ],
    }
}

/// How a lock is lifted that AWS names as its reason not to remove something.
pub(super) fn unlock_named(resource: &OutsideResource, why: &str, region: &str) -> Vec<Advice> {
    let why = why.to_lowercase();
    let locks = [
        (
            OutsideKind::LoadBalancer,
            "deletion protection",
            Lock::DeletionProtection,
        ),
        (
            OutsideKind::Machine,
            "disableapitermination",
            Lock::TerminationProtection,
        ),
        (OutsideKind::Machine, "disableapistop", Lock::StopProtection),
    ];
    let named = locks
        .into_iter()
        .find(|(kind, words, _)| *kind == resource.kind && why.contains(words));
    named.map_or_else(Vec::new, |(kind, _, lock)| {
        unlock(kind, lock, &resource.id, region)
    })
}

/// Why nothing may be deleted: a stack could not be deleted in the end. `again` is the command.
pub fn refusal(obstacles: &Obstacles, again: &str) -> Option<Blocked> {
    let all: Vec<String> = obstacles.blocking().map(text).collect();
    let rest = all.len().checked_sub(SHOWN).filter(|rest| *rest > 0);
    let rest = rest.map(|rest| format!("and {rest} more"));
    let shown = all.iter().take(SHOWN).cloned().chain(rest);
    let reason = shown.collect::<Vec<_>>().join("; ");
    (!all.is_empty()).then(|| {
        Blocked::by_guard(
            Code::RemovalBlocked,
            reason,
            format!(
                "remove what is in the way, as shown, then run `{again}` again; or `{again} --accept obstacles`: all else is \
                 deleted, and these stay with the stacks that need them gone"
            ),
        )
    })
}

pub(super) fn json<'a>(view: &DeletionView<'a>) -> Vec<ObstacleJson<'a>> {
    let one = |obstacle: &'a Obstacle| {
        let (lock, action) = match &obstacle.cause {
            Cause::Lock(lock) => (Some(*lock), None),
            Cause::Right { action, .. } => (None, Some(action.as_str())),
        };
        let commands = advice(obstacle, view.region);
        ObstacleJson {
            thing: row(obstacle.kind).name,
            id: &obstacle.id,
            stack: obstacle.stack.as_deref(),
            lock,
            action,
            text: text(obstacle),
            blocks: obstacle.blocks,
            commands: commands.into_iter().map(|(_, command)| command).collect(),
        }
    };
    view.obstacles.found.iter().map(one).collect()
}

pub(super) fn unchecked_json<'a>(view: &DeletionView<'a>) -> Vec<UncheckedJson<'a>> {
    let one = |unchecked: &'a Unchecked| UncheckedJson {
        thing: row(unchecked.kind).name,
        id: &unchecked.id,
        why: &unchecked.why,
    };
    view.obstacles.unchecked.iter().map(one).collect()
}
