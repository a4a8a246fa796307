//! What keeps a resource from being removed: the ids of what uses it, and AWS's own words.

use super::Removal;
use super::item::{Item, Progress, Task};
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource};
use crate::cloud::{Cloud, Store};
use crate::sweep::classify::{group_of_rule, is_of_balancer};
use crate::sweep::inventory::Found;
use crate::sweep::kinds::{End, row};

/// What is named of a VPC's contents.
const SHOWN: usize = 5;

impl<C: Cloud + Store + Outside> Removal<'_, C> {
    /// Why something that is still there was not removed.
    pub(super) fn blocker(&self, item: &Item) -> String {
        let resource = &item.found.resource;
        let users = self.users(resource);
        let mut parts = described(&users, resource);
        if users.is_empty() && !resource.uses.is_empty() && is_attached(resource.kind) {
            // The groups of an interface do not use it.
            let ids = resource.uses.iter().filter(|id| !id.starts_with("sg-"));
            let ids: Vec<_> = ids.map(String::as_str).collect();
            if !ids.is_empty() {
                parts.push(format!("in use by {}", ids.join(", ")));
            }
        }
        match &item.progress {
            Progress::Refused(words) | Progress::GivenUp(words) => parts.push(words.clone()),
            Progress::Begun(_) => {
                parts.push("AWS accepted its removal and still has it".to_owned());
            }
            Progress::Waiting if item.task == Task::Await => {
                parts.push("AWS has not released it".to_owned());
            }
            Progress::Waiting => parts.push(match self.waits_for(resource.kind) {
                Some(before) => format!("a {} has to go before", row(before).name),
                None => "it was not tried".to_owned(),
            }),
            Progress::Gone => {}
        }
        parts.join("; ")
    }

    /// What may use a resource: of a security group, interfaces and rules of other groups; of a part of a VPC, and of a VPC,
    /// what lies there and has to go before.
    fn users(&self, of: &OutsideResource) -> Vec<&OutsideResource> {
        let list = |kind| self.listing.lists.get(&kind).into_iter().flatten();
        let row = row(of.kind);
        if of.kind == OutsideKind::SecurityGroup {
            let uses = |user: &&OutsideResource| user.uses.contains(&of.id);
            let other = |rule: &&OutsideResource| {
                rule.uses.len() > 1 && group_of_rule(rule) != Some(&*of.id)
            };
            let interfaces = list(OutsideKind::Interface).filter(uses);
            let rules = list(OutsideKind::GroupRule).filter(uses).filter(other);
            return interfaces.chain(rules).collect();
        }
        if row.end != End::RemovedOfStack || of.vpc.is_none() {
            return Vec::new();
        }
        let goes_with_vpc =
            |user: &&OutsideResource| user.by_aws && user.kind != OutsideKind::Interface;
        let all = row.after.iter().flat_map(|kind| list(*kind));
        all.filter(|user| user.vpc == of.vpc && !goes_with_vpc(user))
            .collect()
    }

    /// Whether only a change by somebody helps: what keeps it is known, and this removal does not take that away.
    pub(super) fn is_hopeless(&self, item: &Item) -> bool {
        let resource = &item.found.resource;
        if item.task == Task::Await {
            return self.is_of_orphan(resource);
        }
        let users = self.users(resource);
        let is_used = if users.is_empty() {
            is_attached(resource.kind) && self.is_attached_to_others(resource)
        } else {
            !users.iter().any(|user| self.goes(user))
        };
        item.was_refused() && is_used
    }

    /// Whether this removal takes away what uses a group, or waits until AWS does.
    fn goes(&self, user: &OutsideResource) -> bool {
        let item = self.items.get(&(user.kind, user.id.clone()));
        item.is_some_and(Item::is_active)
    }

    /// Whether it is an interface of a load balancer that was given up.
    fn is_of_orphan(&self, interface: &OutsideResource) -> bool {
        let orphans = self.items.values().filter(|item| item.is_given_up());
        let text = interface.description.as_deref();
        let mut balancers = orphans.map(|item| &*item.found.resource.id);
        balancers.any(|id| text.is_some_and(|text| is_of_balancer(text, id)))
    }

    /// Whether it is attached to something that is there and does not go.
    fn is_attached_to_others(&self, resource: &OutsideResource) -> bool {
        let kinds = [
            OutsideKind::Machine,
            OutsideKind::LoadBalancer,
            OutsideKind::NatGateway,
            OutsideKind::Interface,
        ];
        let stays = |kind: OutsideKind, id: &String| {
            let item = self.items.get(&(kind, id.clone()));
            self.listing.has(kind, id) && !item.is_some_and(Item::is_active)
        };
        let mut uses = resource.uses.iter();
        uses.any(|id| kinds.into_iter().any(|kind| stays(kind, id)))
    }
}

/// Why something is not tried that `user` uses, which stays.
pub(super) fn waits(found: &Found, user: &Found) -> String {
    let user = format!("{} {}", user.row().name, user.resource.id);
    let how = match found.resource.kind {
        OutsideKind::Vpc => "is in it",
        _ => "uses it",
    };
    format!("{user} {how}, and stays; when that is gone, the same command deletes this")
}

/// Whether what a resource of this kind refers to keeps it: what a group or a machine refers to does not.
fn is_attached(kind: OutsideKind) -> bool {
    matches!(
        kind,
        OutsideKind::Volume
            | OutsideKind::Interface
            | OutsideKind::TargetGroup
            | OutsideKind::Address
    )
}

/// The users of a group, or the first ones in a VPC, in words. What lies in the VPC of a subnet need not be in that subnet.
fn described(users: &[&OutsideResource], used: &OutsideResource) -> Vec<String> {
    if used.kind == OutsideKind::SecurityGroup {
        return users.iter().map(|user| describe(user, used)).collect();
    }
    if used.kind != OutsideKind::Vpc {
        return Vec::new();
    }
    let first = users.iter().take(SHOWN).map(|user| {
        let name = format!("{} {}", row(user.kind).name, user.id);
        format!("{name}{} is in it", said_of(user))
    });
    let more = users.len().checked_sub(SHOWN).filter(|more| *more > 0);
    let more = more.map(|more| format!("{more} more are in it"));
    first.chain(more).collect()
}

/// A user of a group, in words.
fn describe(user: &OutsideResource, group: &OutsideResource) -> String {
    if user.kind == OutsideKind::GroupRule {
        let holder = group_of_rule(user).or_else(|| {
            user.uses
                .iter()
                .map(String::as_str)
                .find(|id| *id != group.id)
        });
        let holder = holder.map_or_else(String::new, |holder| format!(" of group {holder}"));
        return format!("named by rule {}{holder}", user.id);
    }
    format!("used by interface {}{}", user.id, said_of(user))
}

/// What AWS or its maker says of it, in brackets.
fn said_of(resource: &OutsideResource) -> String {
    let text = resource.description.as_deref().unwrap_or_default().trim();
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}
