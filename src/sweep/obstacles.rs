//! What would keep something from being removed, looked at before consent: switches that protect it, and rights that the
//! caller lacks. AWS is asked only about what is to go, and about rights as seldom as its calls allow.

mod rights;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::classify::is_ending;
use super::inventory::{Found, Inventory};
use super::kinds::row;
use super::kubernetes::Seen;
use super::listing::{ask, reason};
use super::owner::{Disposition, Purpose};
use super::scope::{Held, HeldKind};
use crate::cloud::outside::OutsideKind;
use crate::cloud::{Account, CloudError, Identity, Lock, Lockable, RemovalChecks};
use crate::common::Clock;

/// Why something that is to go can't be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub kind: OutsideKind,
    /// As AWS's calls name it.
    pub id: String,
    /// The name of the stack that has it; `None` outside the stacks.
    pub stack: Option<String>,
    pub cause: Cause,
    /// Whether a stack could not be deleted because of it.
    pub blocks: bool,
}

/// What keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    Lock(Lock),
    /// The caller may not remove it, nor others of its kind.
    Right {
        /// The IAM action that is missing.
        action: String,
        /// Who says so, in words.
        why: String,
        /// Ids of what of the kind is to go and can't: its own, and those of the others.
        ids: BTreeSet<String>,
    },
}

/// A check that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchecked {
    pub kind: OutsideKind,
    pub id: String,
    pub why: String,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Obstacles {
    pub found: Vec<Obstacle>,
    pub unchecked: Vec<Unchecked>,
}

/// What is to go.
#[derive(Clone, Copy)]
pub struct Going<'a> {
    pub inventory: &'a Inventory,
    pub delete_volumes: bool,
    /// What Kubernetes removes by itself needs no right of the caller.
    pub kubernetes: &'a Seen,
    /// What stacks have that may be locked, and is deleted with them.
    pub held: &'a [Held],
}

/// Looks for obstacles. An error only where there are no valid credentials.
pub async fn obstacles<C: Clock + RemovalChecks + Account>(
    cloud: &C,
    going: Going<'_>,
    identity: &Identity,
) -> Result<Obstacles, CloudError> {
    let (locks, rights) =
        futures::join!(locks(cloud, going), rights::rights(cloud, going, identity));
    let mut all = Obstacles::default();
    for answer in locks.into_iter().chain(rights) {
        match answer {
            Answer::Found(obstacles) => all.found.extend(obstacles),
            Answer::Unchecked(unchecked) => all.unchecked.push(unchecked),
            Answer::Failed(_, _, error @ CloudError::Credentials { .. }) => return Err(error),
            // It is gone.
            Answer::Failed(_, _, CloudError::NotFound(_)) => {}
            Answer::Failed(kind, id, error) => all.unchecked.push(Unchecked {
                kind,
                id,
                why: reason(&error),
            }),
        }
    }
    Ok(all)
}

impl Obstacles {
    /// What would keep a stack from being deleted.
    pub fn blocking(&self) -> impl Iterator<Item = &Obstacle> {
        self.found.iter().filter(|one| one.blocks)
    }
}

impl Going<'_> {
    /// What AWS's calls remove, or Kubernetes.
    fn removed(&self) -> impl Iterator<Item = &Found> {
        let all = self
            .inventory
            .becoming(Disposition::Removed, self.delete_volumes);
        all.filter(|one| !one.resource.by_aws && !is_ending(&one.resource))
    }

    /// What no controller of Kubernetes removes, by kind.
    fn of_aws(&self) -> impl Iterator<Item = Vec<&Found>> {
        let mut kinds: BTreeMap<OutsideKind, Vec<&Found>> = BTreeMap::new();
        for found in self.removed().filter(|one| !self.goes_with_kubernetes(one)) {
            kinds.entry(found.resource.kind).or_default().push(found);
        }
        kinds.into_values()
    }

    /// Whether a controller removes it, with its Service or its claim.
    fn goes_with_kubernetes(&self, found: &Found) -> bool {
        let Seen::Objects(objects) = self.kubernetes else {
            return false;
        };
        match (found.resource.kind, &found.purpose) {
            (OutsideKind::Volume, _) => objects.volumes.iter().any(|volume| {
                volume.volume_id.as_deref() == Some(&found.resource.id)
                    && volume.reclaim_policy == "Delete"
            }),
            // What writes records for Services may not run, or not remove them.
            (OutsideKind::DnsRecord, _) => false,
            (_, Some(service @ Purpose::Service(_))) => objects.has(service) == Some(true),
            (_, _) => false,
        }
    }
}

impl Obstacle {
    /// Whether it keeps this, which is in no stack.
    pub fn keeps(&self, found: &Found) -> bool {
        let id = &found.resource.id;
        let is_meant = match &self.cause {
            Cause::Lock(_) => self.id == *id,
            Cause::Right { ids, .. } => ids.contains(id),
        };
        is_meant && self.kind == found.resource.kind && self.stack.is_none()
    }
}

/// What came of one question.
enum Answer {
    Found(Vec<Obstacle>),
    Unchecked(Unchecked),
    Failed(OutsideKind, String, CloudError),
}

async fn locks<C: Clock + RemovalChecks>(cloud: &C, going: Going<'_>) -> Vec<Answer> {
    let outside = going.removed().filter_map(|found| {
        let id = found.resource.id.as_str();
        let of = match found.resource.kind {
            OutsideKind::LoadBalancer => Lockable::Balancer(id),
            OutsideKind::Machine => Lockable::Machine(id),
            OutsideKind::Bucket => Lockable::Bucket(id),
            _ => return None,
        };
        Some((found.resource.kind, id, None, of))
    });
    let of_stacks = going.held.iter().map(|held| {
        let id = held.id.as_str();
        let (kind, of) = match held.kind {
            HeldKind::Balancer => (OutsideKind::LoadBalancer, Lockable::Balancer(id)),
            HeldKind::Database => (OutsideKind::Database, Lockable::Database(id)),
            HeldKind::Bucket => (OutsideKind::Bucket, Lockable::Bucket(id)),
        };
        (kind, id, Some(held.stack.as_str()), of)
    });
    let questions = outside.chain(of_stacks).map(async |(kind, id, stack, of)| {
        let locks = match ask(cloud, async || cloud.locks(of).await).await {
            Ok(locks) => locks,
            Err(error) => return Answer::Failed(kind, id.to_owned(), error),
        };
        let obstacle = |lock| Obstacle {
            kind,
            id: id.to_owned(),
            stack: stack.map(str::to_owned),
            cause: Cause::Lock(lock),
            blocks: stack.is_some() || row(kind).holds_network,
        };
        Answer::Found(locks.into_iter().map(obstacle).collect())
    });
    join_all(questions).await
}
