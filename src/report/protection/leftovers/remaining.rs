//! What remains of a cluster that has no stack any more: what a deletion keeps on purpose, and the parameters, which go last.

use super::{Leftover, LeftoverFacts, LeftoverState, not_looked_for};
use crate::common::text::{clean, count};
use crate::forecast::upkeep::upkeep;
use crate::report::outside::{cents, kept_line};
use crate::stacks::parameter_path;
use crate::sweep::Found;

impl LeftoverFacts<'_> {
    /// What is kept on purpose, with what it costs and until when it can be read.
    pub(super) fn kept(&self, found: &Found) -> Leftover {
        let resource = &found.resource;
        let cost = upkeep(resource, self.region, self.prices);
        Leftover {
            kind: Some(resource.kind),
            id: Some(resource.id.clone()),
            state: LeftoverState::Kept,
            text: kept_line(found, &cost, self.cluster, &self.inventory.found),
            bytes: resource.bytes,
            monthly_usd: cost.amount().map(|amount| cents(amount.usd)),
            next: None,
        }
    }

    /// The parameters that are there without a stack; `None` where there is a stack, or none of them.
    pub(super) fn parameters(&self) -> Option<Leftover> {
        let path = parameter_path(self.cluster);
        let number = match self.parameters_left? {
            Ok(0) => return None,
            Ok(number) => *number,
            Err(why) => {
                let text = format!(
                    "parameters under {path}/: could not be listed: {}",
                    clean(why)
                );
                return Some(Leftover {
                    text,
                    ..not_looked_for("")
                });
            }
        };
        let left = Leftover {
            id: Some(format!("{path}/")),
            state: LeftoverState::Orphaned,
            text: format!("{} under {path}/", count(number, "parameter")),
            next: Some(format!("`kube-cfn delete {}` deletes them", self.argument)),
            ..not_looked_for("")
        };
        Some(self.unless_a_run_ends_it(left))
    }
}
