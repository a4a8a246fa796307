//! Volumes with the cluster's tags that this cluster does not use: they are of an earlier cluster of the same name, or may be,
//! or Kubernetes has let go of them. `--delete-volumes` is no consent to their loss.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::inventory::Inventory;
use super::kubernetes::{Objects, Seen};
use super::owner::{Disposition, Owner, Past};
use crate::cloud::LiveStack;
use crate::cloud::outside::OutsideKind;
use crate::stacks::StackKind;

/// When the cluster began: both its first stacks are older than anything that Kubernetes made for it. `None` where one of them
/// is gone.
pub fn began(stacks: &[LiveStack]) -> Option<Timestamp> {
    let created = |kind: StackKind| {
        let kind = kind.to_string();
        let stack = stacks.iter().find(|stack| stack.kind == kind);
        stack.map(|stack| stack.created)
    };
    let (base, network) = created(StackKind::Base).zip(created(StackKind::Network))?;
    Some(base.max(network))
}

impl Inventory {
    /// Says of each volume that Kubernetes made whether it is this cluster's: by its objects where its API answers, else by the
    /// time. Where nothing says it, it may be an earlier one's.
    pub fn tell_past_volumes(&mut self, began: Option<Timestamp>, kubernetes: &Seen) {
        let known: Option<BTreeSet<&str>> = match kubernetes {
            Seen::Objects(Objects { volumes, .. }) => {
                let ids = volumes.iter().filter_map(|one| one.volume_id.as_deref());
                Some(ids.collect())
            }
            Seen::NoApi | Seen::Silent(_) => None,
        };
        let is_volume = |found: &&mut super::Found| {
            found.resource.kind == OutsideKind::Volume && found.owner == Owner::Kubernetes
        };
        for found in self.found.iter_mut().filter(is_volume) {
            let is_earlier = found
                .resource
                .created
                .zip(began)
                .map(|(created, began)| created < began);
            found.owner = match &known {
                Some(known) if known.contains(found.resource.id.as_str()) => continue,
                Some(_) | None if is_earlier == Some(true) => Owner::Past(Past::Earlier),
                Some(_) => Owner::Past(Past::Released),
                None if is_earlier.is_none() => Owner::Past(Past::ThisOrEarlier),
                None => continue,
            };
            found.disposition = Disposition::of(found, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cloud::StackStatus;
    use crate::cloud::outside::OutsideResource;
    use crate::sweep::Found;
    use crate::sweep::kubernetes::{Volume, VolumeSource};

    fn at(day: &str) -> Timestamp {
        format!("2026-10-{day}T08:00:00Z").parse().unwrap()
    }

    /// Volumes by id, with the day of their creation.
    fn inventory(volumes: &[(&str, Option<&str>)]) -> Inventory {
        let volume = |(id, day): &(&str, Option<&str>)| Found {
            resource: OutsideResource {
                created: day.map(at),
                ..OutsideResource::new(OutsideKind::Volume, *id)
            },
            owner: Owner::Kubernetes,
            purpose: None,
            disposition: Disposition::Kept,
        };
        Inventory {
            found: volumes.iter().map(volume).collect(),
            unknown: Vec::new(),
        }
    }

    fn seen(ids: &[&str]) -> Seen {
        let volume = |id: &&str| Volume {
            name: format!("pv-{id}"),
            volume_id: Some((*id).to_owned()),
            source: VolumeSource::Ebs,
            claim: None,
            gib: None,
            reclaim_policy: "Delete".to_owned(),
        };
        Seen::Objects(Objects {
            volumes: ids.iter().map(volume).collect(),
            ..Objects::default()
        })
    }

    fn owners(began: Option<&str>, kubernetes: &Seen) -> Vec<Owner> {
        let mut all = inventory(&[
            ("vol-old", Some("01")),
            ("vol-new", Some("09")),
            ("vol-x", None),
        ]);
        all.tell_past_volumes(began.map(at), kubernetes);
        let is_lost = |found: &Found| found.becomes(true) == Disposition::Removed;
        for found in &all.found {
            assert_eq!(
                is_lost(found),
                found.owner == Owner::Kubernetes,
                "{found:?}"
            );
            assert_eq!(found.becomes(false), Disposition::Kept);
        }
        all.found.iter().map(|found| found.owner).collect()
    }

    #[test]
    fn volume_made_before_the_cluster_is_an_earlier_ones() {
        use Owner::Kubernetes;
        let [earlier, unknown] = [Past::Earlier, Past::ThisOrEarlier].map(Owner::Past);
        let silent = Seen::Silent("no answer".to_owned());
        for seen in [Seen::NoApi, silent] {
            let dated = owners(Some("05"), &seen);
            assert_eq!(dated, [earlier, Kubernetes, unknown]);
            assert_eq!(owners(None, &seen), [unknown; 3]);
        }
    }

    #[test]
    fn cluster_began_when_both_its_first_stacks_were_there() {
        let stack = |kind: StackKind, day| LiveStack {
            id: kind.to_string(),
            name: format!("canary-{kind}"),
            cluster: "canary".to_owned(),
            kind: kind.to_string(),
            status: StackStatus::from("CREATE_COMPLETE"),
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: at(day),
            updated: None,
        };
        let base = stack(StackKind::Base, "02");
        let network = stack(StackKind::Network, "05");
        let later = stack(StackKind::Edge, "07");
        let all = [network.clone(), base.clone(), later.clone()];
        assert_eq!(began(&all), Some(at("05")));
        assert_eq!(began(&[base, later.clone()]), None);
        assert_eq!(began(&[network, later]), None);
    }

    #[test]
    fn volume_that_kubernetes_has_is_this_clusters_whatever_its_age() {
        use Owner::Kubernetes;
        let [earlier, released] = [Past::Earlier, Past::Released].map(Owner::Past);
        let old = seen(&["vol-old"]);
        assert_eq!(owners(Some("05"), &old), [Kubernetes, released, released]);
        let new = seen(&["vol-new", "vol-x"]);
        assert_eq!(owners(Some("05"), &new), [earlier, Kubernetes, Kubernetes]);
        assert_eq!(owners(None, &new), [released, Kubernetes, Kubernetes]);
    }
}
