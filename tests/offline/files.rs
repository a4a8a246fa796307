//! Every file that the program writes, where the place for it is a device, a pipe, a socket, a full disk, or
//! where a signal comes in between. Each test runs in a mount namespace of its own (tests/files/enter) with
//! the devices made there: never against /dev or the home directory of this machine.

mod disk;
mod outputs;
mod screens;
mod signals;
mod state;

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kube_cfn::events::Event;
use kube_cfn::journal::{Journal, RunHeader};
use tempfile::tempdir;

use crate::progress::runs;

/// Set in a test that runs in its namespace.
const INSIDE: &str = "KUBE_CFN_TEST_INSIDE";

/// Runs the calling test, by its whole name, in a namespace of its own. False outside of it: then the test
/// has passed there.
fn enter(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let directory = tempdir().unwrap();
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/enter"))
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", lossy(&output.stdout), lossy(&output.stderr));
    assert!(
        !said.contains("unshare: "),
        "this test needs user namespaces, which this system forbids ({said}): allow them \
         (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    );
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("1 passed"),
        "no test is called {test}: {said}"
    );
    false
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The program, without a terminal.
fn kube_cfn(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kube-cfn"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Its output and exit code.
fn said(command: &mut Command) -> (String, String, Option<i32>) {
    let Output {
        stdout,
        stderr,
        status,
    } = command.output().unwrap();
    (lossy(&stdout), lossy(&stderr), status.code())
}

/// Records a run of the cluster canary, so that it has a timeline.
fn record() {
    record_events(runs::failed().events);
}

fn record_events(events: impl IntoIterator<Item = Event>) {
    let header = RunHeader {
        tool: "1.0.0".to_owned(),
        cluster: "canary".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        run: "7f3a".to_owned(),
        command: "kube-cfn apply canary".to_owned(),
        started: runs::at(0),
    };
    let mut journal = Journal::begin(&header).unwrap();
    for event in events {
        journal.write(&event).unwrap();
    }
}

/// The smallest definition.
fn define(name: &str) {
    fs::create_dir_all("clusters").unwrap();
    let text = format!("name: {name}\nregion: eu-west-1\nkubernetes: 1.36.4\n");
    fs::write(format!("clusters/{name}.yaml"), text).unwrap();
}

/// Everything in the directory that is no regular file; what must never be replaced.
const PLACES: [&str; 5] = ["char", "pipe", "socket", "home", "/dev/full"];

/// Makes [`PLACES`], and a link to each of the first four.
fn places() -> Vec<String> {
    drop(UnixListener::bind("socket").unwrap());
    let mut places: Vec<String> = PLACES.map(str::to_owned).to_vec();
    for place in &PLACES[..4] {
        std::os::unix::fs::symlink(place, format!("to-{place}")).unwrap();
        places.push(format!("to-{place}"));
    }
    places
}

/// What is in a directory: names with the kind of each, sorted.
fn listing(directory: &str) -> Vec<String> {
    let kind = |path: &Path| {
        let found = fs::symlink_metadata(path).unwrap().file_type();
        match () {
            () if found.is_file() => "file",
            () if found.is_dir() => "directory",
            () if found.is_symlink() => "link",
            () if found.is_fifo() => "pipe",
            () if found.is_socket() => "socket",
            () => "device",
        }
    };
    let entries = fs::read_dir(directory).unwrap();
    let mut listing: Vec<String> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| format!("{} {}", kind(&path), path.display()))
        .collect();
    listing.sort();
    listing
}
