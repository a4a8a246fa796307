//! What every command on a cluster begins with: its definition, the doors to AWS, and the guards on
//! account and region before anything happens.

use std::path::PathBuf;

use console::style;

use super::failure::{Exit, Failure};
use super::out::talk;
use super::Global;
use crate::cloud::aws::{Aws, Settings};
use crate::cloud::{Cloud, Identity};
use crate::definition;
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

/// Reads and checks the definition of `name` (or the path that it is).
pub fn define(global: &Global, name: &str) -> Result<Defined, Failure> {
    let path = definition::resolve(name, &global.clusters)?;
    let spec = definition::load(&path)?;
    Ok(Defined { path, spec })
}

/// The stacks that a definition asks for; templates beside it override the built-in ones.
pub fn design(defined: &Defined) -> Result<Vec<Stack>, Failure> {
    let beside = defined.path.parent().map(|parent| parent.join("templates"));
    let templates = Templates::new(beside.as_deref().filter(|dir| dir.is_dir()))
        .map_err(|error| Failure::new(Exit::Definition, error))?;
    stacks::design(&defined.spec, &templates)
        .map_err(|error| Failure::new(Exit::Definition, error))
}

/// Opens the doors for a definition and refuses the wrong account or region.
pub async fn open(global: &Global, name: &str) -> Result<Session, Failure> {
    let defined = define(global, name)?;
    let spec = &defined.spec;
    let (cloud, identity) = connect(global, &spec.region).await?;
    if let Some(account) = spec.account.as_ref().filter(|account| **account != identity.account) {
        return Err(Failure::refused(format!(
            "{} belongs to account {account}, these credentials to {}",
            spec.name, identity.account
        ))
        .help("choose the account's profile with --profile or AWS_PROFILE"));
    }
    Ok(Session { defined, cloud, identity })
}

/// Connects to `region`; refuses when the environment says another one aloud.
pub async fn connect(global: &Global, region: &str) -> Result<(Aws, Identity), Failure> {
    let settings =
        Settings { profile: global.profile.clone(), region: Some(region.to_owned()) };
    let cloud = Aws::connect(&settings).await?;
    if let Some(other) = cloud.environment_region().filter(|other| *other != region) {
        return Err(Failure::refused(format!(
            "the cluster lives in {region}, your AWS settings say {other}"
        ))
        .help(format!("set AWS_REGION={region}, or unset it and the profile's region")));
    }
    let identity = cloud.identity().await?;
    Ok((cloud, identity))
}

impl Session {
    pub fn spec(&self) -> &ClusterSpec {
        &self.defined.spec
    }

    /// Says who is asking and where, before anything happens.
    pub fn introduce(&self) {
        let spec = self.spec();
        let Identity { account, caller, region } = &self.identity;
        talk(&format!(
            "{}  kubernetes {}  {region}  account {account}\ncaller {caller}",
            style(&spec.name).for_stderr().bold(),
            spec.kubernetes
        ));
    }
}
