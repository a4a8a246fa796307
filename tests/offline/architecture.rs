//! The walls of the house: which room may know which, held against the `crate::` paths of the code.

use std::fs;
use std::path::{Path, PathBuf};

/// Room and the rooms it may name, as drawn in the floor plan of `src/lib.rs`.
const WALLS: &[(&str, &[&str])] = &[
    ("common", &[]),
    ("catalog", &[]),
    ("spec", &["catalog"]),
    ("definition", &["spec", "catalog", "common"]),
    ("templates", &[]),
    ("node", &["spec", "catalog", "templates", "common"]),
    (
        "stacks",
        &["spec", "catalog", "templates", "node", "common"],
    ),
    ("cloud", &["common"]),
    ("simulated", &["cloud", "catalog", "templates", "common"]),
    (
        "plan",
        &["stacks", "cloud", "catalog", "templates", "common"],
    ),
    (
        "forecast",
        &["plan", "stacks", "cloud", "catalog", "templates"],
    ),
    ("events", &["stacks", "cloud", "catalog", "common"]),
    (
        "apply",
        &["events", "plan", "stacks", "cloud", "catalog", "common"],
    ),
    (
        "progress",
        &["events", "stacks", "cloud", "catalog", "common"],
    ),
    (
        "journal",
        &["events", "stacks", "cloud", "catalog", "common"],
    ),
    (
        "timeline",
        &[
            "events",
            "stacks",
            "cloud",
            "catalog",
            "templates",
            "common",
        ],
    ),
    ("etcd", &["cloud", "common"]),
    ("pki", &["common"]),
    ("kubeconfig", &["common"]),
    ("kube", &["spec", "catalog", "kubeconfig", "common"]),
    (
        "access",
        &["pki", "kubeconfig", "cloud", "stacks", "kube", "common"],
    ),
    (
        "report",
        &[
            "access",
            "apply",
            "catalog",
            "cloud",
            "common",
            "definition",
            "etcd",
            "forecast",
            "kube",
            "kubeconfig",
            "pki",
            "plan",
            "spec",
            "stacks",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "apply",
            "cloud",
            "catalog",
            "common",
            "definition",
            "etcd",
            "events",
            "forecast",
            "journal",
            "kube",
            "kubeconfig",
            "pki",
            "plan",
            "progress",
            "report",
            "simulated",
            "spec",
            "stacks",
            "templates",
            "timeline",
        ],
    ),
];

/// Words of the outside and the only places that may say them.
const DOORS: &[(&str, &[&str])] = &[
    ("aws_", &["src/cloud/aws"]),
    ("tera::", &["src/templates.rs"]),
    // Of the clouds only the simulated one reads templates, as CloudFormation does.
    (
        "crate::templates",
        &[
            "src/cli",
            "src/forecast",
            "src/simulated",
            "src/node",
            "src/plan",
            "src/stacks",
            "src/timeline",
        ],
    ),
    ("clap::", &["src/cli", "src/progress/mod.rs"]),
    ("indicatif::", &["src/progress"]),
    ("rcgen::", &["src/pki"]),
    ("::kube::", &["src/kube"]),
    ("k8s_openapi::", &["src/kube"]),
    ("tokio_rustls::", &["src/kube"]),
    ("println!", &[]),
    ("process::exit", &[]),
];

/// What would make a rendering differ from run to run, and the rooms that must stay pure.
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
    room: String,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    assert!(files.len() > 20, "the sources were not found");
    files.into_iter().map(|file| read(root, &file)).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
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
        room: name,
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

/// The rooms that a line of code names as `crate::room`; several in braces count as a room `{`, which
/// nobody may name: a path a line can be read by this test.
fn named(line: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let paths = code.split("crate::").skip(1);
    let rooms = paths.map(|rest| {
        if rest.starts_with('{') {
            return "{".to_owned();
        }
        rest.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    });
    rooms.filter(|room| !room.is_empty()).collect()
}

/// Whether a line of code has `word` standing by itself, not as the end of another one.
fn speaks(line: &str, word: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let part_of_a_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part_of_a_name))
}

#[test]
fn every_room_names_only_the_rooms_it_may_know() {
    let mut broken = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !["lib", "main"].contains(&&*source.room))
    {
        let Some((_, allowed)) = WALLS.iter().find(|(room, _)| *room == source.room) else {
            broken.push(format!(
                "{}: room `{}` is not on the plan",
                source.path.display(),
                source.room
            ));
            continue;
        };
        for (number, line) in source.lines.iter().enumerate() {
            for room in named(line) {
                if room != source.room && !allowed.contains(&&*room) {
                    broken.push(format!(
                        "{}:{}: names {room}",
                        source.path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "walls broken:\n{}", broken.join("\n"));
}

#[test]
fn outside_words_stay_behind_their_door() {
    let mut broken = Vec::new();
    for source in sources() {
        for (word, doors) in DOORS {
            let allowed = doors.iter().any(|door| source.path.starts_with(door));
            let says = |line: &&String| speaks(line, word);
            if !allowed && let Some(line) = source.lines.iter().find(says) {
                broken.push(format!(
                    "{}: {word}: {}",
                    source.path.display(),
                    line.trim()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "doors broken:\n{}", broken.join("\n"));
}

#[test]
fn rendering_and_planning_are_pure() {
    let mut broken = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| PURE.contains(&&*source.room))
    {
        for word in IMPURE {
            // Keys are made of chance, and of nothing else that differs from run to run.
            if source.room == "pki" && *word == "rand::" {
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
fn every_file_says_first_what_it_knows_and_stays_readable() {
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
fn the_floor_plan_names_every_room() {
    let plan =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let drawn: Vec<_> = plan
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    for (room, _) in WALLS {
        assert!(
            drawn.iter().any(|line| line.contains(&format!("`{room}"))),
            "src/lib.rs does not draw `{room}`"
        );
    }
}
