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
        "{} exists{age}: {holder} is writing {}; if it is not running any more, \
         delete the lock file and run again",
        lock.display(), path.display()
    )]
    Locked {
        path: PathBuf,
        lock: PathBuf,
        /// Who holds the lock, as far as it says so.
        holder: String,
        /// ` since 3m`; empty where it is not known.
        age: String,
    },
    #[error(
        "{} keeps nothing, so no kubeconfig is written: unset KUBECONFIG, or write it to a file of its own \
         with --file FILE",
        .0.display()
    )]
    NullDevice(PathBuf),
    #[error("{}: {problem}; {next}", path.display())]
    Content {
        path: PathBuf,
        problem: Problem,
        /// What to do about it.
        next: String,
    },
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
    #[error("it is not a kubeconfig: `{0}` is {1}")]
    AnotherKind(&'static str, String),
    #[error("it is not a kubeconfig: it has none of a kubeconfig's fields")]
    UnknownKind,
    #[error("it holds several YAML documents, of which kubectl reads only the first")]
    SeveralDocuments,
    #[error("it is not a kubeconfig: `{0}` is not a list of named entries")]
    NotAList(&'static str),
    /// An entry of that name that kube-cfn did not write, or wrote for another cluster.
    #[error("it has an entry `{name}` that belongs to {owner}")]
    Foreign {
        name: String,
        owner: String,
        /// What has the name: `context`, `cluster`, `user`.
        kinds: Vec<&'static str>,
    },
}

impl Problem {
    pub(super) fn at(self, path: &Path) -> KubeconfigError {
        KubeconfigError::Content {
            next: self.next(path),
            path: path.to_owned(),
            problem: self,
        }
    }

    /// What to do about it.
    fn next(&self, path: &Path) -> String {
        match self {
            Self::NotAMapping
            | Self::NotAList(_)
            | Self::AnotherKind(..)
            | Self::UnknownKind
            | Self::SeveralDocuments => "it is left as it is: name another file".to_owned(),
            Self::Foreign { name, kinds, .. } => {
                let file = quoted(path);
                let remove = |kind: &&str| {
                    format!("`kubectl config delete-{kind} {name} --kubeconfig {file}`")
                };
                let commands: Vec<String> = kinds.iter().map(remove).collect();
                format!(
                    "write to another file with --file FILE, or, if it is not needed any more, remove it \
                     with {}",
                    commands.join(", ")
                )
            }
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
