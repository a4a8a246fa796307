//! Why access failed, and what to do about it.

use jiff::SignedDuration;
use std::path::PathBuf;

use crate::cloud::{CloudError, Identity};
use crate::pki::PkiError;
use crate::plan::Blocked;

/// What was being done to a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessOperation {
    ReadSecret,
    ReadPlain,
    KeepSecret,
    KeepPlain,
    /// A document of the issuer, in its bucket.
    Publish,
    /// The names and keys of all of them.
    List,
    /// The copy of the authorities in the state bucket.
    ReadCopy,
    KeepCopy,
}

impl AccessOperation {
    fn verb(self) -> &'static str {
        match self {
            Self::ReadSecret | Self::ReadPlain | Self::ReadCopy => "read",
            Self::KeepSecret | Self::KeepPlain | Self::Publish | Self::KeepCopy => "store",
            Self::List => "list the parameters under",
        }
    }

    /// The IAM actions without which it can't be done.
    fn needs(self) -> &'static str {
        match self {
            Self::ReadSecret => "ssm:GetParameter on it and kms:Decrypt on the cluster's key",
            Self::ReadPlain => "ssm:GetParameter on it",
            Self::KeepSecret => "ssm:PutParameter on it and kms:Encrypt on the cluster's key",
            Self::KeepPlain => "ssm:PutParameter on it",
            Self::Publish => "s3:GetObject and s3:PutObject on it",
            Self::List => "ssm:DescribeParameters",
            Self::ReadCopy => "s3:ListBucket, s3:GetObject and kms:Decrypt on the cluster's key",
            Self::KeepCopy => "s3:PutObject on it and kms:GenerateDataKey on the cluster's key",
        }
    }
}

/// Where parameters were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudPlace {
    pub account: String,
    pub region: String,
}

fn place_words(place: Option<&CloudPlace>) -> String {
    match place {
        Some(CloudPlace { account, region }) => format!("account {account}, region {region}"),
        None => "this account and region".to_owned(),
    }
}

/// Why authorities could not be kept or a credential not be handed out.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error(
        "no CA of cluster `{cluster}` in {}: wrong profile? for a living cluster `kube-cfn certs restore {cluster}` \
         puts it back; if it was never created, `kube-cfn plan {cluster}` shows what would be",
        place_words(place.as_ref())
    )]
    NoAuthorities {
        cluster: String,
        place: Option<CloudPlace>,
    },
    /// The authority is not the one that the caller trusts.
    #[error(
        "the CA of cluster `{cluster}` in {} is not the one that this kubeconfig trusts: wrong profile? if the cluster \
         was made again, `kube-cfn kubeconfig {cluster}` writes the entry",
        place_words(place.as_ref())
    )]
    OtherAuthority {
        cluster: String,
        place: Option<CloudPlace>,
    },
    #[error("`{0}` is not a valid cluster name: lower-case letters, digits and dashes only")]
    ClusterName(String),
    /// IAM said no.
    #[error(
        "no permission to {} {name}: {says}; IAM decides who may: this takes {}",
        doing.verb(), doing.needs()
    )]
    Denied {
        doing: AccessOperation,
        name: String,
        says: String,
    },
    #[error("failed to {} {name}: {source}", doing.verb())]
    Cloud {
        doing: AccessOperation,
        name: String,
        source: CloudError,
    },
    #[error("what is stored as {name} can't be used: {source}")]
    Stored { name: String, source: PkiError },
    /// The plain copy tells of another authority than the secret: left over from a deleted cluster,
    /// or changed by a person. Nodes would trust the wrong one, so this is never decided silently.
    #[error("{name} does not belong to {secret}: {next}")]
    Foreign {
        name: String,
        secret: String,
        /// What to do about it.
        next: String,
    },
    /// Parameters of a living cluster are missing, or some lie under a key that is not the cluster's.
    #[error("{}; {}", .0.reason, .0.remedy)]
    Refused(Blocked),
    #[error("the copy of the authorities s3://{bucket}/{key} can't be used: {why}")]
    Copy {
        bucket: String,
        key: &'static str,
        why: String,
    },
    #[error("{0} was stored a moment ago and now can't be read: run again")]
    Vanished(String),
    #[error("failed to issue a credential: {0}")]
    Issue(#[source] PkiError),
    #[error(
        "a lifetime of {asked:#} is more than the {most:#} that the definition allows; \
         ask for less, or raise access.maxTtl there"
    )]
    TooLong {
        asked: SignedDuration,
        most: SignedDuration,
    },
    #[error("failed to keep the credential in {}: {source}", path.display())]
    Cache {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the base stack has no output {0}, which the cluster's authorities need")]
    NoOutput(&'static str),
    #[error("no cache directory: {0}; set HOME or XDG_CACHE_HOME")]
    NoCacheDirectory(String),
}

impl AccessError {
    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Cloud { source, .. } => source.is_transient(),
            Self::Vanished(_) => true,
            _ => false,
        }
    }

    /// Of a cluster without authorities; [`in_place`](Self::in_place) adds where.
    pub(super) fn no_authorities(cluster: &str) -> Self {
        Self::NoAuthorities {
            cluster: cluster.to_owned(),
            place: None,
        }
    }

    /// Says where one looked, in what depends on it.
    #[must_use]
    pub fn in_place(self, identity: &Identity) -> Self {
        let here = Some(CloudPlace {
            account: identity.account.clone(),
            region: identity.region.clone(),
        });
        match self {
            Self::NoAuthorities { cluster, .. } => Self::NoAuthorities {
                cluster,
                place: here,
            },
            Self::OtherAuthority { cluster, .. } => Self::OtherAuthority {
                cluster,
                place: here,
            },
            other => other,
        }
    }

    /// Whether it depends on account and region.
    pub fn depends_on_place(&self) -> bool {
        matches!(
            self,
            Self::NoAuthorities { .. } | Self::OtherAuthority { .. }
        )
    }

    pub(super) fn cloud(doing: AccessOperation, name: &str, source: CloudError) -> Self {
        let name = name.to_owned();
        match source {
            CloudError::Denied { caller_may_not, .. } => Self::Denied {
                doing,
                name,
                says: caller_may_not,
            },
            source => Self::Cloud {
                doing,
                name,
                source,
            },
        }
    }
}
