//! What runs on a simulated fleet, and what goes wrong there.

use std::time::Duration;

use crate::catalog::durations::Seconds;

/// What runs, and what goes wrong.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetConfig {
    pub apps: Vec<App>,
    pub faults: Vec<FleetFault>,
    /// How long a worker takes from its launch until its node is Ready; `None`: as the catalogue says.
    pub boot: Option<Seconds>,
    /// Processor time of a worker, in thousandths; 0: 4000.
    pub worker_milli_cpu: u64,
    /// A broken simulation, for the tests of the tests: a group whose machine is detached wants one fewer.
    pub detach_lowers_size: bool,
}

/// Pods of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct App {
    pub namespace: String,
    pub name: String,
    pub replicas: u32,
    pub grace_seconds: u64,
    /// How long a pod really takes to end.
    pub stop: Seconds,
    /// How long a pod takes to get Ready once it has a node.
    pub start: Seconds,
    pub milli_cpu: u64,
    /// Zone of its volumes, one each; a new pod comes only after the old one is gone.
    pub zone: Option<String>,
    /// How many of its pods have to stay Ready.
    pub min_available: Option<u32>,
    /// Whether a second budget covers it.
    pub has_two_budgets: bool,
    /// Whether a controller makes new pods.
    pub is_controlled: bool,
    /// Whether each of its pods runs on a worker of its own, in the order of their names; else where there is room.
    pub is_spread: bool,
}

impl App {
    /// Controlled pods without volumes and budget that start and end within seconds.
    pub fn new(name: &str, replicas: u32) -> Self {
        Self {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            replicas,
            grace_seconds: 30,
            stop: Seconds {
                p50: 5.0,
                p90: 15.0,
            },
            start: Seconds {
                p50: 8.0,
                p90: 25.0,
            },
            milli_cpu: 200,
            zone: None,
            min_available: None,
            has_two_budgets: false,
            is_controlled: true,
            is_spread: false,
        }
    }
}

/// Something that goes wrong for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFault {
    pub kind: FleetFaultKind,
    /// From the start of the fleet.
    pub from: Duration,
    pub lasts: Duration,
}

impl FleetFault {
    /// Whether it applies so many milliseconds after the start.
    pub(super) fn covers(&self, since: i64) -> bool {
        let since = u128::try_from(since).unwrap_or(0);
        let end = self.from.saturating_add(self.lasts);
        self.from.as_millis() <= since && since < end.as_millis()
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FleetFaultKind {
    /// Groups of pools can't launch: AWS has no capacity.
    NoCapacity,
    /// Workers that are launched never join.
    NeverJoins,
    /// AWS takes a worker back, at the beginning of the fault.
    SpotTaken,
    /// The Kubernetes API does not answer.
    ApiAway,
    /// Every budget allows nothing.
    StuckEviction,
    /// The autoscaler wants one machine more, at the beginning.
    ScaleUp,
    /// The autoscaler takes a machine away, at the beginning.
    ScaleDown,
    /// Somebody makes nodes schedulable again that others cordoned, at the beginning.
    Uncordoned,
    /// Somebody terminates a machine that is in no group, at the beginning.
    DetachedTerminated,
    /// The interface of a control-plane node stays in use for minutes after its machine.
    InterfaceInUse,
    /// The Kubernetes API lists only one node of three.
    NodesMissing,
}
