//! A control-plane node with `approve-nodes`, the API server that it asks, and the groups that AWS lists.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use kube_cfn::kubeconfig::{Entry, Login, render};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::requests::Request;
use crate::apiserver::ApiServer;
use crate::node::machine::{Machine, text};
use crate::support::specs;
use crate::tools::kubectl;

pub const REQUESTS: &str = "apis/certificates.k8s.io/v1/certificatesigningrequests";
pub const RECORDS: &str = "api/v1/configmaps";
const NAMESPACES: &str = "api/v1/namespaces";
/// The control-plane node that the program runs on.
const SELF: &str = "i-0a";
const MONTH: i64 = 30 * 86_400;

/// Ends the program in the place of its n-th pause.
const SLEEP: &str = "#!/bin/bash
rounds=$(($(cat /run/rounds 2> /dev/null || echo 0) + 1))
echo \"${rounds}\" > /run/rounds
[ \"${rounds}\" -lt \"$(cat /srv/rounds)\" ] || kill -TERM \"${PPID}\"
";
/// The real one, but for requests whose decision is not to arrive.
const KUBECTL: &str = "#!/bin/bash
if [ -s /srv/unwritable ] && [[ \"$*\" == *\" replace \"*\"/$(cat /srv/unwritable)/approval\"* ]]; then
  echo 'The connection to the server was refused' >&2
  exit 1
fi
exec /srv/kubectl \"$@\"
";

/// The real one for certificate requests.
const CURL: &str = "#!/bin/bash
case \"${!#}\" in
  */certificatesigningrequests*) exec /usr/bin/curl --connect-to localhost:6443:127.0.0.1:PORT \"$@\" ;;
esac
exec /srv/doubles/curl \"$@\"
";

pub struct Cluster {
    pub machine: Machine,
    pub api: ApiServer,
}

/// What a request has come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    Pending,
    Approved,
    /// With the message in its condition.
    Denied(String),
}

pub fn ago(seconds: i64) -> String {
    let time = Timestamp::now() - SignedDuration::from_secs(seconds);
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Cluster {
    /// Of a month, with no machine but the one that the program runs on.
    pub fn new() -> Self {
        let machine = Machine::new(&specs::production(), "control-plane/a");
        let api = ApiServer::start();
        machine.remove("local/sbin/openssl");
        machine.program("sleep", SLEEP);
        machine.program("kubectl", KUBECTL);
        let (kubectl, there) = (kubectl(), machine.path("srv/kubectl"));
        fs::hard_link(kubectl.get_program(), &there)
            .or_else(|_| fs::copy(kubectl.get_program(), &there).map(drop))
            .unwrap();
        let connection = api.connection();
        let login = connection.login.unwrap();
        let entry = Entry {
            person: None,
            cluster: "production".to_owned(),
            origin: "local".to_owned(),
            server: connection.server,
            server_name: None,
            authority_pem: connection.authority_pem,
            namespace: None,
            login: Login::Certificate {
                certificate_pem: login.certificate_pem,
                key: login.key,
            },
        };
        let text = render(&entry).unwrap();
        machine.set("etc/kube-cfn/local-admin.conf", text.expose_secret());
        machine.set("srv/groups.json", "{\"AutoScalingGroups\": []}");
        let cluster = Self { machine, api };
        cluster.began(MONTH);
        cluster.launch("control-plane", SELF, "InService", MONTH);
        cluster
    }

    /// The cluster's first start was so many seconds ago.
    pub fn began(&self, seconds: i64) {
        let namespace = json!({"kind": "Namespace", "metadata": {"name": "kube-system",
            "creationTimestamp": ago(seconds)}});
        self.api.put(NAMESPACES, namespace);
    }

    /// A group of a stack of this cluster has an instance, launched so many seconds ago.
    pub fn launch(&self, stack: &str, instance: &str, state: &str, seconds: i64) {
        let tags = [
            ("kube-cfn/cluster", "production".to_owned()),
            ("kube-cfn/stack", stack.to_owned()),
            (
                "aws:cloudformation:stack-name",
                format!("production-{stack}"),
            ),
        ];
        self.add(&tags, instance, state, seconds);
    }

    /// A new instance in a group whose tags name `cluster`, in the stack `owner`-pool-batch.
    pub fn launch_elsewhere(&self, cluster: &str, owner: &str, instance: &str) {
        let tags = [
            ("kube-cfn/cluster", cluster.to_owned()),
            ("kube-cfn/stack", "pool-batch".to_owned()),
            (
                "aws:cloudformation:stack-name",
                format!("{owner}-pool-batch"),
            ),
        ];
        self.add(&tags, instance, "InService", 300);
    }

    fn add(&self, tags: &[(&str, String)], instance: &str, state: &str, seconds: i64) {
        let mut groups: Value = serde_json::from_str(&self.machine.get("srv/groups.json")).unwrap();
        let all = groups["AutoScalingGroups"].as_array_mut().unwrap();
        all.retain(|group| group["Instances"][0]["InstanceId"] != instance);
        let tags: Vec<_> = tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        let machine = json!({"InstanceId": instance, "LifecycleState": state});
        all.push(json!({"Tags": tags, "Instances": [machine]}));
        self.machine.set("srv/groups.json", &groups.to_string());
        let launched = ago(seconds).replace('Z', "+00:00\n");
        self.machine
            .set(&format!("srv/launched/{instance}"), &launched);
    }

    /// A machine that is to join, with the real curl and openssl on its way to the API server.
    pub fn worker(&self, instance: &str) -> Machine {
        let worker = crate::node::boot::worker();
        worker.set("srv/instance-id", instance);
        self.api.add_token("abcdef.0123456789abcdef");
        let connection = self.api.connection();
        worker.set("srv/parameters/pub/ca.crt", &connection.authority_pem);
        let env = worker.get("etc/kube-cfn/host.env");
        let env = env.replace("api.example.com", "localhost");
        worker.set("etc/kube-cfn/host.env", &env);
        worker.remove("local/sbin/openssl");
        fs::create_dir_all(worker.path("srv/doubles")).unwrap();
        fs::rename(
            worker.path("local/sbin/curl"),
            worker.path("srv/doubles/curl"),
        )
        .unwrap();
        let port = connection.server.rsplit(':').next().unwrap().to_owned();
        worker.program("curl", &CURL.replace("PORT", &port));
        worker.program("sleep", "#!/bin/bash\nexec /usr/bin/sleep 0.1\n");
        worker
    }

    pub fn ask(&self, request: &Request) {
        self.api.put(REQUESTS, request.object());
    }

    /// One look of the program at all requests; what it logged.
    pub fn round(&self) -> String {
        self.rounds(1)
    }

    /// So many of them, one after the other.
    pub fn rounds(&self, number: usize) -> String {
        self.machine.set("srv/rounds", &number.to_string());
        let done = self.machine.run(&["/opt/kube-cfn/bin/approve-nodes"]);
        let (said, errors) = (text(&done.stdout), text(&done.stderr));
        assert_eq!(done.status.code(), Some(143), "{said}{errors}");
        // Of bash: what is hostile has reached it.
        for word in ["syntax error", "command not found", "unbound", "subscript"] {
            assert!(!errors.contains(word), "{errors}");
        }
        said
    }

    pub fn decision(&self, name: &str) -> Decision {
        let all = self.api.objects(REQUESTS);
        let request = all.iter().find(|one| one["metadata"]["name"] == name);
        let condition = &request.unwrap()["status"]["conditions"][0];
        match condition["type"].as_str() {
            None => Decision::Pending,
            Some("Approved") => Decision::Approved,
            Some("Denied") => Decision::Denied(condition["message"].as_str().unwrap().to_owned()),
            Some(other) => panic!("{other}"),
        }
    }

    /// The records of machines, by name.
    pub fn records(&self) -> Vec<Value> {
        let mut all = self.api.objects(RECORDS);
        all.retain(|one| one["metadata"]["labels"]["kube-cfn/record"] == "node");
        all
    }

    /// A record that was written so many seconds ago.
    pub fn record(&self, instance: &str, seconds: i64) {
        let name = format!("kube-cfn-node-{instance}");
        let object = json!({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "kube-system",
            "labels": {"kube-cfn/record": "node"}, "creationTimestamp": ago(seconds)},
            "data": {"instance": instance, "publicKey": "0", "request": "x"}});
        self.api.put(RECORDS, object);
    }

    /// Decisions of this request do not arrive from now on.
    pub fn fail_writes_of(&self, name: &str) {
        self.machine.set("srv/unwritable", name);
    }

    pub fn allow_writes(&self) {
        self.machine.remove("srv/unwritable");
    }
}
