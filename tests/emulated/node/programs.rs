//! The programs of a control-plane node that call AWS, run completely. etcd's and Kubernetes' programs are stand-ins
//! here; they have their own tests.

use serde_json::{Value, json};

use super::machine::{Machine, psql_inside};
use crate::process::Said;
use crate::tools::ask;
use crate::world::World;

/// etcdctl and etcdutl of one healthy member, without a word of what they do not expect.
const ETCD: &str = r#"#!/bin/bash
case "${0##*/} $*" in
  etcdctl*' endpoint status '*) printf '"MemberID" : 7\n"Leader" : 7\n"Version" : "3.6.8"\n"Revision" : 9\n"DBSize" : 20\n' ;;
  etcdctl*' endpoint health'*) ;;
  etcdctl*' snapshot save '*) echo 'content of etcd' > "${!#}" ;;
  etcdctl*' member list '*) printf '7, started, cp-a, https://%s:2380, https://%s:2379, false\n' "$(cat /srv/address)" "$(cat /srv/address)"
    [ ! -e /srv/learner ] || cat /srv/learner ;;
  etcdctl*' member add '*) echo '8, unstarted, , https://10.9.9.9:2380, , true' > /srv/learner ;;
  etcdutl*'snapshot status '*) printf '"Revision" : 9\n"Keys" : 3\n' ;;
  etcdutl*'snapshot restore '*)
    while [ "$1" != --data-dir ]; do shift; done
    mkdir -p "$2/member" ;;
  *) echo "the stand-in knows no ${0##*/} $*" >&2; exit 1 ;;
esac
"#;

/// The result line of a program for etcd.
fn result(said: &Said) -> Value {
    let line = said.ends(0).stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("no result:\n{said}"))
}

/// A snapshot goes to the bucket and comes back from there, with the marks of a restore.
pub fn etcd(world: &World, machine: &Machine) {
    machine.program("etcdctl", ETCD);
    machine.program("etcdutl", ETCD);
    let taken = result(&machine.run(&["/opt/kube-cfn/bin/etcd-snapshot", "--now"]));
    let key = taken["key"].as_str().expect("a key").to_owned();
    assert_eq!(
        machine.objects("etcd/"),
        [key.clone(), format!("{key}.sha256")]
    );

    // It stops what containerd runs.
    let restore = format!(
        "systemctl start containerd && touch /run/mounted && exec /opt/kube-cfn/bin/etcd-restore {key} --token t1"
    );
    let restored = result(&machine.run(&["/bin/bash", "-c", &restore]));
    assert_eq!(restored["state"], "started", "{restored}");
    assert_eq!(parameter(world, "state/etcd-token"), "t1");
    let marks = machine.objects("etcd/restore/t1/");
    assert!(
        marks.iter().any(|mark| mark.ends_with("/a.swapping")),
        "{marks:?}"
    );
    // A token that was used is known by what lies in the bucket.
    let none = "touch /run/mounted; \
        exec /opt/kube-cfn/bin/etcd-restore etcd/20261123T100000Z-404.db --token t2";
    let gone = machine.run(&["/bin/bash", "-c", none]);
    gone.ends(1)
        .tells("the bucket has no such snapshot with a checksum");

    // The cluster has one slot: this machine believes in a second one.
    let env = machine.read("etc/kube-cfn/node.env");
    machine.write(
        "etc/kube-cfn/node.env",
        &env.replace("NODE_SLOTS='", "NODE_SLOTS='b=10.9.9.9 "),
    );
    let added = result(&machine.run(&["/opt/kube-cfn/bin/etcd-member", "add", "b"]));
    assert_eq!(added["changed"], true, "{added}");
    assert_eq!(parameter(world, "state/etcd-recover-b"), "existing 8");
    machine.write("etc/kube-cfn/node.env", &env);
}

/// The addons hold their lease in the name that the metadata service gives this machine.
pub fn addons(machine: &Machine) {
    let stand_in = include_str!("../../offline/addons/stand-in.sh");
    for name in ["kubectl", "helm"] {
        machine.program(name, stand_in);
    }
    machine.executable("srv/stand-ins/curl", stand_in);
    let flags = include_str!("../../node/stand-ins/flags.sh");
    machine.write("srv/world/flags.sh", flags);
    machine.write(
        "srv/world/nodes",
        &format!("{} {} v1.36.4 none\n", machine.instance, machine.address),
    );
    // What the stand-in serves as a chart is its address.
    let pinned = "while read -r name _ url; do echo \"$name $(sha256sum <<< \"$url\" | cut -d ' ' -f 1) $url\"; done \
                  < /etc/kube-cfn/addons/charts > /srv/charts; cp /srv/charts /etc/kube-cfn/addons/charts";
    machine.bash(pinned).ends(0);
    let run = [
        "/usr/bin/env",
        "WORLD=/srv/world",
        "/opt/kube-cfn/bin/addons",
    ];
    machine
        .run(&run)
        .ends(0)
        .prints("addons: all run as this bundle wants them");
    let calls = machine.read("srv/world/calls");
    assert!(
        calls.contains(&format!("annotate {}", machine.instance)),
        "{calls}"
    );
    // Given back at the end.
    let lease = machine.read("srv/world/lease");
    assert!(lease.trim_end().ends_with(" 1"), "{lease}");
    machine.run(&run).ends(0);
}

/// The whole way of `bin/database`: from RDS's list over the secret of the master to a user in PostgreSQL.
pub fn database(world: &World, machine: &Machine) {
    let tree = "mkdir -p /srv/world/{tree/etc,tree/opt,objects}; cp -r /etc/kube-cfn /srv/world/tree/etc/\n\
                cp -r /opt/kube-cfn /srv/world/tree/opt/; echo '{}' > /srv/world/objects/web.json\n\
                ec2_parameter pub/ca.crt > /srv/world/ca.pem";
    machine.bash(tree).ends(0);
    machine.program("kubectl", include_str!("../../offline/database/kubectl.sh"));
    machine.program("psql", include_str!("../../offline/database/psql.sh"));
    machine.without("openssl");
    // The publisher of RDS's authorities.
    machine.executable(
        "srv/stand-ins/curl",
        "#!/bin/bash\nwhile [ \"$1\" != --output ]; do shift; done\ncat /srv/world/ca.pem > \"$2\"\n",
    );
    // psql takes what is at /dev/tty for a terminal, and makes a file there if nothing is.
    let run = format!(
        "mkdir /dev/tty; WORLD=/srv/world WORLD_SSLMODE=disable WORLD_PSQL={} \
         /srv/world/tree/opt/kube-cfn/bin/database",
        psql_inside()
    );
    let said = machine.run(&["/bin/bash", "-c", &run]);
    said.ends(0).tells("wrote the Secret web/");
    let secrets = ask(world, "secretsmanager", "list_secrets", &json!({}));
    let arn = secrets["SecretList"][0]["ARN"].clone();
    let kept = ask(
        world,
        "secretsmanager",
        "get_secret_value",
        &json!({"SecretId": arn}),
    );
    let kept: Value =
        serde_json::from_str(kept["SecretString"].as_str().expect("text")).expect("JSON");
    let password = kept["password"].as_str().expect("a password");
    assert!(!said.to_string().contains(password) && !machine.calls().contains(password));
}

fn parameter(world: &World, name: &str) -> Value {
    let name = format!("/kube-cfn/{}/{name}", world.name);
    let asked = json!({"Name": name, "WithDecryption": true});
    ask(world, "ssm", "get_parameter", &asked)["Parameter"]["Value"].clone()
}
