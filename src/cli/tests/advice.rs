//! Test only: this program accepts every command that its messages, its papers and the programs on the
//! machines advise.

use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

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

/// How a boot's last line goes on behind the program's name: no command.
const BOOT_ENDS: [&str; 2] = ["boot failed: ", "boot succeeded: "];

fn is_end_of_boot(command: &str) -> bool {
    let rest = command.strip_prefix("kube-cfn ").unwrap_or(command);
    BOOT_ENDS.iter().any(|end| rest.starts_with(end.trim_end()))
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
            "key" | "other_key" => "etcd/20261123T100000Z-7.db",
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
            let commands = advised(line).into_iter();
            for command in commands.filter(|command| !is_end_of_boot(command)) {
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

/// The text between a mark and the next `end`, for each mark.
fn between<'a>(text: &'a str, mark: &str, end: char) -> Vec<&'a str> {
    let rests = text.split(mark).skip(1);
    rests
        .filter_map(|rest| Some(rest.split_once(end)?.0))
        .collect()
}

/// The source of a message without line continuations.
fn joined(source: &str) -> String {
    let mut lines = source.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

/// What parsing says of an advised command. A mention of a command may leave all its arguments out, but not one of
/// them.
fn rejection(command: &str) -> Option<clap::Error> {
    let mut text = command.to_owned();
    while let Some((start, rest)) = text.split_once('{') {
        text = format!("{start}production{}", rest.split_once('}').unwrap().1);
    }
    let error = Cli::try_parse_from(text.split_whitespace()).err()?;
    (!is_incomplete(&error) || !is_mention(&text)).then_some(error)
}

fn is_incomplete(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

/// Whether a command is but the names of commands and flags: `kube-cfn etcd list`.
fn is_mention(command: &str) -> bool {
    let mut at = Cli::command();
    let words = command.split_whitespace().skip(1);
    for word in words.filter(|word| !word.starts_with('-')) {
        match at.find_subcommand(word) {
            Some(found) => at = found.clone(),
            None => return false,
        }
    }
    true
}

#[test]
fn commands_advised_by_messages_and_papers_parse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("src"), &mut found);
    files(&root.join("docs"), &mut found);
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    found.push(("README.md".to_owned(), readme));
    let mut checked = 0;
    for (file, text) in found
        .iter()
        .filter(|(file, _)| !file.ends_with("advice.rs"))
    {
        let text = joined(text);
        let quoted = between(&text, "`kube-cfn ", '`');
        let composed = between(&text, ".command(\"", '"');
        let typed = between(&text, "\n$ kube-cfn ", '\n');
        let bare = if file.contains("/tests") {
            Vec::new()
        } else {
            between(&text, "(\"kube-cfn ", '"')
        };
        // The message may add more arguments to these.
        let whole = |command: &String| {
            let parsed = Cli::try_parse_from(format!("kube-cfn {command}").split_whitespace());
            !parsed.is_err_and(|error| is_incomplete(&error))
        };
        let composed = composed
            .into_iter()
            .map(|verb| format!("{verb} production"))
            .filter(whole);
        let all = quoted
            .into_iter()
            .chain(typed)
            .chain(bare.into_iter().filter_map(|text| text.split("  ").next()))
            .map(str::to_owned)
            .chain(composed);
        for command in all.filter(|text| !text.starts_with(['{', '(']) && !is_end_of_boot(text)) {
            let rejected = rejection(&format!("kube-cfn {command}"));
            assert!(
                rejected.is_none(),
                "{file}: `{command}`: {}",
                rejected.unwrap()
            );
            checked += 1;
        }
    }
    assert!(checked > 60, "only {checked} commands found");
    assert!(rejection("kube-cfn undo production").is_some());
    assert!(rejection("kube-cfn plan {name} --skip x").is_some());
    assert!(rejection("kube-cfn etcd replace-member b").is_some());
    assert!(rejection("kube-cfn etcd list").is_none());
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
