//! Output files, signals and screens of the commands that need AWS. What touches /dev runs in a mount
//! namespace of its own (tests/files/enter).

use std::io::Read as _;
use std::process::{Command, Stdio};

use kube_cfn::cloud::Cloud;
use kube_cfn::common::terminal::is_obeyed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::process::Said;
use crate::tools::ask;
use crate::world::World;

/// Runs a script of bash in this world, with devices of its own; `$kc` is the program.
fn isolated(world: &World, script: &str) -> Said {
    let devices = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/enter"));
    world.furnish(&mut command);
    let home = world.path("");
    let whole = format!(
        "devices=$PWD; cd {home}; export HOME=$PWD; {script}",
        home = home.display()
    );
    command
        .arg(devices.path())
        .args(["bash", "-euc", &whole])
        .env("kc", env!("CARGO_BIN_EXE_kube-cfn"));
    Said::of(&mut command)
}

#[tokio::test]
async fn the_null_device_is_no_kubeconfig_and_stays() {
    let world = World::small("nulldev");
    let before = "test -c /dev/null; ls -i /dev/null >before; export KUBECONFIG=/dev/null; ";
    let after = "; ls -i /dev/null >after; test -c /dev/null; test ! -e /dev/null.lock";
    let apply = format!("{before} $kc apply nulldev --yes {after}");
    isolated(&world, &apply)
        .ends(0)
        .tells("KUBECONFIG keeps nothing, so no kubeconfig was written");
    assert_eq!(world.read("before"), world.read("after"));
    let asked = format!("{before} code=0; $kc kubeconfig nulldev || code=$? {after}; exit $code");
    isolated(&world, &asked)
        .ends(1)
        .tells("/dev/null keeps nothing, so no kubeconfig is written");
    assert_eq!(world.read("before"), world.read("after"));
    // `delete` has nothing to take out of it.
    let delete = format!("{before} $kc delete nulldev --confirm nulldev {after}");
    isolated(&world, &delete).ends(0).omits("was not removed");
}

#[tokio::test]
async fn a_kubeconfig_and_a_plan_go_to_streams() {
    let world = World::small("streams");
    world.apply().ends(0);
    for file in ["-", "/dev/stdout"] {
        let said = isolated(&world, &format!("$kc kubeconfig streams --file {file}"));
        said.ends(0)
            .prints("client-key-data")
            .omits("context streams");
    }
    isolated(&world, "$kc kubeconfig streams --file /dev/null").ends(0);
    let script = "cat $devices/pipe >got & $kc kubeconfig streams --file $devices/pipe; wait";
    isolated(&world, script).ends(0);
    assert!(world.read("got").contains("client-key-data"));

    world.edit("max: 1", "max: 2");
    let said = isolated(&world, "$kc plan streams --no-drift --out - -o json");
    let saved: Value = serde_json::from_str(&said.ends(0).stdout).expect("JSON alone");
    assert_eq!(saved["kind"], "kube-cfn/plan");
    said.tells("\"cluster\": \"streams\"")
        .tells("`kube-cfn apply FILE`");
    world.write("plan.json", &said.stdout);
    isolated(&world, "$kc apply - --yes <plan.json").ends(0);

    world.edit("max: 2", "max: 3");
    isolated(&world, "$kc plan streams --no-drift --out /dev/null")
        .ends(0)
        .tells("the plan was not saved");
    let name = json!({"StackName": "streams-pool-workers"});
    let left = ask(&world, "cloudformation", "list_change_sets", &name);
    let left = left["Summaries"].as_array().cloned().unwrap_or_default();
    let usable = left
        .iter()
        .filter(|set| set["ExecutionStatus"] == "AVAILABLE");
    assert_eq!(usable.count(), 0, "{left:?}");
}

#[tokio::test]
async fn a_command_that_waits_for_a_lock_ends_at_a_signal() {
    let world = World::small("locked");
    world.apply().ends(0);
    let lock =
        r#"{"program": "kube-cfn", "pid": 1, "started": 1, "host": "elsewhere", "boot": "x"}"#;
    world.write("kubeconfig.lock", lock);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut running = world.spawn(&["kubeconfig", "locked"]);
        running.until(&["a certificate for "]);
        running.signal(signal);
        let said = running.wait();
        assert_eq!(said.code, None, "the signal ends it: {said}");
        said.tells("error: interrupted");
        assert_eq!(world.read("kubeconfig.lock"), lock, "it is not ours");
    }
    let said = world.cluster("kubeconfig", &[]);
    said.ends(1)
        .tells("kube-cfn (process 1 on elsewhere) is writing")
        .tells("kubeconfig.lock exists since ");
}

/// Sends a signal to the program below a terminal.
fn terminate_below(pid: u32) {
    let children = |pid: u32| {
        let file = format!("/proc/{pid}/task/{pid}/children");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.collect::<Vec<u32>>()
    };
    let name = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let mut below = vec![pid];
    while let Some(pid) = below.pop() {
        if name(pid).trim() == "kube-cfn" {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            kill_process(pid.expect("a process"), Signal::TERM).expect("it runs");
            return;
        }
        below.extend(children(pid));
    }
    panic!("the program does not run");
}

#[tokio::test]
async fn a_question_ends_at_a_signal_with_the_terminal_as_it_was() {
    let world = World::small("asked");
    let mut command = Command::new("script");
    world.furnish(&mut command);
    let program = env!("CARGO_BIN_EXE_kube-cfn");
    let typed = format!("{program} apply asked; echo ended $?; stty -a");
    command
        .args(["-qec", &typed, "/dev/null"])
        .stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).spawn().expect("script");
    let mut screen = child.stdout.take().expect("a pipe");
    let mut said = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains("[y/N]") {
        screen.read_exact(&mut byte).expect("it asks");
        said.extend(byte);
    }
    terminate_below(child.id());
    screen.read_to_end(&mut said).expect("the rest");
    child.wait().expect("it ends");
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("interrupted"), "{said}");
    assert!(said.contains("ended 143"), "{said}");
    assert!(
        said.contains(" icanon") && said.contains(" echo "),
        "{said}"
    );
    assert_eq!(
        world.aws().await.stacks(Some("asked")).await,
        Ok(Vec::new())
    );
}

/// What XML can carry of what a terminal obeys.
const REASON: &str = "no more\u{9b}2J gateways\u{7f}\u{202e}txt\u{2066}";
/// What JSON can carry.
const ANSWER: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\r\u{202e}txt";

fn is_harmless(said: &Said) {
    for text in [&said.stdout, &said.stderr] {
        assert!(!text.contains(is_obeyed), "{text:?}");
    }
}

#[test]
fn answers_of_aws_print_no_control_characters() {
    let world = World::small("hostile");
    world.rules(json!([{
        "type": "AWS::EC2::NatGateway", "op": "create", "stack": "edge", "fail": REASON
    }]));
    for style in ["plain", "json"] {
        let said = world.cluster("apply", &["--yes", "--progress", style]);
        is_harmless(&said);
        assert!(said.to_string().contains("gateways"), "{said}");
    }
    for arguments in [
        vec!["diagnose", "hostile"],
        vec!["diagnose", "hostile", "-o", "json"],
        vec!["timeline", "hostile"],
        vec!["status", "hostile"],
        vec!["status", "hostile", "-o", "yaml"],
        vec!["list"],
        vec!["plan", "hostile", "--no-drift"],
        vec!["plan", "hostile", "--no-drift", "-o", "markdown"],
        vec!["doctor", "hostile", "--verbose"],
        vec!["watch", "hostile"],
    ] {
        is_harmless(&world.run(&arguments));
    }
}

#[test]
fn answers_of_machines_print_no_control_characters() {
    let world = World::small("answered");
    world.apply().ends(0);
    for (code, answer) in [
        (
            0,
            json!({"ok": true, "taken": true, "key": ANSWER, "revision": 7, "bytes": 7, "sha256": "ab"}),
        ),
        (1, json!({"ok": false, "error": ANSWER})),
        (1, json!(ANSWER)),
    ] {
        world.rules(
            json!([{"op": "command", "logical": "SlotA", "says": "etcd", "code": code,
            "stdout": format!("{answer}\n"), "stderr": format!("etcd: {ANSWER}\n")}]),
        );
        for arguments in [
            vec!["etcd", "snapshot", "answered"],
            vec!["etcd", "snapshot", "answered", "-o", "json"],
            vec!["etcd", "snapshot", "answered", "-o", "yaml"],
            vec!["etcd", "replace-member", "answered", "a", "--yes"],
        ] {
            is_harmless(&world.run(&arguments));
        }
    }
}
