//! The files of a node by their place on it: which template goes where, for which role.
//! What is in the configuration files of Kubernetes say `kubeadm` and `kubelet`.

use super::archive::File;
use super::facts::Facts;
use super::{NodeError, Role, addons, database, etcd, kubeadm, kubelet};
use crate::spec::ClusterSpec;
use crate::templates::Templates;

/// How a file is made from its template.
#[derive(Clone, Copy)]
enum Kind {
    Read,
    Run,
}
use Kind::{Read, Run};

/// Template below `node/`, place on the node.
type Line = (&'static str, &'static str, Kind);

/// What every node has.
const EVERYWHERE: &[Line] = &[
    ("boot", "opt/kube-cfn/boot", Run),
    ("lib/common.sh", "opt/kube-cfn/lib/common.sh", Read),
    ("lib/ec2.sh", "opt/kube-cfn/lib/ec2.sh", Read),
    ("lib/host.sh", "opt/kube-cfn/lib/host.sh", Read),
    ("lib/binaries.sh", "opt/kube-cfn/lib/binaries.sh", Read),
    ("lib/boot-log.sh", "opt/kube-cfn/lib/boot-log.sh", Read),
    ("etc/modules.conf", "etc/modules-load.d/kube-cfn.conf", Read),
    ("etc/sysctl.conf", "etc/sysctl.d/90-kube-cfn.conf", Read),
    (
        "etc/networkd.conf",
        "etc/systemd/networkd.conf.d/80-kube-cfn.conf",
        Read,
    ),
    ("etc/crictl.yaml", "etc/crictl.yaml", Read),
    ("etc/credential.yaml", "etc/kube-cfn/credential.yaml", Read),
    (
        "units/containerd.service",
        "etc/systemd/system/containerd.service",
        Read,
    ),
    (
        "units/kubelet.service",
        "etc/systemd/system/kubelet.service",
        Read,
    ),
];

const CONTROL_PLANE: &[Line] = &[
    (
        "lib/etcd-volume.sh",
        "opt/kube-cfn/lib/etcd-volume.sh",
        Read,
    ),
    (
        "lib/control-plane.sh",
        "opt/kube-cfn/lib/control-plane.sh",
        Read,
    ),
    (
        "bin/bootstrap-token",
        "opt/kube-cfn/bin/bootstrap-token",
        Run,
    ),
    (
        "units/kube-cfn-bootstrap-token.service",
        "etc/systemd/system/kube-cfn-bootstrap-token.service",
        Read,
    ),
    (
        "units/kube-cfn-bootstrap-token.timer",
        "etc/systemd/system/kube-cfn-bootstrap-token.timer",
        Read,
    ),
    (
        "units/10-etcd-volume.conf",
        "etc/systemd/system/kubelet.service.d/10-etcd-volume.conf",
        Read,
    ),
    (
        "apiserver/authentication.yaml",
        "etc/kube-cfn/apiserver/authentication.yaml",
        Read,
    ),
    (
        "apiserver/audit.yaml",
        "etc/kube-cfn/apiserver/audit.yaml",
        Read,
    ),
    ("rbac.yaml", "etc/kube-cfn/rbac.yaml", Read),
];

const POOL: &[Line] = &[
    ("lib/worker.sh", "opt/kube-cfn/lib/worker.sh", Read),
    (
        "etc/bootstrap-kubelet.conf",
        "etc/kube-cfn/bootstrap-kubelet.conf.in",
        Read,
    ),
];

/// The whole tree of a role's nodes, sorted by path.
pub(super) fn files(
    spec: &ClusterSpec,
    role: Role,
    templates: &Templates,
) -> Result<Vec<File>, NodeError> {
    let facts = Facts::new(spec, role)?;
    let mut files = vec![
        File::plain(
            "etc/kube-cfn/node.env",
            templates.render("node/node.env.tera", &facts)?,
        ),
        File::plain("etc/kube-cfn/node.json", facts.to_json()),
        File::plain("etc/kube-cfn/binaries", facts.binaries_list()),
        File::plain(
            "etc/containerd/config.toml",
            templates.render("node/etc/containerd.toml.tera", &facts)?,
        ),
    ];
    files.extend(lines(EVERYWHERE, templates)?);
    match role {
        Role::ControlPlane => {
            files.extend(lines(CONTROL_PLANE, templates)?);
            files.extend(etcd::files(templates)?);
            files.extend(addons::files(spec, templates)?);
            files.extend(database::files(spec, templates)?);
            files.push(File::plain(
                "etc/kube-cfn/kubeadm/config.yaml.in",
                kubeadm::own(&facts)?,
            ));
            files.push(File::plain(
                "etc/kube-cfn/kubeadm/shared.yaml.in",
                kubeadm::shared(&facts)?,
            ));
        }
        Role::Pool(_) => {
            files.extend(lines(POOL, templates)?);
            files.push(File::plain(
                "etc/kube-cfn/kubelet.yaml.in",
                kubelet::yaml(&facts, kubelet::StaticPods::No)?,
            ));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn lines(table: &[Line], templates: &Templates) -> Result<Vec<File>, NodeError> {
    let file = |(template, path, kind): &Line| {
        let text = templates.text(&format!("node/{template}"))?;
        Ok(match kind {
            Read => File::plain(*path, text),
            Run => File::executable(*path, text),
        })
    };
    table.iter().map(file).collect()
}
