//! What every command on a cluster begins with: its definition, the door to AWS, and the guards on
//! account and region before anything happens.

use std::path::PathBuf;

use console::style;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::talk;
use crate::cloud::aws::{Aws, Settings};
use crate::cloud::{Cloud, Identity};
use crate::definition::{self, DefinitionError};
use crate::spec::ClusterSpec;
use crate::stacks::{self, Stack};
use crate::templates::Templates;

/// A definition that was read and checked.
pub struct Defined {
    pub path: PathBuf,
    pub spec: ClusterSpec,
}

/// A definition together with the account it is for.
pub struct Session {
    pub defined: Defined,
    pub cloud: Aws,
    pub identity: Identity,
}

/// A cluster in AWS, with its definition where there is one.
pub struct Target {
    pub name: String,
    pub defined: Option<Defined>,
    pub cloud: Aws,
    pub identity: Identity,
}

/// Reads and checks the definition of `name` (or the path that it is).
pub fn define(global: &Global, name: &str) -> Result<Defined, Failure> {
    load(definition::resolve(name, &global.clusters)?)
}

fn load(path: PathBuf) -> Result<Defined, Failure> {
    let spec = definition::load(&path)?;
    Ok(Defined { path, spec })
}

/// The stacks that a definition asks for; templates beside it override the built-in ones.
pub fn design(defined: &Defined) -> Result<Vec<Stack>, Failure> {
    let beside = defined.path.parent().map(|parent| parent.join("templates"));
    let templates = Templates::new(beside.as_deref().filter(|dir| dir.is_dir()))
        .map_err(|error| Failure::new(Exit::Definition, error))?;
    stacks::design(&defined.spec, &templates).map_err(|error| Failure::new(Exit::Definition, error))
}

/// Opens the door for a definition and refuses the wrong account or region.
pub async fn open(global: &Global, name: &str) -> Result<Session, Failure> {
    let defined = define(global, name)?;
    let (cloud, identity) = enter(global, &defined.spec).await?;
    Ok(Session {
        defined,
        cloud,
        identity,
    })
}

/// Opens the door for a cluster that may have no definition here; then `region` says where it is.
pub async fn target(global: &Global, name: &str, region: Option<&str>) -> Result<Target, Failure> {
    let Some(region) = region else {
        let hint = "for a cluster without a definition, give its --region";
        let path = definition::resolve(name, &global.clusters)
            .map_err(|error| Failure::from(error).help(hint))?;
        return defined_target(global, load(path)?).await;
    };
    // A definition of that name and region counts all the same: its guards can't be passed by.
    if let Ok(path) = definition::resolve(name, &global.clusters) {
        let defined = load(path)?;
        if defined.spec.region == region {
            return defined_target(global, defined).await;
        }
    }
    let (cloud, identity) = connect_here(global, region).await?;
    Ok(Target {
        name: name.to_owned(),
        defined: None,
        cloud,
        identity,
    })
}

async fn defined_target(global: &Global, defined: Defined) -> Result<Target, Failure> {
    let (cloud, identity) = enter(global, &defined.spec).await?;
    Ok(Target {
        name: defined.spec.name.clone(),
        defined: Some(defined),
        cloud,
        identity,
    })
}

async fn enter(global: &Global, spec: &ClusterSpec) -> Result<(Aws, Identity), Failure> {
    let (cloud, identity) = connect_here(global, &spec.region).await?;
    match &spec.account {
        Some(account) if *account != identity.account => Err(Failure::refused(format!(
            "{} belongs to account {account}, these credentials to {}",
            spec.name, identity.account
        ))
        .help("choose the account's profile with --profile or AWS_PROFILE")),
        _ => Ok((cloud, identity)),
    }
}

/// Connects to `region`, whatever region the environment says: for looking around.
pub async fn connect(global: &Global, region: &str) -> Result<(Aws, Identity), Failure> {
    let cloud = reach(global, region).await?;
    let identity = cloud.identity().await?;
    Ok((cloud, identity))
}

/// Connects to the one region of a cluster; refuses when the environment says another one aloud.
async fn connect_here(global: &Global, region: &str) -> Result<(Aws, Identity), Failure> {
    let cloud = reach(global, region).await?;
    if let Some(other) = cloud.ambient_region().filter(|other| *other != region) {
        let message = format!("the cluster lives in {region}, your AWS settings say {other}");
        return Err(Failure::refused(message).help(format!(
            "set AWS_REGION={region}, or choose another --profile"
        )));
    }
    let identity = cloud.identity().await?;
    Ok((cloud, identity))
}

async fn reach(global: &Global, region: &str) -> Result<Aws, Failure> {
    let settings = Settings {
        profile: global.profile.clone(),
        region: Some(region.to_owned()),
    };
    Ok(Aws::connect(&settings).await?)
}

/// Says who is asking and where, before anything happens.
fn introduce(first: &str, identity: &Identity) {
    let Identity {
        account,
        caller,
        region,
    } = identity;
    talk(&format!(
        "{first}  {region}  account {account}\ncaller {caller}"
    ));
}

impl Session {
    pub fn spec(&self) -> &ClusterSpec {
        &self.defined.spec
    }

    /// Says who is asking and where.
    pub fn introduce(&self) {
        let ClusterSpec {
            name, kubernetes, ..
        } = self.spec();
        let name = style(name).for_stderr().bold();
        introduce(&format!("{name}  kubernetes {kubernetes}"), &self.identity);
    }
}

impl Target {
    /// Says who is asking and where.
    pub fn introduce(&self) {
        introduce(
            &style(&self.name).for_stderr().bold().to_string(),
            &self.identity,
        );
    }
}

impl From<DefinitionError> for Failure {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Wrong(problems) => Self::of_definition(&problems),
            other => Self::new(Exit::Definition, other),
        }
    }
}
