//! How many control-plane nodes there are, and the machine types of all nodes.

use super::machines::{MachineFacts, MachineRole, unfit};
use super::{Violation, nearest};
use crate::catalog::instances;
use crate::spec::ClusterSpec;

pub(super) fn check(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    count(spec, broken);
    let at = "controlPlane.instanceType";
    let name = spec.control_plane.instance_type.as_str();
    if let Some(violation) = unknown_size(at, name, "") {
        broken.push(violation);
        return;
    }
    let facts = MachineFacts::of_catalog(name);
    let image = spec.control_plane.architecture;
    if let Some(found) = unfit(MachineRole::ControlPlane, name, &facts, image)
        && found.always
    {
        broken.push(Violation::new(at, found.what, found.help));
    }
}

fn count(spec: &ClusterSpec, broken: &mut Vec<Violation>) {
    let at = "controlPlane.nodes";
    let nodes = usize::from(spec.control_plane.nodes);
    let zones = spec.zones.len();
    if nodes.is_multiple_of(2) {
        let odd = nodes.saturating_sub(1).max(1);
        let what = format!("{nodes} control-plane nodes are no safer than {odd}");
        let help = "etcd needs a majority: write 3 to survive the loss of one, or 1 for a cluster \
                    that may pause";
        broken.push(Violation::new(at, what, help));
    } else if nodes > zones {
        let what =
            format!("{nodes} control-plane nodes need {nodes} zones, the cluster has {zones}");
        let help = "each has a zone of its own: add a zone, or write `nodes: 1`";
        broken.push(Violation::new(at, what, help).with(["zones", "region"]));
    }
}

/// A size that the family does not come in. `prefix` is before the name (`db.` for databases).
/// Families outside the catalogue pass here: AWS brings new ones faster than this tool. `plan` looks them up.
pub(super) fn unknown_size(at: &str, name: &str, prefix: &str) -> Option<Violation> {
    let (family, _) = name.split_once('.')?;
    if instances::is_known(name) || !instances::knows_family(family) {
        return None;
    }
    let mut known: Vec<_> = instances::names()
        .filter(|known| known.split('.').next() == Some(family))
        .collect();
    known.sort_by_key(|name| {
        instances::find(name).map(|found| (found.vcpu.unwrap_or(u32::MAX), found.memory_mib))
    });
    let what = format!("`{prefix}{name}` does not exist");
    let sizes: Vec<_> = known
        .iter()
        .filter_map(|name| name.split_once('.'))
        .collect();
    let list = sizes
        .iter()
        .map(|(_, size)| *size)
        .collect::<Vec<_>>()
        .join(", ");
    let guess = nearest(name, known.iter().copied())
        .map(|guess| format!("did you mean `{prefix}{guess}`? "))
        .unwrap_or_default();
    Some(Violation::new(
        at,
        what,
        format!("{guess}{prefix}{family} comes as {list}"),
    ))
}

/// Memory for messages: whole GiB, or halves.
pub(super) fn gib(mib: u32) -> String {
    if mib.is_multiple_of(1024) {
        (mib / 1024).to_string()
    } else {
        format!("{:.1}", f64::from(mib) / 1024.0)
    }
}
