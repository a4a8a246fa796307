//! The lock file beside a definition: which machine images its nodes boot from, resolved once.
//! An unrelated update never swaps an image, for the id is here and only `lock --update` changes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::common::files;

/// The content of `NAME.lock.yaml`. Bound to the account and region that it was resolved in: image
/// ids mean nothing elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    pub account: String,
    pub region: String,
    /// SSM public parameter to the image it named.
    pub images: BTreeMap<String, Image>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// AMI id.
    pub id: String,
    pub resolved_at: Timestamp,
}

/// Why a lock file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("failed to read {}: {source}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("failed to write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is not a lock file: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
}

/// The path of a definition's lock file: `canary.yaml` has `canary.lock.yaml`.
pub fn path(definition: &Path) -> PathBuf {
    definition.with_extension("lock.yaml")
}

impl Lock {
    /// A lock that holds nothing yet.
    pub fn empty(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            images: BTreeMap::new(),
        }
    }

    /// Reads a lock file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let text = match files::read_text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(LockError::Read {
                    path: path.to_owned(),
                    source,
                });
            }
        };
        let lock = serde_saphyr::from_str(&text).map_err(|error| LockError::Malformed {
            path: path.to_owned(),
            reason: error.without_snippet().to_string(),
        })?;
        Ok(Some(lock))
    }

    /// Writes the lock file whole or not at all.
    pub fn write(&self, path: &Path, cluster: &str) -> Result<(), LockError> {
        let failed = |source| LockError::Write {
            path: path.to_owned(),
            source,
        };
        let yaml =
            serde_saphyr::to_string(self).map_err(|error| failed(std::io::Error::other(error)))?;
        let text = format!("{}{yaml}", heading(cluster));
        files::write(path, text, files::PUBLIC).map_err(failed)
    }

    /// The image ids by SSM public parameter.
    pub fn ids(&self) -> BTreeMap<String, String> {
        self.images
            .iter()
            .map(|(parameter, image)| (parameter.clone(), image.id.clone()))
            .collect()
    }
}

fn heading(cluster: &str) -> String {
    format!(
        "# Machine images of {cluster}, written by `kube-cfn lock`. Commit this file.\n\
         # `kube-cfn lock {cluster} --update` moves them to the newest.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_file_round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let file = path(&directory.path().join("canary.yaml"));
        assert!(file.ends_with("canary.lock.yaml"));
        assert_eq!(Lock::read(&file).unwrap(), None);
        let mut lock = Lock::empty("012345678901", "eu-west-1");
        let resolved_at = "2026-11-23T10:00:00Z".parse().unwrap();
        let image = Image {
            id: "ami-0123456789abcdef0".to_owned(),
            resolved_at,
        };
        lock.images
            .insert("/aws/service/some/parameter".to_owned(), image);
        lock.write(&file, "canary").unwrap();
        assert_eq!(Lock::read(&file).unwrap(), Some(lock));
    }

    #[test]
    fn invalid_lock_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("canary.lock.yaml");
        std::fs::write(&file, "images: {}\n").unwrap();
        let error = Lock::read(&file).unwrap_err().to_string();
        assert!(
            error.contains("canary.lock.yaml is not a lock file"),
            "{error}"
        );
    }
}
