//! Whole files, in directories of the tests' own. Devices and full disks: tests/offline/files.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use tempfile::{TempDir, tempdir};

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn files_are_replaced_whole_with_their_mode() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "a longer text than the next one").unwrap();
    write(&path, "new", PRIVATE).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, PRIVATE);
    assert_eq!(names(&directory), ["file"]);
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "old").unwrap();
    let full = |_: &File| Err(io::Error::other("no space"));
    assert!(write_with(&path, "new", PUBLIC, full).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(&directory), ["file"]);
}

#[test]
fn a_new_file_replaces_nothing() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("file");
    create(&path, "first", PUBLIC).unwrap();
    let error = create(&path, "second", PUBLIC).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(read_text(&path).unwrap(), "first");
    let link = directory.path().join("link");
    symlink("nowhere", &link).unwrap();
    assert!(create(&link, "through", PUBLIC).is_err());
    assert_eq!(names(&directory), ["file", "link"]);
}

#[test]
fn a_link_stays_and_gets_its_target() {
    let directory = tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("deep")).unwrap();
    symlink("second", path("first")).unwrap();
    symlink("deep/target", path("second")).unwrap();
    for text in ["made", "replaced"] {
        write(&path("first"), text, PUBLIC).unwrap();
        assert!(fs::symlink_metadata(path("first")).unwrap().is_symlink());
        assert!(fs::symlink_metadata(path("second")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(path("deep/target")).unwrap(), text);
    }
    symlink("loop", path("loop")).unwrap();
    assert!(write(&path("loop"), "x", PUBLIC).is_err());
    assert_eq!(names(&directory), ["deep", "first", "loop", "second"]);
}

#[test]
fn unfinished_files_of_ended_writers_are_removed() {
    let directory = tempdir().unwrap();
    let this = crate::common::process::Process::this();
    let started = this.started.unwrap_or_default();
    let old = SystemTime::now() - Duration::from_hours(1);
    let put = |name: &str, at: SystemTime| {
        let file = File::create(directory.path().join(name)).unwrap();
        file.set_modified(at).unwrap();
    };
    put(&format!(".kube-cfn-{}.{started}-alive", this.pid), old);
    put(
        &format!(".kube-cfn-{}.{}-reused", this.pid, started + 1),
        old,
    );
    put(".kube-cfn-4194999.7-gone", old);
    put(".kube-cfn-AbCdEf", old);
    put(".kube-cfn-4194999.7-young", SystemTime::now());
    put(".other-AbCdEf", old);
    fs::create_dir(directory.path().join(".kube-cfn-directory")).unwrap();
    symlink(".other-AbCdEf", directory.path().join(".kube-cfn-link")).unwrap();
    write(&directory.path().join("file"), "new", PUBLIC).unwrap();
    let alive = format!(".kube-cfn-{}.{started}-alive", this.pid);
    let mut kept = vec![
        ".kube-cfn-4194999.7-young",
        ".kube-cfn-directory",
        ".kube-cfn-link",
        ".other-AbCdEf",
        "file",
    ];
    kept.push(&alive);
    kept.sort_unstable();
    assert_eq!(names(&directory), kept);
}

#[test]
fn only_regular_files_are_read() {
    let directory = tempdir().unwrap();
    let error = read_text(directory.path()).unwrap_err().to_string();
    assert_eq!(error, "it is a directory, not a regular file");
    let error = read_text(&directory.path().join("none")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}
