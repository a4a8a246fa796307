//! How far a removal is, in one part a kind.

use super::Removal;
use super::item::{Item, Progress, Task};
use crate::cloud::outside::{Outside, OutsideKind};
use crate::cloud::{Cloud, Store};
use crate::events::SweepPart;
use crate::sweep::kinds::row;

impl<C: Cloud + Store + Outside> Removal<'_, C> {
    /// One part for each kind that has, or had, something to go.
    pub(super) fn parts(&self) -> Vec<SweepPart> {
        let part = |kind: OutsideKind| {
            let items: Vec<_> = self
                .items
                .values()
                .filter(|item| item.found.resource.kind == kind)
                .collect();
            let is_gone = |item: &&&Item| item.progress == Progress::Gone;
            (!items.is_empty()).then(|| SweepPart {
                name: row(kind).name.to_owned(),
                done: items.iter().filter(is_gone).count(),
                wanted: items.len(),
                state: self.state(kind, &items),
            })
        };
        OutsideKind::ALL.into_iter().filter_map(part).collect()
    }

    /// What a kind waits for.
    fn state(&self, kind: OutsideKind, items: &[&Item]) -> String {
        let number = |is: fn(&Item) -> bool| items.iter().filter(|item| is(item)).count();
        let given_up = number(Item::is_given_up);
        let active = number(Item::is_active);
        if active == 0 {
            return match given_up {
                0 => String::new(),
                number => format!("{number} could not be removed"),
            };
        }
        let awaited = number(|item| item.is_active() && item.task == Task::Await);
        if awaited == active {
            return format!("waiting for AWS to release {}", row(kind).counted(awaited));
        }
        if let Some(before) = self.waits_for(kind) {
            let left = self
                .active()
                .filter(|item| item.found.resource.kind == before);
            return format!("waits for {}", row(before).counted(left.count()));
        }
        match number(Item::was_refused) {
            0 => "waiting for AWS".to_owned(),
            number => format!("{number} not possible yet, retrying"),
        }
    }
}
