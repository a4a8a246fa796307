//! What stands against an upgrade: stacks and machines of the emulated AWS, the tests' API server, programs of machines that
//! answer as a rule says.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::apiserver::cluster::{NODES, PODS};
use crate::kubernetes::Cluster;
use crate::process::Said;
use crate::roll::nodes::Nodes;
use crate::world::World;

/// The version that the small cluster gets here, one minor before the newest.
const FROM: &str = "1.35.0";

struct Upgraded {
    cluster: Arc<Cluster>,
    _nodes: Nodes,
}

impl Upgraded {
    /// A cluster of one control-plane node and one worker, whose machines answer.
    fn new(name: &str) -> Self {
        let world = World::small(name);
        world.edit("kubernetes: 1.36.4", &format!("kubernetes: {FROM}"));
        let cluster = Arc::new(Cluster::of(world));
        let nodes = Nodes::of(&cluster);
        let upgraded = Self {
            cluster,
            _nodes: nodes,
        };
        let joined = || upgraded.cluster.server.objects(NODES).len() == 2;
        while !joined() {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        upgraded.answer(&json!([]));
        upgraded
    }

    /// The programs of the control-plane node answer well, and that these APIs were asked for.
    fn answer(&self, deprecated: &Value) {
        let member = json!({"id": "1", "slot": "a", "name": "cp-a", "started": true, "learner": false, "answers": true,
            "serves": true, "leader": true, "version": "3.6.11", "revision": 7, "bytes": 1000});
        let certificate = json!({"name": "etcd-peer", "notAfter": "2036-11-23T10:00:00Z"});
        let rule = |program: &str, answer: &Value| {
            json!({"op": "command", "logical": "SlotA", "says": format!("/opt/kube-cfn/bin/{program}"), "code": 0,
                "stdout": format!("{answer}\n"), "stderr": ""})
        };
        self.cluster.world.rules(json!([
            rule(
                "etcd-member status",
                &json!({"ok": true, "members": [member], "alarms": []})
            ),
            rule(
                "certificates",
                &json!({"ok": true, "certificates": [certificate]})
            ),
            rule(
                "api-requests",
                &json!({"ok": true, "started": "2026-11-01T10:00:00Z", "deprecated": deprecated})
            ),
        ]));
    }

    fn plan(&self, to: &str, more: &[&str]) -> Said {
        let mut all = vec!["upgrade", &self.cluster.world.name, "--to", to, "--plan"];
        // The publishers of files are not reachable from here.
        all.extend(["--accept", "downloads"]);
        all.extend(more);
        self.cluster.run(&all)
    }
}

fn verdicts(said: &Said) -> Vec<(String, String)> {
    let view: Value = serde_json::from_str(&said.stdout).expect("JSON");
    let found = view["findings"].as_array().expect("findings").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    found
        .filter(|one| one["verdict"] != "pass" && one["accepted"] == false)
        .map(|one| (text(&one["check"]), text(&one["verdict"])))
        .collect()
}

#[test]
fn plan_of_an_upgrade_shows_checks_and_phases_and_changes_nothing() {
    let upgraded = Upgraded::new("upgraded");
    let file = upgraded.cluster.world.path("clusters/upgraded.yaml");
    let before = fs::read_to_string(&file).expect("a definition");
    let said = upgraded.plan("next", &["-o", "json"]);
    said.ends(0);
    let view: Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(
        (&view["from"], &view["stopped"]),
        (&json!(FROM), &json!(false)),
        "{view:#}"
    );
    let phases = view["phases"].as_array().expect("phases");
    let phases: Vec<_> = phases
        .iter()
        .map(|one| one["phase"].as_str().expect("a phase"))
        .collect();
    let wanted =
        "snapshot definition controlPlaneStack controlPlane addons poolStacks pools postCheck";
    assert_eq!(phases.join(" "), wanted);
    // No snapshot of etcd yet is no reason to stop.
    assert_eq!(
        verdicts(&said),
        [("snapshot".to_owned(), "warn".to_owned())]
    );
    upgraded
        .plan("next", &[])
        .ends(0)
        .prints("ok etcd members: 1 member serving")
        .prints("(accepted:")
        .prints("control-plane nodes");
    assert_eq!(fs::read_to_string(&file).expect("a definition"), before);
    let writes = upgraded.cluster.server.requests();
    assert!(
        writes.iter().all(|request| request.starts_with("GET")),
        "{writes:?}"
    );

    // Steps that there are none of.
    upgraded
        .plan("1.34.11", &[])
        .ends(5)
        .tells("which is newer than 1.34.11");
    upgraded
        .plan("1.35.99", &[])
        .ends(5)
        .tells("no hashes for Kubernetes 1.35.99");
    upgraded
        .plan("soon", &[])
        .ends(64)
        .tells("`soon` is no version");
    upgraded
        .cluster
        .run(&["upgrade", &upgraded.cluster.world.name, "--to", "next"])
        .ends(64)
        .tells("not built yet");
    let said = upgraded.plan(FROM, &[]);
    said.ends(0).prints("nothing is left to do");
}

#[test]
fn what_stands_against_an_upgrade_stops_it_unless_it_is_accepted_by_name() {
    let upgraded = Upgraded::new("opposed");
    let removed = json!([{"group": "flowcontrol.apiserver.k8s.io", "version": "v1beta3", "resource": "flowschemas",
        "removedIn": "1.36"}]);
    upgraded.answer(&removed);
    let accept = "--accept-deprecated flowcontrol.apiserver.k8s.io/v1beta3";
    upgraded
        .plan("next", &[])
        .ends(5)
        .prints("flowschemas")
        .tells(accept);
    let (flag, api) = accept.split_once(' ').expect("two words");
    upgraded.plan("next", &[flag, api]).ends(0);

    let alone = json!({"metadata": {"namespace": "shop", "name": "once"},
        "spec": {"nodeName": worker(&upgraded), "containers": [{"name": "once"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}});
    upgraded.cluster.server.put(PODS, alone);
    upgraded
        .plan("next", &[flag, api])
        .ends(5)
        .prints("shop/once belongs to no controller");
    upgraded
        .plan("next", &[flag, api, "--lose-pod", "shop/once"])
        .ends(0);
    upgraded
        .plan(
            "next",
            &[
                flag,
                api,
                "--lose-pod",
                "shop/once",
                "--lose-pod",
                "shop/twice",
            ],
        )
        .ends(0)
        .prints("--lose-pod shop/twice accepts nothing");

    // What does not answer is unknown, and stops as well.
    upgraded.cluster.world.rules(json!([]));
    let said = upgraded.plan("next", &["-o", "json"]);
    said.ends(5);
    let found = verdicts(&said);
    for check in ["etcd", "etcd-step", "deprecated-apis", "certificates"] {
        assert!(
            found.contains(&(check.to_owned(), "unknown".to_owned())),
            "{check}: {found:?}"
        );
    }
    let mut all = vec![
        "--accept",
        "deprecated-apis",
        "--accept",
        "certificates",
        "--lose-pod",
        "shop/once",
    ];
    all.extend(["--accept", "etcd"]);
    upgraded
        .plan("next", &all)
        .ends(5)
        .prints("--accept etcd accepts nothing");
}

/// The node of the pool.
fn worker(upgraded: &Upgraded) -> String {
    let nodes = upgraded.cluster.server.objects(NODES);
    let is_worker = |node: &&Value| !node["metadata"]["labels"]["kube-cfn/pool"].is_null();
    let found = nodes.iter().find(is_worker).expect("a worker");
    found["metadata"]["name"]
        .as_str()
        .expect("a name")
        .to_owned()
}
