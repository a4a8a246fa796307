//! The files with which a slot looks after etcd: snapshots, restores, replacing a member.
//! What they do stands in `templates/node/etcd`; nothing in them depends on the cluster.

use super::NodeError;
use super::archive::File;
use crate::templates::Templates;

/// Sourced by the programs; the second by boot too.
const LIBRARIES: [&str; 2] = ["etcd.sh", "etcd-boot.sh"];
/// Called by the timer, through Systems Manager and by people; each prints one line of JSON.
const PROGRAMS: [&str; 3] = ["etcd-snapshot", "etcd-member", "etcd-restore"];
const UNITS: [&str; 2] = [
    "kube-cfn-etcd-snapshot.service",
    "kube-cfn-etcd-snapshot.timer",
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
