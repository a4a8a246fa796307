//! Changes that can't work on a living cluster are refused before anything is made; losses have to be named.

use kube_cfn::cloud::Cloud;
use serde_json::{Value, json};

use crate::tools::{ask, base_output};
use crate::versions::{everything, update};
use crate::world::World;

/// The codes of what a plan refuses.
fn codes(world: &World) -> Vec<String> {
    let said = world.cluster("plan", &["-o", "json"]);
    let data: Value = serde_json::from_str(&said.ends(5).stdout).expect("JSON");
    let refused = data["refused"].as_array().expect("refused").iter();
    refused
        .map(|why| why["code"].as_str().expect("a code").to_owned())
        .collect()
}

#[tokio::test]
async fn changes_that_cannot_work_are_refused_and_leave_no_trace() {
    let world = World::with_database("refusing");
    world.edit("nodes: 1", "nodes: 1\n  etcdVolumeGib: 30");
    world.edit("multiAz: false", "multiAz: false\n  storageGib: 100");
    world.apply().ends(0);
    let untouched = everything(&world).await;
    let definition = world.read("clusters/refusing.yaml");
    let zones = ("eu-west-1b]", "eu-west-1b, eu-west-1c]");
    let exposure = "api:\n  exposure: public\n  allowedCidrs: [203.0.113.0/24]\ncontrolPlane:";
    let changes: [(&str, &[(&str, &str)]); 7] = [
        ("control-plane-nodes", &[("nodes: 1", "nodes: 3"), zones]),
        (
            "pod-cidr",
            &[("nat: single", "nat: single\n  podCidr: 100.72.0.0/14")],
        ),
        (
            "service-cidr",
            &[("nat: single", "nat: single\n  serviceCidr: 100.69.0.0/16")],
        ),
        ("api-address", &[("controlPlane:", exposure)]),
        (
            "volume-shrink",
            &[("etcdVolumeGib: 30", "etcdVolumeGib: 20")],
        ),
        (
            "pool-spread",
            &[("    min: 1", "    spread: zonal\n    min: 1")],
        ),
        ("storage-shrink", &[("storageGib: 100", "storageGib: 50")]),
    ];
    for (code, edits) in changes {
        world.definition(&definition);
        for (from, to) in edits {
            world.edit(from, to);
        }
        assert_eq!(codes(&world), [code]);
        world
            .cluster("plan", &[])
            .ends(5)
            .prints(&format!("    {code}: "))
            .prints("next: set `");
        world
            .apply()
            .ends(5)
            .tells("refusing: refused, nothing was changed: ");
        assert_eq!(everything(&world).await, untouched, "{code}");
    }

    world.definition(&definition);
    world.edit("nodes: 1", "nodes: 3");
    world.edit(zones.0, zones.1);
    world.edit("nat: single", "nat: single\n  podCidr: 100.72.0.0/14");
    world.edit("controlPlane:", exposure);
    world.edit("etcdVolumeGib: 30", "etcdVolumeGib: 20");
    let all = [
        "api-address",
        "control-plane-nodes",
        "pod-cidr",
        "volume-shrink",
    ];
    assert_eq!(codes(&world), all);
    let file = world.path("plan.json");
    world
        .cluster("plan", &["--out", file.to_str().expect("a path")])
        .ends(5)
        .tells("no plan was saved");
    assert!(!file.exists());
    let said = world.apply();
    said.ends(5).tells("for 4 reasons:");
    for code in all {
        said.tells(&format!("- {code}: "));
    }
    assert_eq!(everything(&world).await, untouched);

    world.definition(&definition);
    world.edit(zones.0, zones.1);
    world.edit("etcdVolumeGib: 30", "etcdVolumeGib: 40");
    world.apply().ends(0);
}

#[tokio::test]
async fn fewer_backup_days_have_to_be_named_as_a_loss() {
    let world = World::with_database("forgetful");
    world.edit("protect: false", "protect: true");
    world.edit("multiAz: false", "multiAz: false\n  backupDays: 14");
    world.apply().ends(0);
    let untouched = everything(&world).await;
    world.edit("backupDays: 14", "backupDays: 1");
    let name = "forgetful-database/Database.BackupRetentionPeriod";
    world
        .cluster("plan", &["--no-drift"])
        .ends(5)
        .prints("data-loss: ")
        .prints(&format!("--allow-data-loss {name}"))
        .prints("!! at stake: the automated backups older than a day, of 14 days; RDS");
    world
        .apply()
        .ends(5)
        .tells("would delete the automated backups older than a day");
    let allow = |name: &str| world.cluster("apply", &["--yes", "--allow-data-loss", name]);
    // Consent to the loss of the database is no consent to another loss.
    allow("forgetful-database/Database").ends(5);
    assert_eq!(everything(&world).await, untouched);
    allow(name).ends(0);
    let all = ask(&world, "rds", "describe_db_instances", &json!({}));
    assert_eq!(all["DBInstances"][0]["BackupRetentionPeriod"], 1);
    let found = world
        .aws()
        .await
        .stacks(Some("forgetful"))
        .await
        .expect("stacks");
    let database = found
        .iter()
        .find(|found| found.kind == "database")
        .expect("it");
    assert!(database.termination_protection, "protected as before");
    world.apply().ends(0).tells("Nothing to do");
    world.edit("backupDays: 1", "backupDays: 14");
    world.apply().ends(0);
}

#[tokio::test]
async fn ranges_of_older_stacks_are_read_from_the_bundle() {
    let world = World::small("unsaid");
    world.apply().ends(0);
    update(&world, "control-plane", |template| {
        let outputs = template["Outputs"].as_object_mut().expect("outputs");
        assert!(outputs.remove("PodCidr").is_some() && outputs.remove("ServiceCidr").is_some());
    });
    let untouched = everything(&world).await;
    let definition = world.read("clusters/unsaid.yaml");
    world.edit("nat: single", "nat: single\n  podCidr: 100.72.0.0/14");
    assert_eq!(codes(&world), ["pod-cidr"]);
    world
        .apply()
        .ends(5)
        .tells("would change from 100.64.0.0/14 to 100.72.0.0/14");
    assert_eq!(everything(&world).await, untouched);

    // The bundle is gone, and the machines would boot from another one.
    world.definition(&definition);
    world.edit(
        "protect:",
        "mirror: https://mirror.example.com/node\nprotect:",
    );
    let bucket = base_output(&world, "StateBucket");
    let objects = ask(&world, "s3", "list_objects_v2", &json!({"Bucket": bucket}));
    let mut keys = objects["Contents"].as_array().expect("objects").iter();
    let bundle = keys.find_map(|object| {
        let key = object["Key"].as_str()?;
        key.starts_with("bundles/control-plane-")
            .then(|| key.to_owned())
    });
    let gone = json!({"Bucket": bucket, "Key": bundle.expect("the bundle")});
    ask(&world, "s3", "delete_object", &gone);
    assert_eq!(codes(&world), ["values-unknown"]);
    world.apply().ends(5).tells(
        "`network.podCidr` and `network.serviceCidr` are those of the running cluster: s3://",
    );

    // Without a change the bundle is put back, and then the values can be read.
    world.definition(&definition);
    world.apply().ends(0);
    world.edit(
        "protect:",
        "mirror: https://mirror.example.com/node\nprotect:",
    );
    world.apply().ends(0);
    let found = world
        .aws()
        .await
        .stacks(Some("unsaid"))
        .await
        .expect("stacks");
    let control_plane = found
        .iter()
        .find(|found| found.kind == "control-plane")
        .expect("it");
    assert_eq!(control_plane.outputs["PodCidr"], "100.64.0.0/14");
    assert_eq!(control_plane.outputs["ServiceCidr"], "100.68.0.0/16");
}

#[test]
fn ranges_of_an_older_cluster_whose_last_update_was_rolled_back_are_read_too() {
    let world = World::small("older");
    world.apply().ends(0);
    update(&world, "control-plane", |template| {
        let outputs = template["Outputs"].as_object_mut().expect("outputs");
        assert!(outputs.remove("PodCidr").is_some() && outputs.remove("ServiceCidr").is_some());
    });
    world.edit(
        "protect:",
        "mirror: https://mirror.example.com/node\nprotect:",
    );
    world.rules(
        json!([{"type": "AWS::AutoScaling::AutoScalingGroup", "op": "update",
        "stack": "control-plane", "times": 1, "fail": "cannot go on"}]),
    );
    world.apply().ends(3);
    world.rules(json!([]));
    let standing = world.standing();
    assert!(
        standing.contains(&"control-plane UPDATE_ROLLBACK_COMPLETE".to_owned()),
        "{standing:?}"
    );
    world.edit("nat: single", "nat: single\n  podCidr: 100.72.0.0/14");
    assert_eq!(codes(&world), ["pod-cidr"]);
    world.edit("\n  podCidr: 100.72.0.0/14", "");
    world.apply().ends(0);
}

#[tokio::test]
async fn another_load_balancer_behind_a_name_of_its_own_has_to_be_named() {
    let world = World::small("renamed-lb");
    let zone = json!({"Name": "example.com", "CallerReference": "renamed-lb"});
    let zone = ask(&world, "route53", "create_hosted_zone", &zone);
    let zone = zone["HostedZone"]["Id"].as_str().expect("an id");
    let zone = zone.rsplit('/').next().expect("its end");
    let dns =
        format!("api:\n  dns: {{ name: api.example.com, hostedZone: {zone} }}\ncontrolPlane:");
    world.edit("controlPlane:", &dns);
    world.apply().ends(0);
    let untouched = everything(&world).await;
    world.edit(
        "api:\n",
        "api:\n  exposure: public\n  allowedCidrs: [203.0.113.0/24]\n",
    );
    let name = "renamed-lb-edge/ApiLoadBalancer";
    world
        .cluster("plan", &["--no-drift"])
        .ends(5)
        .prints(&format!("--allow-data-loss {name}"))
        .prints("!! at stake: the way to the API");
    world.apply().ends(5);
    assert_eq!(everything(&world).await, untouched);
    world
        .cluster("apply", &["--yes", "--allow-data-loss", name])
        .ends(0);
    world.edit("api.example.com", "k8s.example.com");
    assert_eq!(codes(&world), ["api-address"]);
}
