//! The architecture of `src/lib.rs`: which module may import which, held against the `crate::` paths of the code.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and what they may import, from the top to the bottom: only modules further below.
const MODULES: &[(&str, &str)] = &[
    (
        "cli",
        "report progress timeline journal upgrade apply roll sweep operation access etcd events forecast plan stacks definition node kubeconfig kube pki \
         simulated templates cloud spec catalog common",
    ),
    (
        "report",
        "upgrade roll sweep operation access etcd events forecast plan stacks definition kubeconfig kube pki cloud spec catalog common",
    ),
    ("progress", "events forecast stacks cloud catalog common"),
    ("timeline", "events stacks templates cloud catalog common"),
    ("journal", "events stacks cloud catalog common"),
    ("upgrade", "roll etcd stacks cloud catalog common"),
    ("apply", "sweep events plan stacks cloud catalog common"),
    ("roll", "etcd events stacks cloud catalog common"),
    ("sweep", "events stacks kube cloud catalog common"),
    ("operation", "stacks cloud common"),
    ("access", "plan stacks kubeconfig kube pki cloud common"),
    ("etcd", "cloud common"),
    ("events", "stacks cloud catalog common"),
    ("forecast", "plan stacks templates cloud catalog common"),
    ("plan", "stacks templates cloud spec catalog common"),
    ("stacks", "node templates spec catalog common"),
    ("definition", "spec catalog common"),
    ("node", "templates spec catalog common"),
    ("kube", "kubeconfig cloud spec catalog common"),
    ("kubeconfig", "common"),
    ("pki", "common"),
    ("simulated", "templates cloud catalog common"),
    ("templates", "common"),
    ("cloud", "common"),
    ("spec", "catalog"),
    ("catalog", "common"),
    ("common", ""),
];

/// Imports that issue 10 is about to remove: delete each with its last use.
const TEMPORARY: &[(&str, &str)] = &[];

/// Names of the outside, and the only places that may use them.
const EXTERNAL: &[(&str, &[&str])] = &[
    // A field of PersistentVolumes begins like AWS's crates.
    ("aws_", &["src/cloud/aws", "src/kube/storage.rs"]),
    ("tera::", &["src/templates.rs", "src/templates"]),
    ("clap::", &["src/cli", "src/progress/mod.rs"]),
    ("indicatif::", &["src/progress"]),
    ("rcgen::", &["src/pki"]),
    ("::kube::", &["src/kube"]),
    ("k8s_openapi::", &["src/kube"]),
    ("tokio_rustls::", &["src/kube"]),
    ("println!", &[]),
    ("process::exit", &[]),
];

/// What would make a rendering differ from run to run, and the modules that must stay pure.
const IMPURE: &[&str] = &[
    "Timestamp::now",
    "SystemTime::now",
    "Instant::now",
    "env::var",
    "rand::",
];
const PURE: &[&str] = &[
    "catalog",
    "spec",
    "definition",
    "templates",
    "node",
    "stacks",
    "plan",
    "pki",
];

/// Lines of a source file before its own tests.
struct Source {
    path: PathBuf,
    module: String,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = files_below(&root.join("src"));
    let files = files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let sources: Vec<_> = files.map(|file| read(root, file)).collect();
    assert!(sources.len() > 20, "the sources were not found");
    sources
}

/// A file, or every file below a directory, in order.
pub fn files_below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
        .iter()
        .flat_map(|entry| files_below(entry))
        .collect()
}

fn read(root: &Path, file: &Path) -> Source {
    let path = file.strip_prefix(root).unwrap().to_owned();
    let name = path
        .components()
        .nth(1)
        .unwrap()
        .as_os_str()
        .to_string_lossy()
        .replace(".rs", "");
    let text = fs::read_to_string(file).unwrap();
    Source {
        path,
        module: name,
        lines: own(&text).lines().map(str::to_owned).collect(),
    }
}

/// The text before the tests that stand in the file itself; the name of a file of tests cuts nothing.
fn own(text: &str) -> &str {
    let tests = text.match_indices("#[cfg(test)]\nmod ").find(|(at, _)| {
        let line = text[*at..].lines().nth(1).unwrap_or_default();
        line.ends_with('{')
    });
    tests.map_or(text, |(at, _)| &text[..at])
}

/// The modules that a line of code names as `crate::module`. Several in braces count as a module `{`, which nothing may
/// import: this test reads one path a line.
fn imports(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let modules = code.split("crate::").skip(1).map(|rest| {
        if rest.starts_with('{') {
            return "{".to_owned();
        }
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    });
    modules.filter(|module| !module.is_empty()).collect()
}

/// Whether a line of code has `word` standing by itself, not as the end of another one.
fn mentions(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part_of_a_name))
}

#[test]
fn modules_import_only_what_they_may() {
    let mut broken = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !["lib", "main"].contains(&&*source.module))
    {
        let path = source.path.display();
        let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == source.module) else {
            broken.push(format!(
                "{path}: module `{}` is not in the list",
                source.module
            ));
            continue;
        };
        // The simulated cloud is the double of every unit test.
        let is_test = source
            .path
            .components()
            .any(|part| part.as_os_str() == "tests");
        for (number, line) in source.lines.iter().enumerate() {
            for module in imports(line) {
                let known = allowed.split(' ').any(|name| name == module);
                let known = known || TEMPORARY.contains(&(&*source.module, &*module));
                let double = is_test && module == "simulated";
                if module != source.module && !known && !double {
                    broken.push(format!("{path}:{}: imports {module}", number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "imports:\n{}", broken.join("\n"));
}

#[test]
fn modules_may_import_only_modules_further_below() {
    for (at, (module, allowed)) in MODULES.iter().enumerate() {
        for name in allowed.split_whitespace() {
            let below = MODULES[at + 1..].iter().any(|(other, _)| *other == name);
            assert!(below, "{module} may not import {name}");
        }
    }
}

#[test]
fn external_crates_are_used_only_in_their_module() {
    let mut broken = Vec::new();
    for source in sources() {
        for (word, places) in EXTERNAL {
            let allowed = places.iter().any(|place| source.path.starts_with(place));
            let names = |line: &&String| mentions(line, word);
            if !allowed && let Some(line) = source.lines.iter().find(names) {
                broken.push(format!(
                    "{}: {word}: {}",
                    source.path.display(),
                    line.trim()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "crates:\n{}", broken.join("\n"));
}

#[test]
fn rendering_and_planning_are_pure() {
    let mut broken = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| PURE.contains(&&*source.module))
    {
        for word in IMPURE {
            // Keys are random, and nothing else there differs from run to run.
            if source.module == "pki" && *word == "rand::" {
                continue;
            }
            if source.lines.iter().any(|line| line.contains(word)) {
                broken.push(format!("{}: {word}", source.path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "not pure:\n{}", broken.join("\n"));
}

#[test]
fn files_start_with_a_doc_comment_and_stay_short() {
    let mut broken = Vec::new();
    for source in sources() {
        if !source
            .lines
            .first()
            .is_some_and(|line| line.starts_with("//! "))
        {
            broken.push(format!(
                "{}: does not open with `//!`",
                source.path.display()
            ));
        }
        if source.lines.len() > 450 {
            broken.push(format!(
                "{}: {} lines",
                source.path.display(),
                source.lines.len()
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn lib_rs_documents_every_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let rows: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("//! | `"))
        .collect();
    for (module, _) in MODULES {
        assert!(
            rows.iter()
                .any(|row| row.starts_with(&format!("//! | `{module}` |"))),
            "src/lib.rs has no row for `{module}`"
        );
    }
}
