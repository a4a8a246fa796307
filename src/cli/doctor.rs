//! `kube-cfn doctor`: checks in AWS whether everything that protects the cluster's data is in force, and whether anything
//! is left over outside its stacks.

mod authorities;
mod leftovers;

use futures::future::join_all;

use super::Global;
use super::api_access::ApiArgs;
use super::error::{CommandError, Exit};
use super::left::Gone;
use super::objects;
use super::out::FormatArg;
use super::session::{self, Session};
use crate::cloud::{Cloud, LiveStack};
use crate::common::text::count;
use crate::operation;
use crate::plan::protection::account::{self, LiveAccount};
use crate::plan::protection::stack::{LiveProtection, WantedProtection, layers};
use crate::plan::protection::{LayerState, ProtectionLayer, read};
use crate::plan::status::rests;
use crate::plan::{self, Survey, live};
use crate::report::cluster::is_network_stuck;
use crate::report::protection::{self, Findings};
use crate::stacks::StackKind;

#[derive(clap::Args)]
#[command(after_long_help = "\
Looks outside the stacks too, for what nothing uses any more: machines that are in no Auto Scaling group, load balancers without their \
Service or Ingress, volumes that no machine has and no claim is for, target groups, security groups and network interfaces that nothing \
uses, rules of the cluster's own groups for load balancers without their Service or Ingress, DNS records where there is no \
Kubernetes any more, and buckets, keys and volumes that a stack left. DNS records are not compared with Kubernetes. Its \
API is asked only where there are load balancers or rules of Services and Ingresses, or volumes that no machine has. Where \
it can't be reached and there are, those were not looked at: --server names the end of a tunnel to an internal API.

Volumes that are older than the cluster are an earlier cluster's of the same name. Of a cluster without any stack it shows what \
is left: what stacks and Kubernetes left, parameters, and what was kept.

Exits with 4 when something is missing or left over, with 1 when something could not be checked, or nothing is there but what was kept.")]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[command(flatten)]
    output: FormatArg,
    #[command(flatten)]
    api: ApiArgs,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let session = session::open(global, &args.name).await?;
    session.print_header();
    let name = session.spec().name.clone();
    let survey = plan::survey(&session.cloud, &name).await?;
    if survey.found.is_empty() {
        return gone(&session, args).await;
    }
    let mut found = Findings {
        cluster: name,
        layers: Vec::new(),
        stacks: Vec::new(),
        half_deleted: is_network_stuck(&survey.found),
        gone: false,
        leftovers: Vec::new(),
    };
    if found.half_deleted {
        found.leftovers = leftovers::leftovers(&session, &survey, &args.api).await;
    } else {
        look(&session, &survey, args, &mut found).await?;
    }
    args.output.print(&found, || protection::text(&found))?;
    exit(&found)
}

/// Looks for what is left of a cluster without any stack. A run that has just begun has none yet.
async fn gone(session: &Session, args: &Args) -> Result<Exit, CommandError> {
    let name = &session.spec().name;
    if matches!(operation::read(&session.cloud, name).await, Ok(Some(_))) {
        return Err(session.no_stacks().await);
    }
    let gone = Gone {
        cloud: &session.cloud,
        name,
        identity: &session.identity,
        argument: name,
    };
    let left = gone.look().await?;
    let missing = session.not_found(&format!("{name} has no stacks"));
    if left.is_empty() {
        return Err(missing);
    }
    let found = Findings {
        cluster: name.clone(),
        layers: Vec::new(),
        stacks: Vec::new(),
        half_deleted: false,
        gone: true,
        leftovers: left,
    };
    args.output.print(&found, || protection::text(&found))?;
    gone.verdict(&found.leftovers, missing)
}

/// Looks at every layer, and at what lies outside the stacks.
async fn look(
    session: &Session,
    survey: &Survey,
    args: &Args,
    found: &mut Findings,
) -> Result<(), CommandError> {
    let wanted = session::design(&session.defined)?;
    let own = session::own_design(&session.defined)?;
    let mut existing = Vec::new();
    for stack in wanted.iter().filter(|stack| stack.policy.is_some()) {
        match survey.named(&stack.name) {
            Some(live) if rests(&live.status) => existing.push((stack, live)),
            Some(live) => found
                .stacks
                .push(format!("{} is in {}", stack.name, live.status)),
            None => found.stacks.push(format!("{} does not exist", stack.name)),
        }
    }
    let overrides = session::override_directory(&session.defined);
    let overrides = overrides.display().to_string();
    let read = existing.iter().map(|(stack, live)| {
        let template = survey.templates.get(&live.id);
        let own = own.iter().find(|own| own.kind == stack.kind);
        let wanted = WantedProtection {
            stack,
            own: own.unwrap_or(stack),
            overrides: &overrides,
        };
        read_layers(session, wanted, live, template)
    });
    let (stacks, account, outside, objects, groups, leftovers) = futures::join!(
        join_all(read),
        account_layers(session, survey),
        authorities::layers(session, survey),
        objects::layers(session, survey, &wanted),
        live::layers(&session.cloud, survey, &wanted),
        leftovers::leftovers(session, survey, &args.api),
    );
    found.layers = stacks.into_iter().flatten().collect();
    found.layers.extend(account);
    found.layers.extend(outside);
    found.layers.extend(objects);
    found.layers.extend(groups);
    found.leftovers = leftovers;
    Ok(())
}

async fn read_layers(
    session: &Session,
    wanted: WantedProtection<'_>,
    found: &LiveStack,
    template: Option<&serde_json::Value>,
) -> Vec<ProtectionLayer> {
    let (policy, drift) = futures::join!(
        session.cloud.policy(&found.id),
        session.cloud.drift(&found.id)
    );
    let live = LiveProtection {
        found,
        template,
        policy: &policy.map_err(|error| error.to_string()),
        drift: &drift.map_err(|error| error.to_string()),
    };
    layers(wanted, live)
}

/// Key, buckets and roles of every stack as they are in the account.
async fn account_layers(session: &Session, survey: &Survey) -> Vec<ProtectionLayer> {
    let at_rest = survey.found.iter().filter(|found| rests(&found.status));
    let stacks = at_rest.filter_map(|found| {
        let kind = StackKind::parse(&found.kind)?;
        let template = survey.templates.get(&found.id)?;
        account::concerns(template).then_some((kind, found, template))
    });
    let read = stacks.map(async |(kind, found, template)| {
        match read::account(&session.cloud, found).await {
            Ok(facts) => account::layers(LiveAccount {
                identity: &session.identity,
                kind: &kind,
                found,
                template,
                facts: &facts,
            }),
            Err(why) => vec![ProtectionLayer {
                stack: kind,
                resource: None,
                layer: "key, buckets and roles",
                state: LayerState::Unknown,
                text: format!("could not be read: {why}"),
                next: None,
            }],
        }
    });
    join_all(read).await.into_iter().flatten().collect()
}

/// What could not be read is no all-clear either.
fn exit(found: &Findings) -> Result<Exit, CommandError> {
    let (missing, orphaned) = (found.missing(), found.orphaned());
    let name = &found.cluster;
    if found.half_deleted {
        let message =
            format!("a deletion of {name} has come as far as its network, and not further");
        return Err(CommandError::new(Exit::NeedsAction, message)
            .help(format!("`kube-cfn delete {name}` goes on with it")));
    }
    let layers =
        (missing > 0).then(|| format!("{} of protection missing", count(missing, "layer")));
    let left = (orphaned > 0).then(|| {
        format!(
            "{} left over outside the stacks",
            count(orphaned, "resource")
        )
    });
    let wrong: Vec<String> = layers.into_iter().chain(left).collect();
    let open = not_looked_at(found);
    if !wrong.is_empty() {
        let restores = if missing > 0 {
            format!("; `kube-cfn plan {name}` shows what `kube-cfn apply {name}` restores")
        } else {
            String::new()
        };
        let all: Vec<String> = [wrong.join(", ")].into_iter().chain(open).collect();
        return Err(CommandError::new(Exit::NeedsAction, all.join("; "))
            .help(format!("see `next` above{restores}")));
    }
    if open.is_empty() {
        return Ok(Exit::Done);
    }
    let help = match found.looks_closer() {
        Some(next) => format!("see the reasons above; {next}"),
        None => "see the reasons above".to_owned(),
    };
    Err(CommandError::other(open.join("; ")).help(help))
}

/// What could not be looked at, in words.
fn not_looked_at(found: &Findings) -> Vec<String> {
    let unknown = found.unknown();
    let layers = (unknown > 0).then(|| {
        format!(
            "{} of protection could not be checked",
            count(unknown, "layer")
        )
    });
    let outside = found.not_judged_kinds();
    let outside = outside.map(|what| format!("not looked at: {what}"));
    layers.into_iter().chain(outside).collect()
}
