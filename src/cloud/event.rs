//! Operations on stacks and the events that they emit.

use jiff::Timestamp;

use super::{ResourceStatus, StackStatus};

/// A running or finished operation on a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackOperation {
    /// ARN of the stack.
    pub stack_id: String,
    /// Token that started it; `None` follows whatever operation is the newest.
    pub token: Option<String>,
}

/// Something that happened to a resource, or to the stack itself.
#[derive(Debug, Clone, PartialEq)]
pub struct StackEvent {
    /// Unique: events are identified by it alone.
    pub id: String,
    /// The server's time.
    pub at: Timestamp,
    pub logical_id: String,
    pub physical_id: Option<String>,
    pub resource_type: String,
    pub status: ResourceStatus,
    pub reason: Option<String>,
    pub token: Option<String>,
    /// Whether it is about the stack itself; then `stack_status` is set.
    pub stack_status: Option<StackStatus>,
}
