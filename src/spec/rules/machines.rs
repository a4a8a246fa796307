//! Which machine types a node can be: rules over facts, so that they are the same for a type of the catalogue and for
//! one that AWS was asked about.

use super::nodes::gib;
use crate::catalog::instances::{self, Hypervisor};
use crate::spec::Architecture;

/// Below this nothing runs at all.
const LEAST_MIB: u32 = 1024;
/// What kubeadm asks of a control-plane machine: two CPUs and about 2 GiB.
const CONTROL_PLANE_VCPU: u32 = 2;
const CONTROL_PLANE_MIB: u32 = 2048;
/// What the system itself takes on a node (kubelet and system reservations) is 700 MiB; less than the double leaves no
/// room for pods.
const POOL_MIB: u32 = 2048;

/// What a machine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineRole {
    ControlPlane,
    Pool,
}

/// What is known of a machine type; what is not known is not judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineFacts {
    pub vcpu: Option<u32>,
    pub memory_mib: Option<u32>,
    /// As AWS says it: `arm64`, `x86_64`, `arm64_mac`, ...
    pub architecture: Option<String>,
    /// Bare metal counts as [`Hypervisor::Nitro`].
    pub hypervisor: Option<Hypervisor>,
}

impl MachineFacts {
    /// What the catalogue says of a type. Size and architecture are missing for one outside of it
    /// ([`instances::is_known`]): those have to be looked up, and judged again.
    pub fn of_catalog(name: &str) -> Self {
        let known = instances::find(name);
        Self {
            vcpu: known.and_then(|known| known.vcpu),
            memory_mib: known.and_then(|known| known.memory_mib),
            architecture: known.and_then(|known| known.arch.clone()),
            hypervisor: Some(instances::hypervisor(name)),
        }
    }
}

/// Why a machine can't be a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What is wrong, as a lower-case fragment.
    pub what: String,
    /// What to write instead.
    pub help: String,
    /// Whether no version of the tool ever took it: then no cluster has it, and the definition is wrong.
    pub always: bool,
}

/// Why a machine of type `name` can't be a node that boots an image of this architecture. `None` where nothing speaks
/// against it.
pub fn unfit(
    role: MachineRole,
    name: &str,
    facts: &MachineFacts,
    image: Architecture,
) -> Option<Unfit> {
    let tiny = facts.memory_mib.is_some_and(|is| is < LEAST_MIB);
    let all = [
        (false, operating_system(name, facts)),
        (false, hypervisor(role, name, facts)),
        (
            tiny || role == MachineRole::ControlPlane,
            size(role, name, facts),
        ),
        (false, architecture(name, facts, image)),
    ];
    let mut found = all.into_iter().filter_map(|(always, words)| {
        let (what, help) = words?;
        Some(Unfit { what, help, always })
    });
    found.next()
}

/// Nodes run Amazon Linux 2023, which needs a processor of its time.
fn operating_system(name: &str, facts: &MachineFacts) -> Option<(String, String)> {
    let mac_only = |arch: &String| arch.ends_with("_mac");
    if name.starts_with("mac") || facts.architecture.as_ref().is_some_and(mac_only) {
        let what = format!("`{name}` runs macOS only");
        return Some((what, "nodes run Linux: take another type".to_owned()));
    }
    name.starts_with("a1.").then(|| {
        let what = format!("`{name}` can't run Amazon Linux 2023");
        let help = "it needs Graviton2 or newer: take a type such as `m7g.large`";
        (what, help.to_owned())
    })
}

/// The boot program of the control plane finds the etcd volume by its NVMe name. A worker attaches nothing at boot.
fn hypervisor(role: MachineRole, name: &str, facts: &MachineFacts) -> Option<(String, String)> {
    let is_xen = match facts.hypervisor? {
        Hypervisor::Xen => true,
        Hypervisor::Nitro => false,
    };
    (is_xen && role == MachineRole::ControlPlane).then(|| {
        let what = format!("`{name}` is not on AWS Nitro: its volumes are not NVMe devices");
        let help = "a control-plane machine finds its etcd volume by its NVMe name: take a newer type, such as \
                    `t4g.medium` or `t3.medium`";
        (what, help.to_owned())
    })
}

fn size(role: MachineRole, name: &str, facts: &MachineFacts) -> Option<(String, String)> {
    let less = |fact: Option<u32>, least: u32| fact.is_some_and(|is| is < least);
    let (small, of, help) = match role {
        MachineRole::ControlPlane => (
            less(facts.vcpu, CONTROL_PLANE_VCPU) || less(facts.memory_mib, CONTROL_PLANE_MIB),
            "a control plane",
            "API server and etcd need 2 vCPU and 2 GiB at least; t4g.medium is the default",
        ),
        MachineRole::Pool => (
            less(facts.memory_mib, POOL_MIB),
            "a node",
            "Kubernetes itself takes 0.7 GiB of every node: take a type with 2 GiB or more",
        ),
    };
    let vcpu = facts.vcpu.filter(|_| role == MachineRole::ControlPlane);
    let vcpu = vcpu.map(|count| format!("{count} vCPU"));
    let memory = facts.memory_mib.map(|mib| format!("{} GiB", gib(mib)));
    let has: Vec<String> = vcpu.into_iter().chain(memory).collect();
    small.then(|| {
        let what = format!("`{name}` is too small for {of}: {}", has.join(", "));
        (what, help.to_owned())
    })
}

/// The machine image is chosen by the name of the type.
fn architecture(name: &str, facts: &MachineFacts, image: Architecture) -> Option<(String, String)> {
    let is = facts.architecture.as_deref()?;
    (is != image.as_str()).then(|| {
        let what = format!("`{name}` is {is}, its machine image would be {image}");
        (what, "take another type".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(vcpu: u32, memory_mib: u32, arch: &str, hypervisor: Hypervisor) -> MachineFacts {
        MachineFacts {
            vcpu: Some(vcpu),
            memory_mib: Some(memory_mib),
            architecture: Some(arch.to_owned()),
            hypervisor: Some(hypervisor),
        }
    }

    fn said(role: MachineRole, name: &str, facts: &MachineFacts) -> String {
        let found = unfit(role, name, facts, Architecture::X86_64);
        found.map(|found| found.what).unwrap_or_default()
    }

    #[test]
    fn looked_up_facts_meet_the_same_rules() {
        use MachineRole::{ControlPlane, Pool};
        let name = "m99.large";
        let ok = facts(2, 2048, "x86_64", Hypervisor::Nitro);
        let xen = facts(2, 8192, "x86_64", Hypervisor::Xen);
        let one_cpu = facts(1, 8192, "x86_64", Hypervisor::Nitro);
        let tiny = facts(2, 2047, "x86_64", Hypervisor::Nitro);
        let arm = facts(2, 8192, "arm64", Hypervisor::Nitro);
        let mac = facts(8, 8192, "x86_64_mac", Hypervisor::Nitro);
        for (role, facts, expected) in [
            (ControlPlane, &ok, ""),
            (Pool, &ok, ""),
            (ControlPlane, &xen, "is not on AWS Nitro"),
            (Pool, &xen, ""),
            (
                ControlPlane,
                &one_cpu,
                "too small for a control plane: 1 vCPU, 8 GiB",
            ),
            (Pool, &one_cpu, ""),
            (ControlPlane, &tiny, "too small for a control plane"),
            (Pool, &tiny, "too small for a node: 2.0 GiB"),
            (
                ControlPlane,
                &arm,
                "is arm64, its machine image would be x86_64",
            ),
            (Pool, &mac, "runs macOS only"),
            (Pool, &MachineFacts::default(), ""),
        ] {
            let said = said(role, name, facts);
            assert!(said.contains(expected), "{role:?} {facts:?}: {said}");
            assert_eq!(
                said.is_empty(),
                expected.is_empty(),
                "{role:?} {facts:?}: {said}"
            );
        }
    }

    #[test]
    fn catalogue_types_are_judged() {
        use MachineRole::{ControlPlane, Pool};
        let unfit =
            |role, name: &str| !said(role, name, &MachineFacts::of_catalog(name)).is_empty();
        for name in [
            "t2.micro",
            "t2.medium",
            "m3.medium",
            "m4.large",
            "p3.2xlarge",
            "mac1.metal",
            "c1.medium",
        ] {
            assert!(unfit(ControlPlane, name), "{name}");
        }
        for name in [
            "t2.micro",
            "t3.micro",
            "mac2-m2.metal",
            "a1.large",
            "mac-m4.metal",
        ] {
            assert!(unfit(Pool, name), "{name}");
        }
        for name in [
            "t3.small",
            "m5d.large",
            "i3en.large",
            "u-6tb1.56xlarge",
            "i3.metal",
        ] {
            assert!(!unfit(ControlPlane, name), "{name}");
            assert!(!unfit(Pool, name), "{name}");
        }
        assert!(!unfit(Pool, "m4.large"));
    }
}
