//! What the user asks to be put out: into files, streams and the null device.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::{Command, Stdio};

use kube_cfn::common::files::{self, Written};

use super::{enter, kube_cfn, listing, places, record, said};

fn html(file: &str) -> (String, String, Option<i32>) {
    said(&mut kube_cfn(&["timeline", "canary", "--html", file]))
}

#[test]
fn an_output_replaces_only_regular_files() {
    if !enter("files::outputs::an_output_replaces_only_regular_files") {
        return;
    }
    record();
    let places = places();
    let (before, devices) = (listing("."), listing("/dev"));
    for place in &places {
        let (_, stderr, code) = html(place);
        assert_eq!(code, Some(1), "{place}: {stderr}");
        assert!(
            stderr.contains(&format!("failed to write {place}: ")),
            "{stderr}"
        );
    }
    assert_eq!(listing("."), before);
    assert_eq!(listing("/dev"), devices);
    let (_, stderr, _) = html("socket");
    assert!(stderr.contains("it is a socket"), "{stderr}");
    let (_, stderr, _) = html("to-pipe");
    assert!(
        stderr.contains("it is a pipe that nobody reads"),
        "{stderr}"
    );
    let (_, stderr, _) = html("/dev/full");
    assert!(stderr.contains("No space left"), "{stderr}");
}

#[test]
fn the_null_device_swallows_an_output() {
    if !enter("files::outputs::the_null_device_swallows_an_output") {
        return;
    }
    record();
    symlink("/dev/null", "to-null").unwrap();
    let before = fs::metadata("/dev/null").unwrap();
    for name in ["/dev/null", "to-null"] {
        let (stdout, stderr, code) = html(name);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stdout.contains("canary") && stderr.is_empty(), "{stderr}");
    }
    let after = fs::metadata("/dev/null").unwrap();
    assert_eq!((before.rdev(), before.ino()), (after.rdev(), after.ino()));
    assert_eq!(
        files::output("/dev/null".as_ref(), "x", files::PUBLIC).unwrap(),
        Written::Nowhere
    );
}

#[test]
fn a_stream_gets_the_output_and_nothing_else() {
    if !enter("files::outputs::a_stream_gets_the_output_and_nothing_else") {
        return;
    }
    record();
    html("page.html");
    let page = fs::read_to_string("page.html").unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let (stdout, stderr, code) = html(name);
        assert_eq!((stdout == page, code), (true, Some(0)), "{name}: {stderr}");
    }
    let (_, stderr, code) = html("/dev/stderr");
    assert_eq!((stderr == page, code), (true, Some(0)), "{stderr}");

    // A reader that comes a little later.
    let reader = Command::new("sh")
        .args(["-c", "sleep 0.3; exec cat pipe"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (_, stderr, code) = html("pipe");
    assert_eq!(code, Some(0), "{stderr}");
    let read = reader.wait_with_output().unwrap();
    assert!(read.stdout == page.as_bytes());
}

#[test]
fn redirected_output_is_added_to_not_replaced() {
    if !enter("files::outputs::redirected_output_is_added_to_not_replaced") {
        return;
    }
    record();
    fs::write("log", "before\n").unwrap();
    let inode = fs::metadata("log").unwrap().ino();
    for (name, number) in [("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/7", 7)] {
        let script = format!("\"$0\" timeline canary --html {name} {number}>>log");
        let mut shell = Command::new("bash");
        let (_, stderr, code) = said(shell.args(["-c", &script, env!("CARGO_BIN_EXE_kube-cfn")]));
        assert_eq!(code, Some(0), "{name}: {stderr}");
        let log = fs::read_to_string("log").unwrap();
        assert!(log.starts_with("before\n<!DOCTYPE html>"), "{name}: {log}");
        assert!(log.trim_end().ends_with("</html>"), "{name}: {log}");
        assert_eq!(fs::metadata("log").unwrap().ino(), inode);
        fs::File::options()
            .write(true)
            .open("log")
            .unwrap()
            .set_len(7)
            .unwrap();
    }
}

#[test]
fn a_dangling_link_gets_its_target() {
    if !enter("files::outputs::a_dangling_link_gets_its_target") {
        return;
    }
    record();
    symlink("made.html", "link.html").unwrap();
    let (_, stderr, code) = html("link.html");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(fs::symlink_metadata("link.html").unwrap().is_symlink());
    assert!(fs::metadata("made.html").unwrap().is_file());

    symlink("made.yaml", "clusters.yaml").unwrap();
    fs::create_dir("clusters").unwrap();
    symlink("../made.yaml", "clusters/fresh.yaml").unwrap();
    let (_, stderr, code) = said(&mut kube_cfn(&["new", "fresh", "--region", "eu-west-1"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(fs::metadata("made.yaml").unwrap().is_file());
}

#[test]
fn rendered_files_replace_only_regular_files() {
    if !enter("files::outputs::rendered_files_replace_only_regular_files") {
        return;
    }
    super::define("canary");
    let render = |out: &str| said(&mut kube_cfn(&["render", "canary", "--out", out]));
    let (printed, _, _) = said(&mut kube_cfn(&["render", "canary"]));
    assert_eq!(render("-"), (printed, String::new(), Some(0)));
    for name in ["pipe", "char"] {
        let (_, stderr, code) = render(name);
        assert_eq!(code, Some(1), "{stderr}");
    }
    fs::create_dir("out").unwrap();
    fs::rename("pipe", "out/canary-network.yaml").unwrap();
    let (_, stderr, code) = render("out");
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("out/canary-network.yaml: it is a pipe, not a regular file"),
        "{stderr}"
    );
    assert!(listing("out").contains(&"pipe out/canary-network.yaml".to_owned()));
}
