//! Why a kubeconfig could not be read or written. Never quotes the file: it may hold keys.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    #[error("failed to {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{} is not valid YAML{at}; it is left as it is: fix it, or name another file", path.display())]
    Syntax { path: PathBuf, at: String },
    #[error(
        "{} exists: kubectl or another kube-cfn is writing {}; if none is running, \
         delete the lock file and run again",
        lock.display(), path.display()
    )]
    Locked { path: PathBuf, lock: PathBuf },
    #[error("{}: {problem}", path.display())]
    Content { path: PathBuf, problem: Problem },
    #[error("no home directory to look for .kube/config in: set HOME, or KUBECONFIG")]
    NoHome,
    #[error("failed to write {} as YAML: {reason}", path.display())]
    Encode { path: PathBuf, reason: String },
}

/// What is wrong with the content of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("it is not a kubeconfig: the document is not a mapping")]
    NotAMapping,
    #[error("it is not a kubeconfig: `{0}` is not a list of named entries")]
    NotAList(&'static str),
    /// An entry of that name that kube-cfn did not write, or wrote for another cluster.
    #[error(
        "it has an entry `{name}` ({kinds}) that belongs to {owner}; rename it there in every place that has the \
         name (`kubectl config rename-context` renames the context alone), or name another file"
    )]
    Foreign {
        name: String,
        /// What of a kubeconfig has that name: `cluster and user`.
        kinds: String,
        owner: String,
    },
}

impl Problem {
    pub(super) fn at(self, path: &Path) -> KubeconfigError {
        KubeconfigError::Content {
            path: path.to_owned(),
            problem: self,
        }
    }
}
