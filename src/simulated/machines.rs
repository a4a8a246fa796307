//! The machines of Auto Scaling groups: they boot, join, signal, and write to their
//! console. The machines of a pool join the control plane of their cluster: their group is not done
//! before that answers, and fails at the timeout of its signals, as on AWS.

use super::stack::{Resource, Stack};
use super::state::State;

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

/// Why machines don't signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSignal {
    /// Their boot fails.
    Boot,
    /// The control plane that they join does not answer.
    ControlPlane,
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
        let of_cluster = |stack: &&Stack| Some(&stack.live.cluster) == cluster;
        self.stacks.iter().filter(of_cluster).any(Stack::serves)
    }
}

/// The last lines that the newest machine of a group has written to its console.
pub(super) fn console(reason: Option<NoSignal>) -> &'static [&'static str] {
    match reason {
        Some(NoSignal::Boot) => &[
            "cloud-init: Cloud-init v. 22.2.2 running 'modules:final'",
            "kube-cfn-boot: fetching kubelet from https://dl.k8s.io",
            "kube-cfn-boot: curl: (28) Connection timed out after 20000 milliseconds",
            "kube-cfn-boot: fetching kubelet failed after 5 tries, giving up",
            "cloud-init: Failed to run module scripts-user",
        ],
        Some(NoSignal::ControlPlane) => &[
            "cloud-init: Cloud-init v. 22.2.2 running 'modules:final'",
            "kube-cfn-boot: waiting for the parameter worker/bootstrap-token",
        ],
        None => &[
            "cloud-init: Cloud-init v. 22.2.2 running 'modules:final'",
            "kube-cfn-boot: kubelet is up",
            "kube-cfn-boot: signalled success",
        ],
    }
}
