//! `kube-cfn certs`: how long the certificates of a cluster live, for people and for monitors; the second
//! copy of its authorities.

mod authorities;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Global;
use super::api_access::{ApiArgs, origin};
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::{FormatArg, eprint};

use crate::access::{self, Cache};
use crate::cloud::Cloud as _;
use crate::cloud::aws::Aws;
use crate::etcd::{self, Members};
use crate::kube::{Api, serving_certificate};
use crate::kubeconfig;
use crate::pki::CertificateInfo;
use crate::report::certificates::{self, Assessment, Certificate, CertificateKind};
use crate::stacks::StackKind;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Show how long every certificate of the cluster is still valid
    ///
    /// Exits with 4 when a certificate has fewer days left than --warn-days, with 1 when one could not be
    /// checked, else with 0. Control-plane nodes are asked through Systems Manager; they renew their own
    /// certificates when 90 days are left. Client certificates on this machine are valid for hours; they are
    /// only listed.
    Status(StatusArgs),
    /// Put missing parameters of the authorities back, from the copy in the state bucket
    ///
    /// `apply` keeps a copy of the cluster's authorities and keys beside the etcd snapshots. Nothing that
    /// is stored is overwritten. Takes no running machine.
    Restore(authorities::RestoreArgs),
    /// Write the copy of the authorities again, from what is stored
    ///
    /// The earlier copy stays in the bucket as an old version.
    Backup(authorities::BackupArgs),
}

#[derive(clap::Args)]
struct StatusArgs {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Fewer days left than this need action
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    warn_days: u16,
    #[command(flatten)]
    output: FormatArg,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    match &args.command {
        Command::Status(args) => status(global, args).await,
        Command::Restore(args) => authorities::restore(global, args).await,
        Command::Backup(args) => authorities::backup(global, args).await,
    }
}

async fn status(global: &Global, args: &StatusArgs) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    let now = Timestamp::now();
    if cluster.cloud.stacks(Some(&cluster.name)).await?.is_empty() {
        return Err(cluster.no_stacks().await);
    }
    let mut rows = authority_certificates(&cluster, now).await?;
    let (api, nodes) = futures::try_join!(
        api_certificates(&cluster, args, now),
        node_certificates(&cluster, now)
    )?;
    rows.extend(api);
    rows.extend(nodes);
    rows.extend(local_certificates(&cluster, now));
    args.output
        .print(&rows, || certificates::table(&rows, args.warn_days))?;
    finish(&cluster.name, &rows, args.warn_days)
}

/// The authorities, by their plain copies.
pub async fn authority_certificates(
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Vec<Certificate>, CommandError> {
    let found = access::authorities(&cluster.cloud, &cluster.name).await;
    let found = found.map_err(|error| error.in_place(&cluster.identity))?;
    let row = |(role, facts): &(_, CertificateInfo)| Certificate::authority(*role, facts, now);
    Ok(found.iter().map(row).collect())
}

/// Those on the control-plane nodes, etcd's among them.
async fn node_certificates(
    cluster: &Cluster,
    now: Timestamp,
) -> Result<Vec<Certificate>, CommandError> {
    let outputs = cluster.api().outputs(&StackKind::ControlPlane).await?;
    Ok(certificates_of_nodes(&cluster.cloud, &outputs.unwrap_or_default(), now).await)
}

/// Asks the control-plane nodes that are in the `outputs` of their stack.
pub async fn certificates_of_nodes(
    cloud: &Aws,
    outputs: &BTreeMap<String, String>,
    now: Timestamp,
) -> Vec<Certificate> {
    let slots = etcd::slots(outputs);
    if slots.is_empty() {
        let why = "there is no control plane yet";
        return vec![Certificate::unseen(CertificateKind::Node, "nodes", why)];
    }
    let members = Members {
        cloud,
        slots,
        on_step: &|_| {},
    };
    let found = etcd::certificates(&members).await;
    found
        .iter()
        .map(|one| Certificate::of_node(one, now))
        .collect()
}

/// What the API shows and what it keeps on record.
async fn api_certificates(
    cluster: &Cluster,
    args: &StatusArgs,
    now: Timestamp,
) -> Result<Vec<Certificate>, CommandError> {
    let api = cluster.api();
    let Some(host) = api.host().await? else {
        return Ok(vec![Certificate::unseen(
            CertificateKind::Serving,
            "API",
            "there is no API yet",
        )]);
    };
    let reached = api.connect(&host, &args.api).await?;
    let mut rows = vec![match serving_certificate(&reached.connection).await {
        Ok(shown) => {
            certificates::serving(&shown.certificate, shown.verification_error.as_ref(), now)
        }
        Err(error) => {
            Certificate::unseen(CertificateKind::Serving, "API", args.api.explain(&error))
        }
    }];
    let answers = rows.iter().all(|row| row.days_left.is_some());
    match reached.no_credentials_reason {
        Some(why) => rows.push(Certificate::unseen(CertificateKind::Access, "grants", why)),
        None if answers => rows.extend(grant_certificates(&reached.connection, now).await),
        None => rows.push(Certificate::unseen(
            CertificateKind::Access,
            "grants",
            "not known until the API answers",
        )),
    }
    Ok(rows)
}

/// The newest certificate of every grant: an earlier one has been replaced.
async fn grant_certificates(
    connection: &crate::kube::Connection,
    now: Timestamp,
) -> Vec<Certificate> {
    let read = async { Api::connect(connection)?.bindings(None, None).await };
    match read.await {
        Err(error) => vec![Certificate::unseen(
            CertificateKind::Access,
            "grants",
            error,
        )],
        Ok(bindings) => bindings
            .iter()
            .filter_map(|binding| {
                let newest = binding.certificates.iter().map(|one| one.expires).max()?;
                let name = format!("{} in {}", binding.who, binding.namespace);
                Some(Certificate::of(CertificateKind::Access, name, newest, now))
            })
            .collect(),
    }
}

/// Those kept on this machine: by the plugin, and in the kubeconfig.
fn local_certificates(cluster: &Cluster, now: Timestamp) -> Vec<Certificate> {
    let row = |facts: &CertificateInfo, place: &str| {
        let name = format!("{}, {place}", facts.subject);
        Certificate::of(CertificateKind::Local, name, facts.expires, now)
    };
    let cached = Cache::of_user().and_then(|cache| cache.kept(&cluster.name));
    let cached = cached.unwrap_or_default();
    let mut rows: Vec<Certificate> = cached.iter().map(|facts| row(facts, "cache")).collect();
    let origin = origin(&cluster.identity);
    let held = kubeconfig::KubeconfigPaths::of_environment()
        .and_then(|files| kubeconfig::client_certificates(&files, &cluster.name, &origin));
    for (path, pem) in held.unwrap_or_default() {
        if let Ok(facts) = CertificateInfo::of_pem("a kubeconfig", &pem) {
            rows.push(row(&facts, &path.display().to_string()));
        }
    }
    rows
}

fn finish(name: &str, rows: &[Certificate], warn_days: u16) -> Result<Exit, CommandError> {
    match certificates::assess(rows, warn_days) {
        Assessment::Good(days) => {
            if let Some(days) = days {
                eprint(&format!(
                    "all certificates are valid for {days} more days at least"
                ));
            }
            Ok(Exit::Done)
        }
        Assessment::Expiring(names) => {
            let message =
                format!("not all certificates of {name} are good for {warn_days} days: {names}");
            Err(CommandError::new(Exit::NeedsAction, message).help(
                "serving certificate and those of control-plane nodes: a timer renews them when 90 days are left, so \
                 it has failed; see `journalctl -u kube-cfn-certificates` on the node, or replace the node; CI access: \
                 grant it again; authority, valid for ten years: plan its replacement",
            ))
        }
        Assessment::Unseen(names) => Err(CommandError::other(format!("could not check: {names}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    fn row(kind: CertificateKind, days: i64) -> Certificate {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let expires = now + SignedDuration::from_hours(days * 24 + 1);
        Certificate::of(kind, "it", expires, now)
    }

    #[test]
    fn exit_code_follows_the_worst_certificate() {
        let code = |rows: &[Certificate]| match finish("canary", rows, 30) {
            Ok(exit) => exit,
            Err(failure) => failure.exit,
        };
        assert_eq!(code(&[row(CertificateKind::Serving, 30)]), Exit::Done);
        assert_eq!(
            code(&[row(CertificateKind::Serving, 29)]),
            Exit::NeedsAction
        );
        assert_eq!(
            code(&[row(CertificateKind::Authority, -2)]),
            Exit::NeedsAction
        );
        let unseen = Certificate::unseen(CertificateKind::Serving, "API", "nothing listens there");
        assert_eq!(
            code(&[row(CertificateKind::Authority, 900), unseen.clone()]),
            Exit::Other
        );
        assert_eq!(
            code(&[row(CertificateKind::Authority, 2), unseen]),
            Exit::NeedsAction
        );
    }

    #[test]
    fn local_certificates_do_not_count() {
        let rows = [
            row(CertificateKind::Local, 0),
            row(CertificateKind::Authority, 3000),
        ];
        assert_eq!(finish("canary", &rows, 30).unwrap(), Exit::Done);
    }

    #[test]
    fn unverified_certificate_needs_action() {
        let mut unverified = row(CertificateKind::Serving, 300);
        unverified.trouble = Some("it is for another name".to_owned());
        let failure = finish("canary", &[unverified], 30).unwrap_err();
        assert_eq!(failure.exit, Exit::NeedsAction);
    }
}
