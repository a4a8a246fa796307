//! After the stacks: waits until Kubernetes is ready, with its progress on the screen.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::api_access::ApiArgs;
use super::ask;
use super::error::{CommandError, Exit};
use super::out::eprint;
use super::session::Session;
use crate::catalog::durations::Durations;
use crate::common::duration::elapsed;
use crate::events::{Event, ReadyPart};
use crate::kube::{self, Api, Readiness, WaitOptions, WaitResult, WantedCluster};
use crate::progress::{self, Commands, Pace, Style};

/// When apply ends.
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
    #[arg(long, value_parser = super::api_access::parse_duration, default_value = "15m", value_name = "TIME")]
    timeout: SignedDuration,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// How the wait ended.
enum WaitEnd {
    Waited(WaitResult),
    /// Ctrl-C.
    Interrupted,
}

/// Waits until the cluster of `session` is ready, at most for the timeout of `args`.
pub async fn wait(
    session: &Session,
    host: &str,
    args: &Wait,
    style: Style,
) -> Result<Exit, CommandError> {
    let spec = session.spec();
    let name = spec.name.as_str();
    let reached = session.api().connect(host, &args.api).await?;
    if let Some(why) = reached.no_credentials_reason {
        eprint(&format!("waiting for the API only: {why}"));
    }
    let api = Api::connect(&reached.connection)?;
    let server = api.server();
    let options = WaitOptions::of(args.timeout.unsigned_abs());
    let ended = wait_with_progress(name, &api, &WantedCluster::of(spec), options, style).await;
    finish((name, server), args.timeout, &ended)
}

async fn wait_with_progress(
    name: &str,
    api: &Api,
    wanted: &WantedCluster,
    options: WaitOptions,
    style: Style,
) -> WaitEnd {
    let (sender, events) = mpsc::unbounded_channel();
    let since = Timestamp::now();
    let until = SignedDuration::try_from(options.timeout).unwrap_or(SignedDuration::MAX);
    let until = since.checked_add(until).unwrap_or(Timestamp::MAX);
    let doing = async move {
        let sent = Cell::new(false);
        let emit = |readiness: &Readiness| {
            sent.set(true);
            // Without a screen the wait continues.
            let _ = sender.send(event(name, (since, until), readiness));
        };
        tokio::select! {
            end = kube::wait(api, wanted, options, emit) => {
                // Without one finished check, the last state is still shown.
                if let WaitResult::TimedOut(last) = &end && !sent.get() {
                    emit(last);
                }
                WaitEnd::Waited(end)
            }
            () = ask::interrupted() => WaitEnd::Interrupted,
        }
    };
    let (ended, shown) = tokio::join!(
        doing,
        progress::show(
            style,
            events,
            Pace::default(),
            Durations::default(),
            Commands::default()
        )
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

/// A timeout needs manual action (4): fifteen minutes are three times what a boot takes, so waiting
/// longer seldom helps. Ctrl-C detaches (6).
fn finish(
    (name, server): (&str, &str),
    timeout: SignedDuration,
    ended: &WaitEnd,
) -> Result<Exit, CommandError> {
    let again = format!(
        "`kube-cfn status {name}` checks again, `kube-cfn apply {name}` waits again; \
         `--wait stacks` does not wait"
    );
    match ended {
        WaitEnd::Waited(WaitResult::Ready(_)) => Ok(Exit::Done),
        WaitEnd::Waited(WaitResult::TimedOut(_)) => {
            let message = format!(
                "the stacks of {name} are as defined, but Kubernetes was not ready within {}; see \
                 above what is missing at {server}",
                elapsed(timeout)
            );
            Err(CommandError::new(Exit::NeedsAction, message).help(again))
        }
        WaitEnd::Interrupted => {
            let message = format!(
                "detached: the stacks of {name} are as defined, its machines continue booting"
            );
            Err(CommandError::new(Exit::Detached, message).help(again))
        }
    }
}
