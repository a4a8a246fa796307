//! After the stacks: waiting until Kubernetes itself works, with the progress shown beside it.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::api_access::ApiArgs;
use super::ask;
use super::failure::{Exit, Failure};
use super::out::eprint;
use super::session::Session;
use crate::catalog::durations::Durations;
use crate::common::duration::elapsed;
use crate::events::{Event, ReadyPart};
use crate::kube::{self, Api, Readiness, WaitOptions, WaitResult, WantedCluster};
use crate::progress::{self, Pace, Style};

/// How far apply goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Until {
    /// Until the stacks are as defined
    Stacks,
    /// Until the API answers, the nodes are Ready and the critical pods run
    #[default]
    Ready,
}

/// Flags of the wait.
#[derive(clap::Args)]
pub struct Wait {
    /// What to wait for
    #[arg(
        long = "wait",
        value_enum,
        default_value_t,
        value_name = "WHAT",
        env = "KUBE_CFN_WAIT"
    )]
    pub until: Until,
    /// How long to wait for the cluster once its stacks are done
    #[arg(long, value_parser = super::api_access::span, default_value = "15m", value_name = "TIME")]
    timeout: SignedDuration,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// How the wait ended.
enum Ended {
    Waited(WaitResult),
    /// Ctrl-C.
    Left,
}

/// Waits until the cluster of `session` works, at most as long as `args` say.
pub async fn wait(
    session: &Session,
    host: &str,
    args: &Wait,
    style: Style,
) -> Result<Exit, Failure> {
    let spec = session.spec();
    let name = spec.name.as_str();
    let reached = session.api().connect(host, &args.api).await?;
    if let Some(why) = reached.no_credentials_reason {
        eprint(&format!("only the API itself is waited for: {why}"));
    }
    let api = Api::connect(&reached.connection)?;
    let server = api.server();
    let patience = WaitOptions::of(args.timeout.unsigned_abs());
    let ended = watched(name, &api, &WantedCluster::of(spec), patience, style).await;
    finish((name, server), args.timeout, &ended)
}

async fn watched(
    name: &str,
    api: &Api,
    wanted: &WantedCluster,
    patience: WaitOptions,
    style: Style,
) -> Ended {
    let (sender, events) = mpsc::unbounded_channel();
    let since = Timestamp::now();
    let until = SignedDuration::try_from(patience.timeout).unwrap_or(SignedDuration::MAX);
    let until = since.checked_add(until).unwrap_or(Timestamp::MAX);
    let doing = async move {
        let sent = Cell::new(false);
        let tell = |readiness: &Readiness| {
            sent.set(true);
            // Nobody listening is not worth failing for.
            let _ = sender.send(event(name, (since, until), readiness));
        };
        tokio::select! {
            end = kube::wait(api, wanted, patience, tell) => {
                // Where not even one look came to an end, there is still something to show.
                if let WaitResult::TimedOut(last) = &end && !sent.get() {
                    tell(last);
                }
                Ended::Waited(end)
            }
            () = ask::interrupted() => Ended::Left,
        }
    };
    let (ended, shown) = tokio::join!(
        doing,
        progress::show(style, events, Pace::default(), Durations::default())
    );
    if let Err(error) = shown {
        eprint(&format!("failed to show the progress: {error}"));
    }
    ended
}

fn event(name: &str, (since, until): (Timestamp, Timestamp), readiness: &Readiness) -> Event {
    let part = |one: &kube::ReadinessPart| ReadyPart {
        name: one.name.clone(),
        done: one.done,
        wanted: one.wanted,
        state: one.state.clone(),
        missing: one.missing.clone(),
    };
    Event::Readiness {
        at: Timestamp::now(),
        cluster: name.to_owned(),
        since,
        until,
        ready: readiness.is_done(),
        parts: readiness.parts.iter().map(part).collect(),
        remarks: readiness.remarks.clone(),
    }
}

/// A timeout needs manual action (4): fifteen minutes are three times what a boot takes, so waiting longer
/// by itself will seldom help. Ctrl-C detaches (6).
fn finish(
    (name, server): (&str, &str),
    timeout: SignedDuration,
    ended: &Ended,
) -> Result<Exit, Failure> {
    let again = format!(
        "`kube-cfn status {name}` checks again, `kube-cfn apply {name}` waits again; with \
         `--wait stacks` nothing is waited for"
    );
    match ended {
        Ended::Waited(WaitResult::Ready(_)) => Ok(Exit::Done),
        Ended::Waited(WaitResult::TimedOut(_)) => {
            let message = format!(
                "the stacks of {name} are as defined, but Kubernetes was not ready within {}; see \
                 above what is missing at {server}",
                elapsed(timeout)
            );
            Err(Failure::new(Exit::NeedsAction, message).help(again))
        }
        Ended::Left => {
            let message = format!(
                "detached: the stacks of {name} are as defined, its machines continue booting"
            );
            Err(Failure::new(Exit::Detached, message).help(again))
        }
    }
}
