//! Access to a cluster: its authorities in the parameter store, and credentials issued by them.
//! Joins `pki` with the cloud's store; must not know CloudFormation, the screen or the definition file.
//!
//! IAM decides who may issue: everyone who may read the Kubernetes authority's parameter and decrypt with
//! the cluster's KMS key. kube-cfn adds no permission system of its own.

mod cache;
pub mod copy;
mod ensure;
mod error;
mod exec;
mod grant;
mod identity;
mod inventory;
mod issue;
mod issuer;
mod names;
mod provide;
pub mod restore;
#[cfg(test)]
mod tests;

pub use cache::{Cache, CacheKey};
pub use ensure::{EnsuredAuthorities, ensure_authorities};
pub use error::AccessError;
pub use exec::authority_of_exec_info;
pub use grant::{
    AbsentNamespace, Grant, GrantError, GrantResult, UnconfinedPods, check_name, check_namespace,
    grant,
};
pub use identity::{ADMINS, BOUND_GROUPS, BoundGroup, SystemIdentity, system_identity, unbound};
pub use inventory::{ClusterLife, ClusterStacks, Inventory, inventory};
pub use issue::{
    CertificateRequest, Credential, LifetimeLimits, authorities, authority_certificate, credential,
    issue,
};
pub use issuer::{IssuerDocuments, issuer_documents, publish_issuer, wanted_issuer_documents};
pub use names::{AuthorityParameter, ParameterNames};
pub use provide::{Provided, provide_authorities};
