//! What is left open: what has no counterpart in what was asked for, and what nobody could be asked about.

use super::judge::{is_balancer, is_free_volume, service};
use super::{Leftover, LeftoverFacts, LeftoverState, several};
use crate::cloud::outside::OutsideKind;
use crate::common::text::clean;
use crate::sweep::{Found, Owner, Purpose, Seen};

impl LeftoverFacts<'_> {
    /// What has no counterpart in what Kubernetes was asked for: it is used, or it is not.
    pub(super) fn not_compared(&self) -> Vec<Leftover> {
        if self.has_no_api() {
            return Vec::new();
        }
        let of = |is: fn(&Found) -> bool, why: &str| {
            let found = self.inventory.found.iter();
            let one = several(found.filter(|one| is(one)), why)?;
            Some(Leftover {
                state: LeftoverState::NotCompared,
                ..one
            })
        };
        let is_of_ingress = |found: &Found| {
            let of_ingress = matches!(found.purpose, Some(Purpose::Ingress(_)));
            is_balancer(found) && of_ingress
        };
        let is_of_nothing = |found: &Found| {
            let is_named = matches!(
                found.purpose,
                Some(Purpose::Ingress(_) | Purpose::Service(_))
            );
            is_balancer(found) && !is_named
        };
        let is_record = |found: &Found| {
            found.resource.kind == OutsideKind::DnsRecord && found.owner == Owner::Kubernetes
        };
        let all = [
            of(is_of_ingress, "of an Ingress, which is not compared"),
            of(is_of_nothing, "of no Service that is known, not compared"),
            of(is_record, "what they are for is not compared"),
        ];
        all.into_iter().flatten().collect()
    }

    /// What nobody could be asked about.
    pub(super) fn unjudged(&self) -> Vec<Leftover> {
        let mut all = Vec::new();
        let found = || self.inventory.found.iter();
        if let Seen::Silent(why) = self.kubernetes {
            let why = format!(
                "Kubernetes did not say whether it still has them: {}",
                clean(why)
            );
            let balancers = found().filter(|one| service(one).is_some());
            let volumes = found().filter(|one| is_free_volume(one));
            let of_volumes = format!("attached to nothing; {why}");
            let asked = several(balancers, &why)
                .into_iter()
                .chain(several(volumes, &of_volumes));
            all.extend(asked.map(|one| Leftover {
                next: Some("with --server the API is asked at the end of a tunnel".to_owned()),
                ..one
            }));
        }
        if let Err(why) = self.used_groups {
            let groups = found().filter(|one| {
                one.resource.kind == OutsideKind::SecurityGroup && one.owner == Owner::Kubernetes
            });
            let why = format!("which interfaces use them is not known: {}", clean(why));
            all.extend(several(groups, &why));
        }
        all
    }
}
