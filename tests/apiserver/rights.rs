//! Authentication by client certificate or bootstrap token, and authorization: administrators may do everything, others what
//! a `RoleBinding` and its `Role` allow. The cluster's own `view` and `admin` are known by name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::http::{Place, Request};
use super::store::{Answer, Store};

/// The group that the tokens of joining nodes are of.
const BOOTSTRAPPERS: &str = "system:bootstrappers:kubeadm:default-node-token";

/// The subject of a client certificate.
#[derive(Clone)]
pub struct Who {
    pub user: String,
    pub groups: Vec<String>,
}

/// What is asked for, as RBAC calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Get,
    List,
    Watch,
    Create,
    Patch,
    Delete,
}

impl Verb {
    pub fn of(request: &Request, place: &Place) -> Self {
        match request.method.as_str() {
            "POST" => Self::Create,
            "PATCH" | "PUT" => Self::Patch,
            "DELETE" => Self::Delete,
            _ if place.name.is_some() => Self::Get,
            _ => Self::List,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

impl Who {
    pub fn of(chain: Option<&[CertificateDer<'_>]>) -> Self {
        let mut who = Self {
            user: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
        };
        let own = chain.and_then(<[_]>::first);
        let Some((_, own)) = own.and_then(|own| X509Certificate::from_der(own).ok()) else {
            return who;
        };
        let subject = own.subject();
        let text = |value: &x509_parser::x509::AttributeTypeAndValue<'_>| {
            value.as_str().unwrap_or_default().to_owned()
        };
        who.user = subject
            .iter_common_name()
            .map(text)
            .next()
            .unwrap_or_default();
        who.groups = subject.iter_organization().map(text).collect();
        who.groups.push("system:authenticated".to_owned());
        who
    }

    /// As the bootstrap token says who it is, where no certificate does.
    pub fn or_by_token(&self, request: &Request, known: &[String]) -> Self {
        let token = request.token.as_ref().filter(|token| known.contains(token));
        let Some(token) = token.filter(|_| self.is_nobody()) else {
            return self.clone();
        };
        let groups = [
            "system:bootstrappers",
            BOOTSTRAPPERS,
            "system:authenticated",
        ];
        Self {
            user: format!("system:bootstrap:{}", &token[..6]),
            groups: groups.map(str::to_owned).to_vec(),
        }
    }

    /// `system:node-bootstrapper`, to which the tokens' group is bound.
    fn may_ask_for_certificates(&self, verb: Verb, place: &Place) -> bool {
        self.groups.iter().any(|group| group == BOOTSTRAPPERS)
            && place.resource == "certificatesigningrequests"
            && place.sub.is_none()
            && matches!(verb, Verb::Create | Verb::Get | Verb::List | Verb::Watch)
    }

    /// The node authorizer, as far as a kubelet's own Node goes.
    fn is_of_the_node(&self, verb: Verb, place: &Place) -> bool {
        let node = self.user.strip_prefix("system:node:");
        let own = place.name.is_none() || place.name.as_deref() == node;
        node.is_some()
            && self.groups.iter().any(|group| group == "system:nodes")
            && place.resource == "nodes"
            && own
            && matches!(verb, Verb::Create | Verb::Get | Verb::Patch)
    }

    pub fn is_nobody(&self) -> bool {
        self.user == "system:anonymous"
    }

    pub fn review(&self) -> Value {
        json!({"kind": "SelfSubjectReview", "apiVersion": "authentication.k8s.io/v1",
            "metadata": {}, "status": {"userInfo": {"username": self.user, "groups": self.groups}}})
    }

    fn is_admin(&self) -> bool {
        let admins = ["kubeadm:cluster-admins", "system:masters"];
        self.groups
            .iter()
            .any(|group| admins.contains(&group.as_str()))
    }
}

/// The token of a Secret that has one: id and secret.
pub fn bootstrap_token(secret: &Value) -> Option<String> {
    let part = |key: &str| {
        let text = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
        String::from_utf8(text).ok()
    };
    let its_kind = secret["type"] == "bootstrap.kubernetes.io/token";
    let here = secret["metadata"]["namespace"] == "kube-system";
    (its_kind && here && part("usage-bootstrap-authentication")? == "true")
        .then(|| Some(format!("{}.{}", part("token-id")?, part("token-secret")?)))?
}

/// The 403 of who may not.
pub fn refused(who: &Who, verb: Verb, place: &Place, store: &Store) -> Option<Answer> {
    if who.is_admin()
        || who.may_ask_for_certificates(verb, place)
        || who.is_of_the_node(verb, place)
        || bound(who, verb, place, store)
    {
        return None;
    }
    Some(forbidden(who, verb, place))
}

pub fn forbidden(who: &Who, verb: Verb, place: &Place) -> Answer {
    let (name, resource) = (place.name.as_deref(), &place.resource);
    let of = name.map_or(String::new(), |name| format!(" \"{name}\""));
    let within = match &place.namespace {
        Some(namespace) => format!("in the namespace \"{namespace}\""),
        None => "at the cluster scope".to_owned(),
    };
    let message = format!(
        "{resource}{of} is forbidden: User \"{}\" cannot {} resource \"{resource}\" in API group \
         \"{}\" {within}",
        who.user,
        verb.as_str(),
        place.group
    );
    Answer::status(403, "Forbidden", &message, None)
}

fn bound(who: &Who, verb: Verb, place: &Place, store: &Store) -> bool {
    const RBAC: &str = "apis/rbac.authorization.k8s.io/v1";
    let Some(namespace) = &place.namespace else {
        return false;
    };
    let here = |object: &Value| object["metadata"]["namespace"] == namespace.as_str();
    let mine = |binding: &Value| {
        let subjects = binding["subjects"].as_array().cloned().unwrap_or_default();
        subjects
            .iter()
            .any(|subject| match subject["kind"].as_str() {
                Some("User") => subject["name"] == who.user.as_str(),
                Some("Group") => who
                    .groups
                    .iter()
                    .any(|group| subject["name"] == group.as_str()),
                _ => false,
            })
    };
    let bindings = store.of(&format!("{RBAC}/rolebindings"));
    let roles = store.of(&format!("{RBAC}/roles"));
    bindings
        .iter()
        .filter(|binding| here(binding) && mine(binding))
        .any(|binding| {
            let role = &binding["roleRef"];
            match (role["kind"].as_str(), role["name"].as_str()) {
                (Some("ClusterRole"), Some("admin")) => true,
                (Some("ClusterRole"), Some("view")) => {
                    place.resource != "secrets"
                        && matches!(verb, Verb::Get | Verb::List | Verb::Watch)
                }
                (Some("Role"), Some(name)) => roles
                    .iter()
                    .filter(|role| here(role) && role["metadata"]["name"] == name)
                    .any(|role| allows(role, verb, place)),
                _ => false,
            }
        })
}

fn allows(role: &Value, verb: Verb, place: &Place) -> bool {
    let resource = match &place.sub {
        Some(sub) => format!("{}/{sub}", place.resource),
        None => place.resource.clone(),
    };
    let has = |rule: &Value, list: &str, word: &str| {
        let words = rule[list].as_array().cloned().unwrap_or_default();
        words.iter().any(|known| known == word || known == "*")
    };
    let rules = role["rules"].as_array().cloned().unwrap_or_default();
    rules.iter().any(|rule| {
        has(rule, "apiGroups", &place.group)
            && has(rule, "resources", &resource)
            && has(rule, "verbs", verb.as_str())
    })
}
