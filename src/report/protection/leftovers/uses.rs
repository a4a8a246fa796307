//! Whether something uses a machine, a load balancer, a volume or a security group: its group, the object of Kubernetes
//! that it is for, a network interface.

use super::judge::{delete, is_available, maker};
use super::{Leftover, LeftoverFacts, LeftoverState};
use crate::cloud::outside::OutsideKind;
use crate::common::duration::age;
use crate::common::text::clean;
use crate::report::outside::past;
use crate::sweep::kubernetes::{Objects, Volume};
use crate::sweep::{Found, Owner, Past, Purpose, Seen};

impl LeftoverFacts<'_> {
    /// A machine that no group has: a roll ends those that it detached, unless it was interrupted.
    pub(super) fn machine(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        if resource.state.as_deref() == Some("shutting-down") {
            return None;
        }
        let since = resource.created.map_or(String::new(), |created| {
            format!(", launched {} ago", age(self.now.duration_since(created)))
        });
        let state = resource.state.as_deref().unwrap_or("in an unknown state");
        let of = self
            .stack(found)
            .map_or(String::new(), |stack| format!("of {stack} "));
        let text = format!("{of}is in no Auto Scaling group any more ({state}{since})");
        Some(self.orphaned(found, &text))
    }

    /// While a run holds the lock, it may be about to end it.
    pub(super) fn unless_a_run_ends_it(&self, orphaned: Leftover) -> Leftover {
        match self.operation {
            Ok(None) => orphaned,
            Ok(Some(run)) => Leftover {
                state: LeftoverState::Ending,
                text: format!("{}; {} may be about to end it", orphaned.text, clean(run)),
                next: None,
                ..orphaned
            },
            Err(why) => Leftover {
                state: LeftoverState::Unknown,
                text: format!(
                    "{}; whether a run is about to end it is not known: {}",
                    orphaned.text,
                    clean(why)
                ),
                next: None,
                ..orphaned
            },
        }
    }

    pub(super) fn balancer(&self, found: &Found) -> Option<Leftover> {
        let gone = self.gone_maker(found)?;
        Some(self.orphaned(found, &format!("has no {gone} any more")))
    }

    /// A rule of the cluster's own groups that names the group of a load balancer: without its Service or Ingress it only
    /// lets in what nobody knows of. One that is deleted with its group is named with that.
    pub(super) fn rule(&self, found: &Found) -> Option<Leftover> {
        let gone = self.gone_maker(found)?;
        let rule = &found.resource;
        let groups = self.inventory.of_kind(OutsideKind::SecurityGroup);
        let of_rule: Vec<&Found> = groups
            .filter(|group| rule.uses.contains(&group.resource.id))
            .collect();
        let goes_with = |group: &&Found| {
            group.resource.id == rule.body
                || group.owner == Owner::Kubernetes && self.group(group).is_some()
        };
        if of_rule.iter().any(goes_with) {
            return None;
        }
        let named = of_rule.first().map_or("a group", |one| &*one.resource.id);
        let text = format!("names {}, which has no {gone} any more", clean(named));
        Some(self.orphaned(found, &text))
    }

    /// What Kubernetes does not have any more of what something was made for; `None` where it has it, or does not say.
    fn gone_maker(&self, found: &Found) -> Option<&'static str> {
        let Seen::Objects(objects) = self.kubernetes else {
            return None;
        };
        let maker = maker(found)?;
        let is_gone = objects.has(maker) == Some(false);
        is_gone.then_some(match maker {
            Purpose::Ingress(_) => "Ingress",
            _ => "Service of type LoadBalancer",
        })
    }

    pub(super) fn volume(&self, found: &Found) -> Option<Leftover> {
        let resource = &found.resource;
        if found.owner == Owner::Past(Past::Earlier) {
            let is_free = is_available(resource);
            let text = format!("is of an earlier cluster{}", past(found));
            return is_free.then(|| self.orphaned(found, &text));
        }
        let text = match self.kubernetes {
            Seen::Silent(_) => return None,
            Seen::NoApi => "has no Kubernetes any more".to_owned(),
            Seen::Objects(Objects {
                volumes, claims, ..
            }) => {
                let has = |volume: &&Volume| volume.volume_id.as_deref() == Some(&resource.id);
                if !is_available(resource) {
                    return None;
                }
                let Some(volume) = volumes.iter().find(has) else {
                    return Some(self.orphaned(found, "has no PersistentVolume any more"));
                };
                let claim = volume.claim.as_ref()?;
                let mut names = claims
                    .iter()
                    .map(|one| format!("{}/{}", one.namespace, one.name));
                if names.any(|one| one == *claim) {
                    return None;
                }
                format!(
                    "is kept by PersistentVolume {}, whose claim is gone",
                    volume.name
                )
            }
        };
        Some(self.orphaned(found, &text))
    }

    pub(super) fn group(&self, found: &Found) -> Option<Leftover> {
        let id = &found.resource.id;
        let Ok(used) = self.used_groups else {
            return None;
        };
        if used.contains(id) {
            return None;
        }
        let rules = self.inventory.found.iter().filter(|one| {
            one.resource.kind == OutsideKind::GroupRule && one.resource.uses.contains(id)
        });
        // Its own rules go with it.
        let rules = rules.filter(|one| one.resource.body != *id);
        let first: Vec<String> = rules
            .map(|one| delete(&one.resource, self.region))
            .collect();
        let orphaned = self.orphaned(found, "is used by no network interface");
        let delete = orphaned.next.clone().unwrap_or_default();
        let next = first.into_iter().chain([delete]).collect::<Vec<_>>();
        Some(Leftover {
            next: Some(next.join(", then ")),
            ..orphaned
        })
    }
}
