//! `kube-cfn doctor`: checks in AWS whether everything that protects the cluster's data is in force.

use futures::future::join_all;

use super::Global;
use super::error::{CommandError, Exit};
use super::objects;
use super::out::FormatArg;
use super::session::{self, Session};
use crate::cloud::{Cloud, LiveStack};
use crate::common::text::count;
use crate::plan::protection::{LiveProtection, ProtectionLayer, layers};
use crate::plan::status::rests;
use crate::plan::{self};
use crate::report::protection::{self, Findings};
use crate::stacks::Stack;

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
    found.layers = join_all(read).await.into_iter().flatten().collect();
    let objects = objects::layers(&session, &survey, &wanted).await?;
    found.layers.extend(objects);
    args.output.print(&found, || protection::text(&found))?;
    exit(&found)
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

/// A layer that could not be read counts like a missing one.
fn exit(found: &Findings) -> Result<Exit, CommandError> {
    let open = found.open();
    if open == 0 {
        return Ok(Exit::Done);
    }
    let message = format!(
        "{} of protection missing or not checked",
        count(open, "layer")
    );
    let name = &found.cluster;
    Err(CommandError::new(Exit::NeedsAction, message).help(format!(
        "`kube-cfn plan {name}` shows what `kube-cfn apply {name}` restores"
    )))
}
