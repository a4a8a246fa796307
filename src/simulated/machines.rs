//! The machines of Auto Scaling groups: they boot, join, signal, and write to their
//! console. The machines of a pool join the control plane of their cluster: their group is not done
//! before that answers, and fails at the timeout of its signals, as on AWS.

use super::rng::{hex, stream};
use super::stack::{Resource, Stack};
use super::state::State;
use crate::cloud::LiveStack;

/// The parameter with which machines are given the state bucket.
pub(super) const STATE_BUCKET: &str = "StateBucket";

/// What the stack with a cluster's control plane is tagged as, and how the tags of its pools begin.
const CONTROL_PLANE: &str = "control-plane";
const POOL: &str = "pool-";

/// How often a machine checks whether the control plane answers, in milliseconds.
const CHECK_INTERVAL: i64 = 10_000;

/// Machines that are up and wait for a control plane to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JoinWait {
    /// Milliseconds from its first answer to their signal.
    pub(super) joining: i64,
    /// When their group fails.
    pub(super) until: i64,
    /// How many signals it waits for.
    pub(super) count: u64,
}

/// The result of one check of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinCheck {
    /// It answers: they signal at this moment.
    Signals(i64),
    /// It does not: they check again then.
    Repeat(i64),
    /// Their group fails then.
    TimesOut(i64),
}

/// Why machines don't signal success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSignal {
    /// Their boot fails, for a cause of this code.
    Boot(&'static str),
    /// The control plane that they join does not answer.
    ControlPlane,
}

/// What the boot programs said of a cause: recorded by `tests/offline/node/boot_causes.rs`.
pub(super) struct RecordedBoot {
    code: &'static str,
    /// The end of the console.
    pub(super) console: &'static str,
    /// The log that the machine stored; nothing where it could store none.
    pub(super) log: Option<&'static str>,
}

macro_rules! recorded {
    ($($code:literal $($log:ident)?;)+) => {
        &[$(RecordedBoot {
            code: $code,
            console: include_str!(concat!("boots/", $code, "/console.txt")),
            log: recorded!(@ $code $($log)?),
        }),+]
    };
    (@ $code:literal log) => { Some(include_str!(concat!("boots/", $code, "/log.txt"))) };
    (@ $code:literal) => { None };
}

const RECORDED: &[RecordedBoot] = recorded! {
    "api" log;
    "clock";
    "download" log;
    "etcd-data" log;
    "etcd-quorum" log;
    "image-pull" log;
    "instance-profile";
    "join" log;
    "kubelet" log;
    "parameter" log;
    "volume" log;
};

/// How long a machine takes until its boot programs run, in seconds.
const STARTING: i64 = 60;
/// Between two attempts, in seconds.
const PAUSE: i64 = 30;

/// How long an attempt takes that fails for this cause, in seconds: as long as the boot programs wait.
fn attempt_seconds(code: &str) -> i64 {
    match code {
        "join" | "kubelet" => 1200,
        "api" | "etcd-quorum" => 600,
        "clock" | "instance-profile" => 290,
        "download" => 115,
        "image-pull" => 60,
        _ => 20,
    }
}

/// When a machine signals that its boot fails for this cause, in seconds after its launch: at the third attempt, or at the
/// first where it can't even fetch its boot programs.
pub(super) fn signals_after(code: &str) -> i64 {
    match code {
        "clock" | "instance-profile" => STARTING + attempt_seconds(code),
        _ => STARTING + 3 * attempt_seconds(code) + 2 * PAUSE,
    }
}

/// When its first attempt has failed, in seconds after its launch.
pub(super) fn fails_after(code: &str) -> i64 {
    STARTING + attempt_seconds(code)
}

/// The cause of a group that fails for none in particular, without a signal.
pub(super) fn usual_cause(joins: bool) -> &'static str {
    if joins { "kubelet" } else { "api" }
}

/// What the recordings have marks for.
#[derive(Debug)]
pub(super) struct Names<'a> {
    seed: u64,
    stack: &'a LiveStack,
    group: &'a Resource,
    /// The instance's id.
    pub(super) instance: String,
}

impl<'a> Names<'a> {
    /// Of the newest machine of a group.
    pub(super) fn new(seed: u64, stack: &'a LiveStack, group: &'a Resource) -> Self {
        Self {
            seed,
            stack,
            group,
            instance: instance(seed, &stack.id, group),
        }
    }

    /// A recording as this machine says it.
    pub(super) fn fill(&self, recorded: &str) -> String {
        let Self { stack, group, .. } = self;
        let slot = group.logical_id.strip_prefix("Slot").unwrap_or("a");
        let slot = slot.to_lowercase();
        let words = ["bundle", stack.id.as_str()];
        let sum = hex(&mut stream(self.seed, &words, 0), 64);
        let bucket = stack.parameters.get(STATE_BUCKET);
        let volume = self.instance.replacen("i-", "vol-", 1);
        recorded
            .replace("{cluster}", &stack.cluster)
            .replace("{stack}", &stack.kind)
            .replace("{other}", if slot == "a" { "b" } else { "a" })
            .replace("{slot}", &slot)
            .replace("{bucket}", bucket.map_or("state-bucket", String::as_str))
            .replace("{bundle}", &format!("bundles/{}-{sum}.tar.gz", stack.kind))
            .replace("{volume}", &volume)
            .replace("{instance}", &self.instance)
    }
}

/// What the boot programs say of a cause. `None` for a code without a record.
pub(super) fn recorded(code: &str) -> Option<&'static RecordedBoot> {
    RECORDED.iter().find(|boot| boot.code == code)
}

/// The id of the newest machine of a group.
pub(super) fn instance(seed: u64, stack_id: &str, group: &Resource) -> String {
    let words = ["instance", stack_id, group.logical_id.as_str()];
    let rng = &mut stream(seed, &words, group.generation);
    format!("i-0{}", hex(rng, 16))
}

impl JoinWait {
    pub(super) fn check(self, at: i64, serves: bool) -> JoinCheck {
        let next = if serves {
            at + self.joining
        } else {
            at + CHECK_INTERVAL
        };
        match serves {
            _ if next > self.until => JoinCheck::TimesOut(self.until),
            true => JoinCheck::Signals(next),
            false => JoinCheck::Repeat(next),
        }
    }
}

impl Stack {
    /// Whether the machines of this stack join a control plane.
    pub(super) fn joins(&self) -> bool {
        self.live.kind.starts_with(POOL)
    }

    /// Whether the machines of this stack are a control plane that answers: more than half of them are
    /// up, as etcd wants it.
    fn serves(&self) -> bool {
        let group = |one: &&Resource| one.kind == "AWS::AutoScaling::AutoScalingGroup";
        let all = self.resources.iter().filter(group);
        let up = all.clone().filter(|group| group.is_up()).count();
        self.live.kind == CONTROL_PLANE && up * 2 > all.count()
    }
}

impl Resource {
    fn is_up(&self) -> bool {
        let made = self.status == "CREATE_COMPLETE" || self.status.starts_with("UPDATE_");
        self.exists() && !self.deleted_externally && made
    }
}

impl State {
    /// Whether the control plane answers that the machines of a stack join.
    pub(super) fn serves(&self, index: usize) -> bool {
        let cluster = self.stacks.get(index).map(|stack| &stack.live.cluster);
        cluster.is_some_and(|cluster| self.cluster_serves(cluster))
    }

    /// Whether the control plane of a cluster answers.
    pub(super) fn cluster_serves(&self, cluster: &str) -> bool {
        let of_cluster = |stack: &&Stack| stack.live.cluster == cluster;
        self.stacks.iter().filter(of_cluster).any(Stack::serves)
    }
}

/// What the newest machine of a group has written to its console.
pub(super) fn console(reason: Option<NoSignal>, names: &Names) -> Vec<String> {
    let code = match reason {
        Some(NoSignal::Boot(code)) => code,
        Some(NoSignal::ControlPlane) => "join",
        None => return vec!["boot: the machine runs as a node with Kubernetes".to_owned()],
    };
    let boot = recorded(code).map_or("", |boot| boot.console);
    let boot = names.fill(boot);
    let lines = boot.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}
