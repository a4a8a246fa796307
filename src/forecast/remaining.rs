//! What is left of stacks that need each other.

use std::collections::BTreeMap;

use crate::catalog::durations::{Seconds, Span};
use crate::stacks::StackKind;
use crate::templates::graph::{Needs, longest};

/// The span until the last stack is done, and the first stack on the longest way there. `left` has the
/// needs and the own span of every stack that is left; a need that is not among them is done. `None` when
/// nothing is left.
pub fn remaining<'a>(
    left: &BTreeMap<&'a StackKind, (&[StackKind], Span)>,
) -> Option<(Span, &'a StackKind)> {
    let named: BTreeMap<String, (&'a StackKind, Span)> = left
        .iter()
        .map(|(kind, (_, span))| (kind.to_string(), (*kind, *span)))
        .collect();
    let needs: Needs = left
        .iter()
        .map(|(kind, (needs, _))| {
            let open = needs.iter().filter(|need| left.contains_key(need));
            (kind.to_string(), open.map(ToString::to_string).collect())
        })
        .collect();
    let ways = |seconds: fn(Span) -> u32| {
        longest(&needs, |name| {
            let known = named.get(name);
            known.map_or(0.0, |(_, span)| f64::from(seconds(*span)))
        })
    };
    let late = ways(|span| span.to);
    let whole = Seconds {
        p50: ways(|span| span.from).total,
        p90: late.total,
    };
    let (first, _) = named.get(late.path.first()?)?;
    Some((whole.span(), *first))
}
