//! Which stack waits for which.

use crate::cloud::INLINE;
use crate::stacks::{Stack, StackKind};

/// The stacks that have to be done before this one can start: those whose outputs it takes, and the
/// base where something of it has to lie in the state bucket.
pub fn needs(stack: &Stack) -> Vec<StackKind> {
    let mut kinds: Vec<StackKind> = stack.needs().cloned().collect();
    let bucket = !stack.objects.is_empty() || stack.body().len() > INLINE;
    if bucket && stack.kind != StackKind::Base {
        kinds.push(StackKind::Base);
    }
    kinds.sort();
    kinds.dedup();
    kinds
}
