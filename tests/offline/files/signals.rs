//! A signal ends every command with 130, and nothing stays behind.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{define, enter, kube_cfn, listing, record};

/// Commands that call AWS, each in the way in which it asks first.
const CALLS: [&[&str]; 14] = [
    &["list"],
    &["plan", "canary"],
    &["apply", "canary", "--yes"],
    &["delete", "canary", "--confirm", "canary"],
    &["lock", "canary"],
    &["watch", "canary"],
    &["status", "canary"],
    &["diagnose", "canary"],
    &["timeline", "canary"],
    &["doctor", "canary"],
    &["kubeconfig", "canary"],
    &[
        "credential",
        "canary",
        "--region",
        "eu-west-1",
        "--user",
        "ada",
    ],
    &["certs", "status", "canary"],
    &["etcd", "list", "canary"],
];

#[test]
fn every_command_that_waits_for_aws_ends_at_every_signal() {
    if !enter("files::signals::every_command_that_waits_for_aws_ends_at_every_signal") {
        return;
    }
    define("canary");
    // It accepts a call and never answers.
    let aws = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", aws.local_addr().unwrap());
    for arguments in CALLS {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let child = kube_cfn(arguments)
                .env("AWS_ENDPOINT_URL", &endpoint)
                .env("AWS_ACCESS_KEY_ID", "a")
                .env("AWS_SECRET_ACCESS_KEY", "b")
                .env("AWS_EC2_METADATA_DISABLED", "true")
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let call = aws.accept().unwrap();
            send(&child, signal);
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                output.status.code(),
                Some(130),
                "{arguments:?} {signal:?}: {stderr}"
            );
            assert!(stderr.contains("interrupted"), "{arguments:?}: {stderr}");
            drop(call);
        }
    }
}

fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), signal).unwrap();
}

/// Starts a command that waits for the reader of a pipe, and lets it come that far.
fn waiting(command: &mut Command) -> Child {
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let sleeps = |thread: &std::path::Path| {
        let read = |name: &str| std::fs::read_to_string(thread.join(name)).unwrap_or_default();
        read("comm").trim() == "command" && read("wchan").contains("nanosleep")
    };
    let threads = format!("/proc/{}/task", child.id());
    let waits = || {
        let entries = std::fs::read_dir(&threads).into_iter().flatten();
        let mut threads = entries.flatten().map(|entry| entry.path());
        threads.any(|thread| sleeps(&thread))
    };
    while !waits() {
        sleep(Duration::from_millis(10));
    }
    child
}

#[test]
fn every_signal_ends_a_command_in_the_same_way() {
    if !enter("files::signals::every_signal_ends_a_command_in_the_same_way") {
        return;
    }
    record();
    let before = listing(".");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let child = waiting(&mut kube_cfn(&["timeline", "canary", "--html", "pipe"]));
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(130), "{signal:?}: {stderr}");
        assert_eq!(stderr, "error: interrupted\n");
    }
    assert_eq!(listing("."), before);
}

#[test]
fn a_hangup_is_ignored_under_nohup() {
    if !enter("files::signals::a_hangup_is_ignored_under_nohup") {
        return;
    }
    record();
    let mut nohup = Command::new("nohup");
    nohup
        .arg(env!("CARGO_BIN_EXE_kube-cfn"))
        .args(["timeline", "canary", "--html", "pipe"])
        .stdin(Stdio::null());
    let child = waiting(&mut nohup);
    send(&child, Signal::HUP);
    let reader = Command::new("cat")
        .arg("pipe")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let page = reader.wait_with_output().unwrap().stdout;
    assert!(page.starts_with(b"<!DOCTYPE html>"));
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

/// A run that waits for a signal still gets it: it detaches, and says so.
#[test]
fn a_run_detaches_at_every_signal() {
    if !enter("files::signals::a_run_detaches_at_every_signal") {
        return;
    }
    define("canary");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut child = kube_cfn(&["rehearse", "canary", "--speed", "1", "--progress", "plain"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines =
            std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()))
                .map_while(Result::ok);
        assert!(lines.any(|line| line.contains("CREATE_IN_PROGRESS")));
        send(&child, signal);
        let rest: Vec<String> = lines.collect();
        let code = child.wait().unwrap().code();
        assert_eq!(code, Some(6), "{signal:?}: {rest:?}");
        assert!(
            rest.iter().any(|line| line.contains("detached")),
            "{rest:?}"
        );
    }
}
