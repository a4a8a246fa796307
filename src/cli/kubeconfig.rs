//! `kube-cfn kubeconfig`: a kubeconfig with a short-lived certificate, or one that asks for it.

use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, talk};
use super::reach::Reach;
use super::session::{self, Session};
use crate::access::{self, AccessError, Limits, MintRequest};
use crate::cloud::Cloud;
use crate::kubeconfig::{
    self, Current, Entry, Exec, KubeconfigError, Login, Patience, Target, Written,
};
use crate::stacks::{API_HOST, StackKind};

/// The group that kubeadm binds to cluster-admin: taking the binding away takes the right away,
/// which no certificate of `system:masters` would allow.
pub const ADMINS: &str = "kubeadm:cluster-admins";

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    reach: Reach,
    /// Write no key: let kubectl ask `kube-cfn credential` for a certificate whenever it needs one
    #[arg(long)]
    exec: bool,
    /// Print a kubeconfig of its own instead of merging into a file
    #[arg(long, conflicts_with = "file")]
    stdout: bool,
    /// The file to merge into [default: as kubectl, $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Make the cluster kubectl's current context, whatever it was before
    #[arg(long, conflicts_with = "stdout")]
    switch: bool,
}

/// For whom a certificate is.
#[derive(clap::Args, Clone)]
pub struct Who {
    /// Kubernetes user [default: the last part of your ARN]
    #[arg(long)]
    pub user: Option<String>,
    /// Kubernetes group; may be repeated [default: kubeadm:cluster-admins]
    #[arg(long = "group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Lifetime of the certificate, as 8h or 30m [default: access.ttl of the definition]
    #[arg(long, value_parser = lifetime)]
    pub ttl: Option<SignedDuration>,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let session = session::open(global, &args.name).await?;
    let found = session.cloud.stacks(Some(&session.spec().name)).await?;
    let edge = found
        .iter()
        .find(|stack| stack.kind == StackKind::Edge.to_string());
    let host = edge
        .and_then(|stack| stack.outputs.get(API_HOST))
        .ok_or_else(|| {
            let name = &session.spec().name;
            Failure::other(format!("{name} has no API yet"))
                .help(format!("create it with `kube-cfn apply {name}`"))
        })?;
    let login = if args.exec {
        Login::Exec(exec(global, &session, &args.who)?)
    } else {
        minted(&session, &args.who).await?
    };
    let entry = entry(&session, host, &args.reach, login).await?;
    if args.stdout {
        out::data(kubeconfig::render(&entry)?.expose_secret())?;
        return Ok(Exit::Done);
    }
    let current = if args.switch {
        Current::Switch
    } else {
        Current::IfUnset
    };
    let written = kubeconfig::write(
        &target(args.file.as_deref())?,
        &entry,
        current,
        Patience::USUAL,
    )?;
    tell(&written);
    Ok(Exit::Done)
}

/// Writes the entry that asks for credentials, as apply leaves it behind.
pub async fn hand_out(
    global: &Global,
    session: &Session,
    host: &str,
    reach: &Reach,
    file: Option<&Path>,
) -> Result<(), Failure> {
    let who = Who {
        user: None,
        groups: Vec::new(),
        ttl: None,
    };
    let login = Login::Exec(exec(global, session, &who)?);
    let entry = entry(session, host, reach, login).await?;
    let written = kubeconfig::write(&target(file)?, &entry, Current::IfUnset, Patience::USUAL)?;
    tell(&written);
    Ok(())
}

async fn entry(
    session: &Session,
    host: &str,
    reach: &Reach,
    login: Login,
) -> Result<Entry, Failure> {
    let name = &session.spec().name;
    let (server, server_name) = reach.url(host);
    Ok(Entry {
        cluster: name.clone(),
        origin: origin(&session.identity.account, &session.identity.region),
        server,
        server_name,
        authority_pem: access::authority_certificate(&session.cloud, name).await?,
        namespace: None,
        login,
    })
}

/// Tells clusters of one name apart.
pub fn origin(account: &str, region: &str) -> String {
    format!("{account}/{region}")
}

pub fn target(file: Option<&Path>) -> Result<Target, KubeconfigError> {
    file.map_or_else(Target::of_environment, |file| Ok(Target::file(file)))
}

fn exec(global: &Global, session: &Session, who: &Who) -> Result<Exec, Failure> {
    let request = request(session, who);
    let limits = limits(session);
    let seconds = request.lifetime(limits)?;
    // kubectl runs it later, in whatever environment there is then.
    let ambient = || {
        std::env::var("AWS_PROFILE")
            .ok()
            .filter(|name| !name.is_empty())
    };
    let profile = global.profile.clone().or_else(ambient);
    Ok(Exec::credential(
        &session.spec().name,
        &session.spec().region,
        profile.as_deref(),
        &request.user,
        &request.groups,
        Some(&format!("{seconds}s")),
    ))
}

async fn minted(session: &Session, who: &Who) -> Result<Login, Failure> {
    let (name, request) = (&session.spec().name, request(session, who));
    let made = access::mint(
        &session.cloud,
        name,
        &request,
        limits(session),
        Timestamp::now(),
    )
    .await?;
    talk(&format!(
        "a certificate for {} until {}",
        request.user, made.expires
    ));
    Ok(Login::Certificate {
        certificate_pem: made.certificate_pem,
        key: made.key,
    })
}

fn limits(session: &Session) -> Limits {
    let access = &session.spec().access;
    Limits {
        ttl_seconds: access.ttl_seconds,
        max_ttl_seconds: access.max_ttl_seconds,
    }
}

fn request(session: &Session, who: &Who) -> MintRequest {
    MintRequest {
        user: who
            .user
            .clone()
            .unwrap_or_else(|| person(&session.identity.caller)),
        groups: groups(&who.groups),
        ttl_seconds: who.ttl.map(|ttl| ttl.as_secs().unsigned_abs()),
    }
}

/// The groups asked for, or the administrators.
pub fn groups(asked: &[String]) -> Vec<String> {
    if asked.is_empty() {
        vec![ADMINS.to_owned()]
    } else {
        asked.to_vec()
    }
}

/// The last part of an ARN: the session of an assumed role, the name of a user.
pub fn person(arn: &str) -> String {
    arn.rsplit(['/', ':']).next().unwrap_or(arn).to_owned()
}

/// A positive length of time as people write it.
pub fn lifetime(text: &str) -> Result<SignedDuration, String> {
    let ttl: SignedDuration = text
        .parse()
        .map_err(|_| "expected a time such as 8h or 30m".to_owned())?;
    if ttl.as_secs() < 1 {
        Err("a certificate has to live for a second at least".to_owned())
    } else {
        Ok(ttl)
    }
}

fn tell(written: &Written) {
    let Written {
        path,
        context,
        created,
        current,
        kept,
    } = written;
    let verb = if *created { "added to" } else { "updated in" };
    talk(&format!("context {context} {verb} {}", path.display()));
    if !kept.is_empty() {
        talk(&format!("kept what you changed there: {}", kept.join(", ")));
    }
    if !current {
        talk(&format!(
            "kubectl's current context is another one: use kubectl --context {context}"
        ));
    }
}

impl From<AccessError> for Failure {
    fn from(error: AccessError) -> Self {
        match error {
            refused @ AccessError::TooLong { .. } => Self::refused(refused),
            other => Self::other(other),
        }
    }
}

impl From<KubeconfigError> for Failure {
    fn from(error: KubeconfigError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_named_by_the_last_part_of_the_arn() {
        assert_eq!(
            person("arn:aws:sts::111122223333:assumed-role/ops/jane"),
            "jane"
        );
        assert_eq!(person("arn:aws:iam::111122223333:user/ops/jane"), "jane");
        assert_eq!(person("arn:aws:iam::111122223333:root"), "root");
    }

    #[test]
    fn a_lifetime_is_positive() {
        assert_eq!(lifetime("8h"), Ok(SignedDuration::from_hours(8)));
        assert!(lifetime("0s").is_err());
        assert!(lifetime("-1h").is_err());
        assert!(lifetime("soon").is_err());
    }
}
