//! Which definitions there are, and which one is meant.

use std::path::{Path, PathBuf};

use super::DefinitionError;
use crate::spec::rules::{either, nearest};

/// A definition in the directory, not read yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Name of the cluster: the file's name without its ending.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The definitions in `dir` by name. Lock files are none; a directory that is not there has none.
pub fn find(dir: &Path) -> Result<Vec<Found>, DefinitionError> {
    let unreadable = |source| DefinitionError::Unreadable {
        path: dir.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if let Some(name) = definition_name(&path).filter(|_| path.is_file()) {
            found.push(Found { name, path });
        }
    }
    found.sort();
    Ok(found)
}

fn definition_name(path: &Path) -> Option<String> {
    let ending = path.extension()?;
    let name = path.file_stem()?.to_str()?;
    let yaml = ending == "yaml" || ending == "yml";
    let hidden = name.starts_with('.')
        || Path::new(name)
            .extension()
            .is_some_and(|part| part == "lock");
    (yaml && !hidden).then(|| name.to_owned())
}

/// The file that is meant: a path when it has a slash or ends in `.yaml` or `.yml`, standard input for `-`,
/// else the definition of that name in `dir`.
pub fn resolve(name_or_path: &str, dir: &Path) -> Result<PathBuf, DefinitionError> {
    let ending = Path::new(name_or_path).extension();
    let is_path = name_or_path == "-"
        || name_or_path.contains(std::path::is_separator)
        || ending.is_some_and(|ending| ending == "yaml" || ending == "yml");
    if is_path {
        return Ok(PathBuf::from(name_or_path));
    }
    let found = find(dir)?;
    let mut exact = found.iter().filter(|found| found.name == name_or_path);
    match (exact.next(), exact.next()) {
        (Some(only), None) => return Ok(only.path.clone()),
        (Some(first), Some(second)) => {
            return Err(DefinitionError::Ambiguous {
                name: name_or_path.to_owned(),
                first: first.path.clone(),
                second: second.path.clone(),
            });
        }
        _ => {}
    }
    let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
    let hint = if let Some(near) = nearest(name_or_path, names.iter().copied()) {
        format!("; did you mean `{near}`?")
    } else if !dir.is_dir() {
        ", which is not there: go where it is, or name it with --clusters".to_owned()
    } else if names.is_empty() {
        "; there are none, `kube-cfn new` writes one".to_owned()
    } else {
        format!("; there is {}", either(names))
    };
    Err(DefinitionError::Unknown {
        name: name_or_path.to_owned(),
        dir: dir.to_owned(),
        hint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "production.yaml",
            "canary.yml",
            "canary.lock.yaml",
            "notes.txt",
            ".hidden.yaml",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        dir
    }

    #[test]
    fn definitions_are_found_without_lock_files() {
        let dir = directory();
        let names: Vec<String> = find(dir.path())
            .unwrap()
            .into_iter()
            .map(|f| f.name)
            .collect();
        assert_eq!(names, ["canary", "production"]);
        assert!(find(&dir.path().join("nowhere")).unwrap().is_empty());
    }

    #[test]
    fn two_definitions_of_one_name_are_refused() {
        let dir = directory();
        std::fs::write(dir.path().join("production.yml"), "").unwrap();
        let error = resolve("production", dir.path()).unwrap_err();
        assert!(
            matches!(error, DefinitionError::Ambiguous { .. }),
            "{error}"
        );
    }

    #[test]
    fn misspelt_definition_name_gets_a_hint() {
        let dir = directory();
        let error = resolve("produktion", dir.path()).unwrap_err().to_string();
        assert!(error.ends_with("; did you mean `production`?"), "{error}");
        assert_eq!(
            resolve("canary", dir.path()).unwrap(),
            dir.path().join("canary.yml")
        );
        assert_eq!(resolve("./x", dir.path()).unwrap(), PathBuf::from("./x"));
        assert_eq!(
            resolve("x.yaml", dir.path()).unwrap(),
            PathBuf::from("x.yaml")
        );
    }
}
