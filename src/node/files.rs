//! The files of a node by their place on it: which template goes where, for which role.
//! What is in the configuration files of Kubernetes say `kubeadm` and `kubelet`.

use super::archive::File;
use super::node_env::NodeEnv;
use super::{NodeError, Role, addons, admission, database, kubeadm, kubelet};
use crate::spec::ClusterSpec;
use crate::templates::Templates;

/// What every node has: template below `node/`, place on the node. A place that ends with `/` keeps
/// the template's name. Nothing in these files depends on the cluster.
const EVERYWHERE: &str = "
boot                      opt/kube-cfn/boot
lib/common.sh             opt/kube-cfn/lib/
lib/ec2.sh                opt/kube-cfn/lib/
lib/host.sh               opt/kube-cfn/lib/
lib/steps.sh              opt/kube-cfn/lib/
lib/binaries.sh           opt/kube-cfn/lib/
lib/boot-log.sh           opt/kube-cfn/lib/
etc/modules.conf          etc/modules-load.d/kube-cfn.conf
etc/sysctl.conf           etc/sysctl.d/90-kube-cfn.conf
etc/networkd.conf         etc/systemd/networkd.conf.d/80-kube-cfn.conf
etc/crictl.yaml           etc/
etc/credential.yaml       etc/kube-cfn/
units/containerd.service  etc/systemd/system/
units/kubelet.service     etc/systemd/system/
";

/// The programs of etcd and `certificates` are called by units, through Systems Manager and by people, and
/// print one line of JSON; their libraries, all but the first of which boot reads too, stand beside the others.
const CONTROL_PLANE: &str = "
lib/etcd-volume.sh                      opt/kube-cfn/lib/
lib/control-plane.sh                    opt/kube-cfn/lib/
lib/static-pods.sh                      opt/kube-cfn/lib/
bin/approve-nodes                       opt/kube-cfn/bin/
bin/bootstrap-token                     opt/kube-cfn/bin/
units/kube-cfn-approve-nodes.service    etc/systemd/system/
units/kube-cfn-bootstrap-token.service  etc/systemd/system/
units/kube-cfn-bootstrap-token.timer    etc/systemd/system/
bin/grow-etcd-volume                    opt/kube-cfn/bin/
units/kube-cfn-etcd-volume.service      etc/systemd/system/
units/kube-cfn-etcd-volume.timer        etc/systemd/system/
units/10-etcd-volume.conf               etc/systemd/system/kubelet.service.d/
apiserver/authentication.yaml           etc/kube-cfn/apiserver/
apiserver/audit.yaml                    etc/kube-cfn/apiserver/
apiserver/api-requests                  opt/kube-cfn/bin/
rbac.yaml                               etc/kube-cfn/
etcd/etcd.sh                            opt/kube-cfn/lib/
etcd/etcd-members.sh                    opt/kube-cfn/lib/
etcd/etcd-pods.sh                       opt/kube-cfn/lib/
etcd/etcd-boot.sh                       opt/kube-cfn/lib/
etcd/etcd-snapshot                      opt/kube-cfn/bin/
etcd/etcd-member                        opt/kube-cfn/bin/
etcd/etcd-restore                       opt/kube-cfn/bin/
etcd/stop-control-plane                 opt/kube-cfn/bin/
etcd/kube-cfn-etcd-snapshot.service     etc/systemd/system/
etcd/kube-cfn-etcd-snapshot.timer       etc/systemd/system/
etcd/kube-cfn-shutdown.service          etc/systemd/system/
certificates/certificates.sh            opt/kube-cfn/lib/
certificates/certificates               opt/kube-cfn/bin/
certificates/renew-certificates         opt/kube-cfn/bin/
certificates/kube-cfn-certificates.service etc/systemd/system/
certificates/kube-cfn-certificates.timer etc/systemd/system/
addons/addons.sh                        opt/kube-cfn/bin/addons
addons/lease.sh                         opt/kube-cfn/lib/
addons/kube-cfn-addons.service          etc/systemd/system/
addons/kube-cfn-addons.timer            etc/systemd/system/
";

/// What a control plane has that gives workloads a user of the database.
const DATABASE: &str = "
database/database.sh       opt/kube-cfn/bin/database
database/grants.sql        opt/kube-cfn/lib/database/
database/secret.sh         opt/kube-cfn/lib/database/
database/server.sh         opt/kube-cfn/lib/database/
database/database.service  etc/systemd/system/kube-cfn-database.service
database/database.timer    etc/systemd/system/kube-cfn-database.timer
";

const POOL: &str = "
lib/worker.sh             opt/kube-cfn/lib/
lib/first-certificate.sh  opt/kube-cfn/lib/
etc/kubelet.conf          etc/kube-cfn/kubelet.conf.in
";

/// Where programs are: the files there can be executed.
const PROGRAMS: [&str; 2] = ["opt/kube-cfn/bin/", "opt/kube-cfn/boot"];

/// The files of a role's nodes by their path below `/`, sorted. All but `host.env`, which user data
/// writes.
pub fn files(
    spec: &ClusterSpec,
    role: Role,
    templates: &Templates,
) -> Result<Vec<File>, NodeError> {
    let env = NodeEnv::new(spec, role)?;
    let node_env = templates.render("node/node.env.tera", &env)?;
    let containerd = templates.render("node/etc/containerd.toml.tera", &env)?;
    let mut files = vec![
        File::plain("etc/kube-cfn/node.env", node_env),
        File::plain("etc/kube-cfn/node.json", env.to_json()),
        File::plain("etc/kube-cfn/binaries", env.binaries_list()),
        File::plain("etc/containerd/config.toml", containerd),
    ];
    files.extend(copies(EVERYWHERE, templates)?);
    match role {
        Role::ControlPlane => {
            let kubeadm = "etc/kube-cfn/kubeadm";
            let (own, shared) = (kubeadm::own(&env)?, kubeadm::shared(&env)?);
            files.push(File::plain(format!("{kubeadm}/config.yaml.in"), own));
            files.push(File::plain(format!("{kubeadm}/shared.yaml.in"), shared));
            files.push(admission::file(templates)?);
            files.extend(copies(CONTROL_PLANE, templates)?);
            files.extend(addons::files(spec, templates)?);
            if let Some(settings) = database::settings(spec, templates)? {
                files.push(settings);
                files.extend(copies(DATABASE, templates)?);
            }
        }
        Role::Pool(_) => {
            let kubelet = kubelet::yaml(&env, kubelet::StaticPods::No)?;
            files.push(File::plain("etc/kube-cfn/kubelet.yaml.in", kubelet));
            files.extend(copies(POOL, templates)?);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn copies(table: &'static str, templates: &Templates) -> Result<Vec<File>, NodeError> {
    let lines = table.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(template, place)| {
            let text = templates.text(&format!("node/{template}"))?;
            let place = place.trim_start();
            let name = template.rsplit('/').next().filter(|_| place.ends_with('/'));
            let path = format!("{place}{}", name.unwrap_or_default());
            let is_program = PROGRAMS.iter().any(|start| path.starts_with(start));
            let file = if is_program {
                File::executable
            } else {
                File::plain
            };
            Ok(file(path, text))
        })
        .collect()
}
