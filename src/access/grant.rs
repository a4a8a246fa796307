//! Access for a CI: a right in one namespace and a certificate of the cluster's own signer. The key is
//! made here and handed back, and kept nowhere.

use jiff::Timestamp;
use secrecy::SecretString;

use crate::common::digest;
use crate::kube::{
    Api, Binding, ClientLogin, Connection, IssuedCertificate, KubeError, NamespaceRole,
    PodSecurity, reserved,
};
use crate::pki::{PkiError, SigningRequest};

/// The group of every such user. Nothing is bound to it; audit logs find them by it.
const GROUP: &str = "kube-cfn:ci";
/// The longest name: it becomes part of a label's value, which has 63 characters.
const LONGEST: usize = 40;
/// The longest name of a namespace.
const LONGEST_NAMESPACE: usize = 63;
/// A signer that gives this many seconds less than asked for has shortened the lifetime.
const TOLERANCE: i64 = 600;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Names the CI: lower-case letters, digits and dashes.
    pub who: String,
    pub namespace: String,
    pub role: NamespaceRole,
    /// Lifetime of the certificate in seconds.
    pub seconds: i32,
    /// Who asks, for the record.
    pub by: String,
    pub absent: AbsentNamespace,
    pub unconfined: UnconfinedPods,
}

/// What happens where there is no such namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentNamespace {
    Refuse,
    Create,
}

/// What happens where the role starts pods, and nothing is known to keep them from their machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnconfinedPods {
    Refuse,
    Allow,
}

/// What was handed out.
#[derive(Debug)]
pub struct GrantResult {
    pub certificate_pem: String,
    /// PKCS#8 PEM.
    pub key: SecretString,
    pub issued: IssuedCertificate,
    /// Whether the cluster's signer gave less time than was asked for.
    pub shortened: bool,
    /// Earlier certificates of the same name and namespace that are still valid.
    pub earlier: Vec<IssuedCertificate>,
    /// The role that this one took the place of.
    pub replaced: Option<NamespaceRole>,
    /// What confines the pods of the namespace; `None` for a role that starts none.
    pub pod_security: Option<PodSecurity>,
}

/// Why nothing was granted.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    #[error("`{0}` is not a valid user name: lower-case letters, digits and dashes, 40 at most")]
    Name(String),
    #[error(
        "there is no namespace {0}; name one that is there, or make it with --create-namespace"
    )]
    NoNamespace(String),
    #[error(
        "`{0}` is not a valid namespace: up to 63 lower-case letters, digits and dashes, a letter or digit \
         first and last"
    )]
    Namespace(String),
    #[error("no grant in the namespace {namespace}: {reason}")]
    Reserved {
        namespace: String,
        reason: &'static str,
    },
    #[error(
        "pods in namespace {namespace} are not known to be kept from their machine: {found}. A {role} could \
         start a privileged pod on any machine, the control plane's included, and read the keys of the cluster"
    )]
    Unconfined {
        namespace: String,
        role: NamespaceRole,
        found: PodSecurity,
    },
    #[error("{0}")]
    Kube(#[from] KubeError),
    #[error("failed to make the key or the request: {0}")]
    Pki(#[from] PkiError),
    #[error("the certificate was signed for {wanted}, but the API authenticates it as {found}")]
    Somebody { wanted: String, found: String },
}

/// Has a certificate signed, tries it, and binds the role. In this order a run that is cut leaves no
/// right behind that is not recorded: without the key, which ends with the run, a certificate is
/// of no use.
pub async fn grant(
    connection: &Connection,
    wish: &Grant,
    now: Timestamp,
) -> Result<GrantResult, GrantError> {
    check_name(&wish.who)?;
    check_namespace(&wish.namespace)?;
    let api = Api::connect(connection)?;
    let pod_security = ensure_namespace(&api, wish).await?;
    let user = Binding::user(&wish.who);
    let request = SigningRequest::new(&user, GROUP)?;
    let name = request_name(&wish.who, &request);
    let signed = api.sign(&name, request.pem(), wish.seconds).await?;
    let facts = request.accept(&signed.certificate_pem)?;
    let login = ClientLogin {
        certificate_pem: signed.certificate_pem,
        key: request.key(),
    };
    try_out(connection, &login, &user).await?;

    let issued = IssuedCertificate {
        serial: facts.serial,
        issued: now,
        expires: facts.expires,
        by: wish.by.clone(),
    };
    let (earlier, replaced) = bind(&api, wish, &issued, now).await?;
    let left = issued.expires.duration_since(now).as_secs();
    Ok(GrantResult {
        certificate_pem: login.certificate_pem,
        key: login.key,
        shortened: left + TOLERANCE < i64::from(wish.seconds),
        issued,
        earlier,
        replaced,
        pod_security,
    })
}

/// Makes the namespace where that is wanted; refuses one whose pods reach their machine. Returns what confines
/// them, for a role that starts pods.
async fn ensure_namespace(api: &Api, wish: &Grant) -> Result<Option<PodSecurity>, GrantError> {
    let name = &wish.namespace;
    let found = match (api.namespace_labels(name).await?, wish.absent) {
        (None, AbsentNamespace::Refuse) => return Err(GrantError::NoNamespace(name.clone())),
        (None, AbsentNamespace::Create) => api.make_namespace(name).await?,
        (Some(_), _) if !wish.role.starts_pods() => return Ok(None),
        (Some(labels), _) => PodSecurity::of_labels(&labels),
    };
    if !wish.role.starts_pods() {
        return Ok(None);
    }
    match wish.unconfined {
        UnconfinedPods::Refuse if !found.confines_pods() => Err(GrantError::Unconfined {
            namespace: name.clone(),
            role: wish.role,
            found,
        }),
        UnconfinedPods::Refuse | UnconfinedPods::Allow => Ok(Some(found)),
    }
}

/// The API must take the bearer for whom they were meant to be.
async fn try_out(
    connection: &Connection,
    login: &ClientLogin,
    user: &str,
) -> Result<(), GrantError> {
    let own = Connection {
        login: Some(login.clone()),
        ..connection.clone()
    };
    let known = Api::connect(&own)?.whoami().await?;
    if known.user == user {
        return Ok(());
    }
    Err(GrantError::Somebody {
        wanted: user.to_owned(),
        found: known.user,
    })
}

/// Binds the role and records the certificate; returns the earlier ones that still live, and the
/// role that was bound before.
async fn bind(
    api: &Api,
    wish: &Grant,
    issued: &IssuedCertificate,
    now: Timestamp,
) -> Result<(Vec<IssuedCertificate>, Option<NamespaceRole>), GrantError> {
    let found = api.bindings(Some(&wish.who), Some(&wish.namespace)).await?;
    let before = found.into_iter().next();
    let replaced = before.as_ref().and_then(|before| before.role);
    let replaced = replaced.filter(|role| *role != wish.role);
    let mut certificates = before
        .as_ref()
        .map_or_else(Vec::new, |b| b.certificates.clone());
    certificates.retain(|one| one.expires > now);
    let earlier = certificates.clone();
    certificates.push(issued.clone());
    // A binding's role can't be changed; without a record it is not known which one it has.
    if let Some(before) = before.filter(|before| before.role != Some(wish.role)) {
        api.unbind(&before).await?;
    }
    let binding = Binding {
        who: wish.who.clone(),
        namespace: wish.namespace.clone(),
        role: Some(wish.role),
        certificates,
    };
    api.bind(&binding, wish.role).await?;
    Ok((earlier, replaced))
}

/// Lower-case letters, digits and dashes, not at its ends: the name becomes part of a label and of a user.
pub fn check_name(who: &str) -> Result<(), GrantError> {
    if is_label(who, LONGEST) {
        return Ok(());
    }
    Err(GrantError::Name(escaped(who)))
}

/// A namespace of users: its name is one that Kubernetes takes, and it is not the cluster's own.
pub fn check_namespace(name: &str) -> Result<(), GrantError> {
    if !is_label(name, LONGEST_NAMESPACE) {
        return Err(GrantError::Namespace(escaped(name)));
    }
    match reserved(name) {
        None => Ok(()),
        Some(reason) => Err(GrantError::Reserved {
            namespace: name.to_owned(),
            reason,
        }),
    }
}

/// A DNS label (RFC 1123) of at most so many characters.
fn is_label(text: &str, longest: usize) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.len() <= longest
        && text.chars().all(fits)
        && !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Text that can be shown whatever it holds.
fn escaped(text: &str) -> String {
    text.chars().flat_map(char::escape_default).collect()
}

/// A name that no other request has: it carries a part of the request's hash.
fn request_name(who: &str, request: &SigningRequest) -> String {
    let hash: String = digest::sha256(request.pem()).chars().take(10).collect();
    format!("kube-cfn-ci-{who}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grant_name_fits_label_and_user() {
        for name in ["ci", "github-actions", "a1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(41);
        for name in ["", "-ci", "ci-", "CI", "a:b", "a b", &long] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn grant_in_a_namespace_of_the_cluster_is_refused_with_the_reason() {
        let error = check_namespace("kube-system").unwrap_err().to_string();
        assert!(
            error.contains("administrator of the whole cluster"),
            "{error}"
        );
        for name in ["kube-public", "kube-node-lease", "kube-cfn"] {
            let error = check_namespace(name).unwrap_err();
            assert!(matches!(error, GrantError::Reserved { .. }), "{error}");
        }
        for name in ["web", "default", "a", &"x".repeat(63)] {
            assert!(check_namespace(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "Web",
            "web/../kube-system",
            "-web",
            "a b",
            &"x".repeat(64),
        ] {
            let error = check_namespace(name).unwrap_err();
            assert!(matches!(error, GrantError::Namespace(_)), "{error}");
        }
    }
}
