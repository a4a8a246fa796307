//! `kube-cfn status`: the state of a cluster's stacks in AWS, and of the cluster itself.

use std::time::Duration;

use futures::future::try_join_all;
use jiff::Timestamp;

use super::Global;
use super::api_access::ApiArgs;
use super::api_objects::API_TIMEOUT;
use super::certs;
use super::cluster::{Cluster, ClusterArg};
use super::error::{CommandError, Exit};
use super::out::{FormatArg, eprint};
use super::planning::{list_authorities, unusable_key};
use super::session;
use crate::cloud::{
    Cloud, CloudError, Identity, Instance, LiveStack, Machines as _, NodeState, Nodes as _,
};
use crate::kube::{self, Api, Connection, WantedCluster};
use crate::operation;
use crate::report::certificates::{self, Certificate, CertificateKind};
use crate::report::cluster::{
    AuthoritiesView, Health, OperationView, OutsideView, StackWithResources, StatusView, health,
    is_network_stuck, text, view,
};
use crate::report::kubernetes::KubernetesView;
use crate::report::protection::{LeftoverState, number_in};
use crate::report::roll::RollState;
use crate::stacks::{API_HOST, StackKind};
use crate::sweep::{self, Scope, Seen};

/// How long to look outside the stacks: no more than the API may take.
const OUTSIDE_TIMEOUT: Duration = Duration::from_secs(15);

#[derive(clap::Args)]
#[command(after_long_help = "\
Shows what lies outside the stacks too: load balancers and security groups that Kubernetes made, volumes of claims with \
their sizes, snapshots, DNS records, machines that are in no Auto Scaling group any more, what a stack left, and how much others have in \
the VPC. Where a deletion came as far as the network and not further, it names what holds it, and -o json everything.

Of a cluster without any stack it shows what is left: what stacks and Kubernetes left, parameters, and what was kept. With \
--check that is 4; where nothing is there but what was kept, it ends with 1.")]
pub struct Args {
    #[command(flatten)]
    cluster: ClusterArg,
    /// Exit with 4 when the cluster is not healthy, with 1 when that could not be checked
    ///
    /// What lies outside the stacks is no part of that: it is remarked on, `doctor` checks it.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    output: FormatArg,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    let view = look(&cluster, &args.api).await?;
    args.output.print(&view, || text(&view, Timestamp::now()))?;
    if let Some(left) = &view.left {
        let argument = cluster.argument();
        let verdict = cluster.gone(&argument).verdict(left, no_stacks(&cluster));
        let is_shown = number_in(left, LeftoverState::Orphaned) > 0 && !args.check;
        return if is_shown { Ok(Exit::Done) } else { verdict };
    }
    if args.check {
        check(&cluster, &view)
    } else {
        Ok(Exit::Done)
    }
}

/// Looks at the stacks, the cluster itself and its authorities.
pub async fn look(cluster: &Cluster, api: &ApiArgs) -> Result<StatusView, CommandError> {
    let found = read_stacks(cluster).await?;
    let operation = operation::read(&cluster.cloud, &cluster.name).await;
    // A run that has just begun has no stack yet.
    if found.is_empty() && !matches!(operation, Ok(Some(_))) {
        return gone(cluster).await;
    }
    let place = (
        cluster.identity.account.as_str(),
        cluster.identity.region.as_str(),
    );
    let mut view = view(&cluster.name, place, &defined_kinds(cluster)?, &found);
    let stacks: Vec<_> = found.iter().map(|stack| stack.found.clone()).collect();
    let ((kubernetes, nodes), authorities, outside, instances) = futures::join!(
        kubernetes(cluster, &found, api),
        authorities(cluster, &stacks),
        outside(cluster, &stacks),
        instances(cluster),
    );
    let roll = RollState::of(instances, nodes, &cluster.command("roll"));
    view.roll = roll;
    view.outside = Some(outside);
    view.delete = cluster.command("delete");
    view.server = api.server().map(str::to_owned);
    view.kubernetes = kubernetes;
    view.operation = OperationView::of(operation);
    view.authorities = authorities;
    Ok(view)
}

/// The machines of a cluster, each with the group that has it.
async fn instances(cluster: &Cluster) -> Result<Vec<Instance>, CloudError> {
    let groups = cluster.cloud.machine_groups(&cluster.name).await?;
    cluster.cloud.instances(&cluster.name, &groups).await
}

/// What is left of a cluster without any stack; an error where nothing is.
async fn gone(cluster: &Cluster) -> Result<StatusView, CommandError> {
    let argument = cluster.argument();
    let left = cluster.gone(&argument).look().await?;
    if left.is_empty() {
        return Err(no_stacks(cluster));
    }
    let Identity {
        account, region, ..
    } = &cluster.identity;
    let mut view = view(&cluster.name, (account, region), &[], &[]);
    view.left = Some(left);
    Ok(view)
}

fn no_stacks(cluster: &Cluster) -> CommandError {
    cluster.not_found(&format!("{} has no stacks", cluster.name))
}

/// Whether the authorities can be relied on. A deletion takes them away: what is left then is not looked at.
async fn authorities(cluster: &Cluster, stacks: &[LiveStack]) -> Option<AuthoritiesView> {
    if is_network_stuck(stacks) {
        return None;
    }
    let listed = list_authorities(&cluster.cloud, &cluster.name, stacks).await;
    let key = match &listed {
        Ok(listed) => unusable_key(&cluster.cloud, listed.key.as_deref()).await,
        Err(_) => Ok(None),
    };
    Some(AuthoritiesView::of(listed.as_ref(), key))
}

/// A cluster that could not be looked at is not healthy, and not unhealthy.
fn check(cluster: &Cluster, view: &StatusView) -> Result<Exit, CommandError> {
    let name = &cluster.name;
    let Health {
        unhealthy,
        unknown,
        lost,
        remarks,
    } = health(view);
    for remark in remarks {
        eprint(&format!("remark, no part of this check: {remark}"));
    }
    if !unhealthy.is_empty() {
        let message = format!("{name} is not healthy: {}", unhealthy.join("; "));
        let help = lost
            .unwrap_or_else(|| format!("`{}` looks for the cause", cluster.command("diagnose")));
        return Err(CommandError::new(Exit::NeedsAction, message).help(help));
    }
    if !unknown.is_empty() {
        return Err(
            CommandError::other(format!("could not check: {}", unknown.join("; ")))
                .help(cluster.look_closer()),
        );
    }
    Ok(Exit::Done)
}

/// The stacks that the definition asks for, in its order; none without a definition.
fn defined_kinds(cluster: &Cluster) -> Result<Vec<StackKind>, CommandError> {
    let Some(defined) = &cluster.defined else {
        return Ok(Vec::new());
    };
    Ok(session::design(defined)?
        .into_iter()
        .map(|stack| stack.kind)
        .collect())
}

async fn read_stacks(cluster: &Cluster) -> Result<Vec<StackWithResources>, CommandError> {
    let mut found = cluster.cloud.stacks(Some(&cluster.name)).await?;
    found.sort_by_key(|found| StackKind::parse(&found.kind));
    let resources = found.iter().map(|found| cluster.cloud.resources(&found.id));
    let resources = try_join_all(resources).await?;
    let pairs = found.into_iter().zip(resources);
    Ok(pairs
        .map(|(found, resources)| StackWithResources { found, resources })
        .collect())
}

/// What lies outside the stacks. Without an answer in time the rest is shown all the same.
async fn outside(cluster: &Cluster, stacks: &[LiveStack]) -> OutsideView {
    let looked = async {
        let scope = Scope::of(&cluster.cloud, &cluster.name, stacks).await?;
        let mut inventory = sweep::look(&cluster.cloud, &scope).await?;
        // Without Kubernetes's objects their age alone tells which are not this cluster's.
        let silent = Seen::Silent("it was not asked".to_owned());
        inventory.tell_past_volumes(sweep::began(stacks), &silent);
        Ok::<_, CloudError>(inventory)
    };
    let is_stuck = is_network_stuck(stacks);
    match tokio::time::timeout(OUTSIDE_TIMEOUT, looked).await {
        Ok(Ok(inventory)) => OutsideView::of(&inventory, &cluster.identity.region, is_stuck),
        Ok(Err(error)) => OutsideView::not_looked_for(error.to_string(), is_stuck),
        Err(_) => {
            let seconds = OUTSIDE_TIMEOUT.as_secs();
            let why = format!("AWS did not answer within {seconds} seconds");
            OutsideView::not_looked_for(why, is_stuck)
        }
    }
}

/// What the cluster itself reports. An API that does not answer is shown, and `status` does not fail.
async fn kubernetes(
    cluster: &Cluster,
    found: &[StackWithResources],
    api: &ApiArgs,
) -> (Option<KubernetesView>, Result<Vec<NodeState>, String>) {
    let edge = StackKind::Edge.to_string();
    let edge = found.iter().find(|stack| stack.found.kind == edge);
    let Some(host) = edge.and_then(|edge| edge.found.outputs.get(API_HOST)) else {
        return (None, Ok(Vec::new()));
    };
    let reached = match cluster.api().connect(host, api).await {
        Ok(reached) => reached,
        Err(error) => return (Some(KubernetesView::silent(&error)), Err(error.to_string())),
    };
    let asked = ask(cluster, &reached.connection, api);
    let view = tokio::time::timeout(API_TIMEOUT, asked).await;
    let (mut view, nodes) = view.unwrap_or_else(|_| {
        let seconds = API_TIMEOUT.as_secs();
        let server = &reached.connection.server;
        let why = format!("no answer of {server} within {seconds} seconds");
        (KubernetesView::silent(&why), Err(why))
    });
    if view.silent.is_none() {
        let why = reached.no_credentials_reason;
        view.silent = why.map(|why| format!("nodes are not shown: {why}"));
    }
    match certs::authority_certificates(cluster, Timestamp::now()).await {
        Ok(authorities) => view.certificates.extend(authorities),
        Err(error) => view.certificates.push(Certificate::unseen(
            CertificateKind::Authority,
            "authorities",
            error.message(),
        )),
    }
    (Some(view), nodes)
}

/// What the API answers, and the marks of a roll on nodes.
async fn ask(
    cluster: &Cluster,
    connection: &Connection,
    args: &ApiArgs,
) -> (KubernetesView, Result<Vec<NodeState>, String>) {
    let silent = |why: String| (KubernetesView::silent(&why), Err(why));
    let api = match Api::connect(connection) {
        Ok(api) => api,
        Err(error) => return silent(error.to_string()),
    };
    let seen = kube::look(&api).await;
    if let Err(error) = &seen.health {
        return silent(args.explain(error));
    }
    let nodes = api.node_states().await.map_err(|error| error.to_string());
    let version = api.version().await.ok();
    let spec = cluster.defined.as_ref().map(|defined| &defined.spec);
    let wanted = spec.map(WantedCluster::of);
    let account = wanted
        .as_ref()
        .map(|wanted| (wanted, kube::readiness(wanted, &seen)));
    let account = account.as_ref().map(|(wanted, account)| (*wanted, account));
    let mut view = KubernetesView::of(&seen, version, account);
    let now = Timestamp::now();
    view.certificates
        .push(match kube::serving_certificate(connection).await {
            Ok(shown) => {
                certificates::serving(&shown.certificate, shown.verification_error.as_ref(), now)
            }
            Err(error) => {
                Certificate::unseen(CertificateKind::Serving, "API", args.explain(&error))
            }
        });
    (view, nodes)
}
