//! What is left open: what has no counterpart in what was asked for, and what nobody could be asked about.

use super::judge::{is_balancer, is_free_volume, is_made_rule, maker};
use super::{Leftover, LeftoverFacts, LeftoverState, several};
use crate::cloud::outside::OutsideKind;
use crate::common::text::clean;
use crate::sweep::{Found, Owner, Past, Seen};

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
        let is_of_nothing = |found: &Found| is_balancer(found) && maker(found).is_none();
        let is_record = |found: &Found| {
            found.resource.kind == OutsideKind::DnsRecord && found.owner == Owner::Kubernetes
        };
        let all = [
            of(
                is_of_nothing,
                "of no Service or Ingress that is known, not compared",
            ),
            of(is_record, "what they are for is not compared"),
        ];
        all.into_iter().flatten().collect()
    }

    /// What nobody could be asked about.
    pub(super) fn unjudged(&self) -> Vec<Leftover> {
        let mut all = Vec::new();
        let found = || self.inventory.found.iter();
        if let Seen::Silent(why) = self.kubernetes {
            let why = format!("not compared with Kubernetes: {}", clean(why));
            let balancers = found().filter(|one| is_balancer(one) && maker(one).is_some());
            // One that is older than the cluster is none of its own, whatever Kubernetes says.
            let volumes = found()
                .filter(|one| is_free_volume(one) && one.owner != Owner::Past(Past::Earlier));
            let rules = found().filter(|one| is_made_rule(one));
            let of_volumes = format!("attached to nothing; {why}");
            let asked = [
                several(balancers, &why),
                several(volumes, &of_volumes),
                several(rules, &why),
            ];
            all.extend(asked.into_iter().flatten().map(|one| Leftover {
                next: self.asking(),
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

    /// How the API is asked where it can't be reached from here; `None` where that was tried.
    fn asking(&self) -> Option<String> {
        (!self.is_tunnelled).then(|| {
            format!(
                "`kube-cfn doctor {} --server https://127.0.0.1:6443` asks the API at the end of a tunnel",
                self.argument
            )
        })
    }
}
