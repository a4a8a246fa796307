//! The files of a node as documents: kubeadm's and the kubelet's by strict types, the tree by its paths,
//! the CIS benchmark against both.

use std::collections::BTreeSet;

use super::cis::{Answer, Component, ITEMS};
use super::cis_policies::POLICIES;
use super::expected::{self, EXPECTED};
use kube_cfn::catalog::kubernetes as catalogue;
use kube_cfn::node::kubeadm::{self, Arg, ClusterConfiguration, Documents, InitConfiguration};
use kube_cfn::node::kubelet::{self, KubeletConfiguration, StaticPods};
use kube_cfn::node::node_env::{NodeEnv, Taint};
use kube_cfn::node::{Role, archive::File};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::templates::Templates;
use serde_json::Value;

use super::machine::tree;
use super::pod_security::policies;
use crate::support::{golden, specs};

pub fn file(files: &[File], path: &str) -> String {
    let found = files.iter().find(|file| file.path == path);
    found.unwrap_or_else(|| panic!("no {path}")).text.clone()
}

/// The documents of a kubeadm file, read with types that refuse what they do not know.
fn read(text: &str) -> Documents {
    let parts: Vec<_> = text.split("---\n").collect();
    let [init, cluster, kubelet] = parts[..] else {
        panic!("{} documents", parts.len())
    };
    Documents {
        init: serde_saphyr::from_str::<InitConfiguration>(init).unwrap(),
        cluster: serde_saphyr::from_str::<ClusterConfiguration>(cluster).unwrap(),
        kubelet: serde_saphyr::from_str::<KubeletConfiguration>(kubelet).unwrap(),
    }
}

fn facts(spec: &ClusterSpec) -> NodeEnv {
    NodeEnv::new(spec, Role::ControlPlane).unwrap()
}

#[test]
fn kubeadm_files_match_their_golden_files() {
    for (spec, case) in [
        (specs::production(), "three-slots"),
        (specs::throw_away(), "one-slot"),
    ] {
        let files = tree(&spec, "control-plane/a");
        for (path, name) in [("config.yaml.in", "own"), ("shared.yaml.in", "shared")] {
            let text = file(&files, &format!("etc/kube-cfn/kubeadm/{path}"));
            golden::check(&format!("node/kubeadm-{case}-{name}.yaml"), &text);
        }
    }
}

#[test]
fn a_worker_kubelet_matches_its_golden_file() {
    let files = tree(&specs::production(), "batch");
    golden::check(
        "node/kubelet-worker.yaml",
        &file(&files, "etc/kube-cfn/kubelet.yaml.in"),
    );
}

#[test]
fn node_trees_match_their_golden_file() {
    let mut lines = Vec::new();
    for name in ["control-plane/a", "batch"] {
        lines.push(format!("# {name}\n"));
        let files = tree(&specs::production(), name).into_iter();
        lines.extend(files.map(|file| format!("{:o} {}\n", file.mode, file.path)));
    }
    golden::check("node/trees.txt", &lines.concat());
}

#[test]
fn kubeadm_s_files_read_back_as_what_they_were_made_of() {
    for spec in specs::all() {
        let files = tree(&spec, "control-plane/a");
        let own = read(&file(&files, "etc/kube-cfn/kubeadm/config.yaml.in"));
        assert_eq!(own, kubeadm::documents(&facts(&spec)));
        let shared = read(&file(&files, "etc/kube-cfn/kubeadm/shared.yaml.in"));
        assert_eq!(shared, kubeadm::shared_documents(&facts(&spec)));
        // Every slot writes it to the cluster: nothing of one member may stand in it.
        assert!(shared.cluster.etcd.local.extra_args.is_empty());
        assert_eq!(own.cluster.api_server, shared.cluster.api_server);
    }
}

#[test]
fn etcd_s_image_is_the_catalogue_s_whatever_the_version_of_etcdctl() {
    for mut spec in specs::all() {
        for version in catalogue::versions() {
            spec.kubernetes = version.clone();
            let facts = facts(&spec);
            let wanted = &catalogue::minor(version).unwrap().etcd;
            let own = kubeadm::documents(&facts).cluster.etcd.local;
            let shared = kubeadm::shared_documents(&facts).cluster.etcd.local;
            assert_eq!((&own.image_tag, &shared.image_tag), (wanted, wanted));
        }
    }
}

#[test]
fn every_node_registers_with_its_taints_and_the_cluster_s_configmap_has_none() {
    let spec = specs::production();
    let documents = kubeadm::documents(&facts(&spec));
    let taint = |key: &str, value: &str| Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: "NoSchedule".to_owned(),
    };
    let slot = [taint("node-role.kubernetes.io/control-plane", "")];
    assert_eq!(documents.kubelet.register_with_taints, slot);
    assert_eq!(documents.init.node_registration.taints, slot);
    let shared = kubeadm::shared_documents(&facts(&spec)).kubelet;
    assert_eq!(
        (shared.register_with_taints, shared.static_pod_path),
        (Vec::new(), None)
    );
    let worker = file(&tree(&spec, "batch"), "etc/kube-cfn/kubelet.yaml.in");
    let worker: KubeletConfiguration = serde_saphyr::from_str(&worker).unwrap();
    assert_eq!(
        worker.register_with_taints,
        [taint("example.com/batch", "true")]
    );
    let plain = NodeEnv::new(&specs::throw_away(), Role::ControlPlane).unwrap();
    let plain = kubelet::configuration(
        &NodeEnv {
            taints: Vec::new(),
            ..plain
        },
        StaticPods::No,
    );
    let text = serde_json::to_string(&plain).unwrap();
    assert!(!text.contains("registerWithTaints"), "{text}");
}

#[test]
fn the_kubelet_ends_pods_in_order_on_workers_alone() {
    let spec = specs::production();
    let periods = |static_pods| {
        let found = kubelet::configuration(&facts(&spec), static_pods);
        (
            found.shutdown_grace_period,
            found.shutdown_grace_period_critical_pods,
        )
    };
    assert_eq!(
        periods(StaticPods::No),
        ("90s".to_owned(), "40s".to_owned())
    );
    // Ended by the kubelet, etcd and the API server would go together.
    assert_eq!(periods(StaticPods::Yes), ("0s".to_owned(), "0s".to_owned()));
}

#[test]
fn a_field_that_the_api_does_not_know_is_refused() {
    let text = file(
        &tree(&specs::minimal(), "control-plane/a"),
        "etc/kube-cfn/kubeadm/config.yaml.in",
    );
    let cluster = text.split("---\n").nth(1).unwrap();
    let wrong = cluster.replace("clusterName:", "clustername:");
    let error = serde_saphyr::from_str::<ClusterConfiguration>(&wrong).unwrap_err();
    assert!(error.to_string().contains("clustername"), "{error}");
}

#[test]
fn all_slots_have_the_same_names_in_their_certificates_and_members() {
    let spec = specs::production();
    let documents = kubeadm::documents(&facts(&spec));
    assert_eq!(
        documents.cluster.api_server.cert_sans,
        [
            "@API_HOST@",
            "10.20.0.10",
            "10.20.32.10",
            "10.20.64.10",
            "127.0.0.1"
        ]
    );
    let args = &documents.cluster.etcd.local.extra_args;
    assert_eq!(
        value(args, "initial-cluster"),
        Some(
            "cp-a=https://10.20.0.10:2380,cp-b=https://10.20.32.10:2380,cp-c=https://10.20.64.10:2380"
        )
    );
    let (a, b) = (
        tree(&spec, "control-plane/a"),
        tree(&spec, "control-plane/b"),
    );
    let differing: Vec<_> = a.iter().zip(&b).filter(|(a, b)| a != b).collect();
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].0.path, "etc/kube-cfn/host.env");
}

#[test]
fn every_placeholder_is_filled_by_the_node() {
    let templates = Templates::new(None).unwrap();
    let fill = templates.text("node/lib/host.sh").unwrap();
    let gap = |text: &str| -> BTreeSet<String> {
        let words = text.split('@').skip(1).step_by(2);
        let words = words.filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        words.map(str::to_owned).collect()
    };
    for name in ["control-plane/a", "batch"] {
        for file in tree(&specs::production(), name) {
            if !file.path.ends_with(".in") {
                continue;
            }
            for wanted in gap(&file.text) {
                // The token is filled in where it is read.
                assert!(
                    wanted == "TOKEN" || fill.contains(&format!("@{wanted}@")),
                    "{}: @{wanted}@",
                    file.path
                );
            }
        }
    }
}

fn value<'a>(args: &'a [Arg], name: &str) -> Option<&'a str> {
    args.iter()
        .find(|arg| arg.name == name)
        .map(|arg| arg.value.as_str())
}

#[test]
fn no_flag_is_given_twice() {
    let documents = kubeadm::documents(&facts(&specs::production()));
    let cluster = &documents.cluster;
    for args in [
        &cluster.api_server.extra_args,
        &cluster.controller_manager.extra_args,
        &cluster.scheduler.extra_args,
        &cluster.etcd.local.extra_args,
        &documents.init.node_registration.kubelet_extra_args,
    ] {
        let names: BTreeSet<_> = args.iter().map(|arg| &arg.name).collect();
        assert_eq!(names.len(), args.len(), "{args:?}");
    }
}

#[test]
fn every_item_of_the_cis_benchmark_is_met_or_refused_with_a_reason() {
    let spec = specs::production();
    let documents = kubeadm::documents(&facts(&spec));
    let workers: Value =
        serde_json::to_value(kubelet::configuration(&facts(&spec), StaticPods::No)).unwrap();
    let slots: Value = serde_json::to_value(&documents.kubelet).unwrap();
    let templates = Templates::new(None).unwrap();
    let cluster = &documents.cluster;
    let args = |component| match component {
        Component::ApiServer => &cluster.api_server.extra_args,
        Component::ControllerManager => &cluster.controller_manager.extra_args,
        Component::Scheduler => &cluster.scheduler.extra_args,
        Component::Etcd => &cluster.etcd.local.extra_args,
    };
    let policies = policies(&spec);
    for item in ITEMS.iter().chain(POLICIES) {
        let number = format!("{} ({})", item.number, item.asks);
        match item.answer {
            Answer::Flag(component, name, wanted) => {
                assert_eq!(value(args(component), name), Some(wanted), "{number}");
            }
            Answer::Unset(component, name) => {
                assert_eq!(value(args(component), name), None, "{number}");
            }
            Answer::Kubelet(pointer, wanted) => {
                for found in [&workers, &slots] {
                    let found = found.pointer(pointer).unwrap();
                    let found = found
                        .as_str()
                        .map_or_else(|| found.to_string(), str::to_owned);
                    assert_eq!(found, wanted, "{number}");
                }
            }
            Answer::Boot(name, wanted) => {
                let text = templates.text(&format!("node/{name}")).unwrap();
                assert!(text.contains(wanted), "{number}: {name} lacks {wanted:?}");
            }
            Answer::Kubeadm(how) | Answer::Default(how) => assert!(how.len() > 10, "{number}"),
            Answer::Held(holds) => assert!(holds(&policies), "{number}"),
            Answer::Refused(why) | Answer::Users(why) => {
                assert!(why.len() > 40, "{number}: {why}");
            }
        }
    }
}

#[test]
fn kops_features_are_present_or_refused_with_a_reason() {
    let spec = specs::production();
    let workers: Value =
        serde_json::to_value(kubelet::configuration(&facts(&spec), StaticPods::No)).unwrap();
    let cluster = serde_json::to_value(kubeadm::documents(&facts(&spec)).cluster).unwrap();
    let templates = Templates::new(None).unwrap();
    for one in EXPECTED {
        match one.answer {
            expected::Answer::File(name, wanted) => {
                let text = templates.text(&format!("node/{name}")).unwrap();
                assert!(
                    text.contains(wanted),
                    "{}: {name} lacks {wanted:?}",
                    one.what
                );
            }
            expected::Answer::Kubelet(pointer, wanted) => {
                let found = workers.pointer(pointer).unwrap();
                let found = found
                    .as_str()
                    .map_or_else(|| found.to_string(), str::to_owned);
                assert_eq!(found, wanted, "{}", one.what);
            }
            expected::Answer::Kubeadm(pointer, wanted) => {
                let found = cluster.pointer(pointer).and_then(Value::as_str);
                assert_eq!(found, Some(wanted), "{}", one.what);
            }
            expected::Answer::Refused(why) => assert!(why.len() > 40, "{}: {why}", one.what),
        }
    }
}

#[test]
fn secrets_are_audited_before_any_rule_that_leaves_reads_out() {
    let text = Templates::new(None)
        .unwrap()
        .text("node/apiserver/audit.yaml")
        .unwrap();
    let at = |what: &str| text.find(what).unwrap();
    assert!(at("[secrets, configmaps") < at("level: None"));
}

#[test]
fn no_item_of_the_cis_benchmark_is_left_out() {
    let items = ITEMS.iter().chain(POLICIES);
    let numbers: Vec<_> = items.map(|item| item.number.to_owned()).collect();
    let section = |prefix: &str, last: u32| -> Vec<String> {
        (1..=last)
            .map(|number| format!("{prefix}.{number}"))
            .collect()
    };
    let wanted = [
        section("1.1", 21),
        section("1.2", 30),
        section("1.3", 7),
        section("1.4", 2),
        section("2", 7),
        section("3.2", 2),
        section("4.1", 10),
        section("4.2", 14),
        section("5.1", 13),
        section("5.2", 13),
        section("5.3", 2),
        section("5.4", 2),
        section("5.5", 1),
        section("5.6", 4),
    ];
    assert_eq!(numbers, wanted.concat());
}
