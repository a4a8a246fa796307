//! Records on a real file system: what is written, what a kill leaves, what goes, what is learnt.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::catalog::durations::Operation;
use crate::cloud::ResourceStatus;
use crate::events::Verb;
use crate::stacks::StackKind;

fn at(second: i64) -> Timestamp {
    let start: Timestamp = "2026-11-23T10:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(second)
}

fn header(run: &str, second: i64) -> RunHeader {
    RunHeader {
        tool: "0.1.0".to_owned(),
        cluster: "canary".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        run: run.to_owned(),
        command: "kube-cfn apply canary".to_owned(),
        started: at(second),
    }
}

fn started() -> Event {
    Event::RunStarted {
        at: at(0),
        run: "7f3a".to_owned(),
        cluster: "canary".to_owned(),
        verb: Verb::Create,
        stacks: Vec::new(),
    }
}

fn moved(second: i64, id: &str, status: &str, reason: Option<&str>) -> Event {
    Event::Resource {
        at: at(second),
        stack: StackKind::Edge,
        logical_id: id.to_owned(),
        resource_type: "AWS::EC2::NatGateway".to_owned(),
        sentence: id.to_owned(),
        status: ResourceStatus::new(status),
        reason: reason.map(str::to_owned),
    }
}

fn archive() -> (TempDir, RunArchive) {
    let directory = tempfile::tempdir().expect("a directory");
    let archive = RunArchive::at(directory.path().join("runs"));
    (directory, archive)
}

fn list(archive: &RunArchive) -> Vec<Record> {
    archive
        .list("123456789012", "eu-west-1", "canary")
        .expect("a list")
}

#[test]
fn record_is_private_and_read_back() {
    let (_directory, archive) = archive();
    let mut journal = archive.begin(&header("7f3a", 0)).expect("begun");
    let events = vec![started(), moved(5, "Nat", "CREATE_IN_PROGRESS", None)];
    for event in &events {
        journal.write(event).expect("written");
    }
    let path = journal.path().to_owned();
    assert!(path.ends_with("123456789012/eu-west-1/canary/20261123T100000Z-7f3a.jsonl"));
    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode(&path) & 0o777, 0o600);
    for directory in path.ancestors().skip(1).take(4) {
        assert_eq!(mode(directory) & 0o777, 0o700, "{}", directory.display());
    }
    // The journal is still open: a kill at this moment would leave the same.
    let run = load(&path).expect("read");
    assert_eq!((run.header, run.unknown_lines), (header("7f3a", 0), 0));
    assert_eq!(run.events, events);
}

#[test]
fn half_last_line_is_ignored() {
    let (_directory, archive) = archive();
    let mut journal = archive.begin(&header("7f3a", 0)).expect("begun");
    journal.write(&started()).expect("written");
    let whole = fs::read(journal.path()).expect("read");
    journal
        .write(&moved(5, "Nat", "CREATE_IN_PROGRESS", None))
        .expect("written");
    let longer = fs::read(journal.path()).expect("read");
    for cut in whole.len()..longer.len() - 1 {
        fs::write(journal.path(), &longer[..cut]).expect("cut");
        let run = load(journal.path()).expect("read");
        assert_eq!(
            (run.events, run.unknown_lines),
            (vec![started()], 0),
            "cut at {cut}"
        );
    }
}

#[test]
fn unknown_line_is_counted() {
    let (_directory, archive) = archive();
    let mut journal = archive.begin(&header("7f3a", 0)).expect("begun");
    let mut text = fs::read_to_string(journal.path()).expect("read");
    text += "{\"type\":\"telepathy\"}\n";
    fs::write(journal.path(), text).expect("written");
    journal.write(&started()).expect("written");
    let run = load(journal.path()).expect("read");
    assert_eq!((run.events, run.unknown_lines), (vec![started()], 1));
}

#[test]
fn foreign_file_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("x.jsonl");
    let header = serde_json::json!({"kind": KIND, "schema": SCHEMA + 1, "tool": "9.0.0",
        "cluster": "c", "account": "1", "region": "r", "run": "x", "command": "",
        "started": "2026-11-23T10:00:00Z"});
    for (text, why) in [
        (String::new(), "not the header of a run"),
        (
            "{\"type\":\"note\"}\n".to_owned(),
            "not the header of a run",
        ),
        (format!("{header}\n"), "a newer kube-cfn (9.0.0) wrote it"),
    ] {
        fs::write(&path, text).expect("written");
        let error = load(&path).expect_err("no record").to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn newest_fifty_records_are_kept() {
    let (_directory, archive) = archive();
    for number in 0..KEPT + 3 {
        let second = i64::try_from(number).expect("small") * 60;
        let run = format!("r{number}");
        archive.begin(&header(&run, second)).expect("begun");
    }
    let records = list(&archive);
    assert_eq!(records.len(), KEPT);
    assert_eq!(records[0].run, format!("r{}", KEPT + 2));
    assert_eq!(records[KEPT - 1].run, "r3");
    assert_eq!(records[KEPT - 1].started, at(180));
}

#[test]
fn records_are_found_without_account() {
    let (_directory, archive) = archive();
    archive.begin(&header("1a", 0)).expect("begun");
    let elsewhere = RunHeader {
        region: "eu-north-1".to_owned(),
        ..header("1b", 60)
    };
    archive.begin(&elsewhere).expect("begun");
    let runs = |region| {
        let found = archive.search(None, region, "canary").expect("found");
        found.into_iter().map(|found| found.run).collect::<Vec<_>>()
    };
    assert_eq!(runs(None), ["1b", "1a"]);
    assert_eq!(runs(Some("eu-west-1")), ["1a"]);
    let of_others = archive.search(Some("999999999999"), None, "canary");
    assert_eq!(of_others.expect("found"), []);
}

#[test]
fn record_name_cannot_leave_the_directory() {
    let (directory, archive) = archive();
    for name in ["../canary", "", "a/b", ".", "a\0b"] {
        let header = RunHeader {
            cluster: name.to_owned(),
            ..header("7f3a", 0)
        };
        let refused = archive.begin(&header);
        assert!(matches!(refused, Err(JournalError::Name(_))), "{name:?}");
    }
    assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 0);
}

#[tokio::test]
async fn events_are_shown_when_the_record_fails() {
    let (_directory, archive) = archive();
    let mut journal = archive.begin(&header("7f3a", 0)).expect("begun");
    // Opened for reading: every write fails, also as root.
    journal.file = fs::File::open(journal.path()).expect("opened");
    let (sender, events) = mpsc::unbounded_channel();
    sender.send(started()).expect("sent");
    sender
        .send(moved(1, "Nat", "CREATE_COMPLETE", None))
        .expect("sent");
    drop(sender);
    let (mut copied, recording) = tee(events, Some(journal));
    let error = recording.await.expect_err("it says so").to_string();
    assert!(error.starts_with("write the record "), "{error}");
    assert_eq!(copied.recv().await, Some(started()));
    assert!(copied.recv().await.is_some());
    assert_eq!(copied.recv().await, None);
}

#[tokio::test]
async fn shown_events_are_recorded() {
    let (_directory, archive) = archive();
    let journal = archive.begin(&header("7f3a", 0)).expect("begun");
    let path = journal.path().to_owned();
    let (sender, events) = mpsc::unbounded_channel();
    sender.send(started()).expect("sent");
    drop(sender);
    let (mut copied, recording) = tee(events, Some(journal));
    recording.await.expect("written");
    assert_eq!(copied.recv().await, Some(started()));
    assert_eq!(load(&path).expect("read").events, [started()]);
}

fn run(events: Vec<Event>) -> RecordedRun {
    RecordedRun {
        header: header("7f3a", 0),
        events,
        unknown_lines: 0,
    }
}

#[test]
fn durations_are_learned_from_successes_only() {
    let first = run(vec![
        moved(10, "A", "CREATE_IN_PROGRESS", None),
        moved(
            12,
            "A",
            "CREATE_IN_PROGRESS",
            Some("Resource creation Initiated"),
        ),
        moved(11, "B", "CREATE_IN_PROGRESS", None),
        moved(116, "A", "CREATE_COMPLETE", None),
        moved(20, "B", "CREATE_FAILED", Some("quota")),
        moved(21, "B", "DELETE_IN_PROGRESS", None),
        moved(22, "B", "DELETE_COMPLETE", None),
        moved(
            30,
            "C",
            "UPDATE_IN_PROGRESS",
            Some(
                "Requested update requires the creation of a new physical resource; hence creating one.",
            ),
        ),
        moved(90, "C", "UPDATE_COMPLETE", None),
        moved(95, "D", "CREATE_COMPLETE", None),
    ]);
    let second = run(vec![
        moved(5, "A", "DELETE_COMPLETE", None),
        moved(1, "A", "DELETE_IN_PROGRESS", None),
    ]);
    let plain = |_: Operation, _: &StackKind, _: &str, of_type: &str| of_type.to_owned();
    let learnt = samples([&first, &second], &plain);
    let nat = |operation| (operation, "AWS::EC2::NatGateway".to_owned());
    assert_eq!(learnt.get(&nat(Operation::Create)), Some(&vec![106.0]));
    assert_eq!(learnt.get(&nat(Operation::Delete)), Some(&vec![4.0]));
    assert_eq!(learnt.len(), 2);
}
