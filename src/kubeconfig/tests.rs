//! The room as a whole, in directories of the tests' own.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::*;

const ORIGIN: &str = "123456789012/eu-west-1";

fn entry() -> Entry {
    Entry {
        cluster: "canary".to_owned(),
        origin: ORIGIN.to_owned(),
        server: server_url("api.example.com"),
        authority_pem: "authority one".to_owned(),
        login: Login::Certificate {
            certificate_pem: "certificate".to_owned(),
            key: "the key".into(),
        },
    }
}

fn exec_entry() -> Entry {
    let groups = ["kube-cfn:admins".to_owned()];
    let exec = Exec::credential(
        "canary",
        "eu-west-1",
        Some("ops"),
        "ada",
        &groups,
        Some("8h"),
    );
    Entry {
        login: Login::Exec(exec),
        ..entry()
    }
}

/// A kubeconfig of somebody who has other clusters, in odd order and with odd strings.
const OTHERS: &str = r#"kind: Config
apiVersion: v1
preferences: {colors: true}
x-mine: ["012", "1.10", "yes", "null", "~", "0x1F", "1e3", "2026-11-23", "a: b", ""]
users:
- name: zoe
  user: {token: "0123", as: admin}
contexts:
- context: {cluster: old, user: zoe, namespace: "on"}
  name: old
current-context: old
clusters:
- cluster: {server: "https://old:6443", proxy-url: "socks5://127.0.0.1:1080"}
  name: old
"#;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self {
            directory: tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

fn data(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut document = data(path);
    change(&mut document);
    fs::write(path, serde_saphyr::to_string(&document).unwrap()).unwrap();
}

fn put(path: &Path, entry: &Entry) -> Result<Written, KubeconfigError> {
    write(&Target::file(path), entry, Current::IfUnset, Patience::NONE)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_new_file_holds_the_cluster_and_is_private() {
    let place = Place::new();
    let path = place.path("new/deep/config");
    let written = put(&path, &entry()).unwrap();
    assert!(written.created && written.current && written.kept.is_empty());
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    let rendered = render(&entry()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), rendered.expose_secret());
    assert_eq!(
        rendered.expose_secret(),
        "apiVersion: v1
clusters:
- name: canary
  cluster:
    server: https://api.example.com:6443
    certificate-authority-data: YXV0aG9yaXR5IG9uZQ==
    extensions:
    - name: kube-cfn
      extension:
        origin: 123456789012/eu-west-1
        server: https://api.example.com:6443
contexts:
- name: canary
  context:
    cluster: canary
    user: canary
current-context: canary
kind: Config
users:
- name: canary
  user:
    client-certificate-data: Y2VydGlmaWNhdGU=
    client-key-data: dGhlIGtleQ==
"
    );
    assert_eq!(
        fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1,
        "no lock, no leftovers"
    );
}

#[test]
fn what_belongs_to_others_stays_in_its_order_and_type() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    let before = data(&path);
    let written = put(&path, &entry()).unwrap();
    assert!(written.created && !written.current);
    let mut after = data(&path);
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&after), keys(&before));
    assert_eq!(after["clusters"][1]["name"], "canary");
    merge::remove(&mut after, "canary");
    assert_eq!(after, before);
}

#[test]
fn writing_twice_changes_nothing() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    put(&path, &entry()).unwrap();
    let first = fs::read_to_string(&path).unwrap();
    assert!(!put(&path, &entry()).unwrap().created);
    assert_eq!(fs::read_to_string(&path).unwrap(), first);
}

#[test]
fn what_the_user_changed_in_our_entries_stays() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    edit(&path, |document| {
        let cluster = &mut document["clusters"][0]["cluster"];
        cluster["server"] = json!("https://127.0.0.1:16443");
        cluster["tls-server-name"] = json!("api.example.com");
        cluster["proxy-url"] = json!("socks5://127.0.0.1:1080");
        cluster["x-unknown"] = json!("1.10");
        document["contexts"][0]["context"]["namespace"] = json!("shop");
        document["users"][0]["user"]["as"] = json!("auditor");
    });
    let mut moved = entry();
    moved.server = server_url("new.example.com");
    let written = put(&path, &moved).unwrap();
    assert_eq!(
        written.kept,
        [
            "server https://127.0.0.1:16443",
            "proxy-url socks5://127.0.0.1:1080",
            "tls-server-name api.example.com",
            "namespace shop"
        ]
    );
    let after = data(&path);
    assert_eq!(
        after["clusters"][0]["cluster"]["server"],
        "https://127.0.0.1:16443"
    );
    assert_eq!(after["clusters"][0]["cluster"]["x-unknown"], "1.10");
    assert_eq!(after["users"][0]["user"]["as"], "auditor");
}

#[test]
fn a_server_that_nobody_changed_follows_the_cluster() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    let mut moved = entry();
    moved.server = server_url("new.example.com");
    assert!(put(&path, &moved).unwrap().kept.is_empty());
    assert_eq!(
        data(&path)["clusters"][0]["cluster"]["server"],
        "https://new.example.com:6443"
    );
}

#[test]
fn a_cluster_made_anew_takes_its_new_server_whatever_was_edited() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    edit(&path, |document| {
        document["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:16443");
    });
    let mut anew = entry();
    anew.authority_pem = "authority two".to_owned();
    assert!(put(&path, &anew).unwrap().kept.is_empty());
    assert_eq!(
        data(&path)["clusters"][0]["cluster"]["server"],
        "https://api.example.com:6443"
    );
}

#[test]
fn a_user_who_skips_verification_gets_no_authority_beside_it() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    edit(&path, |document| {
        document["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = json!(true);
    });
    put(&path, &entry()).unwrap();
    let after = data(&path);
    assert!(
        after["clusters"][0]["cluster"]
            .get("certificate-authority-data")
            .is_none()
    );
}

#[test]
fn one_way_to_log_in_replaces_the_other_and_keeps_variables() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    put(&path, &exec_entry()).unwrap();
    let user = data(&path)["users"][0]["user"].clone();
    assert!(user.get("client-key-data").is_none());
    assert_eq!(user["exec"]["interactiveMode"], "Never");
    let args = "credential canary --region eu-west-1 --user ada --group kube-cfn:admins --ttl 8h";
    let found: Vec<_> = user["exec"]["args"].as_array().unwrap().iter().collect();
    assert_eq!(found, args.split(' ').collect::<Vec<_>>());
    edit(&path, |document| {
        let env = document["users"][0]["user"]["exec"]["env"]
            .as_array_mut()
            .unwrap();
        env.push(json!({"name": "HTTPS_PROXY", "value": "http://proxy"}));
    });
    put(&path, &exec_entry()).unwrap();
    let env = data(&path)["users"][0]["user"]["exec"]["env"].clone();
    assert_eq!(
        env,
        json!([
            {"name": "AWS_PROFILE", "value": "ops"},
            {"name": "HTTPS_PROXY", "value": "http://proxy"},
        ])
    );
    put(&path, &entry()).unwrap();
    assert!(data(&path)["users"][0]["user"].get("exec").is_none());
}

#[test]
fn an_entry_of_somebody_else_is_refused_and_left() {
    let place = Place::new();
    let stranger = OTHERS.replace("name: old", "name: canary");
    let path = place.put("config", &stranger);
    let error = put(&path, &entry()).unwrap_err().to_string();
    assert!(
        error.contains("belongs to something that kube-cfn did not write"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), stranger);
    let path = place.path("elsewhere");
    put(&path, &entry()).unwrap();
    let mut other = entry();
    other.origin = "123456789012/us-east-1".to_owned();
    let error = put(&path, &other).unwrap_err().to_string();
    assert!(
        error.contains("the cluster of that name in 123456789012/eu-west-1"),
        "{error}"
    );
}

#[test]
fn the_first_file_that_has_the_entry_is_written_else_the_first_that_exists() {
    let place = Place::new();
    let (none, one, two) = (
        place.path("none"),
        place.put("one", OTHERS),
        place.path("two"),
    );
    put(&two, &entry()).unwrap();
    let list = std::env::join_paths([&none, &one, &two]).unwrap();
    let target = Target::of_user(Some(&list), Path::new("/"));
    let written = write(&target, &entry(), Current::IfUnset, Patience::NONE).unwrap();
    assert_eq!(
        (written.path, written.created, written.current),
        (two.clone(), false, false)
    );
    remove(&target, "canary", ORIGIN, Patience::NONE).unwrap();
    let written = write(&target, &entry(), Current::IfUnset, Patience::NONE).unwrap();
    assert_eq!((written.path, written.created), (one, true));
    assert!(!none.exists());
}

#[test]
fn switching_reaches_the_file_that_decides() {
    let place = Place::new();
    let (one, two) = (place.put("one", OTHERS), place.path("two"));
    put(&two, &entry()).unwrap();
    let list = std::env::join_paths([&one, &two]).unwrap();
    let target = Target::of_user(Some(&list), Path::new("/"));
    let written = write(&target, &entry(), Current::Switch, Patience::NONE).unwrap();
    assert!(written.current);
    assert_eq!(data(&one)["current-context"], "canary");
    let changed = remove(&target, "canary", ORIGIN, Patience::NONE).unwrap();
    assert_eq!(changed, [one.clone(), two.clone()]);
    assert_eq!(data(&one)["current-context"], "");
    assert_eq!(data(&two)["users"], json!([]));
    assert!(
        remove(&target, "canary", ORIGIN, Patience::NONE)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn removing_leaves_a_cluster_of_that_name_elsewhere() {
    let place = Place::new();
    let path = place.path("config");
    put(&path, &entry()).unwrap();
    let target = Target::file(&path);
    assert!(
        remove(&target, "canary", "1/us-east-1", Patience::NONE)
            .unwrap()
            .is_empty()
    );
    assert_eq!(data(&path)["clusters"][0]["name"], "canary");
}

#[test]
fn a_file_that_somebody_is_writing_is_left_alone() {
    let place = Place::new();
    let path = place.put("config", OTHERS);
    let lock = place.put("config.lock", "");
    let error = put(&path, &entry()).unwrap_err();
    assert!(matches!(error, KubeconfigError::Locked { .. }));
    let message = error.to_string();
    assert!(
        message.contains(&format!("{} exists", lock.display())),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), OTHERS);
    assert!(
        lock.exists(),
        "a lock of somebody else is not ours to remove"
    );
    fs::remove_file(&lock).unwrap();
    put(&path, &entry()).unwrap();
    assert!(!lock.exists());
}

#[test]
fn a_link_stays_a_link_and_a_strict_mode_strict() {
    let place = Place::new();
    let real = place.put("real", OTHERS);
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    let link = place.path("link");
    symlink("real", &link).unwrap();
    put(&link, &entry()).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(
        (mode(&real), &data(&real)["clusters"][1]["name"]),
        (0o600, &json!("canary"))
    );
    fs::set_permissions(&real, fs::Permissions::from_mode(0o400)).unwrap();
    put(&link, &entry()).unwrap();
    assert_eq!(mode(&real), 0o400);
}

#[test]
fn a_broken_file_is_named_never_quoted_and_left() {
    let place = Place::new();
    for (text, word) in [
        ("users:\n- hunter2: [", "not valid YAML (line "),
        ("hunter2", "the document is not a mapping"),
        ("clusters: {hunter2: 1}", "`clusters` is not a list"),
        (
            "clusters: [{name: canary, cluster: hunter2}]",
            "did not write",
        ),
    ] {
        let path = place.put("config", text);
        let error = put(&path, &entry()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(word), "{message}");
        assert!(
            !format!("{message} {error:?}").contains("hunter2"),
            "{message}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn an_empty_file_and_empty_lists_are_filled() {
    let place = Place::new();
    for text in ["", "\n# mine\n", "clusters: null\ncontexts:\nusers: []\n"] {
        let path = place.put("config", text);
        assert!(put(&path, &entry()).unwrap().created, "{text}");
    }
}

#[test]
fn no_key_is_shown() {
    let shown = format!("{:?}", entry());
    assert!(!shown.contains("the key"), "{shown}");
}
