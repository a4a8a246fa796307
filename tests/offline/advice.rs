//! Commands of the AWS CLI that messages advise, against AWS's own descriptions of its services: the operation exists,
//! so does every option, no required one is missing, and it says in which region.

use std::path::Path;

use crate::tools::{python, run};

/// Services that have no regions, and commands of the CLI that are no operations.
const JUDGE: &str = r#"
import json, re, shlex, sys
import botocore.session
from botocore import xform_name

GLOBAL = {"iam", "sts"}
OWN = {"s3 cp", "sso login", "login", "configure list-profiles"}
session = botocore.session.get_session()
bad = []
for where, command in json.load(sys.stdin):
    words = shlex.split(command.split(" | ")[0])[1:]
    if " ".join(words[:2]) in OWN or words[0] in OWN:
        if words[0] == "s3" and "--region" not in words:
            bad.append(f"{where}: {command}: no --region")
        continue
    service, operation = words[0], words[1]
    try:
        model = session.get_service_model({"ssm": "ssm", "s3api": "s3"}.get(service, service))
    except Exception as error:
        bad.append(f"{where}: {command}: {error}")
        continue
    known = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in known:
        bad.append(f"{where}: {command}: no operation {operation}")
        continue
    shape = model.operation_model(known[operation]).input_shape
    members = shape.members if shape else {}
    options = {}
    for name, member in members.items():
        option = xform_name(name, "-")
        options[option] = name
        if member.type_name == "boolean":
            options["no-" + option] = name
    # The CLI names a version of an object so, since --version is its own.
    given = {word[2:].split("=")[0] for word in words[2:] if word.startswith("--")}
    for option in given - {"region", "output", "query", "recursive"} - set(options):
        bad.append(f"{where}: {command}: no option --{option}")
    for name in (shape.required_members if shape else []):
        if not any(options.get(option) == name for option in given):
            bad.append(f"{where}: {command}: --{xform_name(name, '-')} is missing")
    if service not in GLOBAL and "region" not in given:
        bad.append(f"{where}: {command}: no --region")
print("\n".join(bad))
"#;

/// The source of a message without line continuations.
fn joined(source: &str) -> String {
    let mut lines = source.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

/// The commands in the strings of a source file, with something in place of what is filled in.
fn commands(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let text = joined(&lines.collect::<Vec<_>>().join("\n"));
    let starts = text.match_indices("aws ");
    let in_message = |at: usize| text[..at].ends_with(['`', '"']);
    let command = |(at, _): (usize, &str)| {
        let command = text[at..].split(['`', '"']).next()?;
        let operation = command.split_whitespace().nth(1)?;
        let named = operation.starts_with(|c: char| c.is_ascii_lowercase());
        (in_message(at) && named).then(|| filled(command))
    };
    starts.filter_map(command).collect()
}

/// A placeholder glued to a word is an option that is there or not, as `{region}`.
fn filled(command: &str) -> String {
    let mut text = String::new();
    let mut rest = command;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(match name {
            "region" if !before.ends_with(' ') => " --region x",
            "options" if !before.ends_with(' ') => " --region x --stack-name x",
            "verb" if before.starts_with("aws cloudformation") => "delete-stack",
            "verb" => "attach",
            "filter" => "",
            _ => "x",
        });
        rest = after;
    }
    text + rest
}

fn sources(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "rs" || end == "json")
            && !path.ends_with("tests.rs")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn advised_aws_commands_are_real_and_name_their_region() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&root.join("src"), &mut found);
    let advised: Vec<(String, String)> = found
        .iter()
        .flat_map(|(file, text)| commands(text).into_iter().map(|one| (file.clone(), one)))
        .collect();
    assert!(advised.len() > 25, "only {} commands found", advised.len());
    let said = judged(&advised);
    assert_eq!(said.trim(), "", "{said}");
}

#[test]
fn wrong_aws_commands_are_found() {
    for (command, words) in [
        ("aws kms enable-keys --region x --key-id x", "no operation"),
        ("aws kms enable-key --region x --key x", "no option --key"),
        ("aws kms enable-key --region x", "--key-id is missing"),
        ("aws kms enable-key --key-id x", "no --region"),
        ("aws kmss enable-key --key-id x", "Unknown service"),
    ] {
        let said = judged(&[("here".to_owned(), command.to_owned())]);
        assert!(said.contains(words), "{command}: {said}");
    }
}

fn judged(advised: &[(String, String)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("advised.json");
    std::fs::write(&file, serde_json::to_vec(advised).unwrap()).unwrap();
    let mut judge = python();
    judge
        .args(["-c", JUDGE])
        .stdin(std::fs::File::open(&file).unwrap());
    run(&mut judge, directory.path())
}
