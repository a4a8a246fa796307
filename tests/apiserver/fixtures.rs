//! Objects of a cluster whose users have volumes and load balancers, for the API server of the tests.

use serde_json::{Value, json};

use super::ApiServer;
use super::controllers::BALANCER_FINALIZER;

pub const SERVICES: &str = "api/v1/services";
pub const VOLUMES: &str = "api/v1/persistentvolumes";
pub const CLAIMS: &str = "api/v1/persistentvolumeclaims";
pub const PODS: &str = "api/v1/pods";
pub const DEPLOYMENTS: &str = "apis/apps/v1/deployments";
pub const REPLICA_SETS: &str = "apis/apps/v1/replicasets";
pub const STATEFUL_SETS: &str = "apis/apps/v1/statefulsets";
pub const DAEMON_SETS: &str = "apis/apps/v1/daemonsets";
pub const JOBS: &str = "apis/batch/v1/jobs";
pub const CRON_JOBS: &str = "apis/batch/v1/cronjobs";

fn namespace(server: &ApiServer, name: &str) {
    server.put("api/v1/namespaces", json!({"metadata": {"name": name}}));
}

/// Puts a Service of type LoadBalancer there, with a load balancer.
pub fn service(server: &ApiServer, within: &str, name: &str) {
    namespace(server, within);
    server.put(
        SERVICES,
        json!({
            "metadata": {"namespace": within, "name": name, "finalizers": [BALANCER_FINALIZER]},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
            "status": {"loadBalancer": {"ingress": [{"hostname": format!("{name}.elb.example.com")}]}},
        }),
    );
}

/// Puts a claim there that is bound to a volume of EBS, `vol-NAME`, of 8 GiB.
pub fn claim(server: &ApiServer, within: &str, name: &str, policy: &str) {
    namespace(server, within);
    let volume = format!("pvc-{within}-{name}");
    server.put(
        VOLUMES,
        ebs(&volume, &format!("vol-{name}"), policy, within, name),
    );
    server.put(
        CLAIMS,
        json!({
            "metadata": {"namespace": within, "name": name, "finalizers": ["kubernetes.io/pvc-protection"]},
            "spec": {"volumeName": volume, "storageClassName": "gp3"},
            "status": {"phase": "Bound"},
        }),
    );
}

/// A PersistentVolume of EBS.
pub fn ebs(name: &str, id: &str, policy: &str, namespace: &str, claim: &str) -> Value {
    json!({
        "metadata": {"name": name, "finalizers": ["kubernetes.io/pv-protection"]},
        "spec": {"capacity": {"storage": "8Gi"}, "persistentVolumeReclaimPolicy": policy,
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": id},
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim}},
        "status": {"phase": "Bound"},
    })
}

/// The same of another driver.
pub fn efs(name: &str, id: &str, policy: &str, namespace: &str, claim: &str) -> Value {
    let mut found = ebs(name, id, policy, namespace, claim);
    found["spec"]["csi"]["driver"] = json!("efs.csi.aws.com");
    found
}

/// A pod that runs and uses a claim; `owner` is kind and name.
pub fn pod(namespace: &str, name: &str, claim: &str, owner: Option<(&str, &str)>) -> Value {
    let reference = |(kind, name): (&str, &str)| {
        let version = match kind {
            "Job" | "CronJob" => "batch/v1",
            "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => "apps/v1",
            _ => "example.com/v1",
        };
        json!([{"apiVersion": version, "kind": kind, "name": name, "uid": name, "controller": true}])
    };
    json!({
        "metadata": {"namespace": namespace, "name": name,
            "ownerReferences": owner.map_or(json!([]), reference)},
        "spec": {"nodeName": "i-0d0", "containers": [{"name": "one"}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]},
        "status": {"phase": "Running"},
    })
}

/// Puts a controller there, with the template of pods that use a claim.
pub fn workload(
    server: &ApiServer,
    collection: &str,
    name: &str,
    owner: Option<(&str, &str)>,
    claim: &str,
) {
    let mut metadata = pod("web", name, claim, owner)["metadata"].clone();
    metadata["uid"] = json!(name);
    let spec = pod("web", name, claim, None)["spec"].clone();
    let template = json!({"metadata": {}, "spec": {"containers": spec["containers"], "volumes": spec["volumes"]}});
    let mut own = json!({"selector": {"matchLabels": {}}, "template": template});
    if [DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS].contains(&collection) {
        own["replicas"] = json!(1);
    }
    if collection == STATEFUL_SETS {
        own["serviceName"] = json!(name);
    }
    if collection == CRON_JOBS {
        own = json!({"schedule": "0 * * * *", "jobTemplate": {"spec": {"template": template}}});
    }
    server.put(collection, json!({"metadata": metadata, "spec": own}));
}

/// A database of one pod with a claim, a web server of one pod with another, and a Service for it.
pub fn application(server: &ApiServer) {
    service(server, "web", "front");
    claim(server, "web", "data-db-0", "Delete");
    workload(server, STATEFUL_SETS, "db", None, "data-db-0");
    server.put(
        PODS,
        pod("web", "db-0", "data-db-0", Some(("StatefulSet", "db"))),
    );
    claim(server, "web", "uploads", "Delete");
    workload(server, DEPLOYMENTS, "site", None, "uploads");
    workload(
        server,
        REPLICA_SETS,
        "site-7d9",
        Some(("Deployment", "site")),
        "uploads",
    );
    server.put(
        PODS,
        pod(
            "web",
            "site-7d9-0",
            "uploads",
            Some(("ReplicaSet", "site-7d9")),
        ),
    );
}
