//! What every command on a cluster begins with: its definition, the door to AWS, and the guards on
//! account and region before anything happens.

use console::style;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::talk;
use crate::cloud::aws::{Aws, Settings};
use crate::cloud::{Cloud, Identity};
use crate::definition::{self, Defined, DefinitionError};
use crate::events::Place;
use crate::spec::ClusterSpec;
use crate::stacks::{self, Stack, StackKind, Versions};
use crate::templates::Templates;

/// A definition together with the account it is for; a rehearsal has a simulated one.
pub struct Session<C = Aws> {
    pub defined: Defined,
    pub cloud: C,
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
    let path = definition::resolve(name, &global.clusters)?;
    Ok(Defined::load(path)?)
}

/// The built-in templates, overridden by those beside the definition.
pub fn templates(defined: &Defined) -> Result<Templates, Failure> {
    let beside = defined.path.parent().map(|parent| parent.join("templates"));
    Templates::new(beside.as_deref().filter(|dir| dir.is_dir())).map_err(not_designed)
}

/// The stacks that a definition asks for.
pub fn design(defined: &Defined) -> Result<Vec<Stack>, Failure> {
    stacks::design(&defined.spec, &templates(defined)?).map_err(not_designed)
}

/// The same, each stack at a Kubernetes version of its own.
pub fn design_at(defined: &Defined, versions: &Versions) -> Result<Vec<Stack>, Failure> {
    stacks::design_at(&defined.spec, versions, &templates(defined)?).map_err(not_designed)
}

/// What came of a definition that no stack or node can be made of.
pub fn not_designed(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Definition, format!("failed to {error}"))
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

/// Names a cluster that may have no definition here.
#[derive(clap::Args)]
pub struct Whom {
    /// Name of the cluster, or the path of its definition
    #[arg(add = super::completions::definitions())]
    name: String,
    /// Region of a cluster that has no definition here
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// What can be said of a cluster without asking AWS.
pub struct Known {
    pub name: String,
    pub account: Option<String>,
    pub region: Option<String>,
}

/// What the definition and the flags say of a cluster, without credentials.
pub fn known(global: &Global, whom: &Whom) -> Result<Known, Failure> {
    let as_said = || Known {
        name: whom.name.clone(),
        account: None,
        region: whom.region.clone(),
    };
    let found = definition::resolve(&whom.name, &global.clusters);
    match found.and_then(|path| definition::load(&path)) {
        Ok(spec)
            if whom
                .region
                .as_ref()
                .is_none_or(|region| *region == spec.region) =>
        {
            Ok(Known {
                name: spec.name,
                account: spec.account,
                region: Some(spec.region),
            })
        }
        Err(error)
            if whom.region.is_none() && !matches!(error, DefinitionError::Unknown { .. }) =>
        {
            Err(error.into())
        }
        Ok(_) | Err(_) => Ok(as_said()),
    }
}

/// Opens the door for a cluster that may have no definition here; then `region` says where it is.
/// Where there is a definition for that region, its guards hold all the same.
pub async fn target(global: &Global, whom: &Whom) -> Result<Target, Failure> {
    let (name, region) = (whom.name.as_str(), whom.region.as_deref());
    let found = definition::resolve(name, &global.clusters);
    let loaded = found.and_then(|path| Ok((definition::load(&path)?, path)));
    let (spec, path) = match (loaded, region) {
        (Ok(defined), None) => defined,
        (Ok(defined), Some(region)) if defined.0.region == region => defined,
        (_, Some(region)) => {
            let (cloud, identity) = connect(global, region).await?;
            return Ok(Target {
                name: name.to_owned(),
                defined: None,
                cloud,
                identity,
            });
        }
        (Err(unknown @ DefinitionError::Unknown { .. }), None) => {
            let hint = "for a cluster without a definition, give its --region";
            return Err(Failure::from(unknown).help(hint));
        }
        (Err(error), None) => return Err(error.into()),
    };
    let (cloud, identity) = enter(global, &spec).await?;
    Ok(Target {
        name: spec.name.clone(),
        defined: Some(Defined { path, spec }),
        cloud,
        identity,
    })
}

/// Enters the account and region of a definition; refuses when the environment says another one.
async fn enter(global: &Global, spec: &ClusterSpec) -> Result<(Aws, Identity), Failure> {
    let region = spec.region.as_str();
    let cloud = door(global, region).await?;
    if let Some(other) = cloud.ambient_region().filter(|other| *other != region) {
        let message = format!(
            "{} lives in {region}, your AWS settings say {other}",
            spec.name
        );
        return Err(Failure::refused(message).help(format!(
            "set AWS_REGION={region}, or choose another --profile"
        )));
    }
    let identity = cloud.identity().await?;
    match &spec.account {
        Some(account) if *account != identity.account => Err(Failure::refused(format!(
            "{} belongs to account {account}, these credentials to {}",
            spec.name, identity.account
        ))
        .help("choose the account's profile with --profile or AWS_PROFILE")),
        _ => Ok((cloud, identity)),
    }
}

/// Connects to a region that somebody named.
pub async fn connect(global: &Global, region: &str) -> Result<(Aws, Identity), Failure> {
    let cloud = door(global, region).await?;
    let identity = cloud.identity().await?;
    Ok((cloud, identity))
}

async fn door(global: &Global, region: &str) -> Result<Aws, Failure> {
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

impl<C> Session<C> {
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

/// Where a resource of a stack, or a property of it, comes from: its line in what `render` writes, and the
/// field of the definition that decides it.
pub fn place(
    defined: &Defined,
    stacks: &[Stack],
    kind: &StackKind,
    logical_id: &str,
    path: Option<&str>,
) -> Option<Place> {
    let stack = stacks.iter().find(|stack| stack.kind == *kind)?;
    let line = stack.line(logical_id)?;
    let field = stack.fields(logical_id, path).into_iter().next();
    Some(Place {
        template: format!("{}.yaml:{line}", stack.name),
        field: field.map(|field| defined.field(&field)),
    })
}

impl Target {
    /// Where a resource comes from, with a definition at hand.
    pub fn places(&self) -> impl Fn(&StackKind, &str, Option<&str>) -> Option<Place> + use<'_> {
        let stacks = self.defined.as_ref().and_then(|one| design(one).ok());
        let stacks = stacks.unwrap_or_default();
        move |kind, id, path| place(self.defined.as_ref()?, &stacks, kind, id, path)
    }

    /// The longest lifetime in seconds of a minted certificate, where there is a definition.
    pub fn max_ttl(&self) -> Option<u64> {
        let spec = &self.defined.as_ref()?.spec;
        Some(spec.access.max_ttl_seconds)
    }

    /// The command that goes on with this cluster.
    pub fn again(&self, verb: &str) -> String {
        let Self { name, identity, .. } = self;
        match self.defined {
            Some(_) => format!("kube-cfn {verb} {name}"),
            None => format!("kube-cfn {verb} {name} --region {}", identity.region),
        }
    }

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
