//! Which stacks are not as they were when a plan was shown: it is not executed then.

use std::collections::BTreeMap;

use super::Plan;
use super::deletion::DeletePlan;
use super::saved::{SavedStack, moved};
use crate::cloud::{LiveStack, StackStatus};

impl Plan {
    /// What has happened to the stacks of the cluster since the plan was made: one line each.
    pub fn moved_stacks(&self, now: &[LiveStack]) -> Vec<String> {
        let found = self.steps.iter().filter_map(|step| step.found.as_ref());
        moved_stacks(found.chain(&self.leftover), now)
    }
}

impl DeletePlan {
    /// What has happened to the stacks of the cluster since the plan was made: one line each.
    pub fn moved_stacks(&self, now: &[LiveStack]) -> Vec<String> {
        moved_stacks(self.steps.iter().map(|step| &step.found), now)
    }
}

/// A stack in which an operation ran then is followed and looked at again by the run itself.
fn moved_stacks<'a>(was: impl Iterator<Item = &'a LiveStack>, now: &[LiveStack]) -> Vec<String> {
    let was: BTreeMap<&str, &LiveStack> = was.map(|found| (found.name.as_str(), found)).collect();
    let living = |found: &&LiveStack| found.status != StackStatus::DeleteComplete;
    let now = now.iter().filter(living);
    let now: BTreeMap<&str, &LiveStack> = now.map(|found| (found.name.as_str(), found)).collect();
    let names = was
        .keys()
        .chain(now.keys().filter(|name| !was.contains_key(*name)));
    let line = |name: &&str| {
        let (was, is) = (was.get(name).copied(), now.get(name).copied());
        if was.is_some_and(|was| was.status.is_in_progress()) {
            return None;
        }
        moved(name, was.map(SavedStack::of).as_ref(), is)
    };
    names.filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;

    fn stack(name: &str, status: StackStatus) -> LiveStack {
        LiveStack {
            id: format!("arn:{name}"),
            name: name.to_owned(),
            cluster: "canary".to_owned(),
            kind: name.to_owned(),
            status,
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: Timestamp::UNIX_EPOCH,
            updated: None,
        }
    }

    #[test]
    fn moved_stacks_are_named_and_running_operations_are_not() {
        use StackStatus as S;
        let was = [
            stack("base", S::CreateComplete),
            stack("edge", S::UpdateInProgress),
            stack("network", S::CreateComplete),
        ];
        assert_eq!(moved_stacks(was.iter(), &was), [""; 0]);
        let now = [
            stack("base", S::DeleteComplete),
            stack("database", S::CreateInProgress),
            stack("edge", S::UpdateComplete),
            stack("network", S::DeleteInProgress),
        ];
        assert_eq!(
            moved_stacks(was.iter(), &now),
            [
                "base was deleted since",
                "network was in CREATE_COMPLETE and is in DELETE_IN_PROGRESS",
                "database was created since",
            ]
        );
    }
}
