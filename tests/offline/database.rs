//! The database for workloads: the control plane's program from the bundle, against a real PostgreSQL.
//! Kubernetes, AWS and the publisher of certificates are stand-ins. After every run the arguments of psql and
//! the server's log are searched for passwords.

mod secrets;
mod server;
mod trust;
mod user;
mod world;

use std::path::Path;
use std::process::Command;

use kube_cfn::node::{self, Role};
use kube_cfn::templates::Templates;

use crate::support::specs;

#[test]
fn shellcheck_finds_nothing_in_the_program_and_its_stand_ins() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(world::tool("shellcheck"));
    for (directory, names) in [
        (
            "templates/node/database",
            &["database.sh", "secret.sh", "server.sh"][..],
        ),
        ("tests/offline/database", &["kubectl.sh", "psql.sh"]),
    ] {
        command.args(names.iter().map(|name| root.join(directory).join(name)));
    }
    let output = command.output().unwrap();
    let found = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{found}");
}

#[test]
fn bundles_have_database_programs_only_with_a_secret() {
    let files = |secret: bool| {
        let mut spec = specs::canary();
        if secret {
            spec.database.as_mut().unwrap().secret = Some(world::secret("web", "app"));
        }
        let bundle = |role| node::bundle(&spec, role, &Templates::new(None).unwrap()).unwrap();
        let slots = world::names(&bundle(Role::ControlPlane).bytes);
        let pool = world::names(&bundle(Role::Pool(&spec.pools[0])).bytes);
        let ours = |names: Vec<String>| names.iter().filter(|n| n.contains("database")).count();
        (ours(slots), ours(pool))
    };
    assert_eq!(files(false), (0, 0));
    assert_eq!(files(true), (7, 0));
}
