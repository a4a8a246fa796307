//! The statuses of stacks and resources. A status that AWS adds later is `Unknown`, never a panic.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

macro_rules! stack_statuses {
    ($($variant:ident = $text:literal),+ $(,)?) => {
        /// The 23 statuses of a stack as CloudFormation documents them.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum StackStatus {
            $($variant,)+
            /// A status that this version does not know.
            Unknown(String),
        }

        impl StackStatus {
            /// Every documented status.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As CloudFormation spells it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(text) => text,
                }
            }
        }

        impl From<&str> for StackStatus {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Unknown(other.to_owned()),
                }
            }
        }
    };
}

stack_statuses! {
    CreateInProgress = "CREATE_IN_PROGRESS",
    CreateFailed = "CREATE_FAILED",
    CreateComplete = "CREATE_COMPLETE",
    RollbackInProgress = "ROLLBACK_IN_PROGRESS",
    RollbackFailed = "ROLLBACK_FAILED",
    RollbackComplete = "ROLLBACK_COMPLETE",
    DeleteInProgress = "DELETE_IN_PROGRESS",
    DeleteFailed = "DELETE_FAILED",
    DeleteComplete = "DELETE_COMPLETE",
    UpdateInProgress = "UPDATE_IN_PROGRESS",
    UpdateCompleteCleanupInProgress = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateComplete = "UPDATE_COMPLETE",
    UpdateFailed = "UPDATE_FAILED",
    UpdateRollbackInProgress = "UPDATE_ROLLBACK_IN_PROGRESS",
    UpdateRollbackFailed = "UPDATE_ROLLBACK_FAILED",
    UpdateRollbackCompleteCleanupInProgress = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    UpdateRollbackComplete = "UPDATE_ROLLBACK_COMPLETE",
    ReviewInProgress = "REVIEW_IN_PROGRESS",
    ImportInProgress = "IMPORT_IN_PROGRESS",
    ImportComplete = "IMPORT_COMPLETE",
    ImportRollbackInProgress = "IMPORT_ROLLBACK_IN_PROGRESS",
    ImportRollbackFailed = "IMPORT_ROLLBACK_FAILED",
    ImportRollbackComplete = "IMPORT_ROLLBACK_COMPLETE",
}

impl StackStatus {
    /// Whether an operation is still under way. `REVIEW_IN_PROGRESS` is not: no operation runs in it.
    pub fn is_in_progress(&self) -> bool {
        *self != Self::ReviewInProgress && self.as_str().ends_with("_IN_PROGRESS")
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for StackStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::from(text.as_str()))
    }
}

impl Serialize for StackStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Status of a resource in CloudFormation's own word, with its phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceStatus(String);

/// What a resource's status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourcePhase {
    Running,
    Done,
    Failed,
    /// Left alone on purpose (`DELETE_SKIPPED`).
    Skipped,
    /// A word that this version does not know.
    Unknown,
}

impl ResourceStatus {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As CloudFormation spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn phase(&self) -> ResourcePhase {
        match &self.0 {
            text if text.ends_with("_IN_PROGRESS") => ResourcePhase::Running,
            text if text.ends_with("_COMPLETE") => ResourcePhase::Done,
            text if text.ends_with("_FAILED") => ResourcePhase::Failed,
            text if text.ends_with("_SKIPPED") => ResourcePhase::Skipped,
            _ => ResourcePhase::Unknown,
        }
    }

    /// Whether the resource is being deleted, or was.
    pub fn is_delete(&self) -> bool {
        self.0.starts_with("DELETE_")
    }
}

impl fmt::Display for ResourceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ResourceStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl Serialize for ResourceStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
