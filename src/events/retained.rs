//! What a deletion leaves behind on purpose: retained resources, snapshots, keys that wait for their deletion.

use crate::stacks::StackKind;

/// A resource that a deletion leaves behind on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retained {
    /// Its deletion policy keeps it.
    Kept {
        stack: StackKind,
        description: String,
        resource_type: String,
        physical_id: Option<String>,
    },
    /// A snapshot made before its source was deleted. CloudFormation rarely reports its full name.
    Snapshot {
        stack: StackKind,
        description: String,
        /// Physical id of what it is a snapshot of.
        of: Option<String>,
        /// Its full name, if CloudFormation reports it.
        name: Option<String>,
        /// The beginning of its name, if it has one: a volume's snapshot has only an id.
        begins_with: Option<String>,
    },
    /// Log groups of a database: they never expire.
    LogGroups {
        stack: StackKind,
        names: Vec<String>,
    },
    /// Automated backups of a deleted database.
    Backups {
        stack: StackKind,
        /// Identifier of the database, where it is known.
        database: Option<String>,
        days: u64,
    },
    /// A disabled key that KMS deletes after this many days; until then its deletion can be cancelled.
    Key {
        stack: StackKind,
        physical_id: Option<String>,
        days: u64,
    },
}
