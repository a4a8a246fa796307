//! The files with which a slot looks after etcd: snapshots, restores, replacing a member, an orderly stop.
//! What they do stands in `templates/node/etcd`; nothing in them depends on the cluster.

use super::NodeError;
use super::archive::File;
use crate::templates::Templates;

/// Sourced by the programs; all but the first by boot too.
const LIBRARIES: [&str; 4] = ["etcd.sh", "etcd-members.sh", "etcd-pods.sh", "etcd-boot.sh"];
/// Called by units, through Systems Manager and by people; those of etcd print one line of JSON.
const PROGRAMS: [&str; 4] = [
    "etcd-snapshot",
    "etcd-member",
    "etcd-restore",
    "stop-control-plane",
];
const UNITS: [&str; 3] = [
    "kube-cfn-etcd-snapshot.service",
    "kube-cfn-etcd-snapshot.timer",
    "kube-cfn-shutdown.service",
];

/// The files of every slot, below `/`.
pub(super) fn files(templates: &Templates) -> Result<Vec<File>, NodeError> {
    let text = |name: &str| templates.text(&format!("node/etcd/{name}"));
    let mut files = Vec::new();
    for name in LIBRARIES {
        files.push(File::plain(format!("opt/kube-cfn/lib/{name}"), text(name)?));
    }
    for name in PROGRAMS {
        let path = format!("opt/kube-cfn/bin/{name}");
        files.push(File::executable(path, text(name)?));
    }
    for name in UNITS {
        let path = format!("etc/systemd/system/{name}");
        files.push(File::plain(path, text(name)?));
    }
    Ok(files)
}
