//! The user's kubeconfig: entries built, merged into what is there, written under kubectl's lock.
//! Plain data in, files out; must not know AWS, CloudFormation or how a credential is made.
//!
//! One cluster has one entry of each kind in a file (cluster, user, context), all three named as the
//! cluster. Another certificate for the file's owner replaces the first, so that no old key is left
//! behind; one for somebody else gets a user and a context of its own, named `CLUSTER-USER`.
//!
//! What the user changed stays (see [`merge`]). Comments do not survive, as with `kubectl config`.

mod entry;
mod error;
mod file;
mod lock;
mod merge;
mod paths;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::Value;

pub use entry::{Entry, Exec, Login, server_url};
pub use error::{KubeconfigError, Problem};
pub use lock::LockTries;
pub use paths::KubeconfigPaths;

/// What happens to `current-context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Current {
    /// Set only if no file of the target names one.
    IfUnset,
    Switch,
}

/// What [`write`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file that holds the entries.
    pub path: PathBuf,
    pub context: String,
    /// Whether there was no such context before.
    pub created: bool,
    /// Whether `kubectl` without `--context` now talks to this cluster.
    pub current: bool,
    /// What the user had changed and keeps, as `server https://127.0.0.1:6443`.
    pub kept: Vec<String>,
}

/// A whole kubeconfig that holds `entry` alone, with its context current. May hold a private key.
pub fn render(entry: &Entry) -> Result<SecretString, KubeconfigError> {
    let mut document = file::empty();
    let at = Path::new("the new kubeconfig");
    merge::merge(&mut document, entry).map_err(|problem| problem.at(at))?;
    merge::set_current(&mut document, &entry.context());
    file::to_text(at, &document)
}

/// Merges `entry` into the file of `target` that has it already, else into kubectl's choice.
pub fn write(
    target: &KubeconfigPaths,
    entry: &Entry,
    current: Current,
    tries: LockTries,
) -> Result<Written, KubeconfigError> {
    let files = read_all(target)?;
    let name = entry.context();
    let name = name.as_str();
    let holder = files.iter().position(|(_, held)| merge::holds(held, entry));
    let path = match holder.and_then(|index| files.get(index)) {
        Some((path, _)) => path.clone(),
        None => target.default_file(),
    };
    let context_now = files.iter().find_map(|(path, held)| {
        merge::current(held).map(|context| (path.clone(), context.to_owned()))
    });
    let sets_current = current == Current::Switch || context_now.is_none();
    let merged = change(&path, tries, |document| {
        let merged = merge::merge(document, entry)?;
        if sets_current {
            merge::set_current(document, name);
        }
        Ok(merged)
    })?;
    // The first file that names a context wins over the ones after it.
    if let (Current::Switch, Some((first, _))) = (current, &context_now)
        && first != &path
    {
        change(first, tries, |document| {
            merge::set_current(document, name);
            Ok(())
        })?;
    }
    Ok(Written {
        path,
        context: name.to_owned(),
        created: merged.created,
        current: sets_current || context_now.is_some_and(|(_, context)| context == name),
        kept: merged.kept,
    })
}

/// Takes out what kube-cfn wrote for the cluster of `origin`, contexts of other persons included; returns the
/// files that changed. Entries of those names that are not ours stay.
pub fn remove(
    target: &KubeconfigPaths,
    cluster: &str,
    origin: &str,
    tries: LockTries,
) -> Result<Vec<PathBuf>, KubeconfigError> {
    let files = read_all(target)?;
    let held = files.iter().map(|(_, held)| held);
    let all: Vec<String> = held
        .flat_map(|held| merge::own_names(held, cluster, origin))
        .collect();
    let is_current = |held: &Value| {
        merge::current(held).is_some_and(|current| all.iter().any(|name| name == current))
    };
    let mut changed = Vec::new();
    for (path, held) in files {
        if merge::own_names(&held, cluster, origin).is_empty() && !is_current(&held) {
            continue;
        }
        change(&path, tries, |document| {
            for name in merge::own_names(document, cluster, origin) {
                merge::remove(document, cluster, &name);
            }
            if is_current(document) {
                merge::set_current(document, "");
            }
            Ok(())
        })?;
        changed.push(path);
    }
    Ok(changed)
}

/// The client certificates, as PEM, that the files of the target hold for the cluster of `origin`, whosever
/// they are.
pub fn client_certificates(
    target: &KubeconfigPaths,
    cluster: &str,
    origin: &str,
) -> Result<Vec<(PathBuf, String)>, KubeconfigError> {
    let mut found = Vec::new();
    for (path, held) in read_all(target)? {
        for name in merge::own_names(&held, cluster, origin) {
            let data = merge::client_certificate(&held, &name);
            let text = data.and_then(|data| String::from_utf8(STANDARD.decode(data).ok()?).ok());
            found.extend(text.map(|text| (path.clone(), text)));
        }
    }
    Ok(found)
}

fn read_all(target: &KubeconfigPaths) -> Result<Vec<(PathBuf, Value)>, KubeconfigError> {
    let mut files = Vec::new();
    for path in target.files() {
        if let Some(held) = file::read(path)? {
            files.push((path.clone(), held));
        }
    }
    Ok(files)
}

/// Reads, changes and writes one file under its lock.
fn change<T>(
    path: &Path,
    tries: LockTries,
    act: impl FnOnce(&mut Value) -> Result<T, Problem>,
) -> Result<T, KubeconfigError> {
    // Before a lock is made beside it.
    file::check_place(path)?;
    let _lock = lock::Lock::take(path, tries)?;
    let mut document = file::read(path)?.unwrap_or_else(file::empty);
    let done = act(&mut document).map_err(|problem| problem.at(path))?;
    file::write(path, &document)?;
    Ok(done)
}
