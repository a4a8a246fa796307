//! Requests for certificates as kubelets make them, and as others would: with the real openssl, and with random
//! subjects.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rcgen::string::BmpString;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::cluster::ago;
use crate::tools::openssl;

/// The group of the tokens of this cluster.
pub const GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
const CLIENT: [&str; 2] = ["digital signature", "client auth"];

/// A `CertificateSigningRequest`, by default what a kubelet asks for with a bootstrap token.
#[derive(Debug, Clone)]
pub struct Request {
    pub name: String,
    request: String,
    user: String,
    groups: Vec<String>,
    usages: Vec<String>,
    signer: String,
    age: i64,
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// A name of its own, in the form of a kubelet's.
fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("node-csr-j1Ja8wpP3FxFBMnEVNsrwYosgWk_-796bWmRg{number:03}")
}

/// Runs openssl with what it reads; its standard output.
fn ssl(arguments: &[&str], input: &str) -> String {
    let mut command = openssl();
    command.args(arguments).stdin(Stdio::piped());
    let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawned.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// A private key as the kubelet makes it.
pub fn new_key() -> String {
    ssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "")
}

/// A request in PEM; `more` are arguments of `openssl req`.
fn pem(subject: &str, key: &str, more: &[&str]) -> String {
    let mut arguments = vec![
        "req",
        "-new",
        "-utf8",
        "-key",
        "/dev/stdin",
        "-subj",
        subject,
    ];
    arguments.extend(more);
    ssl(&arguments, key)
}

fn subject(instance: &str) -> String {
    format!("/O=system:nodes/CN=system:node:{instance}")
}

/// Self-signed; it ended years ago.
pub fn expired_certificate() -> String {
    let key = KeyPair::generate().unwrap();
    let mut wanted = CertificateParams::default();
    wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2021, 1, 1);
    wanted.self_signed(&key).unwrap().pem()
}

impl Request {
    /// As the kubelet of an instance asks, with a new key.
    pub fn of(instance: &str) -> Self {
        Self::with_pem(&pem(&subject(instance), &new_key(), &[]))
    }

    fn with_pem(pem: &str) -> Self {
        Self {
            name: fresh_name(),
            request: STANDARD.encode(pem),
            user: "system:bootstrap:abcdef".to_owned(),
            groups: owned(&["system:bootstrappers", GROUP, "system:authenticated"]),
            usages: owned(&CLIENT),
            signer: "kubernetes.io/kube-apiserver-client-kubelet".to_owned(),
            age: 0,
        }
    }

    /// The same subject with a key of RSA.
    pub fn with_rsa(mut self) -> Self {
        let said = ssl(
            &["req", "-noout", "-subject", "-nameopt", "RFC2253"],
            &self.text(),
        );
        let instance = said.trim().split([':', ',']).nth(2).unwrap();
        let key = ssl(&["genrsa", "2048"], "");
        self.request = STANDARD.encode(pem(&subject(instance), &key, &[]));
        self.usages.push("key encipherment".to_owned());
        self
    }

    /// Made so many seconds ago.
    pub fn old(mut self, seconds: i64) -> Self {
        self.age = seconds;
        self
    }

    pub fn by(mut self, user: &str, groups: &[&str]) -> Self {
        user.clone_into(&mut self.user);
        self.groups = owned(groups);
        self
    }

    pub fn for_signer(mut self, signer: &str) -> Self {
        signer.clone_into(&mut self.signer);
        self
    }

    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn with_usages(mut self, usages: &[&str]) -> Self {
        self.usages = owned(usages);
        self
    }

    fn text(&self) -> String {
        String::from_utf8(STANDARD.decode(&self.request).unwrap()).unwrap()
    }

    /// SHA-256 of its public key.
    pub fn key_hash(&self) -> String {
        let key = ssl(&["req", "-noout", "-pubkey"], &self.text());
        format!(
            "{:x}",
            Sha256::digest(::pem::parse(key).unwrap().contents())
        )
    }

    pub fn object(&self) -> Value {
        json!({
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": self.name, "creationTimestamp": ago(self.age)},
            "spec": {"request": self.request, "signerName": self.signer, "usages": self.usages,
                "username": self.user, "groups": self.groups},
        })
    }
}

/// What an attacker with a bootstrap token would try for this instance's name, with a part of the reason that it gets.
pub fn hostile(instance: &str) -> Vec<(&'static str, Request)> {
    let mut cases = subjects(instance);
    cases.extend(contents(instance));
    cases.extend(forms(instance));
    for name in [
        "a\n$(touch /srv/pwned)",
        "$(touch ${PPID})`touch pwned`",
        "--raw",
        "-f",
        "; reboot #",
        "x y\t'\"\\",
        "?fieldSelector=a&b#c",
        "größe\u{1b}[31m\u{202e}",
        "x[$(touch pwned)]",
        "a]",
    ] {
        let request = Request::of(instance)
            .with_usages(&["server auth"])
            .named(name);
        cases.push(("its usages are not those", request));
    }
    cases
}

/// Whatever is not exactly the subject of a node.
fn subjects(instance: &str) -> Vec<(&'static str, Request)> {
    let node = format!("system:node:{instance}");
    let wrong = [
        format!("/O=system:masters/CN={node}"),
        format!("/O=system:nodes/O=system:masters/CN={node}"),
        format!("/O=system:nodes/CN={node}/CN=system:node:i-0fffffffffffffff0"),
        format!("/CN=kubernetes-admin/O=system:nodes/CN={node}"),
        format!("/CN={node}/O=system:nodes"),
        format!("/O=system:nodes+CN={node}"),
        format!("/O=system:nodes/OU=x/CN={node}"),
        format!("/O=system:nodes/CN={node},O=system:nodes"),
        format!("/O=system:nodes\\,x/CN={node}"),
        format!("/CN={node}"),
        "/O=system:nodes/CN=system:node:ip-10-20-0-10".to_owned(),
        "/O=system:nodes/CN=system:node:".to_owned(),
        "/O=system:nodes/CN=system:node:i-0123456".to_owned(),
        "/O=system:nodes/CN=system:node:i-0123456789abcdef01".to_owned(),
        "/O=system:nodes/CN=system:node:i-0123456789ABCDEF0".to_owned(),
        format!("/O=system:nodes/CN={node}\n"),
        format!("/O=system:nodes/CN={node} "),
        format!("/O=system:nodes/CN=x\n{node}"),
        format!("/O=system:nodes/CN={node}$(touch \\/srv\\/pwned)"),
        format!("/O=system:nodes/CN={node}`touch \\/srv\\/pwned`;x"),
        format!("/O=system:nodes/CN=system:serviceaccount:kube-system:x{node}"),
    ];
    let key = new_key();
    let request = |subject: String| {
        let request = Request::with_pem(&pem(&subject, &key, &[]));
        ("its subject is not", request)
    };
    wrong.into_iter().map(request).collect()
}

/// The right subject, and more than that.
fn contents(instance: &str) -> Vec<(&'static str, Request)> {
    let (subject, key) = (subject(instance), new_key());
    let with = |extension: &str| {
        let request = Request::with_pem(&pem(&subject, &key, &["-addext", extension]));
        ("it asks for more than a name", request)
    };
    let mut cases: Vec<_> = [
        "subjectAltName=DNS:kubernetes.default.svc",
        "subjectAltName=IP:10.20.0.10",
        "subjectAltName=URI:spiffe://x,email:a@example.com",
        "basicConstraints=CA:TRUE",
        "extendedKeyUsage=serverAuth",
    ]
    .into_iter()
    .map(with)
    .collect();
    let settings = tempfile::NamedTempFile::new().unwrap();
    let password = "[req]\ndistinguished_name=d\nattributes=a\nprompt=no\n[d]\nO=system:nodes\n[a]\nchallengePassword=abcd\n";
    std::fs::write(settings.path(), password).unwrap();
    let path = settings.path().to_str().unwrap();
    let attribute = Request::with_pem(&pem(&subject, &key, &["-config", path]));
    cases.push(("it asks for more than a name", attribute));
    cases
}

/// The form of the request itself.
fn forms(instance: &str) -> Vec<(&'static str, Request)> {
    let good = pem(&subject(instance), &new_key(), &[]);
    let other = pem(&subject("i-0fffffffffffffff0"), &new_key(), &[]);
    let with = |text: &str| Request::with_pem(text);
    let raw = |request: &str| {
        let mut made = Request::with_pem(&good);
        request.clone_into(&mut made.request);
        made
    };
    let half: Vec<_> = good.lines().collect();
    let half = [&half[..2], &half[half.len() - 1..]].concat().join("\n") + "\n";
    let not_pem = "it is not one certificate request in PEM";
    let usages = "its usages are not those";
    let of = || Request::with_pem(&good);
    vec![
        (not_pem, with(&format!("{good}{other}"))),
        (not_pem, with(&format!("a text\n{good}"))),
        (not_pem, with(&format!("{good}$(touch /srv/pwned)\n"))),
        (not_pem, with(&good.replace("REQUEST", "REQUEST\0"))),
        (
            not_pem,
            with(&good.replace("CERTIFICATE", "NEW CERTIFICATE")),
        ),
        (not_pem, with(&good.replace('\n', "\r\n"))),
        (not_pem, with("")),
        (not_pem, raw("$(touch /srv/pwned)")),
        (not_pem, raw("/w==")),
        ("it is longer than", with(&good.repeat(20))),
        ("it is longer than", raw(&"A".repeat(300_000))),
        ("openssl cannot read it", with(&half)),
        (usages, of().with_usages(&["client auth"])),
        (
            usages,
            of().with_usages(&["digital signature", "client auth", "server auth"]),
        ),
        (
            usages,
            of().with_usages(&["digital signature", "client auth", "client auth"]),
        ),
        (
            usages,
            of().with_usages(&["digital signature", "client auth", "cert sign"]),
        ),
        (
            "its token is of another group",
            of().by(
                "system:bootstrap:abcdef",
                &["system:bootstrappers", "system:bootstrappers:x"],
            ),
        ),
        (
            "its token is of another group",
            of().by("system:bootstrap:abcdef", &[&format!("{GROUP}\n")]),
        ),
    ]
}

/// Requests with random subjects and names, none of them a node's, from a fixed seed.
pub fn random(instance: &str, number: usize) -> Vec<Request> {
    const HOSTILE: &str =
        "[a-z0-9 :,=+;$(){}<>|&!'\"`\\\\/\\*\\?\\[\\]\n\r\t\u{7f}\u{1b}äß€🔒\u{202e}-]{0,24}";
    let node = format!("system:node:{instance}");
    let around = (HOSTILE, HOSTILE).prop_filter("no node", |(before, after)| {
        !before.is_empty() || !after.is_empty()
    });
    let name = HOSTILE.prop_map(|text| text.replace('/', "_"));
    let strategy = (
        around,
        prop_oneof![Just("system:nodes".to_owned()), HOSTILE],
        name,
        0..3_u8,
    );
    let mut runner = TestRunner::deterministic();
    let key = KeyPair::generate().unwrap();
    let one = |position: usize| {
        let ((before, after), organization, name, kind) =
            strategy.new_tree(&mut runner).unwrap().current();
        let common = format!("{before}{node}{after}");
        let mut wanted = CertificateParams::default();
        wanted.distinguished_name = DistinguishedName::new();
        wanted
            .distinguished_name
            .push(DnType::OrganizationName, organization);
        let utf16 = BmpString::try_from(common.as_str())
            .ok()
            .filter(|_| kind == 0);
        let common = utf16.map_or(DnValue::Utf8String(common), DnValue::BmpString);
        wanted.distinguished_name.push(DnType::CommonName, common);
        let pem = wanted.serialize_request(&key).unwrap().pem().unwrap();
        Request::with_pem(&pem.replace("\r\n", "\n")).named(&format!("{name}{position}"))
    };
    (0..number).map(one).collect()
}
