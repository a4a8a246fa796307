//! A disk that is full: what can't be written whole leaves nothing.

use std::fs;
use std::path::Path;

use kube_cfn::definition::lock::Lock;
use kube_cfn::journal::{RunArchive, RunHeader};

use super::{define, enter, kube_cfn, listing, said};
use crate::progress::runs;

/// Fills `small` up to its last `free` pages.
fn fill(free: usize) {
    let _ = fs::remove_file("small/filler");
    let page = [b'x'; 4096];
    let mut filler = fs::File::create("small/filler").unwrap();
    let pages = (0..).take_while(|_| std::io::Write::write_all(&mut filler, &page).is_ok());
    let pages = pages.count();
    let keep = pages.saturating_sub(free) * page.len();
    filler.set_len(keep as u64).unwrap();
}

#[test]
fn a_new_definition_is_whole_or_not_there() {
    if !enter("files::disk::a_new_definition_is_whole_or_not_there") {
        return;
    }
    fs::create_dir("small/clusters").unwrap();
    let new = || {
        let place = ["--clusters", "small/clusters"];
        said(kube_cfn(&["new", "fresh", "--region", "eu-west-1"]).args(place))
    };
    fill(0);
    let (_, stderr, code) = new();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("No space left"), "{stderr}");
    assert!(listing("small/clusters").is_empty());
    fs::remove_file("small/filler").unwrap();
    // Nothing is in the way of the next try.
    let (_, stderr, code) = new();
    assert_eq!(code, Some(0), "{stderr}");
    let (_, stderr, code) = new();
    assert_eq!(code, Some(65), "{stderr}");
}

#[test]
fn a_record_begins_whole_or_not_at_all() {
    if !enter("files::disk::a_record_begins_whole_or_not_at_all") {
        return;
    }
    let header = RunHeader {
        tool: "1.0.0".to_owned(),
        cluster: "canary".to_owned(),
        account: "1".to_owned(),
        region: "r".to_owned(),
        run: "7f3a".to_owned(),
        command: "x".repeat(8192),
        started: runs::at(0),
    };
    let archive = RunArchive::at("small/runs");
    for free in [0, 1] {
        fs::create_dir_all("small/runs/1/r/canary").unwrap();
        fill(free);
        assert!(archive.begin(&header).is_err());
        assert!(listing("small/runs/1/r/canary").is_empty(), "{free} pages");
    }
    fs::remove_file("small/filler").unwrap();
    archive.begin(&header).unwrap();
    assert_eq!(archive.list("1", "r", "canary").unwrap().len(), 1);
}

#[test]
fn rendered_files_are_whole_or_not_there() {
    if !enter("files::disk::rendered_files_are_whole_or_not_there") {
        return;
    }
    define("canary");
    said(&mut kube_cfn(&["render", "canary", "--out", "whole"]));
    fs::create_dir("small/out").unwrap();
    fill(4);
    let (_, stderr, code) = said(&mut kube_cfn(&["render", "canary", "--out", "small/out"]));
    assert_eq!(code, Some(1), "{stderr}");
    for entry in fs::read_dir("small/out").unwrap() {
        let path = entry.unwrap().path();
        let whole = Path::new("whole").join(path.file_name().unwrap());
        assert!(fs::read(&path).unwrap() == fs::read(whole).unwrap());
    }
}

#[test]
fn a_lock_file_stays_as_it_was() {
    if !enter("files::disk::a_lock_file_stays_as_it_was") {
        return;
    }
    let path = Path::new("small/canary.lock.yaml");
    let lock = Lock::empty("123456789012", "eu-west-1");
    lock.write(path, "canary").unwrap();
    fill(0);
    assert!(
        Lock::empty("210987654321", "x")
            .write(path, "canary")
            .is_err()
    );
    assert_eq!(Lock::read(path).unwrap(), Some(lock));
    assert_eq!(
        listing("small"),
        ["file small/canary.lock.yaml", "file small/filler"]
    );
}

#[test]
fn a_kubeconfig_stays_as_it_was_and_unlocked() {
    if !enter("files::disk::a_kubeconfig_stays_as_it_was_and_unlocked") {
        return;
    }
    let before = "kind: Config\n";
    fs::write("small/config", before).unwrap();
    fill(0);
    for path in ["small/config", "small/new"] {
        let error = super::state::write(path).unwrap_err().to_string();
        assert!(error.contains("No space left"), "{error}");
    }
    assert_eq!(fs::read_to_string("small/config").unwrap(), before);
    assert_eq!(listing("small"), ["file small/config", "file small/filler"]);
    fs::remove_file("small/filler").unwrap();
    super::state::write("small/config").unwrap();
}
