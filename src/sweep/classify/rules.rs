//! Whose a rule of a security group is: it is nobody's own, but it keeps the group that it names from being deleted.

use super::{Context, Owner, Place};
use crate::cloud::outside::{OutsideKind, OutsideResource};

/// The security group that a rule is in, where its listing says it.
pub(in crate::sweep) fn group_of_rule(rule: &OutsideResource) -> Option<&str> {
    rule.uses.get(&rule.body).map(String::as_str)
}

impl Context<'_> {
    /// A rule counts only where it joins a group of the cluster with another group: it keeps that one from being deleted.
    pub(super) fn rule(&self, rule: &OutsideResource) -> Place {
        let groups: Vec<_> = rule
            .uses
            .iter()
            .map(|group| (group, self.group(group)))
            .collect();
        let foreign_groups: Vec<_> = groups
            .iter()
            .filter(|(_, place)| {
                !matches!(
                    place,
                    Place::InStack | Place::Outside(Owner::Kubernetes | Owner::Stack)
                )
            })
            .map(|(group, _)| group.as_str())
            .collect();
        let outside = groups.iter().find_map(|(_, place)| match place {
            Place::Outside(owner @ (Owner::Kubernetes | Owner::Stack)) => Some(*owner),
            Place::Outside(Owner::Foreign | Owner::Unclear | Owner::Past(_))
            | Place::InStack
            | Place::Elsewhere => None,
        });
        if groups.len() < 2 || foreign_groups.len() == groups.len() {
            return Place::Elsewhere;
        }
        match (foreign_groups.is_empty(), outside) {
            (true, Some(owner)) => Place::Outside(owner),
            // Between groups of stacks: it goes with them.
            (true, None) => Place::InStack,
            // It goes with the cluster's own group, or it is in somebody's group and keeps the cluster's.
            (false, _) => match group_of_rule(rule) {
                Some(group) if !foreign_groups.contains(&group) => Place::InStack,
                Some(_) | None => Place::Outside(Owner::Foreign),
            },
        }
    }

    /// The place of a security group; AWS's default group is not a stack's here.
    fn group(&self, id: &str) -> Place {
        let groups = self.list(OutsideKind::SecurityGroup);
        match groups.iter().find(|group| group.id == id) {
            Some(group) if group.by_aws => Place::Outside(Owner::Foreign),
            Some(group) => self.place(group),
            None if self.has(id) => Place::InStack,
            None => Place::Elsewhere,
        }
    }

    /// Whether a stack made a group, also one that is gone.
    pub(super) fn is_group_of_stack(&self, id: &str) -> bool {
        matches!(
            self.group(id),
            Place::InStack | Place::Outside(Owner::Stack)
        )
    }
}
