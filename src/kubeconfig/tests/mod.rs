//! The module as a whole, in directories of the tests' own.

mod content;
mod files;
mod persons;

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
        server_name: None,
        authority_pem: "authority one".to_owned(),
        namespace: None,
        person: None,
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
        namespace: None,
        person: None,
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
    write(
        &KubeconfigPaths::file(path),
        entry,
        Current::IfUnset,
        LockTries::NONE,
    )
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}
