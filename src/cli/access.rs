//! `kube-cfn access`: grants a CI a role in one namespace, with a certificate of the cluster's own signer.

mod credentials;

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::Global;
use super::api_access::{ApiArgs, parse_duration};
use super::ask::YesArg;
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::{self, Format, FormatArg, eprint};

use crate::access::{self, AbsentNamespace, Grant, GrantError, UnconfinedPods};
use crate::common::files::Written;
use crate::kube::{Api, Binding, Connection, ENFORCE_LABEL, NamespaceRole};
use crate::report::grants;
use credentials::CredentialFormat;

/// The longest lifetime: kube-controller-manager signs for a year by default.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);
/// The shortest that the API accepts.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Bind a role and print a kubeconfig, or the certificates, for a CI variable
    #[command(long_about = grants::help())]
    Grant(Box<GrantArgs>),
    /// Show the grants: user, namespace, role, expiry
    List(ListArgs),
    /// Remove the role; the certificate itself can't be revoked
    Revoke(RevokeArgs),
}

#[derive(clap::Args)]
struct GrantArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Name of the user, such as github or circleci-web
    user: String,
    /// Namespace of the grant
    #[arg(short, long, value_name = "NAME")]
    namespace: String,
    /// Create the namespace if it does not exist, with Pod Security `baseline`
    #[arg(long)]
    create_namespace: bool,
    /// Grant even where nothing keeps the namespace's pods from their machine: such a user can become root
    /// on every machine
    #[arg(long)]
    allow_privileged_pods: bool,
    /// Role in the namespace
    #[arg(long, value_enum)]
    role: RoleName,
    /// Lifetime of the certificate, from 10m to 365d
    #[arg(long, value_parser = parse_duration, default_value = "90d", value_name = "TIME")]
    ttl: SignedDuration,
    /// What to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: CredentialFormat,
    /// Write to this file, readable by you alone, instead of printing
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RoleName {
    Viewer,
    Deployer,
    Admin,
}

impl From<RoleName> for NamespaceRole {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Deployer => Self::Deployer,
            RoleName::Admin => Self::Admin,
        }
    }
}

#[derive(clap::Args)]
struct ListArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    #[command(flatten)]
    output: FormatArg,
    #[command(flatten)]
    api: ApiArgs,
}

#[derive(clap::Args)]
struct RevokeArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Name of the user
    user: String,
    /// Only in this namespace
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    yes: YesArg,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    match &args.command {
        Command::Grant(args) => grant(global, args).await,
        Command::List(args) => list(global, args).await,
        Command::Revoke(args) => revoke(global, args).await,
    }
}

/// The cluster and an administrator's connection to its API.
async fn connect(
    global: &Global,
    cluster: &ClusterArg,
    api: &ApiArgs,
) -> Result<(Cluster, Connection), CommandError> {
    let cluster = cluster.open(global).await?;
    let host = cluster.api().require_host().await?;
    let connection = cluster.api().as_admin(&host, api).await?;
    Ok((cluster, connection))
}

async fn grant(global: &Global, args: &GrantArgs) -> Result<Exit, CommandError> {
    if args.ttl > LONGEST || args.ttl < SHORTEST {
        let message = format!("a lifetime of {:#} is not from 10m to 365d", args.ttl);
        return Err(CommandError::refused(message));
    }
    access::check_name(&args.user)?;
    access::check_namespace(&args.namespace)?;
    let (cluster, connection) = connect(global, &args.cluster, &args.api).await?;
    let request = Grant {
        who: args.user.clone(),
        namespace: args.namespace.clone(),
        role: args.role.into(),
        seconds: i32::try_from(args.ttl.as_secs()).unwrap_or(i32::MAX),
        by: cluster.identity.caller.clone(),
        absent: if args.create_namespace {
            AbsentNamespace::Create
        } else {
            AbsentNamespace::Refuse
        },
        unconfined: if args.allow_privileged_pods {
            UnconfinedPods::Allow
        } else {
            UnconfinedPods::Refuse
        },
    };
    let granted = access::grant(&connection, &request, Timestamp::now()).await?;
    eprint(&grants::granted(&request, &granted));
    let text = credentials::text(&cluster, &connection, &request, &granted, args.format)?;
    match &args.file {
        Some(path) => {
            let written = credentials::write(path, &text).map_err(|error| {
                CommandError::other(format!("failed to write {}: {error}", path.display()))
                    .context("the access is granted, but its credentials were not written")
                    .help("grant again: it issues a new certificate")
            })?;
            if written == Written::File {
                eprint(&format!(
                    "written to {}, readable by you alone",
                    path.display()
                ));
            }
        }
        None => out::data(text.expose_secret())?,
    }
    Ok(Exit::Done)
}

async fn list(global: &Global, args: &ListArgs) -> Result<Exit, CommandError> {
    let (cluster, connection) = connect(global, &args.cluster, &args.api).await?;
    let bindings = bindings(&Api::connect(&connection)?, None, None).await?;
    let rows = grants::rows(&bindings);
    if bindings.is_empty() {
        eprint(&format!("{} has no grants", cluster.name));
    }
    let now = Timestamp::now();
    args.output.print(&rows, || grants::table(&bindings, now))?;
    if args.output.output == Format::Table {
        for line in grants::notes(&bindings, &cluster.name) {
            eprint(&line);
        }
    }
    Ok(Exit::Done)
}

async fn bindings(
    api: &Api,
    who: Option<&str>,
    namespace: Option<&str>,
) -> Result<Vec<Binding>, CommandError> {
    let found = api.bindings(who, namespace).await;
    found.map_err(|error| CommandError::from(error).context("the grants can't be read"))
}

async fn revoke(global: &Global, args: &RevokeArgs) -> Result<Exit, CommandError> {
    let (cluster, connection) = connect(global, &args.cluster, &args.api).await?;
    let api = Api::connect(&connection)?;
    let namespace = args.namespace.as_deref();
    let found = bindings(&api, Some(&args.user), namespace).await?;
    if found.is_empty() {
        let message = format!("no grant for {} in cluster {}", args.user, cluster.name);
        return Err(CommandError::other(message).help(cluster.command("access list")));
    }
    let namespaces: Vec<_> = found.iter().map(|one| one.namespace.as_str()).collect();
    args.yes.confirm(&format!(
        "Revoke the access of {} in {}?",
        args.user,
        namespaces.join(", ")
    ))?;
    for binding in &found {
        api.unbind(binding).await.map_err(|error| {
            let left = format!("{} keeps its role in {}", args.user, binding.namespace);
            CommandError::from(error).context(&left)
        })?;
        eprint(&format!(
            "{} lost its role in namespace {}",
            args.user, binding.namespace
        ));
    }
    let left = bindings(&api, Some(&args.user), None).await?;
    eprint(&grants::revoked(
        &args.user,
        &found,
        &left,
        Timestamp::now(),
    ));
    Ok(Exit::Done)
}

impl From<GrantError> for CommandError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::Kube(error) => Self::from(error).context("nothing was granted"),
            GrantError::Name(_) | GrantError::Namespace(_) => Self::new(Exit::Usage, error),
            GrantError::NoNamespace(_) => Self::refused(error),
            GrantError::Reserved { .. } => Self::refused(error)
                .help("name a namespace of your own; --create-namespace makes it"),
            GrantError::Unconfined { ref namespace, .. } => {
                let help = confine(namespace);
                Self::refused(error).help(help)
            }
            GrantError::Pki(_) | GrantError::Somebody { .. } => Self::other(error),
        }
    }
}

/// How pods are kept from their machine, and the way to grant without.
fn confine(namespace: &str) -> String {
    format!(
        "`kubectl label --overwrite namespace {namespace} {ENFORCE_LABEL}=baseline` and grant again; \
         --allow-privileged-pods grants without it"
    )
}
