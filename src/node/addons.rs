//! What a slot of the control plane needs to bring the cluster's addons up: pinned charts and their values.
//!
//! Three values are known only while the stacks are made. They are written as `${API_HOST}`,
//! `${EBS_CSI_ROLE}` and `${AUTOSCALER_ROLE}` in the values, and `/etc/kube-cfn/host.env` names them.

use serde::Serialize;

use super::archive::File;
use super::{NodeError, binaries, node_env};
use crate::catalog::addons::{self, Addon};
use crate::spec::{ClusterSpec, Nat};
use crate::templates::Templates;

/// What the values are made of.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    cluster: &'a str,
    region: &'a str,
    /// Version of the addon's program, as its image is tagged.
    app: &'a str,
    pod_range: String,
    /// Address of the cluster's DNS service.
    dns: String,
    /// How many of what holds a lock beside another: as many as there are slots, at most two.
    pair: u8,
    /// Whether a second one can take over while the first moves.
    paired: bool,
    /// Address of the first slot, where nodes reach the API on the slots themselves; else empty.
    first_server: String,
    /// The API on every slot as URLs, likewise.
    servers: String,
}

/// The files of the addons in a control-plane bundle, beside the program that installs them.
pub(super) fn files(spec: &ClusterSpec, templates: &Templates) -> Result<Vec<File>, NodeError> {
    let addons = addons::of(&spec.kubernetes).ok_or_else(|| NodeError::UnknownBinary {
        name: "the addons of Kubernetes",
        version: spec.kubernetes.to_string(),
        architecture: "every architecture",
    })?;
    let list = charts(spec, &addons);
    let mut files = vec![File::plain("etc/kube-cfn/addons/charts", list)];
    for addon in &addons {
        let template = format!("node/addons/values/{}.yaml.tera", addon.name);
        let path = format!("etc/kube-cfn/addons/values/{}.yaml", addon.name);
        let values = templates.render(&template, &context(spec, addon)?)?;
        files.push(File::plain(path, values));
    }
    Ok(files)
}

/// Name, sha256 and URL of every chart, one a line, in the order of installation.
fn charts(spec: &ClusterSpec, addons: &[Addon]) -> String {
    let line = |addon: &Addon| {
        let base = spec.mirror.as_deref();
        let url = base.map_or_else(
            || addon.url.to_owned(),
            |base| binaries::mirrored(base, addon.url),
        );
        format!("{} {} {url}\n", addon.name, addon.sha256)
    };
    addons.iter().map(line).collect()
}

fn context<'a>(spec: &'a ClusterSpec, addon: &Addon) -> Result<Context<'a>, NodeError> {
    let slots = node_env::slots(spec)?;
    let by_slot = spec.network.nat == Nat::None;
    let servers: Vec<_> = slots
        .iter()
        .filter(|_| by_slot)
        .map(|slot| slot.address.to_string())
        .collect();
    let urls: Vec<_> = servers
        .iter()
        .map(|ip| format!("https://{ip}:6443"))
        .collect();
    let dns = spec.network.service_cidr.hosts().nth(9);
    Ok(Context {
        cluster: &spec.name,
        region: &spec.region,
        app: addon.app,
        pod_range: spec.network.pod_cidr.to_string(),
        dns: dns.map(|address| address.to_string()).unwrap_or_default(),
        pair: spec.control_plane.nodes.min(2),
        paired: spec.control_plane.nodes > 1,
        first_server: servers.first().cloned().unwrap_or_default(),
        servers: urls.join(" "),
    })
}
