//! The certificates that the server is verified with: fetched once, stored, renewed, never replaced by invalid
//! ones.

use super::world::World;
use crate::support::untested::untested;

/// Makes the kept certificates as old as that.
fn age(world: &World, days: u64) {
    let path = world.object("kube-cfn", "database");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut secret: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fetched = &mut secret["metadata"]["annotations"]["kube-cfn/fetched"];
    let then: u64 = fetched.as_str().unwrap().parse().unwrap();
    *fetched = (then - days * 86_400).to_string().into();
    std::fs::write(&path, secret.to_string()).unwrap();
}

fn fetches(world: &World) -> usize {
    world.read("curl.log").lines().count()
}

/// Publishes another certificate before the one that holds.
fn publish_more(world: &World) -> String {
    let own = std::fs::read_to_string(&world.server.authority).unwrap();
    let more = format!("{own}{own}");
    world.write("published.pem", &more);
    more
}

#[test]
fn certificates_are_fetched_once_and_kept_for_all_slots() {
    let world = World::new("once");
    world.run().ends(0);
    let asked = world.read("curl.log");
    let place = "https://truststore.pki.rds.amazonaws.com/eu-west-1/eu-west-1-bundle.pem";
    assert!(asked.trim().ends_with(place), "{asked}");
    assert!(asked.contains("--proto =https"), "{asked}");
    std::fs::remove_file(world.path("published.pem")).unwrap();
    world.run().changes_nothing();
    assert_eq!(fetches(&world), 1);
    assert_eq!(world.source()["ca.crt"], world.copy("web")["ca.crt"]);
}

#[test]
fn certificates_are_renewed_every_month() {
    let world = World::new("month");
    world.run().ends(0);
    let more = publish_more(&world);
    age(&world, 29);
    world.run().changes_nothing();
    age(&world, 1);
    world
        .run()
        .ends(0)
        .says("wrote the Secret web/database: ca.crt");
    assert_eq!(world.copy("web")["ca.crt"], more);
    world.run().changes_nothing();
    assert_eq!(fetches(&world), 2);
}

#[test]
fn an_invalid_certificate_file_replaces_none() {
    let world = World::new("garbage");
    world.write("published.pem", "<html>sign in first</html>");
    let run = world.run().ends(75);
    run.says("truststore.pki.rds.amazonaws.com serves holds no certificate");
    assert!(world.source().is_empty());
    publish_more(&world);
    world.run().ends(0);
    let before = world.copy("web");
    world.write("published.pem", "<html>sign in first</html>");
    age(&world, 40);
    let run = world.run().ends(0);
    run.says("keeping the authorities of 40 days ago");
    assert_eq!(world.copy("web"), before);
    std::fs::remove_file(world.path("published.pem")).unwrap();
    world
        .run()
        .ends(0)
        .says("keeping the authorities of 40 days ago");
}

#[test]
fn a_certificate_of_a_new_authority_is_accepted() {
    let world = World::new("rotated");
    world.run().ends(0);
    let more = publish_more(&world);
    world.write("trusted.pem", &more);
    world
        .run()
        .ends(0)
        .says("wrote the Secret web/database: ca.crt");
    assert_eq!(world.copy("web")["ca.crt"], more);
    world.run().changes_nothing();
}

#[test]
fn a_server_with_an_untrusted_certificate_is_refused() {
    let world = World::new("impostor");
    world.write("trusted.pem", "somebody else's");
    let run = world.run().ends(75);
    run.says("localhost does not accept the master: ");
    run.says("certificate verify failed");
    assert!(world.source().is_empty() && !world.has_copy("web"));
}

#[test]
fn a_real_server_is_checked_by_the_name_in_its_certificate() {
    let world = World::new("named");
    if !world.server.tls {
        untested(
            "names in certificates of PostgreSQL servers",
            "the package of PostgreSQL for this processor has no TLS",
        );
        // What holds instead: without TLS the program gets nowhere.
        let output = world.command().env("WORLD_SSLMODE", "").output().unwrap();
        assert_eq!(output.status.code(), Some(75));
        assert!(!world.has_copy("web"));
        return;
    }
    let mut instance = world.instance();
    instance["address"] = "127.0.0.1".into();
    world.show_databases(&serde_json::json!([instance]));
    world.run().ends(75).says("does not match host name");
    world.show_databases(&serde_json::json!([world.instance()]));
    world.run().ends(0);
}
