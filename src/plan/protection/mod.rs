//! The protection of a cluster's data in AWS, layer by layer: what the stacks say of it ([`stack`]), and what guards it
//! in the account beside them ([`account`], read by [`read`]). All but `read` is pure: it compares what is wanted with
//! what was read.

pub mod account;
pub(super) mod documents;
mod keepers;
mod live;
pub mod read;
pub mod stack;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::stacks::StackKind;

/// One layer of one stack or resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProtectionLayer {
    pub stack: StackKind,
    /// The resource's description; `None` for a layer of the whole stack.
    pub resource: Option<String>,
    pub layer: &'static str,
    pub state: LayerState,
    /// The state in words.
    pub text: String,
    /// The command that restores a missing layer.
    pub next: Option<String>,
}

/// Whether a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LayerState {
    Holds,
    /// Off, as the definition wants it (`protect: false`).
    Open,
    /// Off, although the definition wants it.
    Missing,
    /// AWS did not say.
    Unknown,
}

/// The state of a layer, and the same in words.
type StateText = (LayerState, String);

fn missing(why: impl Into<String>) -> StateText {
    (LayerState::Missing, why.into())
}

fn unknown(why: impl Into<String>) -> StateText {
    (LayerState::Unknown, why.into())
}
