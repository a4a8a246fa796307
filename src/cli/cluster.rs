//! A cluster in AWS that may have no definition here; `--region` says then where it is.

use super::Global;
use super::api_access::ClusterRef;
use super::error::CommandError;
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
}

/// What the flags and the definition say of a cluster, without credentials.
pub struct ClusterFilter {
    pub name: String,
    pub account: Option<String>,
    pub region: Option<String>,
}

impl ClusterArg {
    /// The region, and the definition where there is one: that of another region is another cluster's.
    fn read(&self, global: &Global) -> Result<(String, Option<Defined>), DefinitionError> {
        let found = definition::resolve(&self.name, &global.clusters).and_then(Defined::load);
        match &self.region {
            None => found.map(|defined| (defined.spec.region.clone(), Some(defined))),
            Some(region) => {
                let defined = found.ok();
                let defined = defined.filter(|defined| defined.spec.region == *region);
                Ok((region.clone(), defined))
            }
        }
    }

    /// What is known without credentials.
    pub fn filter(&self, global: &Global) -> Result<ClusterFilter, CommandError> {
        let defined = match self.read(global) {
            Ok((_, defined)) => defined,
            Err(DefinitionError::Unknown { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(match defined {
            Some(Defined { spec, .. }) => ClusterFilter {
                name: spec.name,
                account: spec.account,
                region: Some(spec.region),
            },
            None => ClusterFilter {
                name: self.name.clone(),
                account: None,
                region: self.region.clone(),
            },
        })
    }

    /// Connects to the account and region of the cluster. The guards of a definition hold where there is one.
    pub async fn open(&self, global: &Global) -> Result<Cluster, CommandError> {
        let (region, defined) = self.read(global).map_err(|error| match error {
            unknown @ DefinitionError::Unknown { .. } => CommandError::from(unknown)
                .help("for a cluster without a definition, give its --region"),
            error => error.into(),
        })?;
        let (cloud, identity) = match &defined {
            Some(defined) => connect_checked(global, &defined.spec).await?,
            None => connect(global, &region).await?,
        };
        let name = defined.as_ref().map(|defined| defined.spec.name.clone());
        Ok(Cluster {
            name: name.unwrap_or_else(|| self.name.clone()),
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
        let Self { name, identity, .. } = self;
        let Identity {
            account, region, ..
        } = identity;
        let message = format!("{name} has no stacks in account {account}, region {region}");
        CommandError::other(message).help(match self.defined {
            Some(_) => format!("create it with `kube-cfn apply {name}`"),
            None => format!("`kube-cfn list --region {region}` shows the clusters there"),
        })
    }

    pub fn print_header(&self) {
        session::print_header(&self.name, "", &self.identity);
    }
}
