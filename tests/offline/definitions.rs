//! Definitions: every invalid one gets its exact message, every valid one passes, and the schema agrees with the
//! tool.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use kube_cfn::definition::{self, DefinitionError, NewCluster, NewDatabase};
use proptest::prelude::*;

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
    path.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}

/// The message for a file, as `load` gives it, with a path that is the same on every machine.
fn message(path: &Path) -> String {
    let shown = path.display().to_string();
    let short = format!("{}.yaml", name(path));
    match definition::load(path) {
        Ok(_) => String::new(),
        Err(DefinitionError::Wrong(_)) => {
            let text = definition::read(path).expect("it was read before");
            let problems = definition::parse_file(&short, &text, stem(path));
            format!("{}\n", problems.expect_err("it was wrong before"))
        }
        Err(other) => format!("{other}\n").replace(&shown, &short),
    }
}

/// The cases are named after their problem; only one is about the name of its file.
fn stem(path: &Path) -> Option<&'static str> {
    (name(path) == "name-of-another-file").then_some("test")
}

#[test]
fn every_invalid_definition_gets_its_message() {
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
    assert!(
        failed.is_empty(),
        "{} cases failed: {}",
        failed.len(),
        failed.join(", ")
    );
}

#[test]
fn an_oversized_file_is_not_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("huge.yaml");
    std::fs::write(&path, "# ".repeat(200 * 1024)).expect("written");
    let error = definition::load(&path).expect_err("too long").to_string();
    assert!(
        error.ends_with("huge.yaml is not a valid definition: it is larger than 256 KiB"),
        "{error}"
    );
    let error = definition::load(&dir.path().join("none.yaml"))
        .expect_err("not there")
        .to_string();
    assert!(error.starts_with("can't read "), "{error}");
}

#[test]
fn valid_definitions_pass() {
    for dir in ["tests/cases/definitions/good", "clusters"] {
        for path in definitions(dir) {
            let spec = definition::load(&path).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(spec.name, name(&path));
        }
    }
}

#[test]
fn plain_text_is_not_reinterpreted() {
    let path = root().join("tests/cases/definitions/good/everything.yaml");
    let spec = definition::load(&path).expect("it is good");
    assert_eq!(spec.account.as_deref(), Some("012345678901"));
    assert_eq!(spec.tags["cost center"], "007");
    assert_eq!(spec.tags["on"], "off");
    assert_eq!(spec.pools[1].labels["answer"], "yes");
    assert_eq!(spec.pools[1].taints[0].value, "true");
    assert_eq!(spec.pools[1].taints[1].value, "");
    let database = spec.database.expect("a database");
    assert_eq!(database.engine_version, "17.10");
    assert_eq!(database.parameters["work_mem"], "65536");
    assert_eq!(
        spec.mirror.as_deref(),
        Some("https://mirror.example.com/node")
    );
    assert_eq!(spec.access.ttl_seconds, 5400);
}

#[test]
fn a_minimal_definition_gets_safe_defaults() {
    let path = root().join("tests/cases/definitions/good/minimal.yaml");
    let actual = definition::load(&path).expect("it is good");
    golden::check("definitions/good/minimal.txt", &format!("{actual:#?}\n"));
}

#[test]
fn problems_are_available_as_json() {
    let text = "name: test\nregion: eu-west-1\nkubernetes: 1.36.4\nprotect: maybe\n";
    let problems = definition::parse("x.yaml", text).expect_err("it is wrong");
    let json = serde_json::to_value(&problems).expect("they serialise");
    assert_eq!(json[0]["file"], "x.yaml");
    assert_eq!(
        (json[0]["line"].as_u64(), json[0]["column"].as_u64()),
        (Some(4), Some(10))
    );
    assert_eq!(json[0]["path"], "protect");
    assert_eq!(
        json[0]["message"],
        "expected `true` or `false`, got `maybe`"
    );
    assert!(json[0]["help"].is_string());
    assert_eq!(json[0].as_object().expect("fields").len(), 6);
    assert!(problems.coloured().contains("\u{1b}["));
    assert!(!problems.to_string().contains('\u{1b}'));
}

#[test]
fn the_schema_in_clusters_is_the_one_of_the_program() {
    let schema = serde_json::to_string_pretty(&definition::schema()).expect("it serialises");
    // The file lies beside the definitions that name it, not among the cases.
    golden::check("../../clusters/cluster.schema.json", &format!("{schema}\n"));
    for file in definitions("clusters") {
        let text = std::fs::read_to_string(&file).expect("readable");
        let line = "# yaml-language-server: $schema=cluster.schema.json\n";
        assert!(
            text.starts_with(line),
            "{} names the schema",
            file.display()
        );
    }
}

#[test]
fn every_field_of_the_schema_is_described() {
    fn walk(at: &str, schema: &serde_json::Value) {
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            let at = format!("{at}.{name}");
            assert!(
                inner["description"]
                    .as_str()
                    .is_some_and(|text| text.len() > 10),
                "{at}"
            );
            walk(&at, inner);
        }
        for inner in [&schema["items"], &schema["additionalProperties"]] {
            if inner.is_object() {
                walk(at, inner);
            }
        }
        let strict = schema["properties"].is_null() || schema["additionalProperties"] == false;
        assert!(strict, "{at} refuses unknown fields");
    }
    let schema = definition::schema();
    assert!(schema["title"].is_string());
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    jsonschema::meta::validate(&schema).expect("a valid schema");
    walk("", &schema);
    // Editors fill the defaults in, so they have to pass too.
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let mut full = serde_json::json!({"name": "x", "region": "eu-west-1", "kubernetes": "1.36.4"});
    for (name, inner) in schema["properties"].as_object().expect("fields") {
        if let Some(default) = inner.get("default") {
            full[name] = default.clone();
        }
    }
    assert!(
        full["network"]["cidr"].is_string(),
        "defaults stand in the schema"
    );
    assert_eq!(
        validator
            .iter_errors(&full)
            .map(|error| error.to_string())
            .collect::<Vec<_>>(),
        [""; 0]
    );
}

#[test]
fn the_schema_accepts_what_the_tool_accepts() {
    let schema = definition::schema();
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for dir in ["tests/cases/definitions/good", "clusters"] {
        for path in definitions(dir) {
            let text = definition::read(&path).expect("readable");
            // As an editor reads it: types from YAML alone. One case is about text that looks like
            // something else, which only the tool takes for text.
            let value: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
            let errors: Vec<String> = validator
                .iter_errors(&value)
                .map(|e| e.to_string())
                .collect();
            assert!(
                errors.is_empty() || name(&path) == "everything",
                "{}: {errors:?}",
                path.display()
            );
        }
    }
}

/// A good definition with some of its letters changed: a person's slips, and worse.
fn slips() -> impl Strategy<Value = String> {
    let good = definition::read(&root().join("tests/cases/definitions/good/everything.yaml"))
        .expect("readable");
    let place = 0..good.chars().count();
    let odd = "[\\[\\]{}:,#&*!|>'\"%@`\\-~ \t\n0-9a-z/.äß日]{0,6}";
    proptest::collection::vec((place, 0..12_usize, odd), 1..6).prop_map(move |changes| {
        let mut text: Vec<char> = good.chars().collect();
        for (start, cut, new) in changes {
            let start = start.min(text.len());
            let end = (start + cut).min(text.len());
            text.splice(start..end, new.chars());
        }
        text.into_iter().collect()
    })
}

/// A copy of what passes has to pass, whatever it looks like.
fn copied(text: &str) -> Result<String, DefinitionError> {
    let new = definition::scaffold(&NewCluster {
        name: "trial",
        from: Some(text),
        others: &[],
        kubernetes: None,
        region: None,
        restore_from: None,
        database: NewDatabase::Small,
    });
    Ok(new?.text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn problem_positions_are_inside_the_text(text in slips()) {
        match definition::parse("x.yaml", &text) {
            Ok(_) => {
                let copy = copied(&text);
                prop_assert!(copy.is_ok(), "{}\nfrom\n{text}", copy.unwrap_err());
            }
            Err(problems) => {
                let lines = text.lines().count().max(1);
                for problem in problems.iter() {
                    prop_assert!((1..=lines + 1).contains(&problem.line), "{}", problem.line);
                    prop_assert!(!problem.message.is_empty());
                }
                prop_assert!(problems.to_string().contains(" in x.yaml"));
            }
        }
    }
}
