//! `kube-cfn doctor`: whether everything that keeps the cluster's data from harm is in force in AWS.

use futures::future::join_all;
use serde::Serialize;

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, Format};
use super::session::{self, Session};
use crate::cloud::{Cloud, LiveStack};
use crate::plan::protection::{Layer, Live, State, layers};
use crate::plan::status::rests;
use crate::plan::{self};
use crate::stacks::Stack;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    /// How to print it
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What was found, as data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    cluster: String,
    layers: Vec<Layer>,
    /// Stacks that hold data by the definition and are not there, or can't be judged as they stand.
    stacks: Vec<String>,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let session = session::open(global, &args.name).await?;
    session.introduce();
    let name = session.spec().name.clone();
    let survey = plan::survey(&session.cloud, &name).await?;
    let wanted = session::design(&session.defined)?;
    let mut found = Finding {
        cluster: name.clone(),
        layers: Vec::new(),
        stacks: Vec::new(),
    };
    let mut there = Vec::new();
    for stack in wanted.iter().filter(|stack| stack.policy.is_some()) {
        match survey.named(&stack.name) {
            Some(live) if rests(&live.status) => there.push((stack, live)),
            Some(live) => found
                .stacks
                .push(format!("{} is in {}", stack.name, live.status)),
            None => found.stacks.push(format!("{} is not there", stack.name)),
        }
    }
    let read = there.iter().map(|(stack, live)| {
        let template = survey.templates.get(&live.id);
        examine(&session, stack, live, template)
    });
    found.layers = join_all(read).await.into_iter().flatten().collect();
    out::listed(args.output, &found, || text(&found))?;
    verdict(&found)
}

async fn examine(
    session: &Session,
    stack: &Stack,
    found: &LiveStack,
    template: Option<&serde_json::Value>,
) -> Vec<Layer> {
    let (policy, drift) = futures::join!(
        session.cloud.policy(&found.id),
        session.cloud.drift(&found.id)
    );
    let live = Live {
        found,
        template,
        policy: &policy.map_err(|error| error.to_string()),
        drift: &drift.map_err(|error| error.to_string()),
    };
    layers(stack, live)
}

fn text(found: &Finding) -> String {
    let row = |layer: &Layer| {
        let mark = match layer.state {
            State::Holds => "ok",
            State::Open => "--",
            State::Missing => "!!",
            State::Unknown => "??",
        };
        let whose = layer.resource.as_ref().map(|one| format!("{one}: "));
        let (stack, whose) = (layer.stack.to_string(), whose.unwrap_or_default());
        format!("{mark} {stack:<14} {whose}{}: {}", layer.layer, layer.told)
    };
    let mut lines = Vec::new();
    for layer in &found.layers {
        lines.push(out::listed_line("", &row(layer)));
        let next = layer.next.as_ref().map(|next| format!("next: {next}"));
        lines.extend(next.map(|next| out::listed_line("   ", &next)));
    }
    lines.extend(found.stacks.iter().map(|stack| format!("!! {stack}")));
    lines.join("\n")
}

/// Silence of AWS is no proof: what could not be read counts like what is missing.
fn verdict(found: &Finding) -> Result<Exit, Failure> {
    let broken = |layer: &&Layer| matches!(layer.state, State::Missing | State::Unknown);
    let open = found.layers.iter().filter(broken).count() + found.stacks.len();
    if open == 0 {
        return Ok(Exit::Done);
    }
    let noun = if open == 1 { "layer" } else { "layers" };
    let message = format!("{open} {noun} of protection can't be relied on");
    let name = &found.cluster;
    Err(Failure::new(Exit::NeedsHand, message).help(format!(
        "`kube-cfn plan {name}` shows what `kube-cfn apply {name}` puts back"
    )))
}
