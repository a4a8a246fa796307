//! The Secrets: their namespaces, their owner, and what happens while something is not there yet.

use super::world::World;

#[test]
fn a_secret_contains_every_connection_parameter() {
    let world = World::new("whole");
    world.run().ends(0);
    let secret = world.copy("web");
    let keys: Vec<_> = secret.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "ca.crt", "database", "host", "password", "port", "sslmode", "url", "user"
        ]
    );
    assert_eq!(secret["host"], "localhost");
    assert_eq!(secret["port"], world.server.port.to_string());
    assert_eq!(secret["sslmode"], "verify-full");
    let authority = std::fs::read_to_string(&world.server.authority).unwrap();
    assert_eq!(secret["ca.crt"], authority);
    let password = &secret["password"];
    assert!(password.len() == 40 && password.chars().all(|c| c.is_ascii_alphanumeric()));
}

#[test]
fn the_real_kubectl_accepts_every_command() {
    use std::io::Write;
    let mut world = World::new("words");
    world.run().ends(0);
    world.secret.namespaces.clear();
    world.install();
    world.run().ends(0);
    let asked = world.read("kubectl.log");
    let verbs: Vec<_> = asked.lines().filter_map(|l| l.split(' ').nth(1)).collect();
    for verb in ["get", "create", "apply", "delete"] {
        assert!(verbs.contains(&verb), "{verb} was not asked: {asked}");
    }
    for line in asked.lines().collect::<std::collections::BTreeSet<_>>() {
        // Nothing listens there: a command that gets that far was parsed.
        let mut kubectl = std::process::Command::new(super::world::tool("kubectl"));
        let mut child = kubectl
            .args(["--kubeconfig=/dev/null", "--server=http://127.0.0.1:1"])
            .args(line.split(' '))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let manifest = br#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}"#;
        // One that needs no manifest may be gone before it is written.
        let _ = child.stdin.take().unwrap().write_all(manifest);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("refused"), "kubectl {line}: {said}");
    }
}

#[test]
fn a_later_namespace_gets_its_secret() {
    let mut world = World::new("later");
    world.secret.namespaces.push("jobs".to_owned());
    world.install();
    let run = world.run().ends(75);
    run.says("there is no namespace jobs yet");
    assert!(world.has_copy("web"), "the others do not wait");
    world.make_namespace("jobs");
    let run = world.run().ends(0);
    assert_eq!(run.writes.len(), 1, "{:?}", run.writes);
    assert_eq!(world.copy("jobs"), world.copy("web"));
}

#[test]
fn secrets_removed_from_the_definition_are_deleted() {
    let mut world = World::new("taken");
    world.make_namespace("jobs");
    world.secret.namespaces.push("jobs".to_owned());
    world.install();
    world.run().ends(0);
    let source = world.source();
    world.secret.namespaces.remove(0);
    world.install();
    let run = world.run().ends(0);
    run.says("deleted the Secret web/database");
    assert!(!world.has_copy("web") && world.has_copy("jobs"));
    world.secret.name = "postgres".to_owned();
    world.install();
    let run = world.run().ends(0);
    run.says("deleted the Secret jobs/database");
    assert!(world.has_copy("jobs"));
    world.secret.namespaces.clear();
    world.install();
    world.run().ends(0);
    assert!(!world.has_copy("jobs"));
    assert_eq!(world.source(), source, "the password outlives its copies");
}

#[test]
fn a_changed_copy_of_the_secret_is_restored() {
    let world = World::new("tampered");
    world.run().ends(0);
    let before = world.copy("web");
    let path = world.object("web", "database");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut secret: serde_json::Value = serde_json::from_str(&text).unwrap();
    secret["data"]["host"] = "ZWxzZXdoZXJl".into();
    std::fs::write(&path, secret.to_string()).unwrap();
    world.run().ends(0).says("web/database: host");
    assert_eq!(world.copy("web"), before);
}

#[test]
fn a_secret_of_others_is_not_changed() {
    let mut world = World::new("foreign");
    let theirs = r#"{"kind": "Secret", "metadata": {"name": "database", "namespace": "web"}, "data": {"a": "Yg=="}}"#;
    world.write("objects/web/database.json", theirs);
    world.make_namespace("jobs");
    world.secret.namespaces.push("jobs".to_owned());
    world.install();
    let run = world.run().ends(78);
    run.says(
        "web/database was not made by kube-cfn: delete it, or choose another database.secret.name",
    );
    assert_eq!(world.read("objects/web/database.json"), theirs);
    assert!(world.has_copy("jobs"));
    world.secret.namespaces.remove(0);
    world.install();
    world.run().ends(0);
    assert_eq!(world.read("objects/web/database.json"), theirs);
}

#[test]
fn a_missing_namespace_is_retried_soon_despite_other_errors() {
    let mut world = World::new("mixed");
    let theirs = r#"{"kind": "Secret", "metadata": {"name": "database", "namespace": "web"}}"#;
    world.write("objects/web/database.json", theirs);
    for order in [["web", "jobs"], ["jobs", "web"]] {
        world.secret.namespaces = order.map(str::to_owned).to_vec();
        world.install();
        let run = world.run().ends(75);
        run.says("web/database was not made by kube-cfn");
        run.says("there is no namespace jobs yet");
    }
}

#[test]
fn missing_prerequisites_are_waited_for() {
    let world = World::new("waiting");
    world.write("api-is-down", "");
    let run = world.run().ends(75);
    run.says("The connection to the server 127.0.0.1:6443 was refused");
    std::fs::remove_file(world.path("api-is-down")).unwrap();

    world.show_databases(&serde_json::json!([]));
    world
        .run()
        .ends(75)
        .says("no database of canary has an address yet");
    let creating = serde_json::json!([{"address": null, "port": null, "name": "app",
        "masterSecretArn": null, "status": "creating"}]);
    world.show_databases(&creating);
    world
        .run()
        .ends(75)
        .says("no database of canary has an address yet");
    let mut other = world.instance();
    other["address"] = "other".into();
    world.show_databases(&serde_json::json!([other, world.instance()]));
    world
        .run()
        .ends(75)
        .says("canary has several databases, other, localhost");

    let mut leaving = other.clone();
    leaving["status"] = "deleting".into();
    world.show_databases(&serde_json::json!([leaving, world.instance()]));
    let login = serde_json::json!({"username": world.master, "password": "rotated"});
    let right = world.read("master.json");
    world.write("master.json", &login.to_string());
    let run = world.run().ends(75);
    run.says("localhost does not accept the master: ");
    run.says("password authentication failed");
    assert!(world.source().is_empty() && !world.has_copy("web"));

    world.write("master.json", &right);
    world.run().ends(0);
    world.as_application(&["SELECT 1"]);
}

/// From the given call on, every call of a program fails; then all is well again.
fn cut(program: &str, calls: u32) {
    let world = World::new(&format!("cut_{program}_{calls}"));
    world.write(&format!("cut-{program}"), &calls.to_string());
    world.run().ends(75);
    let password = world.source().get("password").cloned();
    std::fs::remove_file(world.path(&format!("cut-{program}"))).unwrap();
    world.run().ends(0);
    world.as_application(&["CREATE TABLE customers (id int)"]);
    world.run().changes_nothing();
    let kept = password.is_none_or(|old| old == world.source()["password"]);
    assert!(kept, "a password that was written down was replaced");
}

#[test]
fn a_run_that_loses_the_api_is_finished_by_the_next() {
    // The first call of nine, and those that change something.
    for calls in [1, 3, 4, 5, 8] {
        cut("kubectl", calls);
    }
}

#[test]
fn a_run_that_loses_the_database_is_finished_by_the_next() {
    // After the master came in: at the grants, at the password, at the proof of it.
    for calls in [2, 4, 5] {
        cut("psql", calls);
    }
}

#[test]
fn two_nodes_at_once_agree_on_one_password() {
    let world = World::new("race");
    let slots: Vec<_> = (0..3)
        .map(|_| {
            let mut command = world.command();
            command.stderr(std::process::Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    for slot in slots {
        let output = slot.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // A slot that came second to a statement tries again in two minutes.
        assert!(
            [Some(0), Some(75)].contains(&output.status.code()),
            "{said}"
        );
    }
    assert_eq!(world.run().code, 0);
    world.run().changes_nothing();
    world.as_application(&["SELECT 1"]);
    assert_eq!(world.source()["password"], world.copy("web")["password"]);
}

#[test]
fn a_machine_without_psql_installs_it() {
    let world = World::new("install");
    std::fs::rename(world.path("bin/psql"), world.path("package")).unwrap();
    world.run().ends(0);
    let asked = world.read("dnf.log");
    assert_eq!(asked.lines().count(), 3, "{asked}");
    assert!(
        asked.starts_with("install --assumeyes --quiet postgresql17\n"),
        "{asked}"
    );
    world.run().changes_nothing();
    assert_eq!(world.read("dnf.log"), asked);
    std::fs::remove_file(world.path("bin/psql")).unwrap();
    let run = world.run().ends(75);
    run.says("psql is missing and dnf did not install it");
}
