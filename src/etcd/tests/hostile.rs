//! Hostile text in every place that a user, the account or a machine can fill: no shell gets more than the
//! words that were meant.

use std::process::Command;

use proptest::prelude::*;

use super::*;

fn hostile() -> impl Strategy<Value = String> {
    let traps = prop::sample::select(vec![
        ";touch${IFS}pwned;#",
        "$(id)",
        "`id`",
        "'",
        "\"",
        "\\",
        "\n",
        " ",
        "&&reboot",
        "|sh",
        "{{ssm:/a}}",
        "../..",
        "--even-if-healthy",
        "\u{1b}[2J",
        "cp-a",
        "a",
        "B",
    ]);
    let key = "etcd/[0-9]{8}T[0-9]{6}Z-[0-9]{1,20}\\.db";
    let token = "[a-z0-9][a-z0-9-]{0,90}";
    let piece = prop_oneof![
        3 => traps.prop_map(str::to_owned),
        2 => key,
        2 => token,
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 1..3).prop_map(|pieces| pieces.concat())
}

/// Asks for everything that reaches a machine, with this text wherever a text can come from.
async fn ask_everything(cloud: &Machines, text: &str) {
    let outputs = [("SlotA", text), (text, "group"), ("SlotB", "group-b")];
    let outputs = outputs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let members = Members {
        cloud: &cloud.0,
        slots: slots(&outputs.into()),
        on_step: &deaf,
    };
    let _ = snapshot(&members).await;
    let _ = members.status().await;
    for healthy in [OnHealthyMember::Keep, OnHealthyMember::Replace] {
        let _ = replace(&members, text, healthy).await;
        let _ = replace(&members, "b", healthy).await;
    }
    if let Ok(key) = text.parse() {
        let _ = restore(&members, &key, &token()).await;
    }
    if let Ok(token) = text.parse() {
        let _ = restore(&members, &key(), &token).await;
        let _ = abandon(&members, &token).await;
    }
}

/// The line of every command that was sent.
fn lines(cloud: &Machines) -> Vec<String> {
    let calls = cloud.0.calls();
    let runs = calls.all().iter().filter(|call| call.verb == "run");
    let line = |about: &str| {
        let at = about.rfind("/opt/kube-cfn/bin/").expect("a program");
        about[at..].to_owned()
    };
    runs.map(|call| line(&call.about)).collect()
}

/// What bash makes of a line, with a program in the first word's place that prints its arguments.
fn argv(line: &str) -> Vec<String> {
    let (_, arguments) = line.split_once(' ').expect("arguments");
    let script = format!("printf '%s\\n' {arguments}");
    let ran = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{line}");
    let text = String::from_utf8(ran.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_hostile_text_reaches_a_shell(text in hostile()) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let cloud = Machines::new();
        runtime.block_on(ask_everything(&cloud, &text));
        let lines = lines(&cloud);
        prop_assert!(!lines.is_empty());
        for line in lines {
            let harmless = |c: char| c.is_ascii_alphanumeric() || "/.-_ ".contains(c);
            prop_assert!(line.chars().all(harmless), "{line:?}");
            let words: Vec<_> = line.split(' ').skip(1).map(str::to_owned).collect();
            prop_assert_eq!(argv(&line), words);
        }
    }
}

/// What trials found: an object whose name is a command was listed as the newest snapshot and run as root.
#[test]
fn object_names_are_no_commands() {
    for key in [
        "etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db",
        "etcd/20261129T160000Z-7.db\nreboot.db",
        "etcd/$(id).db",
    ] {
        assert!(key.parse::<SnapshotKey>().is_err(), "{key}");
    }
    assert!("x; reboot".parse::<RestoreToken>().is_err());
}
