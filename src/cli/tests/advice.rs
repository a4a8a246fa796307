//! Test only: the commands of this program that the programs on the machines advise are ones that it takes.

use std::path::Path;

use clap::Parser;

use crate::cli::Cli;

/// Every file below a directory, with its text.
fn files(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}

/// The commands in a line of shell: from the program's name before a word to the end of the clause.
fn advised(line: &str) -> Vec<&str> {
    let line = line.split(" # ").next().unwrap_or_default();
    let ends = |c: char| ";,\"'`)".contains(c);
    let starts = line.match_indices("kube-cfn ").filter(|(at, _)| {
        let before = line[..*at].chars().next_back();
        // Not a value: `--field-manager kube-cfn -f -`, `PGAPPNAME=kube-cfn`.
        let after = line[at + "kube-cfn ".len()..].chars().next();
        before.is_none_or(|c| " `'\"".contains(c)) && after.is_some_and(|c| c.is_ascii_lowercase())
    });
    starts
        .map(|(at, _)| line[at..].split(ends).next().unwrap_or_default().trim())
        .collect()
}

/// The command as it is once the shell has filled in what it knows.
fn filled(command: &str) -> Vec<String> {
    let mut text = command.to_owned();
    while let Some(start) = text.find("${") {
        let end = text[start..]
            .find('}')
            .map_or(text.len(), |end| start + end + 1);
        let name = text[start + 2..end - 1].to_owned();
        let value = match name.as_str() {
            "NODE_CLUSTER" => "production",
            "SLOT" => "a",
            "key" | "other_key" => "etcd/a/2026-11-23T10:00:00Z.db",
            "token" | "other" => "production-0123456789ab",
            other => panic!("{command}: what is ${other}? say so here"),
        };
        text.replace_range(start..end, value);
    }
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn commands_advised_by_nodes_parse() {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/node");
    files(&root, &mut found);
    let mut checked = 0;
    for (file, text) in &found {
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
        {
            for command in advised(line) {
                let parsed = Cli::try_parse_from(filled(command));
                assert!(
                    parsed.is_ok(),
                    "{file} advises `{command}`: {}",
                    parsed.err().unwrap()
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 5, "only {checked} commands found");
}

#[test]
fn advised_command_ends_with_its_clause() {
    let line =
        "fail \"it is empty; run kube-cfn etcd list ${NODE_CLUSTER}; then kube-cfn apply x\"";
    let wanted = ["kube-cfn etcd list ${NODE_CLUSTER}", "kube-cfn apply x"];
    assert_eq!(advised(line), wanted);
    assert!(advised("kubectl apply --field-manager kube-cfn --filename x").is_empty());
    assert!(Cli::try_parse_from(filled("kube-cfn etcd replace-member ${SLOT}")).is_err());
}
