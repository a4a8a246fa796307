//! The machines of a cluster by the names people call them, and the tree that each boots into.

use super::{DesignError, control_plane, pool};
use crate::node::archive::File;
use crate::node::{self, Role};
use crate::spec::{ClusterSpec, Spread};
use crate::templates::Templates;

/// The names of all kinds of machine: `control-plane/a` for each slot, then the pools.
pub fn machines(spec: &ClusterSpec) -> Vec<String> {
    let slots = spec.slot_zones().iter();
    let slots = slots.map(|zone| format!("control-plane/{}", zone.letter));
    let pools = spec.pools.iter().map(|pool| pool.name.clone());
    slots.chain(pools).collect()
}

/// The root tree of one of [`machines`], with `host.env` as far as it is known without the stacks.
/// `None` for a name that is not among them. In a pool of one group a zone it is the first group's.
pub fn machine(
    spec: &ClusterSpec,
    name: &str,
    templates: &Templates,
) -> Result<Option<Vec<File>>, DesignError> {
    let mut slots = spec.slot_zones().iter();
    let slot = name
        .strip_prefix("control-plane/")
        .and_then(|letter| slots.find(|zone| zone.letter.to_string() == letter));
    let of_pool = spec.pools.iter().find(|pool| pool.name == name);
    let (role, boot) = match (slot, of_pool) {
        (Some(zone), _) => (Role::ControlPlane, control_plane::boot(spec, zone)),
        (None, Some(pool)) => {
            let zone = match pool.spread {
                Spread::Regional => None,
                Spread::Zonal => spec.zones.first(),
            };
            (Role::Pool(pool), pool::boot(spec, pool, zone))
        }
        (None, None) => return Ok(None),
    };
    let mut files = node::files(spec, role, templates)?;
    files.push(node::host_env(spec, &boot, templates)?);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Some(files))
}
