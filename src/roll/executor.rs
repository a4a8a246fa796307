//! Runs a roll: looks, asks what is next, does it, waits, and emits events. Nothing is decided here.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::control_plane::PROBES;
use super::look::Last;
use super::memory::Memory;
use super::observed::Observed;
use super::progress::Reported;
use super::step::{Action, End, Step};
use super::{Options, next};
use crate::cloud::remote::Remote;
use crate::cloud::{CloudError, Machines, Nodes, NodesError, Scaling, WriteGate};
use crate::common::Clock;
use crate::common::clock::elapsed;
use crate::etcd::{Members, Membership};
use crate::events::Event;

/// Between two looks: two of them make the five seconds that a new machine is looked at apart.
const INTERVAL: Duration = Duration::from_millis(2500);
/// After an action that frees a place, or fills one.
const SHORT: Duration = Duration::from_secs(1);
/// How long AWS may give no answer before a roll ends with that.
const AWAY: Duration = Duration::from_mins(15);

/// What decides: [`next`], or a variant of it in tests.
pub type Next = fn(&Observed, &Memory, &Options) -> Step;

/// The members of etcd, asked from outside the cluster.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait Etcd {
    /// All members and the alarms, or why they are not known.
    async fn membership(&self) -> Result<Membership, String>;
}

impl<R: Remote> Etcd for Members<'_, R> {
    async fn membership(&self) -> Result<Membership, String> {
        Members::membership(self)
            .await
            .map_err(|error| error.to_string())
    }
}

/// A roll of one cluster.
pub struct Roll<'a, C, N, E> {
    pub cloud: &'a C,
    pub nodes: &'a N,
    pub etcd: &'a E,
    pub options: &'a Options,
    pub events: &'a UnboundedSender<Event>,
    /// The gate of the operation lock: writes to the Kubernetes API pass it. `None` without a lock, in tests.
    pub gate: Option<&'a WriteGate>,
    /// [`next`].
    pub next: Next,
}

impl<C, N, E> std::fmt::Debug for Roll<'_, C, N, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roll of {}", self.options.cluster)
    }
}

/// Why a roll could not go on. The same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum RollError {
    #[error("{0}")]
    Cloud(#[source] CloudError),
    #[error("the Kubernetes API: {0}")]
    Kubernetes(#[source] NodesError),
}

impl<'a, C: Machines + Scaling + Clock, N: Nodes, E: Etcd> Roll<'a, C, N, E> {
    pub fn new(
        (cloud, nodes, etcd): (&'a C, &'a N, &'a E),
        options: &'a Options,
        events: &'a UnboundedSender<Event>,
    ) -> Self {
        Self {
            cloud,
            nodes,
            etcd,
            options,
            events,
            gate: None,
            next,
        }
    }

    /// Runs until every machine is replaced, or nothing more can be done. It may be dropped at any moment.
    ///
    /// # Errors
    /// What AWS or the Kubernetes API refuses, and AWS without an answer for a quarter of an hour.
    pub async fn run(&self) -> Result<End, RollError> {
        let mut memory = Memory::new(self.cloud.now());
        let mut last = Last::default();
        let mut reported = Reported::new(self.cloud.now());
        let mut answered = self.cloud.now();
        loop {
            let seen = match self.look(&mut last, &memory).await {
                Ok(seen) => seen,
                Err(RollError::Cloud(error)) if error.is_transient() => {
                    if elapsed(answered, self.cloud.now()) >= AWAY {
                        return Err(RollError::Cloud(error));
                    }
                    self.cloud.sleep(INTERVAL).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            answered = seen.at;
            memory.observe(&seen, &self.options.versions);
            let step = (self.next)(&seen, &memory, self.options);
            memory.remember(&step, &seen);
            self.show(&seen, &memory, &step, &mut reported);
            self.act(&step.actions, &seen, &mut memory).await?;
            if let Some(end) = step.end {
                return Ok(end);
            }
            self.pause(&step, &mut memory).await;
        }
    }

    /// Waits until the next look, and probes the API meanwhile where that is wanted.
    async fn pause(&self, step: &Step, memory: &mut Memory) {
        let is_short = step.actions.iter().any(|action| {
            matches!(
                action,
                Action::Terminate { .. }
                    | Action::TerminateInGroup { .. }
                    | Action::DeleteNode { .. }
                    | Action::Taint { .. }
            )
        });
        if !step.probes || memory.probes.0 >= PROBES {
            let time = if is_short { SHORT } else { INTERVAL };
            return self.cloud.sleep(time).await;
        }
        for _ in 0..INTERVAL.as_secs() {
            self.cloud.sleep(Duration::from_secs(1)).await;
            let (good, bad) = memory.probes;
            memory.probes = if self.nodes.is_ready().await {
                (good + 1, bad)
            } else {
                (0, bad + 1)
            };
        }
    }
}
