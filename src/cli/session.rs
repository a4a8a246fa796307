//! The start of every command on a definition: reads it, connects to AWS, and checks account and region
//! before anything happens.

use console::Style;
use std::path::{Path, PathBuf};

use super::Global;
use super::api_access::ClusterRef;
use super::cluster;
use super::error::{CommandError, Exit};
use super::guard::{self, FoundPlace, PlaceGuard};
use super::out::eprint;
use crate::cloud::aws::{Aws, Settings};
use crate::cloud::{Cloud, Identity, VersionedParameters};
use crate::common::terminal::paint;
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

/// Refuses a directory of definitions that is not there: what is listed from it would be nothing.
pub fn require_clusters(global: &Global) -> Result<(), CommandError> {
    if global.clusters.is_dir() {
        return Ok(());
    }
    let message = format!("there is no directory {}", global.clusters.display());
    Err(CommandError::new(Exit::Definition, message)
        .help("go where it is, or name it with --clusters"))
}

/// Reads and checks the definition of `name` (or the path that it is).
pub fn load_definition(global: &Global, name: &str) -> Result<Defined, CommandError> {
    let path = definition::resolve(name, &global.clusters)?;
    Ok(Defined::load(path)?)
}

/// The built-in templates, overridden by those beside the definition.
pub fn templates(defined: &Defined) -> Result<Templates, CommandError> {
    let beside = override_directory(defined);
    Templates::new(
        Some(&beside)
            .filter(|dir| dir.is_dir())
            .map(PathBuf::as_path),
    )
    .map_err(design_error)
}

/// Where the templates beside a definition are, if there are any.
pub fn override_directory(defined: &Defined) -> PathBuf {
    let parent = defined.path.parent().unwrap_or(Path::new(""));
    parent.join("templates")
}

/// The stacks that a definition asks for.
pub fn design(defined: &Defined) -> Result<Vec<Stack>, CommandError> {
    stacks::design(&defined.spec, &templates(defined)?).map_err(design_error)
}

/// The same from the built-in templates alone.
pub fn own_design(defined: &Defined) -> Result<Vec<Stack>, CommandError> {
    let templates = Templates::new(None).map_err(design_error)?;
    stacks::design(&defined.spec, &templates).map_err(design_error)
}

/// The same as [`design`], with each stack at its own Kubernetes version.
pub fn design_at(defined: &Defined, versions: &Versions) -> Result<Vec<Stack>, CommandError> {
    stacks::design_at(&defined.spec, versions, &templates(defined)?).map_err(design_error)
}

/// Why the stacks or nodes of a definition can't be rendered.
pub fn design_error(error: impl std::fmt::Display) -> CommandError {
    CommandError::new(Exit::Definition, format!("failed to {error}"))
}

/// Opens a definition with its account; refuses the wrong account or region.
pub async fn open(global: &Global, name: &str) -> Result<Session, CommandError> {
    let defined = load_definition(global, name)?;
    let (cloud, identity) = connect_checked(global, &defined).await?;
    Ok(Session {
        defined,
        cloud,
        identity,
    })
}

/// Connects to the account and region of a definition; refuses when the environment names another region.
pub async fn connect_checked(
    global: &Global,
    defined: &Defined,
) -> Result<(Aws, Identity), CommandError> {
    let ClusterSpec { name, region, .. } = &defined.spec;
    let guard = PlaceGuard::of(defined)?;
    let cloud = aws(global, region).await?;
    if let Some(other) = cloud.ambient_region().filter(|other| *other != region) {
        let message = format!("{name} is in {region}, but your AWS settings say {other}");
        return Err(CommandError::refused(message).help(format!(
            "set AWS_REGION={region}, or choose another --profile"
        )));
    }
    checked(cloud, &guard).await
}

/// Connects to a region, whatever the environment says; refuses what the guard does not allow.
pub async fn connect(
    global: &Global,
    region: &str,
    guard: &PlaceGuard,
) -> Result<(Aws, Identity), CommandError> {
    guard.check_region(region)?;
    checked(aws(global, region).await?, guard).await
}

async fn checked(cloud: Aws, guard: &PlaceGuard) -> Result<(Aws, Identity), CommandError> {
    let identity = cloud.identity().await?;
    guard.check(&identity)?;
    Ok((cloud, identity))
}

/// The client of a region. Asks AWS nothing.
pub async fn aws(global: &Global, region: &str) -> Result<Aws, CommandError> {
    let settings = Settings {
        profile: global.profile.clone(),
        region: Some(region.to_owned()),
    };
    Ok(Aws::connect(&settings).await?)
}

/// Prints the cluster, the account and the caller, before anything happens.
pub fn print_header(name: &str, details: &str, identity: &Identity) {
    let Identity {
        account,
        caller,
        region,
    } = identity;
    let name = paint(&Style::new().for_stderr().bold(), name);
    eprint(&format!(
        "{name}{details}  {region}  account {account}\ncaller {caller}"
    ));
}

impl<C> Session<C> {
    pub fn spec(&self) -> &ClusterSpec {
        &self.defined.spec
    }

    /// The error of a command on stacks, where there are none.
    pub async fn no_stacks(&self) -> CommandError
    where
        C: VersionedParameters,
    {
        cluster::no_stacks(&self.cloud, &self.spec().name, &self.place()).await
    }

    /// The error of a command that does not find what it needs.
    pub fn not_found(&self, what: &str) -> CommandError {
        guard::not_found(what, &self.place(), &self.spec().name)
    }

    fn place(&self) -> FoundPlace<'_> {
        FoundPlace {
            identity: &self.identity,
            confirmed_by: self.confirmed_by(),
            is_defined: true,
        }
    }

    /// The file that names account and region as the cluster's, in words.
    fn confirmed_by(&self) -> Option<&'static str> {
        PlaceGuard::of(&self.defined).ok()?.confirms(&self.identity)
    }

    pub fn print_header(&self) {
        let ClusterSpec {
            name, kubernetes, ..
        } = self.spec();
        print_header(name, &format!("  kubernetes {kubernetes}"), &self.identity);
    }

    /// The cluster as its API is reached.
    pub fn api(&self) -> ClusterRef<'_, C> {
        ClusterRef {
            name: &self.spec().name,
            cloud: &self.cloud,
            identity: &self.identity,
            max_ttl: Some(self.spec().access.max_ttl_seconds),
            confirmed_by: self.confirmed_by(),
            is_defined: true,
        }
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

impl From<DefinitionError> for CommandError {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Wrong(problems) => Self::of_definition(&problems),
            other => Self::new(Exit::Definition, other),
        }
    }
}
