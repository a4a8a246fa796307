//! Machines that are replaced: groups of the emulated AWS, nodes and pods of the tests' API server.

pub mod nodes;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube_cfn::cloud::Instance;
use serde_json::{Value, json};

use self::nodes::{Nodes, instances};
use crate::apiserver::cluster::{NODES, PODS};
use crate::apiserver::controllers::Controllers;
use crate::apiserver::fixtures::REPLICA_SETS;
use crate::kubernetes::Cluster;
use crate::world::World;

/// Replicas of the application, and how many of them its budget wants healthy.
const REPLICAS: usize = 4;
const HEALTHY: usize = 3;

/// A cluster with three machines in its pool, each a node, and an application with a budget.
struct Rolled {
    cluster: Arc<Cluster>,
    _nodes: Nodes,
    /// The fewest pods of the application that were Ready at once.
    fewest: Arc<AtomicUsize>,
}

impl Rolled {
    fn new(name: &str) -> Self {
        let world = World::small(name);
        world.edit("min: 1", "min: 3");
        world.edit("max: 1", "max: 6");
        let cluster = Arc::new(Cluster::of(world));
        let nodes = Nodes::of(&cluster);
        let rolled = Self {
            cluster,
            _nodes: nodes,
            fewest: Arc::new(AtomicUsize::new(REPLICAS)),
        };
        rolled.until("four nodes", || {
            rolled.cluster.server.objects(NODES).len() == 4
        });
        rolled.deploy();
        rolled
    }

    fn deploy(&self) {
        let server = &self.cluster.server;
        server.put("api/v1/namespaces", json!({"metadata": {"name": "shop"}}));
        server.put(
            REPLICA_SETS,
            json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": {"replicas": REPLICAS,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web"}]}}}}),
        );
        server.put(
            "apis/policy/v1/poddisruptionbudgets",
            json!({"metadata": {"namespace": "shop", "name": "web"}, "spec": {"minAvailable": HEALTHY,
                "selector": {"matchLabels": {"app": "web"}}}}),
        );
        let (fewest, mut is_deployed) = (self.fewest.clone(), false);
        let mut controllers = Controllers::all();
        controllers.operator = Some(Box::new(move |store| {
            let pods = store.of(PODS);
            let is_up = |pod: &&Value| {
                pod["metadata"]["labels"]["app"] == "web"
                    && pod["metadata"]["deletionTimestamp"].is_null()
                    && pod["status"]["phase"] == "Running"
            };
            let number = pods.iter().filter(is_up).count();
            is_deployed = is_deployed || number == REPLICAS;
            if is_deployed {
                fewest.fetch_min(number, Ordering::Relaxed);
            }
        }));
        server.run_controllers(controllers);
        // A step of the controllers comes before each request.
        self.run(&["status", &self.cluster.world.name]).ends(0);
        self.run(&["status", &self.cluster.world.name]).ends(0);
    }

    fn run(&self, arguments: &[&str]) -> crate::process::Said {
        self.cluster.run(arguments)
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = Instant::now();
        while !holds() {
            let said = format!("{what} did not come; {:?}", self.cluster.world.name);
            assert!(begun.elapsed() < Duration::from_mins(2), "{said}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn workers(&self) -> Vec<Instance> {
        self.machines("pool-workers")
    }

    /// The machines of a stack that are alive.
    fn machines(&self, stack: &str) -> Vec<Instance> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let world = &self.cluster.world;
        let found = runtime
            .expect("a runtime")
            .block_on(async { instances(&world.aws().await, &world.name).await });
        let mut found = found;
        found.retain(|one| one.state.is_alive() && one.stack.as_deref() == Some(stack));
        found
    }

    fn plan(&self) -> Value {
        let name = self.cluster.world.name.clone();
        let said = self.run(&["roll", &name, "--plan", "-o", "json"]);
        serde_json::from_str(&said.ends(0).stdout).expect("JSON")
    }

    fn writes(&self) -> usize {
        let requests = self.cluster.server.requests();
        requests
            .iter()
            .filter(|request| !request.starts_with("GET"))
            .count()
    }

    /// Nothing of a roll is left on nodes and machines.
    fn is_clean(&self) {
        for node in self.cluster.server.objects(NODES) {
            let noted = node["metadata"]["annotations"].as_object();
            assert!(noted.is_none_or(serde_json::Map::is_empty), "{node}");
            assert_ne!(node["spec"]["unschedulable"], true, "{node}");
            let taints = node["spec"]["taints"].to_string();
            assert!(!taints.contains("kube-cfn/outdated"), "{node}");
        }
        for one in self.workers() {
            assert_eq!(one.roll, None, "{one:?}");
            assert!(one.group.is_some(), "{one:?}");
        }
    }
}

/// An image of another day, or here another size of the root volume: the launch template has a new version.
#[test]
fn outdated_machines_are_replaced_within_budgets_and_a_killed_roll_goes_on() {
    let rolled = Rolled::new("rolled");
    let world = rolled.cluster.world.clone();
    rolled
        .run(&["roll", "rolled", "--plan"])
        .ends(0)
        .prints("nothing to roll");
    rolled
        .run(&["roll", "rolled", "--pool", "none", "--plan"])
        .ends(64)
        .tells("its pools are: workers");
    world.edit("max: 6", "max: 6\n    volumeGib: 42");
    world.apply().ends(0);
    let before = rolled.workers();
    let writes = rolled.writes();
    let plan = rolled.plan();
    let machines = plan["machines"].as_array().expect("machines");
    assert_eq!(machines.len(), 3, "{plan}");
    assert!(
        machines
            .iter()
            .all(|one| one["reason"] == "outdated" && one["version"] == "v1.36.4"),
        "{plan}"
    );
    assert_eq!(rolled.writes(), writes, "a plan writes nothing");
    assert_eq!(rolled.workers(), before);
    rolled
        .run(&["roll", "rolled"])
        .ends(64)
        .tells("3 machines to replace");

    let lonely = json!({"metadata": {"namespace": "shop", "name": "once"},
        "spec": {"nodeName": before[0].id, "containers": [{"name": "one"}]}, "status": {"phase": "Running"}});
    rolled.cluster.server.put(PODS, lonely);
    rolled
        .run(&["roll", "rolled", "--yes"])
        .ends(5)
        .tells("belongs to no controller and would not come back: --lose-pod shop/once");
    assert_eq!(rolled.workers(), before, "nothing moved");

    let server = rolled.cluster.server.server();
    let roll = [
        "roll",
        "rolled",
        "--yes",
        "--surge",
        "2",
        "--lose-pod",
        "shop/once",
        "--server",
        &server,
    ];
    let running = world.spawn(&roll);
    rolled.until("a detached machine", || {
        rolled
            .workers()
            .iter()
            .any(|one| one.roll.is_some() && one.group.is_none())
    });
    running.kill();
    let status = rolled.run(&["status", "rolled"]);
    status
        .ends(0)
        .prints("a roll is unfinished: ")
        .prints("is out of its group")
        .prints("`kube-cfn roll rolled` goes on");

    let said = rolled.run(&[
        "roll",
        "rolled",
        "--yes",
        "--surge",
        "2",
        "--lose-pod",
        "shop/once",
    ]);
    said.ends(0);
    let after = rolled.workers();
    assert_eq!(after.len(), 3, "{after:?}\n{said}");
    for old in &before {
        assert!(
            after.iter().all(|one| one.id != old.id),
            "{} is still there:\n{said}",
            old.id
        );
    }
    rolled.is_clean();
    assert_eq!(rolled.cluster.server.objects(NODES).len(), 4);
    assert!(rolled.fewest.load(Ordering::Relaxed) >= HEALTHY);
    rolled.run(&["status", "rolled"]).ends(0);
    rolled
        .run(&["roll", "rolled", "--plan"])
        .ends(0)
        .prints("nothing to roll");
    world.cluster("plan", &[]).ends(0).prints("Nothing to do");

    rolled
        .run(&["delete", "rolled", "--confirm", "rolled"])
        .ends(0);
    assert_eq!(rolled.workers(), []);
}

/// The network interface of the node is in use until its old machine has ended: the group tries again.
#[test]
fn the_only_control_plane_node_is_replaced_once_everything_on_it_serves() {
    let rolled = Rolled::new("reborn");
    let world = rolled.cluster.world.clone();
    let version = kube_cfn::catalog::kubernetes::minor(&"1.36.4".parse().expect("a version"));
    let etcd = version
        .expect("a minor")
        .etcd
        .split('-')
        .next()
        .expect("a version");
    let member = json!({"id": "8e9e05c52164694d", "slot": "a", "name": "cp-a", "started": true, "answers": true,
        "serves": true, "leader": true, "version": etcd, "revision": 7, "bytes": 4096});
    let answer = json!({"ok": true, "members": [member]});
    world.rules(
        json!([{"op": "command", "logical": "SlotA", "says": "etcd-member status", "code": 0,
        "stdout": format!("{answer}\n"), "stderr": ""}]),
    );
    rolled
        .run(&["roll", "reborn", "--control-plane", "--plan"])
        .ends(0)
        .prints("nothing to roll");
    world.edit("nodes: 1", "nodes: 1\n  volumeGib: 42");
    world.apply().ends(0);
    let old = rolled.machines("control-plane");
    rolled
        .run(&["roll", "reborn", "--control-plane", "--plan"])
        .ends(0)
        .prints("1 machine to replace")
        .prints("the Kubernetes API is away for 4-7m");
    let said = rolled.run(&[
        "roll",
        "reborn",
        "--control-plane",
        "--yes",
        "--progress",
        "plain",
    ]);
    said.ends(0);
    let new = rolled.machines("control-plane");
    assert_eq!((old.len(), new.len()), (1, 1), "{said}");
    assert_ne!(old[0].id, new[0].id, "{said}");
    rolled.is_clean();
    rolled
        .run(&["roll", "reborn", "--all", "--plan"])
        .ends(0)
        .prints("nothing to roll");
}
