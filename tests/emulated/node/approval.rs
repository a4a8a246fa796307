//! `approve-nodes` completely: the real AWS CLI against the emulated AWS, the real kubectl against the tests' own API
//! server, the real openssl.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube_cfn::kubeconfig::{Entry, Login, render};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::machine::Machine;
use crate::apiserver::ApiServer;
use crate::process::Said;
use crate::tools::tool;

const REQUESTS: &str = "apis/certificates.k8s.io/v1/certificatesigningrequests";

/// The program ends at its first pause.
const SLEEP: &str = "#!/bin/bash\nkill -TERM \"${PPID}\"\n";

/// A request in PEM for the name of an instance, with a new key.
fn request(instance: &str) -> String {
    let mut command = Command::new("openssl");
    command
        .args(["req", "-new", "-newkey", "ec", "-pkeyopt"])
        .args([
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-subj",
            &format!("/O=system:nodes/CN=system:node:{instance}"),
        ]);
    Said::of(&mut command).ends(0).stdout.clone()
}

fn kubeconfig(server: &ApiServer) -> String {
    let connection = server.connection();
    let login = connection.login.expect("a login");
    let entry = Entry {
        person: None,
        cluster: "approval".to_owned(),
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
    let text = render(&entry).expect("a kubeconfig");
    text.expose_secret().to_owned()
}

/// The machine of the pool is approved, the control-plane node and a name that nobody has are not.
pub fn approves_the_machine_of_the_pool(slot: &Machine, worker: &str) {
    let server = ApiServer::start();
    let port = server.server();
    let port = port.rsplit(':').next().and_then(|port| port.parse().ok());
    slot.reaches(port.expect("a port"));
    slot.write("etc/kube-cfn/local-admin.conf", &kubeconfig(&server));
    fs::copy(tool("kubectl"), slot.path("srv/kubectl")).expect("copied");
    slot.program("kubectl", "#!/bin/bash\nexec /srv/kubectl \"$@\"\n");
    slot.program("sleep", SLEEP);
    let nobody = "i-0123456789abcdef0";
    for instance in [worker, &slot.instance, nobody] {
        server.put(
            REQUESTS,
            json!({
                "metadata": {"name": format!("node-csr-{instance}")},
                "spec": {
                    "request": STANDARD.encode(request(instance)),
                    "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
                    "usages": ["digital signature", "client auth"],
                    "username": "system:bootstrap:abcdef",
                    "groups": ["system:bootstrappers:kubeadm:default-node-token"],
                },
            }),
        );
    }
    let said = slot.run(&["/opt/kube-cfn/bin/approve-nodes"]);
    said.ends(143)
        .prints(&format!("node-csr-{worker}: approved {worker}"))
        .prints(&format!(
            "{nobody} stays pending: no group of this cluster lists it yet"
        ));
    let decision = |instance: &str| {
        let all = server.objects(REQUESTS);
        let name = format!("node-csr-{instance}");
        let one = all.iter().find(|one| one["metadata"]["name"] == name);
        one.expect("a request")["status"]["conditions"][0]["type"].clone()
    };
    assert_eq!(decision(worker), "Approved", "{said}");
    assert_eq!(decision(&slot.instance), "Denied", "{said}");
    assert_eq!(decision(nobody), json!(null), "{said}");
    let records = server.objects("api/v1/configmaps");
    assert_eq!(records.len(), 1, "{records:?}");
    assert_eq!(records[0]["data"]["instance"], worker);
}
