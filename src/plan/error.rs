//! Why there is no plan: an error of the cloud, or a name on the command line that names nothing.

use semver::Version;

use crate::cloud::CloudError;
use crate::stacks::StackKind;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A name given with `--allow-data-loss` that names nothing.
    #[error(
        "--allow-data-loss {name}: there is no such resource in the stacks of {cluster}; {hint}"
    )]
    UnknownResource {
        name: String,
        cluster: String,
        hint: String,
    },
    /// A name given with `--skip-resource` that blocks no rollback.
    #[error("--skip-resource {name}: it blocks no rollback in {cluster}; {hint}")]
    NotStuck {
        name: String,
        cluster: String,
        hint: String,
    },
    /// A version given with `--running` that nobody asks for.
    #[error("--running {stack}={version}: {hint}")]
    VersionNotAsked {
        stack: StackKind,
        version: Version,
        hint: String,
    },
}
