//! The addons of a cluster: their values in the bundle, and the program that installs them, run with stand-ins
//! for kubectl, helm and curl that keep their state in files.

mod world;

use std::collections::BTreeSet;
use std::fmt::Write;

use kube_cfn::catalog::addons;
use kube_cfn::node::{self, Role};
use kube_cfn::spec::ClusterSpec;
use kube_cfn::templates::Templates;
use serde_json::Value;

use crate::stacks::node::file;
use crate::support::{golden, share, specs};
use world::{Cut, World};

fn bundle(spec: &ClusterSpec) -> Vec<u8> {
    let templates = Templates::new(None).unwrap();
    node::bundle(spec, Role::ControlPlane, &templates)
        .unwrap()
        .bytes
}

fn values(spec: &ClusterSpec, addon: &str) -> Value {
    let text = file(
        &bundle(spec),
        &format!("etc/kube-cfn/addons/values/{addon}.yaml"),
    );
    serde_saphyr::from_str(&text).unwrap()
}

/// Every path down to what is no mapping, with a list's entries under `[]`.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                paths(value, &format!("{at}/{key}"), found);
            }
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

/// Held by hand against the values of each chart (see the head of the file), so a chart that moves asks
/// for that again.
#[test]
fn helm_values_are_known_to_their_charts() {
    let mut text = String::from(
        "# Every value that is set, by chart and version. Compared with the chart itself, manually:\n\
         # `helm show values` for the path, `helm template` for what comes of it, with Helm 3 and 4.\n",
    );
    for addon in addons::of(&specs::minimal().kubernetes).unwrap() {
        let mut found = BTreeSet::new();
        for spec in specs::all() {
            paths(&values(&spec, addon.name), "", &mut found);
        }
        writeln!(text, "\n{} {}", addon.name, addon.chart).unwrap();
        for path in found {
            writeln!(text, "  {path}").unwrap();
        }
    }
    golden::check("addons/values.txt", &text);
}

#[test]
fn addon_values_of_three_nodes_and_without_nat() {
    for spec in [specs::production(), specs::throw_away()] {
        let mut text = String::new();
        for addon in addons::of(&spec.kubernetes).unwrap() {
            let name = format!("etc/kube-cfn/addons/values/{}.yaml", addon.name);
            write!(text, "--- {name}\n{}", file(&bundle(&spec), &name)).unwrap();
        }
        text += "--- etc/kube-cfn/addons/charts\n";
        text += &file(&bundle(&spec), "etc/kube-cfn/addons/charts");
        golden::check(&format!("addons/{}.txt", spec.name), &text);
    }
}

#[test]
fn addon_values_use_dns_service_and_images_of_the_definition() {
    let mut spec = specs::minimal();
    spec.network.service_cidr = "10.96.0.0/12".parse().unwrap();
    spec.kubernetes = kube_cfn::catalog::kubernetes::newest_patch(1, 35)
        .unwrap()
        .clone();
    let dns = values(&spec, addons::COREDNS);
    assert_eq!(dns["service"]["clusterIP"], "10.96.0.10");
    let manager = values(&spec, addons::CLOUD_CONTROLLER_MANAGER);
    assert!(
        manager["image"]["tag"]
            .as_str()
            .unwrap()
            .starts_with("v1.35.")
    );
    let autoscaler = values(&spec, addons::CLUSTER_AUTOSCALER);
    assert!(
        autoscaler["image"]["tag"]
            .as_str()
            .unwrap()
            .starts_with("v1.35.")
    );
}

#[test]
fn a_mirror_serves_the_charts_too() {
    let charts = file(&bundle(&specs::zonal()), "etc/kube-cfn/addons/charts");
    assert_eq!(charts.lines().count(), addons::ORDER.len());
    for line in charts.lines() {
        let url = line.split(' ').nth(2).unwrap();
        assert!(
            url.starts_with("https://mirror.example.com/kubernetes/"),
            "{url}"
        );
    }
}

#[test]
fn only_the_control_plane_carries_addons() {
    let templates = Templates::new(None).unwrap();
    let spec = specs::minimal();
    let pool = node::bundle(&spec, Role::Pool(&spec.pools[0]), &templates).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&pool.bytes[..]));
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let path = entry.path().unwrap();
        assert!(!path.to_str().unwrap().contains("addons"), "{path:?}");
    }
}

#[test]
fn addons_are_installed_in_order_and_once() {
    let world = World::new(&specs::production());
    let said = world.run_well();
    assert!(
        said.ends_with("addons: all run as this bundle wants them\n"),
        "{said}"
    );
    let mut calls = vec!["annotate i-b".to_owned(), "create state".to_owned()];
    for addon in addons::of(&specs::production().kubernetes).unwrap() {
        calls.push(format!("fetch {}-{}.tgz", addon.name, addon.chart));
        calls.push(format!("helm {}", addon.name));
        calls.push(format!("record {}", addon.name));
    }
    assert_eq!(world.calls(), calls);
    let after = world.everything();
    world.forget_calls();
    world.run_well();
    assert_eq!(world.calls(), [""; 0]);
    assert_eq!(world.everything(), after);
}

#[test]
fn helm_values_contain_the_machines_own_values() {
    let world = World::new(&specs::production());
    world.run_well();
    let cilium = world.release("cilium");
    assert!(
        cilium.contains("k8sServiceHost: \"api.test.example.com\""),
        "{cilium}"
    );
    assert!(
        world
            .release("aws-ebs-csi-driver")
            .contains("arn:aws:iam::1:role/volumes")
    );
    assert!(
        world
            .release("cluster-autoscaler")
            .contains("arn:aws:iam::1:role/scaling")
    );
    for addon in addons::ORDER {
        assert!(!world.release(addon).contains("${"), "{addon}");
    }
}

#[test]
fn an_interrupted_run_is_finished_by_the_next() {
    let fresh = World::new(&specs::production());
    let whole = fresh.twin();
    whole.run_well();
    let (wanted, programs) = (whole.everything(), whole.programs());
    assert!(programs.len() > 40, "{}", programs.len());
    let cuts_of = |(number, program): (usize, &String)| match program.as_str() {
        "helm" => vec![(number, Cut::Within), (number, Cut::After)],
        _ => vec![(number, Cut::After)],
    };
    let cuts: Vec<_> = (1..).zip(&programs).flat_map(cuts_of).collect();
    for place in share::places(cuts.len()) {
        let (number, cut) = cuts[place];
        let world = fresh.twin();
        world.run_cut(number, cut);
        world.run_well();
        let program = &programs[number - 1];
        assert_eq!(
            world.everything(),
            wanted,
            "cut {cut:?} call {number}, {program}"
        );
    }
}

/// What is the case, how it comes to be so, and what is said then.
type Change<'a> = (&'a str, &'a dyn Fn(&World), &'a str);

#[test]
fn addons_wait_until_all_control_plane_nodes_agree() {
    let change: [Change; 6] = [
        (
            "a slot is missing",
            &|world| world.nodes(|name, line| (name != "i-c").then_some(line)),
            "control-plane node c has no Node",
        ),
        (
            "a slot runs another version",
            &|world| {
                world.nodes(|name, line| {
                    Some(if name == "i-c" {
                        line.replace("v1.36.4", "v1.35.8")
                    } else {
                        line
                    })
                });
            },
            "i-c of control-plane node c runs v1.35.8, not v1.36.4",
        ),
        (
            "a slot wants other addons",
            &|world| {
                world.nodes(|name, line| {
                    Some(if name == "i-a" {
                        format!("{} other", &line[..line.rfind(' ').unwrap()])
                    } else {
                        line
                    })
                });
            },
            "i-a of control-plane node a wants other addons",
        ),
        (
            "an old machine of a slot is still listed",
            &|world| world.add_node("i-old 10.20.64.10 v1.35.8 other"),
            "i-old of control-plane node c runs",
        ),
        (
            "the API server is not ready",
            &|world| world.put("down", ""),
            "the API server of this node is not ready",
        ),
        (
            "another control-plane node is installing them",
            &|world| world.lease("i-a", 0),
            "i-a holds it since",
        ),
    ];
    for (what, change, said) in change {
        let world = World::new(&specs::production());
        change(&world);
        let (code, text) = world.run();
        assert_eq!(code, Some(75), "{what}: {text}");
        assert!(text.contains(said), "{what}: {text}");
        assert!(
            !world.calls().iter().any(|call| call.starts_with("helm")),
            "{what}"
        );
    }
}

#[test]
fn an_expired_lease_is_taken_over() {
    let world = World::new(&specs::production());
    world.lease("i-dead", 3600);
    world.run_well();
    assert_eq!(
        world
            .calls()
            .iter()
            .filter(|call| call.starts_with("helm"))
            .count(),
        6
    );
}

#[test]
fn a_chart_that_is_not_the_pinned_one_is_never_installed() {
    let world = World::new(&specs::production()).forging();
    let (code, text) = world.run();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("cilium: https://helm.cilium.io/cilium-1.19.6.tgz is not the pinned chart"),
        "{text}"
    );
    assert!(!world.calls().iter().any(|call| call.starts_with("helm")));
}

#[test]
fn a_failed_addon_blocks_the_next_ones_and_is_retried() {
    let world = World::new(&specs::production());
    world.put("broken", "coredns");
    let (code, text) = world.run();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("coredns: helm could not start it"), "{text}");
    let helm = |world: &World| -> Vec<String> {
        let calls = world.calls().into_iter();
        calls.filter(|call| call.starts_with("helm")).collect()
    };
    assert_eq!(
        helm(&world),
        [
            "helm cilium",
            "helm aws-cloud-controller-manager",
            "helm coredns"
        ]
    );
    world.remove("broken");
    world.forget_calls();
    world.run_well();
    assert_eq!(helm(&world)[0], "helm coredns");
    assert_eq!(helm(&world).len(), 4);
}

#[test]
fn a_changed_bundle_touches_only_what_changed() {
    let world = World::new(&specs::production());
    world.run_well();
    world.forget_calls();
    let values = "etc/kube-cfn/addons/values/metrics-server.yaml";
    world.edit(values, |text| text.replace("replicas: 2", "replicas: 3"));
    let (code, text) = world.run();
    assert_eq!(code, Some(75), "the other slots do not want it yet: {text}");
    world.agree();
    world.run_well();
    let calls = world.calls();
    assert_eq!(
        calls,
        [
            "annotate i-b",
            "helm metrics-server",
            "record metrics-server"
        ]
    );
}

#[test]
fn a_missing_role_is_reported() {
    let world = World::new(&specs::production());
    world.edit("etc/kube-cfn/host.env", |text| {
        text.replace("EBS_CSI_ROLE", "OTHER")
    });
    let (code, text) = world.run();
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("aws-ebs-csi-driver needs EBS_CSI_ROLE"),
        "{text}"
    );
}
