//! Where the authorities of a cluster lie in the SSM parameter store.
//! The paths are IAM's seams: `cp/` is for control-plane nodes and issuers, `pub/` for workers too.

use super::AccessError;
use crate::pki::Authority;
use crate::stacks::parameter_path;

/// Where the parameters of a cluster are, in words.
pub(super) fn place(cluster: &str) -> String {
    format!("the parameters under {}/", parameter_path(cluster))
}

/// One of the nine parameters that make up a cluster's authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityParameter {
    /// Its full name.
    pub name: String,
    /// The same below the cluster's path, such as `cp/ca.key`.
    pub short: String,
    /// Whether it is stored under the cluster's key.
    pub is_secret: bool,
    /// The files of a control-plane node that together hold the same text.
    pub node_files: &'static [&'static str],
}

/// The parameter names of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterNames {
    root: String,
}

impl ParameterNames {
    /// The names for `cluster`: lower-case letters, digits and dashes, since it becomes part of paths.
    pub fn of(cluster: &str) -> Result<Self, AccessError> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if cluster.is_empty() || !cluster.chars().all(fits) {
            return Err(AccessError::ClusterName(
                cluster.chars().flat_map(char::escape_default).collect(),
            ));
        }
        Ok(Self {
            root: parameter_path(cluster),
        })
    }

    /// The secret of an authority: its key and, behind it, its certificate.
    pub fn secret(&self, authority: Authority) -> String {
        match authority {
            Authority::Kubernetes => self.name("cp/ca.key"),
            Authority::Etcd => self.name("cp/etcd-ca.key"),
            Authority::FrontProxy => self.name("cp/front-proxy-ca.key"),
        }
    }

    /// The plain copy of an authority's certificate. Workers read the first one only.
    pub fn certificate(&self, authority: Authority) -> String {
        match authority {
            Authority::Kubernetes => self.name("pub/ca.crt"),
            Authority::Etcd => self.name("cp/etcd-ca.crt"),
            Authority::FrontProxy => self.name("cp/front-proxy-ca.crt"),
        }
    }

    /// The secret key that signs service-account tokens.
    pub fn service_account_key(&self) -> String {
        self.name("cp/sa.key")
    }

    /// Its public half, plain.
    pub fn service_account_public(&self) -> String {
        self.name("cp/sa.pub")
    }

    /// What API servers encrypt with before etcd keeps it: their whole configuration file.
    pub fn encryption(&self) -> String {
        self.name("cp/encryption.yaml")
    }

    /// All nine, secrets first.
    pub fn all(&self) -> Vec<AuthorityParameter> {
        let secrets = Authority::ALL.map(|role| (self.secret(role), true, secret_files(role)));
        let plain =
            Authority::ALL.map(|role| (self.certificate(role), false, certificate_files(role)));
        let others = [
            (
                self.encryption(),
                true,
                &["/etc/kube-cfn/apiserver/encryption.yaml"][..],
            ),
            (
                self.service_account_key(),
                true,
                &["/etc/kubernetes/pki/sa.key"][..],
            ),
            (
                self.service_account_public(),
                false,
                &["/etc/kubernetes/pki/sa.pub"][..],
            ),
        ];
        let mut all: Vec<_> = secrets.into_iter().chain(plain).chain(others).collect();
        all.sort_by_key(|(_, is_secret, _)| !is_secret);
        let parameter = |(name, is_secret, node_files): (String, bool, _)| AuthorityParameter {
            short: self.short(&name).to_owned(),
            name,
            is_secret,
            node_files,
        };
        all.into_iter().map(parameter).collect()
    }

    /// Says that all members of etcd have served once; a control-plane node writes it.
    pub fn etcd_initialized(&self) -> String {
        self.name("state/etcd-initialized")
    }

    /// The path that all of them are under, without a slash at its end.
    pub fn root(&self) -> &str {
        &self.root
    }

    fn short<'a>(&self, name: &'a str) -> &'a str {
        let rest = name.strip_prefix(&self.root);
        rest.map_or(name, |rest| rest.trim_start_matches('/'))
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }
}

/// As templates/node/lib/control-plane.sh writes them.
fn secret_files(role: Authority) -> &'static [&'static str] {
    match role {
        Authority::Kubernetes => &["/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/ca.crt"],
        Authority::Etcd => &[
            "/etc/kubernetes/pki/etcd/ca.key",
            "/etc/kubernetes/pki/etcd/ca.crt",
        ],
        Authority::FrontProxy => &[
            "/etc/kubernetes/pki/front-proxy-ca.key",
            "/etc/kubernetes/pki/front-proxy-ca.crt",
        ],
    }
}

fn certificate_files(role: Authority) -> &'static [&'static str] {
    match role {
        Authority::Kubernetes => &["/etc/kubernetes/pki/ca.crt"],
        Authority::Etcd => &["/etc/kubernetes/pki/etcd/ca.crt"],
        Authority::FrontProxy => &["/etc/kubernetes/pki/front-proxy-ca.crt"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_name_outside_its_path_is_refused() {
        for name in ["", "..", "a/b", "Canary", "a b", "ä"] {
            assert!(ParameterNames::of(name).is_err(), "{name}");
        }
        let names = ParameterNames::of("canary-2").unwrap();
        assert_eq!(
            names.secret(Authority::Kubernetes),
            "/kube-cfn/canary-2/cp/ca.key"
        );
        assert_eq!(
            names.certificate(Authority::Kubernetes),
            "/kube-cfn/canary-2/pub/ca.crt"
        );
    }
}
