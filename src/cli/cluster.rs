//! A cluster in AWS that may have no definition here; `--region` says then where it is.

use super::Global;
use super::api_access::ClusterRef;
use super::error::CommandError;
use super::guard::{self, PlaceGuard};
use super::session::{self, connect, connect_checked};
use crate::cloud::Identity;
use crate::cloud::aws::Aws;
use crate::definition::{self, Defined, DefinitionError};
use crate::events::Place;
use crate::stacks::StackKind;

/// Names a cluster that may have no definition here.
#[derive(clap::Args)]
pub struct ClusterArg {
    /// Name of the cluster, or the path of its definition
    #[arg(add = super::completions::definitions())]
    name: String,
    /// Region of a cluster that has no definition here
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// A cluster in AWS, with its definition where there is one.
pub struct Cluster {
    pub name: String,
    pub defined: Option<Defined>,
    pub cloud: Aws,
    pub identity: Identity,
    /// Whether a file names this account and region as the cluster's.
    pub is_confirmed: bool,
}

/// What the flags and the definition say of a cluster, without credentials.
pub struct ClusterFilter {
    pub name: String,
    pub account: Option<String>,
    pub region: Option<String>,
}

/// What the files say of a cluster.
struct NamedCluster {
    region: String,
    defined: Option<Defined>,
    guard: PlaceGuard,
}

impl ClusterArg {
    /// The region, the definition where there is one that can be used, and where the cluster belongs.
    fn read(&self, global: &Global) -> Result<NamedCluster, CommandError> {
        let found = definition::resolve(&self.name, &global.clusters).and_then(Defined::load);
        let (region, defined) = match (&self.region, found) {
            (Some(region), found) => (region.clone(), found.ok()),
            (None, Ok(defined)) => (defined.spec.region.clone(), Some(defined)),
            (None, Err(unknown @ DefinitionError::Unknown { .. })) => {
                return Err(CommandError::from(unknown)
                    .help("for a cluster without a definition, give its --region"));
            }
            (None, Err(error)) => return Err(error.into()),
        };
        let guard = match &defined {
            Some(defined) => PlaceGuard::of(defined)?,
            None => PlaceGuard::of_name(global, &self.name)?,
        };
        guard.check_region(&region)?;
        Ok(NamedCluster {
            region,
            defined,
            guard,
        })
    }

    /// What is known without credentials. A name alone is enough.
    pub fn filter(&self, global: &Global) -> Result<ClusterFilter, CommandError> {
        let found = definition::resolve(&self.name, &global.clusters);
        if self.region.is_none() && matches!(found, Err(DefinitionError::Unknown { .. })) {
            let guard = PlaceGuard::of_name(global, &self.name)?;
            return Ok(ClusterFilter {
                name: self.name.clone(),
                account: guard.account().map(str::to_owned),
                region: guard.region().map(str::to_owned),
            });
        }
        let NamedCluster {
            region,
            defined,
            guard,
        } = self.read(global)?;
        Ok(ClusterFilter {
            name: defined.map_or_else(|| self.name.clone(), |defined| defined.spec.name),
            account: guard.account().map(str::to_owned),
            region: Some(region),
        })
    }

    /// Connects to the account and region of the cluster; refuses others, by the definition and the lock file.
    pub async fn open(&self, global: &Global) -> Result<Cluster, CommandError> {
        let NamedCluster {
            region,
            defined,
            guard,
        } = self.read(global)?;
        let (cloud, identity) = match &defined {
            Some(defined) if self.region.is_none() => connect_checked(global, defined).await?,
            Some(_) | None => connect(global, &region, &guard).await?,
        };
        let name = defined.as_ref().map(|defined| defined.spec.name.clone());
        Ok(Cluster {
            name: name.unwrap_or_else(|| self.name.clone()),
            is_confirmed: guard.confirms(&identity),
            defined,
            cloud,
            identity,
        })
    }
}

impl Cluster {
    /// Where a resource comes from, with a definition at hand.
    pub fn places(&self) -> impl Fn(&StackKind, &str, Option<&str>) -> Option<Place> + use<'_> {
        let defined = self.defined.as_ref();
        let stacks = defined.and_then(|one| session::design(one).ok());
        let stacks = stacks.unwrap_or_default();
        move |kind, id, path| session::place(defined?, &stacks, kind, id, path)
    }

    /// The cluster as its API is reached.
    pub fn api(&self) -> ClusterRef<'_, Aws> {
        let spec = self.defined.as_ref().map(|defined| &defined.spec);
        ClusterRef {
            name: &self.name,
            cloud: &self.cloud,
            identity: &self.identity,
            max_ttl: spec.map(|spec| spec.access.max_ttl_seconds),
            is_defined: self.defined.is_some(),
        }
    }

    /// A command on this cluster.
    pub fn command(&self, verb: &str) -> String {
        let Self { name, identity, .. } = self;
        match self.defined {
            Some(_) => format!("kube-cfn {verb} {name}"),
            None => format!("kube-cfn {verb} {name} --region {}", identity.region),
        }
    }

    /// The error of a command on stacks, where there are none.
    pub fn no_stacks(&self) -> CommandError {
        self.not_found(&format!("{} has no stacks", self.name))
    }

    /// The error of a command that needs more of the cluster than there is.
    pub fn missing(&self, what: &str) -> CommandError {
        let Identity {
            account, region, ..
        } = &self.identity;
        let message = format!("{what} in account {account}, region {region}");
        CommandError::other(message).help(format!(
            "`{}` shows what there is of it",
            self.command("status")
        ))
    }

    /// The error of a command that does not find what it needs.
    pub fn not_found(&self, what: &str) -> CommandError {
        guard::not_found(what, &self.identity, self.defined.is_some(), &self.name)
    }

    pub fn print_header(&self) {
        session::print_header(&self.name, "", &self.identity);
    }
}
