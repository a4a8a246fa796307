//! A Kubernetes API server of the tests' own: a double, not a server. It has TLS with client
//! certificates, objects of any kind without schemas, server-side apply with owners and conflicts,
//! list pages, watches, certificate requests that are signed a moment after their approval, and
//! enough of RBAC to decide who may do what. Deletion knows finalizers and the time that pods have, eviction
//! `PodDisruptionBudgets`. No node joins it, nothing is defaulted; controllers of `controllers.rs` run where a test starts them. The answers of a real server are in `contract.rs`, which is run
//! against both.

pub mod cluster;
pub mod controllers;
mod deletion;
mod discovery;
mod eviction;
pub mod fixtures;
mod http;
mod machines;
mod pod_security;
mod rights;
mod scale;
#[path = "../support/server.rs"]
pub mod server;
mod signer;
mod store;
mod traffic;
mod validation;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use kube_cfn::kube::{ClientLogin, Connection};
use kube_cfn::pki::{Authority, CertificateAuthority, Subject, issue_client};
use serde_json::Value;

use controllers::Controllers;
use store::Store;
use traffic::Traffic;
pub use traffic::{Outage, Webhook};

/// A running double; it ends with the test's process.
pub struct ApiServer {
    authority: CertificateAuthority,
    address: SocketAddr,
    state: Arc<State>,
}

/// What all connections share.
pub struct State {
    store: Mutex<Store>,
    signer: signer::Signer,
    /// Names of the checks of `/readyz` that fail.
    failing: Mutex<Vec<String>>,
    /// The level of Pod Security for namespaces without a label.
    pod_security: Mutex<String>,
    /// Bootstrap tokens that are valid.
    tokens: Mutex<Vec<String>>,
    controllers: Mutex<Controllers>,
    traffic: Mutex<Traffic>,
}

impl State {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap()
    }
}

impl ApiServer {
    /// Of an authority of its own.
    pub fn start() -> Self {
        let now = Timestamp::now();
        let authority = CertificateAuthority::generate(Authority::Kubernetes, "double", now);
        Self::of(authority.unwrap(), &["127.0.0.1", "localhost"])
    }

    /// Of a cluster's authority, with a certificate for `names`.
    pub fn of(authority: CertificateAuthority, names: &[&str]) -> Self {
        let signer = signer::Signer::of(&authority);
        let tls = signer.server(names);
        let state = Arc::new(State {
            store: Mutex::new(Store::new()),
            signer,
            failing: Mutex::default(),
            pod_security: Mutex::new("privileged".to_owned()),
            tokens: Mutex::default(),
            controllers: Mutex::default(),
            traffic: Mutex::default(),
        });
        let address = http::serve(tls, state.clone());
        Self {
            authority,
            address,
            state,
        }
    }

    /// `https://127.0.0.1:port`.
    pub fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Without a credential.
    pub fn anonymous(&self) -> Connection {
        Connection {
            server: self.server(),
            server_name: None,
            authority_pem: self.authority.certificate_pem().to_owned(),
            login: None,
        }
    }

    /// As an administrator.
    pub fn connection(&self) -> Connection {
        let groups = ["kubeadm:cluster-admins".to_owned()];
        self.known_as("ada", &groups)
    }

    /// As anybody.
    pub fn known_as(&self, user: &str, groups: &[String]) -> Connection {
        let subject = Subject::new(user, groups).unwrap();
        let hour = SignedDuration::from_hours(1);
        let made = issue_client(&self.authority, &subject, hour, Timestamp::now()).unwrap();
        Connection {
            login: Some(ClientLogin {
                certificate_pem: made.certificate_pem,
                key: made.key,
            }),
            ..self.anonymous()
        }
    }

    /// Puts an object there as it is, whatever client would own it: nodes, pods.
    pub fn put(&self, collection: &str, object: Value) {
        self.state.store().put(collection, object);
    }

    /// Sets the level of Pod Security for namespaces without a label, as a configuration of the plugin does.
    pub fn set_pod_security(&self, level: &str) {
        level.clone_into(&mut self.state.pod_security.lock().unwrap());
    }

    /// Runs these controllers from now on: each does one step before every request of an object.
    pub fn run_controllers(&self, controllers: Controllers) {
        *self.state.controllers.lock().unwrap() = controllers;
    }

    /// The requests so far that were carried out: `PATCH /api/v1/persistentvolumes/pv-1`.
    pub fn requests(&self) -> Vec<String> {
        self.state.traffic.lock().unwrap().log()
    }

    /// Answers so many more requests, and is gone then.
    pub fn fail_after(&self, requests: usize, how: Outage) {
        let outage = Some((requests, how));
        self.state.traffic.lock().unwrap().set_outage(outage);
    }

    /// How many requests wait for an answer that never comes.
    pub fn silenced(&self) -> usize {
        self.state.traffic.lock().unwrap().silenced()
    }

    /// Ends an outage.
    pub fn answer_again(&self) {
        self.state.traffic.lock().unwrap().set_outage(None);
    }

    /// Refuses a verb (`patch`, `delete`) on a resource to everybody, as a rule of RBAC or a webhook does.
    pub fn deny(&self, verb: &'static str, resource: &'static str) {
        self.state.traffic.lock().unwrap().deny(verb, resource);
    }

    /// A webhook refuses requests from now on.
    pub fn add_webhook(&self, webhook: Webhook) {
        self.state.traffic.lock().unwrap().add_webhook(webhook);
    }

    /// Knows a bootstrap token from now on.
    pub fn add_token(&self, token: &str) {
        self.state.tokens.lock().unwrap().push(token.to_owned());
    }

    /// The objects of a collection.
    pub fn objects(&self, collection: &str) -> Vec<Value> {
        self.state.store().of(collection)
    }

    /// Takes all objects of a collection away.
    pub fn clear(&self, collection: &str) {
        self.state.store().clear(collection);
    }

    /// Makes checks of `/readyz` fail.
    pub fn fail_checks(&self, names: &[&str]) {
        *self.state.failing.lock().unwrap() = names.iter().map(ToString::to_string).collect();
    }
}
