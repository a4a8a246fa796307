//! Where the authorities of a cluster lie in the SSM parameter store.
//! The paths are IAM's seams: `cp/` is for control-plane nodes and issuers, `pub/` for workers too.

use super::AccessError;
use crate::pki::Authority;
use crate::stacks::parameter_path;

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

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
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
