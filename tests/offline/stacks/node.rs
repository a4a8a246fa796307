//! Bundles and user data in the stacks.

use std::io::Read;

use kube_cfn::node::{self, Role};
use kube_cfn::spec::{ClusterSpec, Exposure};
use kube_cfn::stacks::{self, KUBERNETES_VERSION, Stack, Versions, versions};
use kube_cfn::templates::Templates;
use semver::Version;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{design, every_stack, of_type};
use crate::support::specs;

/// User data of every launch template of a stack, with the late values filled in as AWS would.
pub fn user_data(stack: &Stack) -> Vec<(String, String)> {
    of_type(stack, "AWS::EC2::LaunchTemplate")
        .into_iter()
        .map(|(id, template)| {
            let data =
                &template["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Join"];
            let lines = data[1].as_array().unwrap().iter().map(|line| match line {
                Value::String(text) => text.clone(),
                late => late["Fn::Sub"]
                    .as_str()
                    .unwrap()
                    .replace("${StateBucket}", "state-bucket")
                    .replace("${ApiHost}", "api.example.com")
                    .replace("${OidcIssuer}", "https://issuer.example.com")
                    .replace("${EbsCsiRoleArn}", "arn:aws:iam::1:role/volumes")
                    .replace("${ClusterAutoscalerRoleArn}", "arn:aws:iam::1:role/scaling")
                    .replace("${EtcdVolumeA}", "vol-0a")
                    .replace("${EtcdVolumeB}", "vol-0b")
                    .replace("${EtcdVolumeC}", "vol-0c"),
            });
            let lines: Vec<_> = lines.collect();
            (
                format!("{} {id}", stack.name),
                lines.join(data[0].as_str().unwrap()),
            )
        })
        .collect()
}

/// The scripts of a bundle by their paths.
pub fn scripts(bytes: &[u8]) -> Vec<(String, String)> {
    let files = files(bytes).into_iter();
    let script = |(path, text): &(String, String)| {
        text.starts_with("#!/bin/bash\n") || path.starts_with("opt/")
    };
    files.filter(script).collect()
}

/// The files of a bundle by their paths.
fn files(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        (entry.path().unwrap().display().to_string(), text)
    });
    entries.collect()
}

/// A file of a bundle.
pub fn file(bytes: &[u8], name: &str) -> String {
    let found = files(bytes).into_iter().find(|(path, _)| path == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

fn is_machine(stack: &Stack) -> bool {
    stack.kind.has_machines()
}

#[test]
fn stacks_with_machines_output_their_version() {
    for spec in specs::all() {
        let mut other = spec.clone();
        other.kubernetes = Version::new(1, 35, 8);
        for (stack, moved) in design(&spec).iter().zip(design(&other)) {
            let depends = stack.template != moved.template
                || stack.objects != moved.objects
                || stack.inputs != moved.inputs;
            assert_eq!(depends, is_machine(stack), "{}", stack.name);
            let version = depends.then(|| spec.kubernetes.clone());
            assert_eq!(stack.kubernetes(), version, "{}", stack.name);
            let output = &stack.template["Outputs"][KUBERNETES_VERSION]["Value"];
            let text = version.map(|version| version.to_string());
            assert_eq!(output.as_str(), text.as_deref(), "{}", stack.name);
        }
    }
}

#[test]
fn each_stack_is_designed_at_its_own_version() {
    let templates = Templates::new(None).unwrap();
    let (new, old) = (Version::new(1, 36, 4), Version::new(1, 35, 8));
    let mut spec = specs::production();
    let at_new = design(&spec);
    spec.kubernetes = old.clone();
    let at_old = design(&spec);
    let versions = Versions {
        pools: [("batch".to_owned(), old)].into(),
        ..Versions::all(&new)
    };
    // Whatever the definition says.
    let mixed = stacks::design_at(&spec, &versions, &templates).unwrap();
    for (stack, (new, old)) in mixed.iter().zip(at_new.iter().zip(&at_old)) {
        let like = if stack.name.ends_with("batch") {
            old
        } else {
            new
        };
        assert_eq!(stack, like, "{}", stack.name);
    }
}

#[test]
fn a_template_names_its_bundle_and_a_bundle_its_version() {
    for stack in every_stack().iter().filter(|stack| is_machine(stack)) {
        let [object] = &stack.objects[..] else {
            panic!("{}", stack.name)
        };
        let key = versions::bundle_key(&stack.template);
        assert_eq!(key, Some(object.key.as_str()), "{}", stack.name);
        let version = versions::of_bundle(&object.key, &object.bytes);
        assert_eq!(version, stack.kubernetes(), "{}", stack.name);
        // Bytes that are not those of the name say nothing.
        assert_eq!(
            versions::of_bundle("bundles/other.tar.gz", &object.bytes),
            None
        );
        assert_eq!(versions::of_bundle(&object.key, b"other"), None);
    }
}

#[test]
fn user_data_names_the_bundle_that_its_stack_uploads() {
    for stack in every_stack().iter().filter(|stack| is_machine(stack)) {
        let [object] = &stack.objects[..] else {
            panic!("{}", stack.name)
        };
        let sha256 = format!("{:x}", Sha256::digest(&object.bytes));
        assert_eq!(
            object.key,
            format!("bundles/{}-{sha256}.tar.gz", stack.kind)
        );
        let scripts = user_data(stack);
        assert!(!scripts.is_empty());
        for (name, script) in scripts {
            assert!(
                script.starts_with("#cloud-boothook\n#!/bin/bash\nSTATE_BUCKET='state-bucket'\n"),
                "{name}"
            );
            assert!(script.is_ascii() && !script.contains('\r'), "{name}");
            assert!(
                script.contains(&format!("BUNDLE_KEY='{}'", object.key)),
                "{name}"
            );
            assert!(
                script.contains(&format!("BUNDLE_SHA256='{sha256}'")),
                "{name}"
            );
            assert!(script.len() < 8192, "{name}: {}", script.len());
            let signal = script
                .lines()
                .find_map(|line| line.strip_prefix("SIGNAL="))
                .unwrap();
            let group = &stack.template["Resources"][signal.trim_matches('\'')];
            assert_eq!(
                group["Type"], "AWS::AutoScaling::AutoScalingGroup",
                "{name}"
            );
        }
    }
}

/// What is changed, and how.
type Edit = (&'static str, fn(&mut ClusterSpec));
/// What is changed, how, and (of the slots, the first and the second pool) whose bundle it changes.
type Change = (&'static str, fn(&mut ClusterSpec), [bool; 3]);

/// The bundles of slots and of the first pool, and everything that launch templates hold.
fn booted(spec: &ClusterSpec) -> (Vec<String>, Vec<Value>) {
    let stacks = design(spec);
    let machines = stacks.iter().filter(|stack| is_machine(stack));
    let keys = machines.clone().map(|stack| stack.objects[0].key.clone());
    let data = machines
        .flat_map(|stack| of_type(stack, "AWS::EC2::LaunchTemplate"))
        .map(|(_, found)| found["Properties"]["LaunchTemplateData"]["UserData"].clone());
    (keys.collect(), data.collect())
}

#[test]
fn other_settings_keep_bundles_and_user_data() {
    let before = booted(&specs::production());
    let changes: [Edit; 14] = [
        ("account", |spec| spec.account = None),
        ("exposure", |spec| spec.api.exposure = Exposure::Internal),
        ("allowed", |spec| spec.api.allowed_cidrs.clear()),
        ("dns", |spec| spec.api.dns = None),
        ("volume", |spec| spec.control_plane.volume_gib += 10),
        ("etcd volume", |spec| {
            spec.control_plane.etcd_volume_gib += 10;
        }),
        ("size", |spec| {
            "m7g.xlarge".clone_into(&mut spec.control_plane.instance_type);
        }),
        ("pool size", |spec| {
            spec.pools[0].instance_types = vec!["c7g.large".to_owned()];
        }),
        ("pool volume", |spec| spec.pools[0].volume_gib += 10),
        ("pool scale", |spec| spec.pools[0].max += 3),
        ("spot", |spec| spec.pools[0].spot_percent = 50),
        ("protect", |spec| spec.protect = false),
        ("access", |spec| spec.access.ttl_seconds = 60),
        ("tags", |spec| spec.tags.clear()),
    ];
    for (what, change) in changes {
        let mut spec = specs::production();
        change(&mut spec);
        assert_eq!(booted(&spec), before, "{what}");
    }
}

#[test]
fn node_settings_change_bundle_and_user_data() {
    let (keys, data) = booted(&specs::production());
    let changes: [Change; 5] = [
        (
            "kubernetes",
            |spec| spec.kubernetes = Version::new(1, 36, 3),
            [true; 3],
        ),
        (
            "mirror",
            |spec| spec.mirror = Some("https://m.example.com".to_owned()),
            [true; 3],
        ),
        (
            "pods",
            |spec| spec.network.pod_cidr = "100.72.0.0/14".parse().unwrap(),
            [true; 3],
        ),
        (
            "label",
            |spec| drop(spec.pools[0].labels.insert("a".to_owned(), "b".to_owned())),
            [false, true, false],
        ),
        (
            "taints",
            |spec| spec.pools[1].taints.clear(),
            [false, false, true],
        ),
    ];
    for (what, change, expected) in changes {
        let mut spec = specs::production();
        change(&mut spec);
        let (new_keys, new_data) = booted(&spec);
        let differ = |old: &String, new: &String| old != new;
        let found: Vec<_> = keys
            .iter()
            .zip(&new_keys)
            .map(|(a, b)| differ(a, b))
            .collect();
        assert_eq!(found, expected, "{what}");
        // Three slots, then the pools.
        let user_data: Vec<_> = data.iter().zip(&new_data).map(|(a, b)| a != b).collect();
        let [slots, first, second] = expected;
        assert_eq!(user_data, [slots, slots, slots, first, second], "{what}");
    }
}

#[test]
fn a_bundle_contains_the_nodes_identity() {
    let templates = Templates::new(None).unwrap();
    let spec = specs::zonal();
    let pool = node::bundle(&spec, Role::Pool(&spec.pools[0]), &templates).unwrap();
    let facts: Value = serde_json::from_str(&file(&pool.bytes, "etc/kube-cfn/node.json")).unwrap();
    assert_eq!(facts["role"], "pool-stateful");
    assert_eq!(facts["machine"], "aarch64");
    assert_eq!(facts["kubernetes"], "1.36.4");
    let names: Vec<_> = facts["binaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| &b["name"])
        .collect();
    assert_eq!(
        names,
        [
            "cni-plugins",
            "containerd",
            "crictl",
            "ecr-credential-provider",
            "kubelet",
            "runc"
        ]
    );
    let url = facts["binaries"][4]["url"].as_str().unwrap();
    assert_eq!(
        url,
        "https://mirror.example.com/kubernetes/release/v1.36.4/bin/linux/arm64/kubelet"
    );
    let slots = node::bundle(&spec, Role::ControlPlane, &templates).unwrap();
    let env = file(&slots.bytes, "etc/kube-cfn/node.env");
    let list = "NODE_SLOTS='a=10.20.0.10 b=10.20.32.10 c=10.20.64.10'\n";
    assert!(
        env.contains(list) && env.contains("NODE_DNS='100.68.0.10'\n"),
        "{env}"
    );
    let binaries = file(&slots.bytes, "etc/kube-cfn/binaries");
    assert_eq!(binaries.lines().count(), 10, "{binaries}");
}
