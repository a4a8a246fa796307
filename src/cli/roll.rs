//! `kube-cfn roll`: shows which machines would be replaced and what would block, asks, replaces them one after the other.

mod flags;
mod options;
mod renewed;

use futures::TryFutureExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::renewed::RenewedApi;
use super::ask::Interrupt;
use super::cluster::Cluster;
use super::error::{CommandError, Exit};
use super::operation::Subject;
use super::out::{self, eprint};
use super::run::{self, ProgressOptions, run_id};
use super::{Global, operation};
use crate::cloud::aws::Aws;
use crate::cloud::{NodesError, VersionedParameters as _};
use crate::etcd::Members;
use crate::events::Emitter;
use crate::operation::{Lease, OperationVerb};
use crate::progress::Commands;
use crate::report::roll::{self as report, RollView};
use crate::roll::{End, Forecast, Options, Roll, RollError, RollScope, foresee};

pub use self::flags::Args;

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let cluster = args.cluster.open(global).await?;
    cluster.print_header();
    let subject = subject(&cluster);
    let seen = subject.observe().await?;
    let live = options::read(&cluster, args).await?;
    let nodes = RenewedApi::connect(&cluster, live.host.clone(), &args.api).await?;
    let again = args.command(&cluster);
    let forecast = look(&cluster, &live.options, &nodes, args).await?;
    let view = RollView::of(
        &cluster.name,
        &forecast,
        &live.options,
        &again,
        Timestamp::now(),
    );
    let is_json = args.plan && args.output == out::TextFormat::Json;
    if is_json {
        out::data(&out::json(&view)?)?;
    } else if args.plan {
        out::text(&report::text(&view))?;
    } else {
        eprint(&report::text(&view));
    }
    if forecast.machines.is_empty() && !forecast.has_rest {
        return Ok(Exit::Done);
    }
    if let Some(why) = report::refusal(&view) {
        return Err(CommandError::refused(why).help(report::remedy(&again)));
    }
    if args.plan {
        return Ok(Exit::Done);
    }
    args.yes.confirm(&report::question(&view))?;
    let run = run_id();
    let lease = subject.lock(&run, seen).await?;
    if let Err(error) = recheck(&cluster, args, &live.options, &again).await {
        operation::release(lease, false).await;
        return Err(error);
    }
    let stop = Interrupt::default();
    let work = Work {
        cluster: &cluster,
        options: &live.options,
        nodes: &nodes,
        again: &again,
    };
    let end = work.roll(&run, args, (&lease, &stop)).await;
    let lost = lease.lost_to();
    operation::release(lease, stop.received()).await;
    if let Some(who) = lost {
        return Err(subject.taken_over(&who));
    }
    exit(end, &cluster, &again)
}

fn subject(cluster: &Cluster) -> Subject<'_> {
    Subject {
        name: &cluster.name,
        cloud: &cluster.cloud,
        identity: &cluster.identity,
        verb: OperationVerb::Roll,
        is_defined: cluster.defined.is_some(),
    }
}

/// Under the lock: another run may have changed the stacks while one was asked.
async fn recheck(
    cluster: &Cluster,
    args: &Args,
    shown: &Options,
    again: &str,
) -> Result<(), CommandError> {
    let now = options::read(cluster, args).await?;
    if now.options == *shown {
        return Ok(());
    }
    let message = format!(
        "the stacks of {} have changed since its machines were shown; nothing was changed",
        cluster.name
    );
    Err(CommandError::refused(message).help(format!("re-run `{again}`: it looks again")))
}

/// What a roll would do now.
async fn look(
    cluster: &Cluster,
    options: &Options,
    nodes: &RenewedApi<'_>,
    args: &Args,
) -> Result<Forecast, CommandError> {
    let (sender, _events) = mpsc::unbounded_channel();
    let members = members(cluster, options);
    let roll = Roll::new((&cluster.cloud, nodes, &members), options, &sender);
    let seen = roll.observe().map_err(failed).await?;
    args.check_pools(&cluster.name, &seen.pools())?;
    if let RollScope::Node(node) = &options.scope {
        let found = seen.instances.get(node);
        // One that has ended was replaced: what is left of it is tidied up.
        let is_known = match found {
            Some(one) => !one.state.is_alive() || one.group.is_some() || one.roll.is_some(),
            None => seen.nodes.contains_key(node),
        };
        if !is_known {
            let message = format!("{} has no machine {node} that runs", cluster.name);
            return Err(CommandError::other(message)
                .help(format!("`{}` lists its nodes", cluster.command("status"))));
        }
    }
    Ok(foresee(&seen, options))
}

fn members<'a>(cluster: &'a Cluster, options: &Options) -> Members<'a, Aws> {
    Members {
        cloud: &cluster.cloud,
        slots: options.slots.clone(),
        on_step: &|_| {},
    }
}

/// How a roll came to its end.
enum Ending {
    Came(Result<End, RollError>),
    Interrupted,
}

/// What is rolled.
struct Work<'a> {
    cluster: &'a Cluster,
    options: &'a Options,
    nodes: &'a RenewedApi<'a>,
    /// The command that goes on with it.
    again: &'a str,
}

impl Work<'_> {
    async fn roll(
        &self,
        run: &str,
        args: &Args,
        (lease, stop): (&Lease<'_, Aws>, &Interrupt),
    ) -> Ending {
        let cluster = self.cluster;
        let options = ProgressOptions {
            commands: Commands {
                argument: Some(cluster.argument()),
                again: Some(self.again.to_owned()),
            },
            ..ProgressOptions::recorded(
                args.progress,
                run,
                &cluster.name,
                &cluster.identity,
                "roll",
            )
        };
        run::with_progress(options, async |events| {
            let members = members(cluster, self.options);
            let what = (&cluster.cloud, self.nodes, &members);
            let mut roll = Roll::new(what, self.options, events);
            roll.gate = Some(cluster.cloud.write_gate());
            let emit = Emitter {
                events,
                clock: &cluster.cloud,
            };
            let work = async {
                tokio::select! {
                    end = roll.run() => Ending::Came(end),
                    () = stop.wait() => Ending::Interrupted,
                    () = lease.lost() => Ending::Interrupted,
                }
            };
            lease.hold(|text| emit.note(None, text), work).await
        })
        .await
    }
}

/// The exit code of a roll, or why it is not done.
fn exit(ending: Ending, cluster: &Cluster, again: &str) -> Result<Exit, CommandError> {
    match ending {
        Ending::Came(Ok(End::Finished)) => Ok(Exit::Done),
        Ending::Came(Ok(End::Stopped(stops))) => {
            let message = format!("{} is not rolled:{}", cluster.name, report::stops(&stops));
            let look = report::look_closer(&stops, &cluster.identity.region);
            Err(CommandError::new(Exit::NeedsAction, message)
                .help(format!(
                    "fix the cause, then re-run `{again}`: it goes on from here"
                ))
                .more_help(look))
        }
        Ending::Came(Err(error)) => Err(failed(error).more_help(format!("`{again}` goes on"))),
        Ending::Interrupted => {
            let message = "interrupted; machines that are out of their group and nodes that are cordoned stay so";
            Err(CommandError::new(Exit::Interrupted, message).help(format!(
                "`{again}` goes on; `{}` shows what is unfinished",
                cluster.command("status")
            )))
        }
    }
}

fn failed(error: RollError) -> CommandError {
    match error {
        RollError::Cloud(error) => error.into(),
        RollError::Kubernetes(error) => {
            let failed = CommandError::other(format!("the Kubernetes API: {error}"));
            match error {
                NodesError::Away(_) => failed.help(
                    "does the API allow your address (api.allowedCidrs, api.exposure)? for a tunnel, give its address \
                     with --server",
                ),
                NodesError::Refused(_) => failed,
            }
        }
    }
}
