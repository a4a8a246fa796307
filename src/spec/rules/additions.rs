//! Rules for what is added to a cluster: AWS enforces none of them, and a cluster that lives may break one from earlier
//! versions. So they close no command: a definition that breaks one is warned about, and `plan` refuses what is new.

use super::machines::{MachineFacts, MachineRole, unfit};
use super::warnings::{RuleWarning, WarningCode};
use super::{names, subnets};
use crate::spec::{Architecture, ClusterSpec};

/// What a rule is about: where that is new, the plan refuses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addition {
    /// The cluster as a whole.
    Cluster,
    /// Machines of this type in the control plane, or in a pool.
    Machines {
        /// Name of the pool; `None` for the control plane.
        pool: Option<String>,
        instance_type: String,
    },
    /// More machines of pools.
    Growth,
}

/// Every such rule that `spec` breaks, in the order of the definition's fields.
pub fn additions(spec: &ClusterSpec) -> Vec<(Addition, RuleWarning)> {
    let name = names::like_a_database(spec).map(|found| {
        (
            Addition::Cluster,
            RuleWarning::of(WarningCode::ClusterName, found),
        )
    });
    let growth = subnets::check(spec).map(|found| {
        (
            Addition::Growth,
            RuleWarning::of(WarningCode::SubnetsTooSmall, found),
        )
    });
    name.into_iter()
        .chain(growth)
        .chain(machines(spec))
        .collect()
}

fn machines(spec: &ClusterSpec) -> Vec<(Addition, RuleWarning)> {
    let control_plane = &spec.control_plane;
    let at = "controlPlane.instanceType".to_owned();
    let role = MachineRole::ControlPlane;
    let name = &control_plane.instance_type;
    let mut found: Vec<_> = machine(role, at, None, name, control_plane.architecture)
        .into_iter()
        .collect();
    for (index, pool) in spec.pools.iter().enumerate() {
        for (at, name) in pool.instance_types.iter().enumerate() {
            let at = format!("pools[{index}].instanceTypes[{at}]");
            let of = Some(pool.name.as_str());
            found.extend(machine(MachineRole::Pool, at, of, name, pool.architecture));
        }
    }
    found
}

fn machine(
    role: MachineRole,
    at: String,
    pool: Option<&str>,
    name: &str,
    image: Architecture,
) -> Option<(Addition, RuleWarning)> {
    let facts = MachineFacts::of_catalog(name);
    let unfit = unfit(role, name, &facts, image).filter(|found| !found.always)?;
    let addition = Addition::Machines {
        pool: pool.map(str::to_owned),
        instance_type: name.to_owned(),
    };
    let warning = RuleWarning {
        code: WarningCode::MachineUnfit,
        at,
        what: unfit.what,
        help: unfit.help,
    };
    Some((addition, warning))
}
