//! Our kubeconfigs with the real kubectl, up to a TLS server that asks for a client certificate.

mod merging;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use jiff::{SignedDuration, Timestamp};
use kube_cfn::access::{Credential, authority_of_exec_info};
use kube_cfn::kubeconfig::{
    Current, Entry, Exec, KubeconfigPaths, LockTries, Login, render, server_url, write,
};
use kube_cfn::pki::{Authority, CertificateAuthority, Subject, issue_client};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::tempdir;

use crate::tools::{kubectl, openssl, run, try_run};

fn authority() -> CertificateAuthority {
    CertificateAuthority::generate(Authority::Kubernetes, "canary", Timestamp::now()).unwrap()
}

fn credential(by: &CertificateAuthority) -> Credential {
    let (subject, now) = (
        Subject::new("ada", &["ops".to_owned()]).unwrap(),
        Timestamp::now(),
    );
    let made = issue_client(by, &subject, SignedDuration::from_hours(1), now).unwrap();
    Credential {
        certificate_pem: made.certificate_pem,
        key: made.key,
        issued: now,
        expires: made.expires,
        authority_pem: by.certificate_pem().to_owned(),
    }
}

fn entry(by: &CertificateAuthority, server: String, login: Login) -> Entry {
    Entry {
        cluster: "canary".to_owned(),
        origin: "123456789012/eu-west-1".to_owned(),
        server,
        server_name: None,
        authority_pem: by.certificate_pem().to_owned(),
        namespace: None,
        person: None,
        login,
    }
}

fn with_certificate(credential: &Credential) -> Login {
    Login::Certificate {
        certificate_pem: credential.certificate_pem.clone(),
        key: credential.key.clone(),
    }
}

fn put(place: &Path, name: &str, text: &str) -> PathBuf {
    let path = place.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn ask(place: &Path, file: &Path, question: &str) -> String {
    run(
        kubectl()
            .arg("--kubeconfig")
            .arg(file)
            .args(question.split(' ')),
        place,
    )
}

/// A server that answers `/version` to clients with a certificate of its authority.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(place: &Path, by: &CertificateAuthority) -> Self {
        Self::named(place, by, "IP:127.0.0.1")
    }

    /// With a certificate for that name alone, wherever it listens.
    fn named(place: &Path, by: &CertificateAuthority, name: &str) -> Self {
        put(place, "ca.crt", by.certificate_pem());
        put(place, "ca.key", by.to_bundle().expose_secret());
        let answer = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"minor\":\"37\"}";
        put(place, "version", answer);
        let request = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
             -subj /CN=kube-apiserver -addext subjectAltName={name} \
             -CA ca.crt -CAkey ca.key -keyout server.key -out server.crt"
        );
        run(openssl().args(request.split_whitespace()), place);
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let serve = format!(
            "s_server -accept 127.0.0.1:{port} -cert server.crt -key server.key -CAfile ca.crt \
             -Verify 1 -verify_return_error -HTTP"
        );
        let mut child = openssl()
            .args(serve.split_whitespace())
            .current_dir(place)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line == "ACCEPT");
        assert!(ready, "openssl s_server did not start");
        // A client that does not read it is disconnected.
        std::thread::spawn(move || lines.for_each(drop));
        let url = format!("https://127.0.0.1:{port}");
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn kubectl_reads_a_rendered_kubeconfig() {
    let place = tempdir().unwrap();
    let by = authority();
    let login = with_certificate(&credential(&by));
    let text = render(&entry(&by, server_url("api.example.com"), login)).unwrap();
    let file = put(place.path(), "config", text.expose_secret());
    let view = ask(place.path(), &file, "config view --raw -o json");
    let view: Value = serde_json::from_str(&view).unwrap();
    assert_eq!(view["current-context"], "canary");
    assert_eq!(
        view["clusters"][0]["cluster"]["server"],
        "https://api.example.com:6443"
    );
    assert_eq!(view["users"].as_array().unwrap().len(), 1);
    assert_eq!(
        ask(place.path(), &file, "config get-contexts -o name"),
        "canary\n"
    );
    assert_eq!(
        ask(place.path(), &file, "config current-context"),
        "canary\n"
    );
}

#[test]
fn kubectl_asks_the_end_of_a_tunnel_and_checks_the_server_s_own_name() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = Server::named(place.path(), &by, "DNS:api.example.com");
    let login = || with_certificate(&credential(&by));
    let plain = entry(&by, server.url.clone(), login());
    let tunnel = Entry {
        server_name: Some("api.example.com".to_owned()),
        ..entry(&by, server.url.clone(), login())
    };
    let file = put(
        place.path(),
        "tunnel",
        render(&tunnel).unwrap().expose_secret(),
    );
    let answer = ask(place.path(), &file, "get --raw /version");
    assert!(answer.contains("\"minor\":\"37\""), "{answer}");
    let file = put(
        place.path(),
        "plain",
        render(&plain).unwrap().expose_secret(),
    );
    let mut command = kubectl();
    command
        .arg("--kubeconfig")
        .arg(&file)
        .args(["get", "--raw", "/version"]);
    let refused = try_run(&mut command, place.path());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("x509"), "{said}");
}

#[test]
fn kubectl_and_we_write_the_same_file_in_turn() {
    let place = tempdir().unwrap();
    let by = authority();
    let file = place.path().join("config");
    let target = KubeconfigPaths::file(&file);
    let wanted = entry(
        &by,
        server_url("api.example.com"),
        with_certificate(&credential(&by)),
    );
    ask(
        place.path(),
        &file,
        "config set-cluster old --server=https://old:6443",
    );
    ask(
        place.path(),
        &file,
        "config set-context old --cluster=old --namespace=012",
    );
    write(&target, &wanted, Current::Switch, LockTries::USUAL).unwrap();
    ask(
        place.path(),
        &file,
        "config set-context canary --namespace=1.10",
    );
    ask(
        place.path(),
        &file,
        "config set clusters.canary.server https://127.0.0.1:16443",
    );
    let written = write(&target, &wanted, Current::IfUnset, LockTries::USUAL).unwrap();
    assert_eq!(
        written.kept,
        ["server https://127.0.0.1:16443", "namespace 1.10"]
    );
    let namespace = |context: &str| {
        let path = format!("jsonpath={{.contexts[?(@.name=='{context}')].context.namespace}}");
        ask(place.path(), &file, &format!("config view -o {path}"))
    };
    assert_eq!(
        (namespace("old"), namespace("canary")),
        ("012".into(), "1.10".into())
    );
    assert_eq!(
        ask(place.path(), &file, "config current-context"),
        "canary\n"
    );
}

#[test]
fn kubectl_chooses_the_same_file_of_a_list() {
    let place = tempdir().unwrap();
    let by = authority();
    let wanted = entry(
        &by,
        server_url("api.example.com"),
        with_certificate(&credential(&by)),
    );
    for existing in [None, Some("one"), Some("two")] {
        let chosen = ["kubectl", "ours"].map(|who| {
            let home = place.path().join(format!("{who}-{existing:?}"));
            fs::create_dir(&home).unwrap();
            let files = ["one", "two", "three"].map(|name| home.join(name));
            existing.map(|name| put(&home, name, ""));
            let list = std::env::join_paths(&files).unwrap();
            if who == "kubectl" {
                let args = ["config", "set-context", "x", "--cluster=x"];
                run(kubectl().env("KUBECONFIG", &list).args(args), &home);
            } else {
                let target = KubeconfigPaths::of_user(Some(&list), Some(&home)).unwrap();
                write(&target, &wanted, Current::IfUnset, LockTries::NONE).unwrap();
            }
            let is_written =
                |path: &&PathBuf| fs::metadata(path).is_ok_and(|about| about.len() > 0);
            let written: Vec<_> = files.iter().filter(is_written).collect();
            assert_eq!(written.len(), 1);
            written[0].file_name().unwrap().to_owned()
        });
        assert_eq!(chosen[0], chosen[1], "with {existing:?} there");
    }
}

#[test]
fn kubectl_respects_the_lock_that_we_take() {
    let place = tempdir().unwrap();
    put(place.path(), "config.lock", "");
    let args = "--kubeconfig config config set-context x --cluster=x";
    let output = try_run(kubectl().args(args.split(' ')), place.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && said.contains("config.lock"),
        "{said}"
    );
}

#[test]
fn kubectl_authenticates_with_the_certificate_of_the_file() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = Server::start(place.path(), &by);
    let login = with_certificate(&credential(&by));
    let text = render(&entry(&by, server.url.clone(), login)).unwrap();
    let file = put(place.path(), "config", text.expose_secret());
    assert_eq!(
        ask(place.path(), &file, "get --raw /version"),
        "{\"minor\":\"37\"}"
    );
}

/// The bundle in which an authority is stored is a key file for Go too, so for kubeadm.
#[test]
fn kubectl_reads_a_key_that_has_a_certificate_behind_it() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = Server::start(place.path(), &by);
    let made = credential(&by);
    let login = Login::Certificate {
        key: format!("{}{}", made.key.expose_secret(), by.certificate_pem()).into(),
        certificate_pem: made.certificate_pem,
    };
    let text = render(&entry(&by, server.url.clone(), login)).unwrap();
    let file = put(place.path(), "config", text.expose_secret());
    assert_eq!(
        ask(place.path(), &file, "get --raw /version"),
        "{\"minor\":\"37\"}"
    );
}

#[test]
fn kubectl_is_refused_with_a_certificate_of_another_authority() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = Server::start(place.path(), &by);
    let login = with_certificate(&credential(&authority()));
    let text = render(&entry(&by, server.url.clone(), login)).unwrap();
    put(place.path(), "config", text.expose_secret());
    let args = "--kubeconfig config get --raw /version";
    let output = try_run(kubectl().args(args.split(' ')), place.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("tls"), "{said}");
}

#[test]
fn kubectl_passes_the_authority_to_the_credential_plugin() {
    let place = tempdir().unwrap();
    let by = authority();
    let server = Server::start(place.path(), &by);
    let made = credential(&by);
    put(
        place.path(),
        "answer",
        made.exec_credential().expose_secret(),
    );
    let script = "#!/bin/sh\ncd \"${0%/*}\" && echo \"$*\" >asked && \
                  printf %s \"$KUBERNETES_EXEC_INFO\" >exec-info && cat answer\n";
    let plugin = put(place.path(), "plugin", script);
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    let mut exec = Exec::credential(
        "canary",
        "eu-west-1",
        None,
        "ada",
        &["ops".to_owned()],
        None,
    );
    exec.command = plugin.display().to_string();
    let text = render(&entry(&by, server.url.clone(), Login::Exec(exec))).unwrap();
    let file = put(place.path(), "config", text.expose_secret());
    assert_eq!(
        ask(place.path(), &file, "get --raw /version"),
        "{\"minor\":\"37\"}"
    );
    let asked = fs::read_to_string(place.path().join("asked")).unwrap();
    assert_eq!(
        asked,
        "credential canary --region eu-west-1 --user ada --group ops\n"
    );
    let exec_info = fs::read_to_string(place.path().join("exec-info")).unwrap();
    assert_eq!(authority_of_exec_info(&exec_info), made.authority());
    assert!(made.authority().is_some());
}
