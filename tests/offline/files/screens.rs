//! Nothing of a definition, a record or the command line reaches the terminal as a control character.

use std::fs;
use std::process::Command;

use kube_cfn::common::terminal::{escape_json, is_obeyed};

use super::{define, enter, kube_cfn, record_events, said};
use crate::progress::runs;

/// A title, a colour, a C1 sequence, a carriage return, a text that runs backwards.
const HOSTILE: &str = "x\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\r\u{202e}txt\u{2066}\u{7f}";

/// What a command printed has nothing that a terminal obeys, with and without colours of its own.
fn is_harmless(command: impl Fn() -> Command) {
    let (stdout, stderr, _) = said(command().env("NO_COLOR", "1"));
    for text in [&stdout, &stderr] {
        assert!(!text.contains(is_obeyed), "{text:?}");
    }
    let forced = said(command().env("CLICOLOR_FORCE", "1"));
    for text in [forced.0, forced.1] {
        let foreign = text.contains("]0;owned\u{7}")
            || text.contains("\u{1b}[31mred")
            || text.contains(|c: char| is_obeyed(c) && c != '\u{1b}');
        assert!(!foreign, "{text:?}");
    }
}

#[test]
fn definitions_print_no_control_characters() {
    if !enter("files::screens::definitions_print_no_control_characters") {
        return;
    }
    fs::create_dir("clusters").unwrap();
    let json = serde_json::to_string(HOSTILE).unwrap();
    let quoted = escape_json(&json);
    for (name, text) in [
        (
            "value",
            format!("name: value\nregion: {quoted}\nkubernetes: 1.36.4\n"),
        ),
        ("key", format!("name: key\n{quoted}: 1\n")),
        (
            "comment",
            format!("name: comment # {HOSTILE}\nregion: nowhere\n"),
        ),
        ("syntax", format!("name: syntax\nregion: [{HOSTILE}\n")),
    ] {
        fs::write(format!("clusters/{name}.yaml"), text).unwrap();
        for arguments in [
            vec!["validate", name],
            vec!["validate", name, "-o", "json"],
            vec!["validate", name, "-o", "yaml"],
            vec!["plan", name],
        ] {
            is_harmless(|| kube_cfn(&arguments));
        }
        let (_, stderr, _) = said(&mut kube_cfn(&["validate", name]));
        assert!(!stderr.is_empty());
    }
    // Colours of our own are there: the problem is shown with them.
    let (_, stderr, _) = said(kube_cfn(&["validate", "comment"]).env("CLICOLOR_FORCE", "1"));
    assert!(stderr.contains("\u{1b}["), "{stderr:?}");
}

#[test]
fn names_and_arguments_print_no_control_characters() {
    if !enter("files::screens::names_and_arguments_print_no_control_characters") {
        return;
    }
    define("canary");
    let path = format!("clusters/{HOSTILE}.yaml");
    fs::write(&path, "name: canary\n").unwrap();
    for arguments in [
        vec!["validate"],
        vec!["validate", &path],
        vec!["validate", HOSTILE],
        vec![HOSTILE],
        vec!["plan", "canary", HOSTILE],
        vec!["render", "canary", "--stack", HOSTILE],
        vec!["render", "canary", "--out", &path],
        vec!["new", HOSTILE, "--region", "eu-west-1"],
        vec!["rehearse", "canary", "--fail", HOSTILE],
        vec!["timeline", "canary", "--run", HOSTILE],
        vec!["timeline", HOSTILE],
    ] {
        is_harmless(|| kube_cfn(&arguments));
    }
    is_harmless(|| {
        let mut command = kube_cfn(&["status", "canary"]);
        command.env("KUBE_CFN_SERVER", HOSTILE);
        command
    });
    // What completes a name is printed by the shell.
    is_harmless(|| {
        let mut command = kube_cfn(&["--", "kube-cfn", "validate", ""]);
        command
            .env("COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "2")
            .env("_CLAP_COMPLETE_COMP_TYPE", "9")
            .env("_CLAP_COMPLETE_SPACE", "true")
            .env("_CLAP_IFS", "\n");
        command
    });
}

#[test]
fn records_print_no_control_characters() {
    if !enter("files::screens::records_print_no_control_characters") {
        return;
    }
    let hostile = serde_json::to_string(HOSTILE).unwrap();
    let hostile = hostile.trim_matches('"');
    // Every string of every event that is not a name of ours.
    record_events(runs::failed().events.into_iter().map(|event| {
        let mut text = serde_json::to_string(&event).unwrap();
        for word in ["NAT gateway", "canary", "quota", "subnet", "nat"] {
            text = text.replace(word, &format!("{word}{hostile}"));
        }
        serde_json::from_str(&text).unwrap()
    }));
    for arguments in [
        vec!["timeline", "canary"],
        vec!["timeline", "canary", "--resources"],
        vec!["timeline", "canary", "-o", "json"],
    ] {
        is_harmless(|| kube_cfn(&arguments));
        let (stdout, stderr, code) = said(&mut kube_cfn(&arguments));
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains("owned"), "{stdout}");
    }
}
