//! A signal ends every command, which then ends by that signal; nothing stays behind.

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

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
                output.status.signal(),
                Some(signal.as_raw()),
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
    until(|| waits(child.id()));
    child
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(Duration::from_millis(10));
    }
}

/// Whether a command waits for the reader of a pipe.
fn waits(pid: u32) -> bool {
    has_thread(pid, "nanosleep")
}

/// Whether the thread of the command is in this function of the system.
fn has_thread(pid: u32, place: &str) -> bool {
    let is_there = |thread: &std::path::Path| {
        let read = |name: &str| std::fs::read_to_string(thread.join(name)).unwrap_or_default();
        read("comm").trim() == "command" && read("wchan").contains(place)
    };
    let entries = std::fs::read_dir(format!("/proc/{pid}/task"));
    let mut threads = entries.into_iter().flatten().flatten();
    threads.any(|thread| is_there(&thread.path()))
}

/// The reader of the pipe comes, and gets what the command writes.
fn assert_page_comes(child: Child) {
    let reader = Command::new("cat")
        .arg("pipe")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let page = reader.wait_with_output().unwrap().stdout;
    assert!(page.starts_with(b"<!DOCTYPE html>"));
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
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
        let ended = output.status.signal();
        assert_eq!(ended, Some(signal.as_raw()), "{signal:?}: {stderr}");
        assert_eq!(stderr, "error: interrupted\n");
    }
    assert_eq!(listing("."), before);
}

#[test]
fn a_loop_of_a_shell_ends_at_ctrl_c() {
    if !enter("files::signals::a_loop_of_a_shell_ends_at_ctrl_c") {
        return;
    }
    record();
    // Ctrl-C goes to the shell and the command: a process group of their own.
    let script =
        "for turn in 1 2; do \"$0\" timeline canary --html pipe; echo \"after $turn: $?\"; done";
    let mut shell = Command::new("bash");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_kube-cfn")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = shell.spawn().unwrap();
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let below = || {
        let file = format!("/proc/{0}/task/{0}/children", child.id());
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.trim().parse().ok()
    };
    until(|| below().is_some_and(waits));
    kill_process_group(group.unwrap(), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((stdout.as_str(), output.status.signal()), ("", Some(2)));
}

/// Its stderr is a pipe that is full and stays so.
#[test]
fn a_command_whose_messages_nobody_reads_ends_at_a_signal() {
    if !enter("files::signals::a_command_whose_messages_nobody_reads_ends_at_a_signal") {
        return;
    }
    record();
    define("canary");
    let full = || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        while writer.write(&[0; 512]).is_ok() {}
        rustix::fs::fcntl_setfl(&writer, OFlags::empty()).unwrap();
        (reader, writer)
    };
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        // Waits for the reader of a pipe.
        let (_reader, writer) = full();
        let mut command = kube_cfn(&["timeline", "canary", "--html", "pipe"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        until(|| waits(child.id()));
        send(&child, signal);
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));

        // Waits in a write to stderr, in a run that would detach and never hears of the signal.
        let (_reader, writer) = full();
        let mut command = kube_cfn(&["rehearse", "canary", "--speed", "1", "--progress", "plain"]);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        until(|| has_thread(child.id(), "pipe_write"));
        while child.try_wait().unwrap().is_none() {
            send(&child, signal);
            sleep(Duration::from_millis(50));
        }
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
    }
}

#[test]
fn signals_that_were_ignored_stay_ignored() {
    if !enter("files::signals::signals_that_were_ignored_stay_ignored") {
        return;
    }
    record();
    let script = "trap '' INT TERM HUP; exec \"$0\" timeline canary --html pipe";
    let mut shell = Command::new("bash");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_kube-cfn")]);
    let child = waiting(shell.stdin(Stdio::null()));
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        send(&child, signal);
    }
    assert_page_comes(child);
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
    assert_page_comes(child);
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
