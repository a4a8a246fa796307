//! Definitions: every broken one gets its exact message, every good one passes, and the schema says
//! the same as the tool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use kube_cfn::definition::{self, DefinitionError};

use crate::support::golden;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The definitions in a directory of the project, sorted.
fn definitions(dir: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(dir)).expect("the directory is there");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{dir} holds definitions");
    paths
}

fn name(path: &Path) -> String {
    path.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// The message for a file, as `load` gives it, with a path that is the same on every machine.
fn message(path: &Path) -> String {
    let shown = path.display().to_string();
    let short = format!("{}.yaml", name(path));
    match definition::load(path) {
        Ok(_) => String::new(),
        Err(DefinitionError::Wrong(_)) => {
            let text = definition::read(path).expect("it was read before");
            let problems = definition::parse_file(&short, &text, Some("test"));
            format!("{}\n", problems.expect_err("it was wrong before"))
        }
        Err(other) => format!("{other}\n").replace(&shown, &short),
    }
}

#[test]
fn every_broken_definition_gets_its_message() {
    let paths = definitions("tests/cases/definitions/broken");
    assert!(paths.len() >= 60, "only {} broken definitions", paths.len());
    let mut failed = Vec::new();
    for path in paths {
        let name = name(&path);
        let actual = message(&path);
        let case = format!("definitions/broken/{name}.txt");
        let check = || {
            assert_ne!(actual, "", "{name} is not broken");
            golden::check(&case, &actual);
        };
        if catch_unwind(AssertUnwindSafe(check)).is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "{} cases failed: {}", failed.len(), failed.join(", "));
}
