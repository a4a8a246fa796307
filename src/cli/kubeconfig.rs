//! `kube-cfn kubeconfig`: writes a kubeconfig, with a short-lived certificate or with a credential plugin.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::Global;
use super::api_access::{self, ApiArgs, origin, parse_duration};
use super::error::{CommandError, Exit};
use super::identity::{ALLOW_SYSTEM_IDENTITY, Caller, GroupArgs};
use super::out::{self, eprint};
use super::session::{self, Session};
use crate::access::{self, AccessError, CertificateRequest, LifetimeLimits};
use crate::common::files;
use crate::kubeconfig::{
    self, Current, Entry, Exec, KubeconfigError, KubeconfigPaths, LockTries, Login, Written,
};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[command(flatten)]
    certificate: CertificateArgs,
    #[command(flatten)]
    api: ApiArgs,
    /// Write no key: let kubectl ask `kube-cfn credential` for a certificate whenever it needs one
    #[arg(long)]
    exec: bool,
    /// Print a separate kubeconfig instead of merging into a file
    #[arg(long, conflicts_with = "file")]
    stdout: bool,
    /// The file to merge into; a stream such as `-` gets a separate kubeconfig [default: as kubectl,
    /// $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Make the cluster kubectl's current context
    #[arg(long, conflicts_with = "stdout")]
    switch: bool,
}

/// For whom a certificate is.
#[derive(clap::Args, Default)]
struct CertificateArgs {
    /// Kubernetes user [default: the last part of your ARN]; somebody else gets a context of their own,
    /// NAME-USER
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    groups: GroupArgs,
    /// Lifetime of the certificate, such as 8h or 30m [default: access.ttl of the definition]
    #[arg(long, value_parser = parse_duration)]
    ttl: Option<SignedDuration>,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let certificate = &args.certificate;
    let user = certificate.user.as_deref();
    certificate.groups.check(user, Caller::Person)?;
    let session = session::open(global, &args.name).await?;
    let host = session.api().require_host().await?;
    let login = if args.exec {
        Login::Exec(exec_login(global, &session, certificate)?)
    } else {
        issue(&session, certificate).await?
    };
    certificate.groups.warn_unbound();
    let entry = Entry {
        person: user.and_then(|user| somebody_else(&session, user)),
        ..entry(&session, &host, &args.api, login).await?
    };
    if args.stdout {
        out::data(kubeconfig::render(&entry)?.expose_secret())?;
        return Ok(Exit::Done);
    }
    let current = if args.switch {
        Current::Switch
    } else {
        Current::IfUnset
    };
    write(args.file.as_deref(), &entry, current)?;
    Ok(Exit::Done)
}

/// Writes the entry with the credential plugin, as apply does at its end.
pub async fn write_exec_entry(
    global: &Global,
    session: &Session,
    host: &str,
    api: &ApiArgs,
    file: Option<&Path>,
) -> Result<(), CommandError> {
    if file.is_none() && is_unwanted() {
        let name = &session.spec().name;
        eprint(&format!(
            "KUBECONFIG keeps nothing, so no kubeconfig was written; `kube-cfn kubeconfig {name} --file FILE` \
             writes one"
        ));
        return Ok(());
    }
    let login = Login::Exec(exec_login(global, session, &CertificateArgs::default())?);
    let entry = entry(session, host, api, login).await?;
    write(file, &entry, Current::IfUnset)
}

/// Whether `KUBECONFIG` is the null device: by convention, that no kubeconfig is wanted.
fn is_unwanted() -> bool {
    let paths = KubeconfigPaths::of_environment();
    paths.is_ok_and(|paths| paths.files().iter().all(|path| files::is_null_device(path)))
}

fn write(file: Option<&Path>, entry: &Entry, current: Current) -> Result<(), CommandError> {
    if let Some(stream) = file.filter(|file| files::is_stream(file)) {
        let text = kubeconfig::render(entry)?;
        files::output(stream, text.expose_secret(), files::PRIVATE).map_err(|error| {
            CommandError::other(format!("failed to write {}: {error}", stream.display()))
        })?;
        return Ok(());
    }
    let files = file.map_or_else(KubeconfigPaths::of_environment, |file| {
        Ok(KubeconfigPaths::file(file))
    })?;
    let written = kubeconfig::write(&files, entry, current, LockTries::USUAL)?;
    eprint(&summary(&written));
    Ok(())
}

async fn entry(
    session: &Session,
    host: &str,
    api: &ApiArgs,
    login: Login,
) -> Result<Entry, CommandError> {
    let name = &session.spec().name;
    let (server, server_name) = api.url(host);
    Ok(Entry {
        cluster: name.clone(),
        origin: origin(&session.identity),
        server,
        server_name,
        authority_pem: access::authority_certificate(&session.cloud, name)
            .await
            .map_err(|error| error.in_place(&session.identity))?,
        namespace: None,
        person: None,
        login,
    })
}

/// The user of a certificate that is not for the caller.
fn somebody_else(session: &Session, user: &str) -> Option<String> {
    let own = api_access::last_part(&session.identity.caller);
    (user != own).then(|| user.to_owned())
}

fn exec_login(
    global: &Global,
    session: &Session,
    args: &CertificateArgs,
) -> Result<Exec, CommandError> {
    let (request, limits) = request(session, args);
    let seconds = request.lifetime(limits)?;
    // kubectl runs the plugin later, in another environment: the profile has to be named.
    let ambient = || {
        std::env::var("AWS_PROFILE")
            .ok()
            .filter(|name| !name.is_empty())
    };
    let profile = global.profile.clone().or_else(ambient);
    let mut exec = Exec::credential(
        &session.spec().name,
        &session.spec().region,
        profile.as_deref(),
        &request.user,
        &request.groups,
        Some(&format!("{seconds}s")),
    );
    if access::system_identity(&request.user, &request.groups).is_some() {
        exec.args.push(ALLOW_SYSTEM_IDENTITY.to_owned());
    }
    Ok(exec)
}

async fn issue(session: &Session, args: &CertificateArgs) -> Result<Login, CommandError> {
    let (request, limits) = request(session, args);
    let name = &session.spec().name;
    let made = access::issue(&session.cloud, name, &request, limits, Timestamp::now()).await;
    let made = made.map_err(|error| error.in_place(&session.identity))?;
    eprint(&format!(
        "a certificate for {} until {}",
        request.user, made.expires
    ));
    Ok(Login::Certificate {
        certificate_pem: made.certificate_pem,
        key: made.key,
    })
}

fn request(session: &Session, args: &CertificateArgs) -> (CertificateRequest, LifetimeLimits) {
    let access = &session.spec().access;
    let limits = LifetimeLimits {
        ttl_seconds: access.ttl_seconds,
        max_ttl_seconds: access.max_ttl_seconds,
    };
    let (user, caller) = (args.user.as_deref(), &session.identity.caller);
    let request = api_access::certificate_request(user, &args.groups.groups, args.ttl, caller);
    (request, limits)
}

fn summary(written: &Written) -> String {
    let Written {
        path,
        context,
        created,
        current,
        kept,
    } = written;
    let verb = if *created { "added to" } else { "updated in" };
    let mut lines = vec![format!("context {context} {verb} {}", path.display())];
    if !kept.is_empty() {
        lines.push(format!("kept what you changed there: {}", kept.join(", ")));
    }
    if !current {
        lines.push(format!(
            "kubectl's current context is another one: use kubectl --context {context}"
        ));
    }
    lines.join("\n")
}

impl From<AccessError> for CommandError {
    fn from(error: AccessError) -> Self {
        match error {
            refused @ (AccessError::TooLong { .. } | AccessError::OtherAuthority { .. }) => {
                Self::refused(refused)
            }
            other => Self::other(other),
        }
    }
}

impl From<KubeconfigError> for CommandError {
    fn from(error: KubeconfigError) -> Self {
        Self::other(error)
    }
}
