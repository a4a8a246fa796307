//! Files of somebody else: what kubectl reads is read, what it refuses is left alone, and the advice for a
//! taken name is right, all with the real kubectl.

use std::fs;
use std::path::Path;

use kube_cfn::kubeconfig::{Current, KubeconfigPaths, LockTries, server_url, write};
use serde_json::Value;
use tempfile::tempdir;

use super::{ask, authority, credential, entry, put, with_certificate};
use crate::tools::{kubectl, run, try_run};

#[test]
fn we_read_what_kubectl_reads() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = server_url("api.example.com");
    let wanted = entry(&by, server, with_certificate(&credential(&by)));
    let clusters =
        |name: &str| format!("clusters: [{{name: {name}, cluster: {{server: 'https://x'}}}}]");
    for (name, text) in [
        (
            "doubled",
            format!(
                "{}\n{}\ncurrent-context: a\ncurrent-context: b\n",
                clusters("a"),
                clusters("b")
            ),
        ),
        (
            "nested",
            "contexts: [{name: a, context: {cluster: a, cluster: b}}]\ncurrent-context: a\n"
                .to_owned(),
        ),
        (
            "trailing",
            format!("{}\ncurrent-context: b\n---\n", clusters("b")),
        ),
        (
            "twice",
            "current-context: b\n---\n---\n# nothing\n".to_owned(),
        ),
        (
            "marked",
            "---\nkind: Config\ncurrent-context: b\n...\n".to_owned(),
        ),
        (
            "json",
            "{\"kind\": \"Config\", \"apiVersion\": \"v1\", \"current-context\": \"b\"}".to_owned(),
        ),
        ("untyped", "current-context: b\n".to_owned()),
        ("comments", "# none yet\n".to_owned()),
    ] {
        let file = put(place.path(), name, &text);
        let view = |file: &Path| -> Value {
            serde_json::from_str(&ask(place.path(), file, "config view --raw -o json")).unwrap()
        };
        let before = view(&file);
        write(
            &KubeconfigPaths::file(&file),
            &wanted,
            Current::IfUnset,
            LockTries::NONE,
        )
        .unwrap();
        let after = view(&file);
        for list in ["clusters", "contexts", "users"] {
            let rows = |view: &Value| view[list].as_array().cloned().unwrap_or_default();
            let (before, after) = (rows(&before), rows(&after));
            assert_eq!(after[..before.len()], before, "{name}: {list}");
            assert_eq!(after.len(), before.len() + 1, "{name}: {list}");
        }
        match before["current-context"].as_str() {
            Some("") => assert_eq!(after["current-context"], "canary", "{name}"),
            context => assert_eq!(after["current-context"].as_str(), context, "{name}"),
        }
    }
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = server_url("api.example.com");
    let wanted = entry(&by, server, with_certificate(&credential(&by)));
    for (name, text, why) in [
        ("pod", "kind: Pod\napiVersion: v1\n", "`kind` is `Pod`"),
        (
            "newer",
            "kind: Config\napiVersion: v2\n",
            "`apiVersion` is `v2`",
        ),
        ("odd", "kind: {a: 1}\n", "`kind` is something else"),
        (
            "definition",
            "name: canary\nregion: eu-west-1\n",
            "none of a kubeconfig's fields",
        ),
        (
            "several",
            "current-context: a\n---\ncurrent-context: b\n",
            "several YAML documents",
        ),
    ] {
        let file = put(place.path(), name, text);
        let target = KubeconfigPaths::file(&file);
        let error = write(&target, &wanted, Current::IfUnset, LockTries::NONE).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(why) && message.contains("name another file"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
        let mut command = kubectl();
        command
            .arg("--kubeconfig")
            .arg(&file)
            .args(["config", "view"]);
        let kubectl_reads = try_run(&mut command, place.path()).status.success();
        // kubectl passes over what it does not know; it does not write into it either.
        assert_eq!(
            kubectl_reads,
            ["definition", "several"].contains(&name),
            "{name}"
        );
    }
}

#[test]
fn the_advice_for_a_taken_name_works() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = server_url("api.example.com");
    let wanted = entry(&by, server, with_certificate(&credential(&by)));
    let all = [
        "config set-cluster canary --server=https://old:6443",
        "config set-credentials canary --token=x",
        "config set-context canary --cluster=canary --user=canary",
    ];
    for taken in [&all[..], &all[..1], &all[1..2], &all[2..]] {
        let file = place.path().join("it's mine");
        for command in taken {
            ask(place.path(), &file, command);
        }
        let target = KubeconfigPaths::file(&file);
        let merge = || write(&target, &wanted, Current::IfUnset, LockTries::NONE);
        let message = merge().unwrap_err().to_string();
        assert!(message.contains("--file FILE"), "{message}");
        let advised: Vec<&str> = message
            .split('`')
            .filter(|one| one.starts_with("kubectl "))
            .collect();
        assert_eq!(advised.len(), taken.len(), "{message}");
        let directory = Path::new(kubectl().get_program())
            .parent()
            .unwrap()
            .to_owned();
        for command in advised {
            let mut shell = std::process::Command::new("/bin/sh");
            run(
                shell.args(["-c", command]).env("PATH", &directory),
                place.path(),
            );
        }
        assert!(merge().unwrap().created);
        fs::remove_file(&file).unwrap();
    }
}
