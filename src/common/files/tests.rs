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
    put(&format!(".kube-cfn-{}.{started}-Alive1", this.pid), old);
    put(
        &format!(".kube-cfn-{}.{}-Reused", this.pid, started + 1),
        old,
    );
    put(".kube-cfn-4194999.7-Gone12", old);
    put(".kube-cfn-aB3dEf", old);
    let earlier = directory.path().join(".kube-cfn-aB3dEf");
    fs::set_permissions(earlier, Permissions::from_mode(0o600)).unwrap();
    put(".kube-cfn-4194999.7-Young1", SystemTime::now());
    let users = [
        ".kube-cfn-backup",
        ".kube-cfn-env",
        ".kube-cfn-notes1",
        ".kube-cfn-4194999.7-env",
        ".kube-cfn-4194999.7-Gone12.bak",
        ".kube-cfn-my-AbCdEf",
        ".kube-cfn-007.7-AbCdEf",
        ".other-AbCdEf",
    ];
    for name in users {
        put(name, old);
        let path = directory.path().join(name);
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }
    put(".kube-cfn-xY5zAb", old);
    let public = directory.path().join(".kube-cfn-xY5zAb");
    fs::set_permissions(public, Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(directory.path().join(".kube-cfn-directory")).unwrap();
    symlink(".other-AbCdEf", directory.path().join(".kube-cfn-link")).unwrap();
    write(&directory.path().join("file"), "new", PUBLIC).unwrap();
    let alive = format!(".kube-cfn-{}.{started}-Alive1", this.pid);
    let mut kept = vec![
        ".kube-cfn-4194999.7-Young1",
        ".kube-cfn-directory",
        ".kube-cfn-link",
        ".kube-cfn-xY5zAb",
        "file",
    ];
    kept.extend(users);
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

/// Gives a file to another user; false where that needs rights that this process has not.
fn give_away(path: &Path) -> bool {
    std::os::unix::fs::chown(path, Some(4242), Some(4242)).is_ok()
}

#[test]
fn keys_go_only_into_pipes_of_the_user_or_root() {
    use output::is_trusted;
    assert!(is_trusted(1000, 1000) && is_trusted(0, 1000) && is_trusted(0, 0));
    assert!(!is_trusted(1000, 0) && !is_trusted(1001, 1000));
    let directory = tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    // Held open, so that a writer finds a reader.
    let _reader = File::options().read(true).write(true).open(&pipe).unwrap();
    output(&pipe, "own", PRIVATE).unwrap();
    if give_away(&pipe) {
        let error = output(&pipe, "key", PRIVATE).unwrap_err().to_string();
        assert_eq!(error, "it is a pipe of another user (uid 4242)");
        output(&pipe, "no key", PUBLIC).unwrap();
    }
}
