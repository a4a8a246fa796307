//! `kube-cfn doctor`: checks in AWS whether everything that protects the cluster's data is in force.

use futures::future::join_all;

use super::Global;
use super::error::{CommandError, Exit};
use super::objects;
use super::out::FormatArg;
use super::planning::list_authorities;
use super::session::{self, Session};
use crate::access::{self, AccessError, Inventory, copy};
use crate::cloud::aws::Aws;
use crate::cloud::{Cloud, LiveStack};
use crate::common::Clock as _;
use crate::common::text::count;
use crate::etcd;
use crate::plan::protection::{LiveProtection, ProtectionLayer, layers};
use crate::plan::status::rests;
use crate::plan::{self, Survey};
use crate::report::protection::{self, CopyRead, Findings};
use crate::stacks::{STATE_BUCKET, Stack, StackKind};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[command(flatten)]
    output: FormatArg,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let session = session::open(global, &args.name).await?;
    session.print_header();
    let name = session.spec().name.clone();
    let survey = plan::survey(&session.cloud, &name).await?;
    let wanted = session::design(&session.defined)?;
    let mut found = Findings {
        cluster: name.clone(),
        layers: Vec::new(),
        stacks: Vec::new(),
    };
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
    let read = existing.iter().map(|(stack, live)| {
        let template = survey.templates.get(&live.id);
        read_layers(&session, stack, live, template)
    });
    let (stacks, outside) = futures::join!(join_all(read), outside_stacks(&session, &survey));
    found.layers = stacks.into_iter().flatten().chain(outside?).collect();
    let objects = objects::layers(&session, &survey, &wanted).await?;
    found.layers.extend(objects);
    args.output.print(&found, || protection::text(&found))?;
    exit(&found)
}

/// What protects the data outside CloudFormation: the authorities with their copy, and the snapshots.
async fn outside_stacks(
    session: &Session,
    survey: &Survey,
) -> Result<Vec<ProtectionLayer>, CommandError> {
    let (cloud, name) = (&session.cloud, &session.spec().name);
    let base = survey.named(&StackKind::Base.stack_name(name));
    let Some(bucket) = base.and_then(|base| base.outputs.get(STATE_BUCKET)) else {
        return Ok(Vec::new());
    };
    let listed = list_authorities(cloud, name, &survey.found).await?;
    let control_plane = survey.named(&StackKind::ControlPlane.stack_name(name));
    let (copy, authorities, snapshots) = futures::join!(
        read_copy(cloud, &listed, bucket),
        access::authorities(cloud, name),
        etcd::list(cloud, bucket)
    );
    let now = cloud.now();
    let mut layers = protection::parameter_layers(&listed);
    layers.push(protection::copy_layer(
        &listed,
        &copy.map_err(|error| error.to_string()),
    ));
    if listed.missing.is_empty() {
        let authorities = authorities.map_err(|error| error.to_string());
        layers.push(protection::validity_layer(name, &authorities, now));
    }
    if let Some(control_plane) = control_plane {
        let snapshots = snapshots
            .map(|all| all.found)
            .map_err(|error| error.to_string());
        layers.push(protection::snapshot_layer(
            name,
            control_plane.created,
            &snapshots,
            now,
        ));
    }
    Ok(layers)
}

async fn read_copy(cloud: &Aws, listed: &Inventory, bucket: &str) -> Result<CopyRead, AccessError> {
    let readable = listed.readable();
    let (stored, copy) = futures::try_join!(
        copy::read_parameters(cloud, &readable),
        copy::read_copy(cloud, bucket, &listed.cluster)
    )?;
    Ok(CopyRead { stored, copy })
}

async fn read_layers(
    session: &Session,
    stack: &Stack,
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
    layers(stack, live)
}

/// What could not be read is no all-clear either.
fn exit(found: &Findings) -> Result<Exit, CommandError> {
    let (missing, unknown) = (found.missing(), found.unknown());
    let name = &found.cluster;
    if missing > 0 {
        let message = format!("{} of protection missing", count(missing, "layer"));
        return Err(CommandError::new(Exit::NeedsAction, message).help(format!(
            "see `next` above; `kube-cfn plan {name}` shows what `kube-cfn apply {name}` restores"
        )));
    }
    if unknown > 0 {
        let message = format!(
            "{} of protection could not be checked",
            count(unknown, "layer")
        );
        return Err(CommandError::other(message).help("see the reasons above"));
    }
    Ok(Exit::Done)
}
