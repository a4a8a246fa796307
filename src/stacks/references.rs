//! That every reference of the stacks' templates is to something the same template declares, checked
//! before anything is sent: also in a template that takes the place of ours.

use super::{DesignError, Stack};
use crate::spec::rules::nearest;
use crate::templates::unresolved::{Unresolved, unresolved};

/// Every reference of every template that nothing answers to. Pools share a template: what several of
/// them have in common is named once.
pub(super) fn check(stacks: &[Stack]) -> Result<(), DesignError> {
    let mut lines = Vec::new();
    for stack in stacks {
        for one in unresolved(&stack.template) {
            let line = format!("{}: {one}{}", stack.kind.template(), guess(&one));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    Err(DesignError::Unresolved(lines))
}

fn guess(one: &Unresolved<'_>) -> String {
    let meant = nearest(one.name, one.choices.iter().copied());
    meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}
