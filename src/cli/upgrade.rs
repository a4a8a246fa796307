//! `kube-cfn upgrade NAME --to latest --plan`: what stands against an upgrade of Kubernetes, and its phases. The upgrade
//! itself is not built yet.

mod known;

use std::collections::BTreeMap;

use semver::Version;

use super::Global;
use super::api_access::ApiArgs;
use super::error::{CommandError, Exit};
use super::out::{self, eprint};
use super::session::{self, Session};
use crate::catalog::durations::{SLOT_REPLACEMENT, Span};
use crate::cloud::aws::Aws;
use crate::etcd::Members;
use crate::kube::Api;
use crate::report::upgrade::{self as report, UpgradeView};
use crate::roll::Surge;
use crate::stacks::StackKind;
use crate::upgrade::{
    Accepted, Check, Facts, Phase, Progress, Sources, Wanted, look, remaining, run as run_checks,
};

#[derive(clap::Args)]
#[command(after_long_help = "\
Looks at everything that an upgrade depends on and changes nothing: the step of the version, the control plane, nodes, etcd, requests \
to APIs that the version no longer serves (asked on each API server), what would block a drain, webhooks, certificates, downloads and \
quotas. What could not be looked at is unknown, and stops an upgrade as a failure does. Ends with 5 when something stops it.\n\n\
The upgrade itself is not built yet: without --plan nothing is done.")]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    /// Version to go to; `latest`: the newest patch of the minor that runs; `next`: the newest patch of the next one
    #[arg(long, value_name = "VERSION|latest|next")]
    to: Wanted,
    /// Show the checks and the phases; change nothing
    #[arg(long)]
    plan: bool,
    /// Accept what this check found; may be repeated
    #[arg(long, value_name = "CHECK")]
    accept: Vec<Check>,
    /// Accept that requests to this API fail afterwards; may be repeated
    #[arg(long, value_name = "GROUP/VERSION")]
    accept_deprecated: Vec<String>,
    /// A pod without a controller that may be lost; may be repeated
    #[arg(long = "lose-pod", value_name = "NAMESPACE/POD")]
    lose_pods: Vec<String>,
    /// A `PodDisruptionBudget` whose pods may be deleted where it allows no eviction; may be repeated
    #[arg(long, value_name = "NAMESPACE/BUDGET")]
    evict_anyway: Vec<String>,
    /// Machines more than it wants that a pool may have meanwhile: a number or a percentage
    #[arg(long, value_name = "N|P%", default_value = "10%")]
    surge: Surge,
    /// Leave the machines of the pools at their version for now
    #[arg(long)]
    skip_pools: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: out::TextFormat,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    if !args.plan {
        let message = "the upgrade itself is not built yet: only --plan is";
        let help = "add --plan to see what stands against it and its phases";
        return Err(CommandError::new(Exit::Usage, message).help(help));
    }
    let session = session::open(global, &args.name).await?;
    session.print_header();
    let found = known::read(&session, args).await?;
    eprint("looking at stacks, drift, machines, etcd and the Kubernetes API: a minute or so");
    let view = check(&session, args, found).await?;
    match args.output {
        out::TextFormat::Json => out::data(&out::json(&view)?),
        out::TextFormat::Text => out::text(&report::text(&view)),
    }?;
    match report::refusal(&view) {
        Some(why) if !view.is_there() => Err(CommandError::refused(why)),
        _ => Ok(Exit::Done),
    }
}

/// Reads what is missing, and judges it.
async fn check(
    session: &Session,
    args: &Args,
    found: known::Found,
) -> Result<UpgradeView, CommandError> {
    let api = connect(session, &found, args).await;
    let members = Members {
        cloud: &session.cloud,
        slots: found.slots.clone(),
        on_step: &|_| {},
    };
    let sources = Sources {
        cloud: &session.cloud,
        nodes: api.as_ref().map_err(Clone::clone),
        members: &members,
    };
    let running = found.running.clone();
    let (drift, capacity, lock) = futures::join!(
        known::drift(session, &found),
        known::capacity(session, args.surge),
        crate::operation::read(&session.cloud, &session.spec().name),
    );
    let lock = lock.map_err(|error| error.to_string());
    let lock = lock.map(|holder| holder.map(|holder| holder.to_string()));
    let known = known::known(session, args, found, (drift, capacity, lock))?;
    let facts = look(&sources, known).await;
    let accepted = Accepted {
        checks: args.accept.clone(),
        deprecated: args.accept_deprecated.clone(),
        evict_anyway: args.evict_anyway.clone(),
        lose_pods: args.lose_pods.clone(),
    };
    let report = run_checks(&facts, &accepted);
    let phases = remaining(&progress(session, &facts, &running, args.skip_pools));
    let spans = spans(&facts);
    Ok(UpgradeView::of(
        &session.spec().name,
        &facts.target,
        report,
        &phases,
        &spans,
    ))
}

/// The Kubernetes API, or why it can't be reached.
async fn connect(session: &Session, found: &known::Found, args: &Args) -> Result<Api, String> {
    let host = found.host.as_ref().ok_or("the stack edge has no API yet")?;
    let connection = session.api().as_admin(host, &args.api).await;
    let connection = connection.map_err(|error| error.to_string())?;
    Api::connect(&connection).map_err(|error| error.to_string())
}

/// Where the cluster is between the two versions.
fn progress(
    session: &Session<Aws>,
    facts: &Facts,
    running: &BTreeMap<StackKind, Version>,
    skip_pools: bool,
) -> Progress {
    let to = &facts.target.to;
    let servers: Vec<Version> = facts
        .api_servers
        .iter()
        .filter_map(|one| Some(one.pods.as_ref().ok()?.api_server.clone()))
        .collect();
    let pools = running.iter().filter_map(|(kind, version)| match kind {
        StackKind::Pool(name) => Some((name.clone(), version.clone())),
        _ => None,
    });
    let nodes = facts.nodes.as_deref().unwrap_or_default();
    let is_worker =
        |labels: &BTreeMap<String, String>| labels.contains_key(crate::kube::POOL_LABEL);
    let outdated = nodes.iter().filter(|node| {
        is_worker(&node.labels) && node.version.trim_start_matches('v') != to.to_string()
    });
    Progress {
        to: to.clone(),
        definition: session.spec().kubernetes.clone(),
        control_plane_stack: running
            .get(&StackKind::ControlPlane)
            .unwrap_or(&facts.target.from)
            .clone(),
        unknown_servers: facts.api_servers.len() - servers.len(),
        api_servers: servers,
        pool_stacks: pools.collect(),
        outdated_nodes: outdated.count(),
        skip_pools,
    }
}

/// How long the phases take in which machines are replaced.
fn spans(facts: &Facts) -> Vec<(Phase, Span)> {
    let one = SLOT_REPLACEMENT.span();
    let nodes = u32::try_from(facts.api_servers.len()).unwrap_or(u32::MAX);
    let control_plane = Span {
        from: one.from.saturating_mul(nodes),
        to: one.to.saturating_mul(nodes),
    };
    let mut spans = vec![(Phase::ControlPlane, control_plane)];
    if let Ok(forecast) = &facts.forecast {
        let all = forecast.span;
        let pools = Span {
            from: all.from.saturating_sub(control_plane.from),
            to: all.to.saturating_sub(control_plane.to),
        };
        spans.push((Phase::Pools, pools));
    }
    spans
}
