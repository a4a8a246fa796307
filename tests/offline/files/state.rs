//! Files that are read back: a kubeconfig, a lock file, definitions, plans, records, cached credentials.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use jiff::Timestamp;
use kube_cfn::access::{Cache, CacheKey, CertificateRequest, Credential};
use kube_cfn::definition::{self, lock::Lock};
use kube_cfn::journal::{self, RunArchive};
use kube_cfn::kubeconfig::{
    self, Current, Entry, KubeconfigError, KubeconfigPaths, LockTries, Login, Written,
};

use super::{enter, kube_cfn, listing, places, record, said};

/// Writes an entry with a key into the kubeconfig at `path`.
pub fn write(path: &str) -> Result<Written, KubeconfigError> {
    let entry = Entry {
        person: None,
        cluster: "canary".to_owned(),
        origin: "123456789012/eu-west-1".to_owned(),
        server: kubeconfig::server_url("api.example.com"),
        server_name: None,
        authority_pem: "authority".to_owned(),
        namespace: None,
        login: Login::Certificate {
            certificate_pem: "certificate".to_owned(),
            key: "key".into(),
        },
    };
    let files = KubeconfigPaths::file(path);
    kubeconfig::write(&files, &entry, Current::Switch, LockTries::NONE)
}

#[test]
fn a_kubeconfig_is_written_only_to_regular_files() {
    if !enter("files::state::a_kubeconfig_is_written_only_to_regular_files") {
        return;
    }
    let places = places();
    let (before, devices) = (listing("."), listing("/dev"));
    for place in &places {
        let error = write(place).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
        assert!(
            error.contains("it is a") || error.contains("it is of"),
            "{error}"
        );
    }
    let error = write("/dev/null").unwrap_err().to_string();
    assert!(error.contains("/dev/null keeps nothing"), "{error}");
    let error = write("/dev/stdout").unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
    assert_eq!(listing("."), before, "no lock, no leftovers");
    assert_eq!(listing("/dev"), devices, "no lock, no leftovers");

    // Nothing to remove from where nothing is kept.
    let files = KubeconfigPaths::file("/dev/null");
    let removed = kubeconfig::remove(&files, "canary", "x", LockTries::NONE);
    assert!(removed.unwrap().is_empty());
}

#[test]
fn a_dangling_kubeconfig_gets_its_target() {
    if !enter("files::state::a_dangling_kubeconfig_gets_its_target") {
        return;
    }
    fs::create_dir("elsewhere").unwrap();
    symlink("elsewhere/config", "config").unwrap();
    for created in [true, false] {
        assert_eq!(write("config").unwrap().created, created);
        assert!(fs::symlink_metadata("config").unwrap().is_symlink());
        let mode = fs::metadata("elsewhere/config").unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
    }
    assert_eq!(listing("elsewhere"), ["file elsewhere/config"]);
}

#[test]
fn a_mounted_file_is_named_and_kept() {
    if !enter("files::state::a_mounted_file_is_named_and_kept") {
        return;
    }
    fs::write("config", "").unwrap();
    fs::write("outside", "kind: Config\n").unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["--bind", "outside", "config"])
        .status()
        .unwrap();
    assert!(mounted.success());
    let error = write("config").unwrap_err().to_string();
    assert!(error.contains("mount its directory instead"), "{error}");
    assert_eq!(fs::read_to_string("outside").unwrap(), "kind: Config\n");
    assert!(!Path::new("config.lock").exists());
}

#[test]
fn a_pipe_in_place_of_a_file_is_an_error_not_a_wait() {
    if !enter("files::state::a_pipe_in_place_of_a_file_is_an_error_not_a_wait") {
        return;
    }
    let words = "it is a pipe, not a regular file";
    let pipe = Path::new("pipe");
    let lock = Lock::read(pipe).unwrap_err().to_string();
    assert!(lock.contains(words), "{lock}");
    let lock = Lock::empty("123456789012", "eu-west-1").write(pipe, "canary");
    assert!(lock.unwrap_err().to_string().contains(words));
    let definition = definition::load(pipe).unwrap_err().to_string();
    assert!(definition.contains(words), "{definition}");
    let record = journal::load(pipe).unwrap_err().to_string();
    assert!(record.contains(words), "{record}");

    // As the name of a plan, of a definition, of a template that overrides.
    fs::create_dir_all("clusters/templates/stacks").unwrap();
    let (_, stderr, code) = said(&mut kube_cfn(&["apply", "./pipe"]));
    assert_eq!(code, Some(65), "{stderr}");
    assert!(stderr.contains(words), "{stderr}");
    super::define("canary");
    fs::rename("pipe", "clusters/templates/stacks/base.yaml.tera").unwrap();
    let (_, stderr, code) = said(&mut kube_cfn(&["render", "canary"]));
    assert_eq!(code, Some(65), "{stderr}");
    assert!(stderr.contains(words), "{stderr}");
}

#[test]
fn a_pipe_among_records_and_credentials_is_passed_over() {
    if !enter("files::state::a_pipe_among_records_and_credentials_is_passed_over") {
        return;
    }
    record();
    let records = RunArchive::of_user().unwrap().search(None, None, "canary");
    let records = records.unwrap();
    let newer = records[0]
        .path
        .with_file_name("20991231T000000Z-ffff.jsonl");
    fs::rename("pipe", newer).unwrap();
    let (stdout, stderr, code) = said(&mut kube_cfn(&["timeline", "canary"]));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("7f3a"), "{stdout}");
    assert!(stderr.contains("it is a pipe"), "{stderr}");

    let cache = Cache::at("home/cache");
    let now = Timestamp::now();
    let key = CacheKey {
        cluster: "canary".to_owned(),
        scope: "x".to_owned(),
        request: CertificateRequest {
            user: "ada".to_owned(),
            groups: Vec::new(),
            ttl_seconds: None,
        },
    };
    let credential = Credential {
        certificate_pem: "certificate".to_owned(),
        key: "key".into(),
        issued: now,
        expires: now + jiff::SignedDuration::from_hours(8),
        authority_pem: "authority".to_owned(),
    };
    cache.keep(&key, &credential).unwrap();
    assert!(cache.find(&key, None, now).is_some());
    let file = listing("home/cache/canary").remove(0);
    let file = file.trim_start_matches("file ");
    fs::remove_file(file).unwrap();
    let made = std::process::Command::new("mkfifo")
        .args(["-m", "600", file])
        .status();
    assert!(made.unwrap().success());
    assert!(cache.find(&key, None, now).is_none());
    assert!(cache.keep(&key, &credential).is_err());
    assert!(cache.kept("canary").unwrap().is_empty());
}

#[test]
fn a_plan_is_read_from_a_stream() {
    if !enter("files::state::a_plan_is_read_from_a_stream") {
        return;
    }
    // Enough to be taken for a plan: what is wrong with it comes after it was read.
    for name in ["-", "/dev/stdin"] {
        let script = format!("echo '{{\"kube-cfn/plan\": 0}}' | \"$0\" apply {name}");
        let mut shell = std::process::Command::new("bash");
        let (_, stderr, code) = said(shell.args(["-c", &script, env!("CARGO_BIN_EXE_kube-cfn")]));
        assert_eq!(code, Some(64), "{name}: {stderr}");
        assert!(stderr.contains("plan"), "{name}: {stderr}");
    }
}

#[test]
fn a_definition_is_read_from_a_stream() {
    if !enter("files::state::a_definition_is_read_from_a_stream") {
        return;
    }
    super::define("canary");
    let run = |script: &str| {
        let mut shell = std::process::Command::new("bash");
        said(shell.args(["-c", script, env!("CARGO_BIN_EXE_kube-cfn")]))
    };
    let file = "clusters/canary.yaml";
    for script in [
        format!("\"$0\" validate <(cat {file})"),
        format!("cat {file} | \"$0\" validate /dev/stdin"),
        format!("\"$0\" validate - <{file}"),
        format!("cat {file} | \"$0\" render /dev/stdin"),
    ] {
        let (_, stderr, code) = run(&script);
        assert_eq!(code, Some(0), "{script}: {stderr}");
    }
    let (_, stderr, code) = run("echo 'name: 1' | \"$0\" validate /dev/stdin");
    assert_eq!(code, Some(65), "{stderr}");
    // It is looked at for a plan first, and still there afterwards.
    let keyless = "unset ${!AWS_*}; export AWS_EC2_METADATA_DISABLED=true";
    let (_, stderr, code) = run(&format!(
        "{keyless}; cat {file} | \"$0\" apply /dev/stdin --yes"
    ));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("no valid AWS credentials"), "{stderr}");
}
