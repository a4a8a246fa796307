//! The application's user: its rights, its limits, and which password counts.

use super::world::World;

#[test]
fn the_application_user_can_migrate_its_own_schema_only() {
    let world = World::new("migrations");
    let run = world.run().ends(0);
    run.says("made a password for app_migrations");
    run.says("CREATE ROLE");
    world.as_application(&[
        "CREATE TABLE customers (id serial PRIMARY KEY, name text)",
        "INSERT INTO customers (name) VALUES ('x')",
        "ALTER TABLE customers ADD COLUMN age int",
        "CREATE SCHEMA reports",
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
        "CREATE TABLE public.customers (id int)",
    ]);
    let database = world.database.replace('"', "\"\"");
    let master = &world.master;
    for (statement, refusal) in [
        ("CREATE ROLE other".to_owned(), "permission denied"),
        (
            format!("ALTER ROLE \"{master}\" PASSWORD 'x'"),
            "permission denied",
        ),
        (format!("SET ROLE \"{master}\""), "permission denied"),
        (format!("DROP DATABASE \"{database}\""), "must be owner"),
        ("CREATE DATABASE other".to_owned(), "permission denied"),
    ] {
        let said = world.try_as_application(&[&statement]).unwrap_err();
        assert!(said.contains(refusal), "{statement}: {said}");
    }
}

#[test]
fn the_second_run_changes_nothing() {
    let world = World::new("again");
    world.run().ends(0);
    let hash = || {
        let query = "SELECT rolpassword FROM pg_authid WHERE rolname = 'app_again'";
        world.server.ask("postgres", &[query])
    };
    let (source, copy, before) = (world.source(), world.copy("web"), hash());
    assert!(before.starts_with("SCRAM-SHA-256$"), "{before}");
    let log = world.server.log().len();
    world.run().changes_nothing();
    assert_eq!(
        (world.source(), world.copy("web"), hash()),
        (source, copy, before)
    );
    let log = world.server.log().split_off(log);
    let changing = ["CREATE ROLE", "ALTER", "GRANT"];
    let statements = log.lines().filter(|line| line.contains("again"));
    let changed: Vec<_> = statements
        .filter_map(|line| line.split_once("statement: "))
        .filter(|(_, text)| changing.iter().any(|verb| text.starts_with(verb)))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
}

#[test]
fn the_master_can_change_what_the_application_owns() {
    let world = World::new("mending");
    world.run().ends(0);
    world.as_application(&["CREATE TABLE customers (id int)"]);
    let made = world.as_master(&[
        "SELECT * FROM customers",
        "ALTER TABLE customers ADD COLUMN name text",
        "CREATE TABLE repairs (id serial)",
    ]);
    assert!(made.status.success(), "{made:?}");
    world.as_application(&["INSERT INTO repairs DEFAULT VALUES"]);
}

#[test]
fn a_deleted_secret_leads_to_a_new_password() {
    let world = World::new("lost");
    world.run().ends(0);
    let old = world.copy("web");
    std::fs::remove_file(world.object("kube-cfn", "database")).unwrap();
    let run = world.run().ends(0);
    run.says("made a password");
    run.says("web/database: password, url");
    let new = world.copy("web");
    assert_ne!(old["password"], new["password"]);
    world.as_application(&["SELECT 1"]);
    let with_old =
        world
            .server
            .try_ask("app_lost", &old["password"], &world.database, &["SELECT 1"]);
    assert!(!with_old.status.success());
    world.run().changes_nothing();
}

#[test]
fn a_password_that_somebody_changed_is_set_to_that_of_the_secret() {
    let world = World::new("changed");
    world.run().ends(0);
    let before = world.copy("web");
    world.server.ask(
        "postgres",
        &["ALTER ROLE app_changed PASSWORD 'else' NOLOGIN VALID UNTIL '2020-01-01'"],
    );
    let run = world.run().ends(0);
    run.says("password set");
    assert_eq!(world.copy("web"), before);
    world.as_application(&["SELECT 1"]);
    world.run().changes_nothing();
}

#[test]
fn a_secret_without_a_usable_password_gets_one() {
    let world = World::new("unusable");
    world.run().ends(0);
    let path = world.object("kube-cfn", "database");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut secret: serde_json::Value = serde_json::from_str(&text).unwrap();
    // "two\nlines": psql would read the second one as the repetition of the first.
    secret["data"]["password"] = "dHdvCmxpbmVz".into();
    std::fs::write(&path, secret.to_string()).unwrap();
    world.run().ends(0).says("made a password");
    world.as_application(&["SELECT 1"]);
    assert_eq!(world.source()["password"].len(), 40);
}

#[test]
fn special_characters_in_names_are_quoted() {
    let world = World::with_user("odd", r#"we"ird'; DROP ROLE x; -- \:user $(reboot)"#);
    world.run().ends(0);
    world.run().changes_nothing();
    let secret = world.copy("web");
    assert_eq!(secret["user"], world.secret.user);
    assert_eq!(secret["database"], "odd's \"shop\"");
    let who = world.as_application(&["SELECT current_user"]);
    assert_eq!(who, world.secret.user);
}

#[test]
fn the_url_alone_connects_a_client() {
    let world = World::with_user("url", "app/url@x%:");
    world.run().ends(0);
    let secret = world.copy("web");
    let (address, question) = secret["url"].split_once('?').unwrap();
    assert_eq!(
        question,
        "sslmode=verify-full&sslrootcert=/run/secrets/database/ca.crt"
    );
    let output = std::process::Command::new(world.server.psql())
        .args([
            address,
            "-Atc",
            "SELECT current_user || '|' || current_database()",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim(), "app/url@x%:|url's \"shop\"");
}

#[test]
fn an_administrator_is_refused_as_application_user() {
    let world = World::with_user("masterly", "master of masterly");
    let run = world.run().ends(78);
    run.says("\"master of masterly\" is the master of this database: choose another database.secret.user");
    let world = World::new("powerful");
    world
        .server
        .ask("postgres", &["CREATE ROLE app_powerful CREATEROLE"]);
    let run = world.run().ends(78);
    run.says("\"app_powerful\" of this database administers it");
    assert!(!world.has_copy("web") && world.source().is_empty());
}

#[test]
fn the_user_of_a_snapshot_is_taken_over_with_what_it_owns() {
    let world = World::new("restored");
    let owner = "GRANT \"master of restored\" TO super";
    world.server.ask("postgres", &[owner]);
    let made = world.as_master(&["CREATE ROLE app_restored NOLOGIN"]);
    assert!(made.status.success(), "{made:?}");
    world.server.ask(
        &world.database,
        &[
            "CREATE TABLE old (id int)",
            "ALTER TABLE old OWNER TO app_restored",
            "CREATE SCHEMA audit",
        ],
    );
    // RDS may not name the database of a snapshot.
    let mut instance = world.instance();
    instance["name"] = serde_json::Value::Null;
    world.show_databases(&serde_json::json!([instance]));
    // The server is everybody's here, so there are many to choose from.
    let run = world.run().ends(78);
    run.says("which database of localhost is meant: ");
    instance["name"] = world.database.clone().into();
    world.show_databases(&serde_json::json!([instance]));
    world.run().ends(0);
    world.as_application(&["ALTER TABLE old ADD COLUMN name text"]);
    let said = world.try_as_application(&["CREATE TABLE audit.x (id int)"]);
    assert!(said.unwrap_err().contains("permission denied"));
}

#[test]
fn a_public_schema_of_an_administrator_is_accepted() {
    // As on PostgreSQL 14: everybody may create in it, nobody but the superuser may hand it over.
    let world = World::new("fourteen");
    world.server.ask(
        &world.database,
        &[
            "ALTER SCHEMA public OWNER TO super",
            "GRANT ALL ON SCHEMA public TO PUBLIC",
        ],
    );
    world.run().ends(0);
    world.as_application(&["CREATE TABLE customers (id int)"]);
    world.run().changes_nothing();
}
