//! Which files make up the kubeconfig, by kubectl's rules.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::KubeconfigError;
use crate::common::files::is_null_device;

/// The files to read, in order; for each entry the first file that has it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeconfigPaths {
    files: Vec<PathBuf>,
}

impl KubeconfigPaths {
    /// One file, whatever the environment says.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self {
            files: vec![path.into()],
        }
    }

    /// What kubectl started here without flags would use.
    pub fn of_environment() -> Result<Self, KubeconfigError> {
        let listed = std::env::var_os("KUBECONFIG");
        Self::of_user(listed.as_deref(), etcetera::home_dir().ok().as_deref())
    }

    /// The files that the value of `KUBECONFIG` lists, else `.kube/config` in the home directory,
    /// which only then is needed.
    pub fn of_user(
        kubeconfig: Option<&OsStr>,
        home: Option<&Path>,
    ) -> Result<Self, KubeconfigError> {
        let mut files: Vec<PathBuf> = Vec::new();
        for path in kubeconfig.iter().flat_map(std::env::split_paths) {
            if !path.as_os_str().is_empty() && !files.contains(&path) {
                files.push(path);
            }
        }
        if files.is_empty() {
            let home = home.ok_or(KubeconfigError::NoHome)?;
            files.push(home.join(".kube").join("config"));
        }
        Ok(Self { files })
    }

    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Where a new entry goes: the first file that exists, else the last of the list. The null device only
    /// where there is nothing else.
    pub(super) fn default_file(&self) -> PathBuf {
        let keeping = || self.files.iter().filter(|path| !is_null_device(path));
        let existing = keeping().find(|path| path.exists());
        let last = || keeping().next_back().or(self.files.last());
        existing.or_else(last).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(kubeconfig: Option<&str>) -> Vec<String> {
        let home = Path::new("/home/ada");
        let target = KubeconfigPaths::of_user(kubeconfig.map(OsStr::new), Some(home)).unwrap();
        target
            .files()
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    }

    #[test]
    fn kubeconfig_variable_takes_precedence_over_home() {
        assert_eq!(files(None), ["/home/ada/.kube/config"]);
        assert_eq!(files(Some("")), ["/home/ada/.kube/config"]);
        assert_eq!(files(Some("/a:/b::/a")), ["/a", "/b"]);
    }

    #[test]
    fn new_entry_goes_past_the_null_device() {
        let chosen = |listed: &str| {
            let target = KubeconfigPaths::of_user(Some(OsStr::new(listed)), None).unwrap();
            target.default_file().display().to_string()
        };
        assert_eq!(chosen("/dev/null:/nowhere/a:/nowhere/b"), "/nowhere/b");
        assert_eq!(chosen("/nowhere/a:/dev/null"), "/nowhere/a");
        assert_eq!(chosen("/dev/null"), "/dev/null");
    }

    #[test]
    fn home_is_needed_only_without_kubeconfig_variable() {
        assert!(KubeconfigPaths::of_user(Some(OsStr::new("/a")), None).is_ok());
        let missed = KubeconfigPaths::of_user(None, None);
        assert!(matches!(missed, Err(KubeconfigError::NoHome)), "{missed:?}");
    }
}
