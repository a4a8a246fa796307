//! Requests for certificates as kubelets make them, with the real openssl.

use std::io::Write as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
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
    /// As the API has it: base64 of PEM.
    pub encoded: String,
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
pub fn ssl(arguments: &[&str], input: &str) -> String {
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
pub fn pem(subject: &str, key: &str, more: &[&str]) -> String {
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

pub fn subject(instance: &str) -> String {
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

    pub fn with_pem(pem: &str) -> Self {
        Self {
            name: fresh_name(),
            encoded: STANDARD.encode(pem),
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
        self.encoded = STANDARD.encode(pem(&subject(instance), &key, &[]));
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

    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub fn with_usages(mut self, usages: &[&str]) -> Self {
        self.usages = owned(usages);
        self
    }

    fn text(&self) -> String {
        String::from_utf8(STANDARD.decode(&self.encoded).unwrap()).unwrap()
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
            "spec": {"request": self.encoded, "signerName": self.signer, "usages": self.usages,
                "username": self.user, "groups": self.groups},
        })
    }
}
