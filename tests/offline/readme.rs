//! The README names every command and every flag of its table, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

fn help(arguments: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kube-cfn"));
    let output = program.args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success(), "{arguments:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the program has, from its own help.
fn commands() -> BTreeSet<String> {
    let help = help(&[]);
    let listed = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("Options:")
        .next()
        .unwrap();
    let names = listed.lines().filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' '));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn readme_lists_every_command() {
    let readme = readme();
    for command in commands() {
        assert!(
            readme.contains(&format!("| `{command}")),
            "`{command}` is not in the table"
        );
    }
}

#[test]
fn readme_commands_exist() {
    let commands = commands();
    let readme = readme();
    let called = readme.split("kube-cfn ").skip(1).filter_map(|rest| {
        rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
            .next()
    });
    for word in called.filter(|word| !word.is_empty()) {
        assert!(commands.contains(word), "`kube-cfn {word}` is no command");
    }
}

#[test]
fn readme_flags_exist() {
    for line in readme().lines().filter(|line| line.starts_with("| `")) {
        let call = line.split('`').nth(1).unwrap();
        let command = call.split_whitespace().next().unwrap();
        if !commands().contains(command) {
            continue;
        }
        // Of a command with commands of its own, the first one that is named has the flags.
        let first = |word: &&str| word.split('|').next().unwrap_or_default().to_owned();
        let sub = call.split_whitespace().nth(1).map(|word| first(&word));
        let has = sub.filter(|sub| help(&[command]).contains(&format!("  {sub}  ")));
        let path: Vec<&str> = [Some(command), has.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        let help = help(&path);
        let words = call.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        for flag in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{command} has no {flag}");
        }
    }
}
