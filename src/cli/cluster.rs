//! A cluster in AWS that may have no definition here; `--region` says then where it is.

use super::Global;
use super::api_access::ClusterRef;
use super::error::CommandError;
use super::guard::{self, FoundPlace, PlaceGuard};
use super::left::Gone;
use super::session::{self, connect, connect_checked};
use crate::cloud::aws::Aws;
use crate::cloud::{Identity, VersionedParameters};
use crate::definition::{self, Defined, DefinitionError};
use crate::events::Place;
use crate::operation;
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
    /// The file that names this account and region as the cluster's, in words.
    pub confirmed_by: Option<&'static str>,
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
            confirmed_by: guard.confirms(&identity),
            defined,
            cloud,
            identity,
        })
    }
}

/// A cluster as it is named to a command: one without a definition here with its region.
pub fn argument(name: &str, identity: &Identity, is_defined: bool) -> String {
    if is_defined {
        name.to_owned()
    } else {
        format!("{name} --region {}", identity.region)
    }
}

/// The error of a command on stacks, where there are none: a run that has just begun has none yet.
pub async fn no_stacks(
    cloud: &impl VersionedParameters,
    name: &str,
    place: &FoundPlace<'_>,
) -> CommandError {
    let nothing = format!("{name} has no stacks");
    match operation::read(cloud, name).await {
        Ok(Some(holder)) => {
            let argument = argument(name, place.identity, place.is_defined);
            CommandError::other(format!("{nothing}: {holder} holds the operation lock"))
                .help(format!("`kube-cfn watch {argument}` follows it"))
        }
        Ok(None) | Err(_) => stacks_not_found(name, place),
    }
}

/// A cluster without stacks, where nobody has looked: what they left may be there.
pub fn stacks_not_found(name: &str, place: &FoundPlace<'_>) -> CommandError {
    without_stacks(&format!("{name} has no stacks"), name, place)
}

fn without_stacks(what: &str, name: &str, place: &FoundPlace<'_>) -> CommandError {
    let argument = argument(name, place.identity, place.is_defined);
    guard::not_found(what, place, name).more_help(format!(
        "`kube-cfn status {argument}` shows what its stacks may have left"
    ))
}

impl Cluster {
    /// Where a resource comes from, with a definition at hand.
    pub fn places(&self) -> impl Fn(&StackKind, &str, Option<&str>) -> Option<Place> + use<'_> {
        let defined = self.defined.as_ref();
        let stacks = defined.and_then(|one| session::design(one).ok());
        let stacks = stacks.unwrap_or_default();
        move |kind, id, path| session::place(defined?, &stacks, kind, id, path)
    }

    fn place(&self) -> FoundPlace<'_> {
        FoundPlace {
            identity: &self.identity,
            confirmed_by: self.confirmed_by,
            is_defined: self.defined.is_some(),
        }
    }

    /// The cluster as its API is reached.
    pub fn api(&self) -> ClusterRef<'_, Aws> {
        let spec = self.defined.as_ref().map(|defined| &defined.spec);
        ClusterRef {
            name: &self.name,
            cloud: &self.cloud,
            identity: &self.identity,
            max_ttl: spec.map(|spec| spec.access.max_ttl_seconds),
            confirmed_by: self.confirmed_by,
            is_defined: self.defined.is_some(),
        }
    }

    /// A command on this cluster.
    pub fn command(&self, verb: &str) -> String {
        format!("kube-cfn {verb} {}", self.argument())
    }

    /// The cluster as it is named to a command.
    pub fn argument(&self) -> String {
        argument(&self.name, &self.identity, self.defined.is_some())
    }

    /// How more of it can be looked at.
    pub fn look_closer(&self) -> &'static str {
        if self.defined.is_some() {
            "with --server the API is asked at the end of a tunnel"
        } else {
            "--clusters names the directory of its definition; with --server the API is asked at the end of a tunnel"
        }
    }

    /// The error of a command on stacks, where there are none.
    pub async fn no_stacks(&self) -> CommandError {
        no_stacks(&self.cloud, &self.name, &self.place()).await
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

    /// The cluster, where it has no stack; `argument` is how it is named to a command.
    pub fn gone<'a>(&'a self, argument: &'a str) -> Gone<'a> {
        Gone {
            cloud: &self.cloud,
            name: &self.name,
            identity: &self.identity,
            argument,
        }
    }

    /// The error of a command that finds no stack, and has not looked for what they left.
    pub fn without_stacks(&self, what: &str) -> CommandError {
        without_stacks(what, &self.name, &self.place())
    }

    /// The error of a command that does not find what it needs.
    pub fn not_found(&self, what: &str) -> CommandError {
        guard::not_found(what, &self.place(), &self.name)
    }

    pub fn print_header(&self) {
        session::print_header(&self.name, "", &self.identity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_cluster_without_stacks_is_shown_by_status() {
        let identity = Identity {
            account: "123456789012".to_owned(),
            caller: "arn".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let help = |is_defined| {
            let place = FoundPlace {
                identity: &identity,
                confirmed_by: None,
                is_defined,
            };
            format!("{:?}", stacks_not_found("canary", &place))
        };
        assert!(help(true).contains("; `kube-cfn status canary` shows"));
        assert!(help(true).contains("`kube-cfn plan canary` shows"));
        let named = help(false);
        assert!(
            named.contains("`kube-cfn status canary --region eu-west-1`"),
            "{named}"
        );
        assert!(
            named.contains("`kube-cfn list --region eu-west-1`"),
            "{named}"
        );
    }
}
