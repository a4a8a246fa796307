//! Guards: wrong account, wrong region, no confirmation. All refuse before anything changes.

use kube_cfn::cloud::Cloud;

use crate::process::Said;
use crate::world::{World, with_database};

async fn nothing_was_made(world: &World) {
    let found = world.aws().await.stacks(None).await;
    assert_eq!(found, Ok(Vec::new()));
    assert!(!world.kubeconfig().exists());
}

#[tokio::test]
async fn another_account_than_the_definitions_is_refused_by_every_command() {
    let world = World::small("guarded");
    world.edit("region:", "account: \"999988887777\"\nregion:");
    let refusal = format!(
        "guarded belongs to account 999988887777, these credentials to {}",
        world.account()
    );
    for command in ["plan", "apply", "status", "lock", "kubeconfig", "delete"] {
        world
            .cluster(command, &[])
            .ends(5)
            .tells(&refusal)
            .tells("--profile or AWS_PROFILE");
    }
    nothing_was_made(&world).await;
    assert!(!world.path("clusters/guarded.lock.yaml").exists());
}

#[tokio::test]
async fn another_region_in_the_environment_is_refused() {
    let world = World::small("abroad");
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
        let mut command = world.command(&["apply", "abroad", "--yes"]);
        Said::of(command.env(variable, "us-east-1"))
            .ends(5)
            .tells("abroad is in eu-west-1, but your AWS settings say us-east-1")
            .tells("set AWS_REGION=eu-west-1");
    }
    nothing_was_made(&world).await;
}

#[tokio::test]
async fn a_lock_file_of_another_account_is_refused() {
    let world = World::small("moved");
    world.cluster("lock", &[]).ends(0).prints("ami-");
    let lock = world.read("clusters/moved.lock.yaml");
    let foreign = lock.replace(&world.account(), "999988887777");
    world.write("clusters/moved.lock.yaml", &foreign);
    // The arguments of every command, with those that look at no cluster, or at all: why no lock file guards them.
    let commands: [(&str, Result<&[&str], &str>); 24] = [
        ("new", Err("makes a definition")),
        (
            "list",
            Err("shows all accounts' clusters; the lock file's account is in its table"),
        ),
        ("validate", Err("without AWS")),
        ("lock", Ok(&["moved"])),
        ("render", Err("without AWS")),
        ("plan", Ok(&["moved"])),
        ("apply", Ok(&["moved", "--yes"])),
        ("roll", Ok(&["moved", "--yes"])),
        ("upgrade", Ok(&["moved", "--to", "latest", "--plan"])),
        ("rehearse", Err("without AWS")),
        ("watch", Ok(&["moved"])),
        ("status", Ok(&["moved"])),
        ("diagnose", Ok(&["moved"])),
        ("timeline", Ok(&["moved"])),
        ("doctor", Ok(&["moved"])),
        ("kubeconfig", Ok(&["moved"])),
        (
            "credential",
            Err("runs in any directory; the authority of the kubeconfig guards it"),
        ),
        ("access", Ok(&["list", "moved"])),
        ("certs", Ok(&["status", "moved"])),
        ("etcd", Ok(&["list", "moved"])),
        ("delete", Ok(&["moved", "--confirm", "moved"])),
        ("schema", Err("without AWS")),
        ("completions", Err("without AWS")),
        ("help", Err("without AWS")),
    ];
    let help = world.run(&["--help"]);
    let listed = help
        .ends(0)
        .stdout
        .lines()
        .skip_while(|line| *line != "Commands:");
    let listed = listed.skip(1).take_while(|line| !line.is_empty());
    let listed: Vec<&str> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(
        listed,
        commands.map(|(name, _)| name),
        "say here what guards a new command"
    );
    let guarded = commands
        .iter()
        .filter_map(|(name, rest)| Some((name, rest.ok()?)));
    for (name, rest) in guarded {
        let all: Vec<&str> = std::iter::once(*name).chain(rest.iter().copied()).collect();
        world
            .run(&all)
            .ends(5)
            .tells("moved.lock.yaml was resolved in account 999988887777, region eu-west-1")
            .tells(&format!(
                "this is account {}, region eu-west-1",
                world.account()
            ))
            .tells("wrong profile?")
            .tells("--profile or AWS_PROFILE");
    }
    let subcommands: [&[&str]; 9] = [
        &[
            "access", "grant", "moved", "ci", "-n", "web", "--role", "viewer",
        ],
        &["access", "revoke", "moved", "ci"],
        &["certs", "restore", "moved"],
        &["certs", "backup", "moved"],
        &["etcd", "snapshot", "moved"],
        &["etcd", "restore", "moved", "etcd/20261123T100000Z-7.db"],
        &["etcd", "replace-member", "moved", "a"],
        &["status", "moved", "--region", "eu-west-1"],
        &["status", "moved", "--check"],
    ];
    for command in subcommands {
        world
            .run(command)
            .ends(5)
            .tells("moved.lock.yaml was resolved in account 999988887777");
    }
    nothing_was_made(&world).await;
    assert_eq!(world.read("clusters/moved.lock.yaml"), foreign);
}

/// A definition that can't be read any more, or is gone, takes nothing from what the lock file says.
#[test]
fn lock_file_guards_without_its_definition_too() {
    let world = World::small("bereft");
    world.cluster("lock", &[]).ends(0);
    let lock = world.read("clusters/bereft.lock.yaml");
    let foreign = lock.replace(&world.account(), "999988887777");
    world.write("clusters/bereft.lock.yaml", &foreign);
    world.write("clusters/bereft.yaml", "name: [");
    let delete = ["--region", "eu-west-1", "--confirm", "bereft"];
    let refused = || {
        world
            .cluster("delete", &delete)
            .ends(5)
            .tells("bereft.lock.yaml was resolved in account 999988887777");
    };
    refused();
    std::fs::remove_file(world.path("clusters/bereft.yaml")).expect("removed");
    refused();
}

#[test]
fn region_that_is_not_the_clusters_is_refused() {
    let world = World::small("fixed");
    world.cluster("lock", &[]).ends(0);
    for command in ["status", "watch", "diagnose", "timeline", "delete"] {
        world
            .cluster(command, &["--region", "us-east-1"])
            .ends(5)
            .tells("clusters/fixed.yaml says that fixed is in eu-west-1, not in us-east-1");
    }
    // The flag counts more than the environment.
    let mut command = world.command(&["status", "fixed", "--region", "eu-west-1"]);
    Said::of(command.env("AWS_REGION", "us-east-1"))
        .ends(1)
        .tells("fixed has no stacks in account");
}

#[tokio::test]
async fn without_a_terminal_and_without_a_yes_nothing_is_done() {
    let world = World::small("unasked");
    world
        .cluster("apply", &[])
        .ends(64)
        .tells("Plan: 5 to create")
        .tells("there is no terminal to confirm on; nothing was changed")
        .tells("run with --yes");
    nothing_was_made(&world).await;
}

#[test]
fn missing_credentials_are_reported_with_a_remedy() {
    let world = World::small("nobody");
    let mut command = world.command(&["plan", "nobody"]);
    command.env_remove("AWS_ACCESS_KEY_ID");
    Said::of(command.env_remove("AWS_SECRET_ACCESS_KEY"))
        .ends(1)
        .tells("no valid AWS credentials")
        .tells("help: ");
}

#[tokio::test]
async fn a_template_that_refers_to_nothing_is_refused() {
    let world = World::small("dangling");
    let pool = include_str!("../../templates/stacks/pool.yaml.tera");
    let broken = pool.replace("{ Ref: NodeSg }", "{ Ref: NodeSgg }");
    assert_ne!(broken, pool);
    world.write("clusters/templates/stacks/pool.yaml.tera", &broken);
    for command in [&["plan"][..], &["apply", "--yes"]] {
        world
            .cluster(command[0], &command[1..])
            .ends(65)
            .tells("stacks/pool.yaml.tera: resource LaunchTemplate")
            .tells("did you mean `NodeSg`?");
    }
    nothing_was_made(&world).await;
}

#[tokio::test]
async fn a_new_database_of_a_retired_version_is_refused() {
    let world = World::new("ageing");
    let definition = with_database("ageing") + "  engineVersion: \"17.4\"\n";
    world.write("clusters/ageing.yaml", &definition);
    let warning = "warning: clusters/ageing.yaml:17: database.engineVersion: RDS creates no new";
    world.run(&["validate", "ageing"]).ends(0).tells(warning);
    world
        .cluster("plan", &[])
        .ends(5)
        .prints(warning)
        .prints("to 17.5 or newer in clusters/ageing.yaml:17");
    world
        .cluster("apply", &["--yes"])
        .ends(5)
        .tells("RDS creates no new database of PostgreSQL 17.4 any more")
        .tells("nothing was changed");
    nothing_was_made(&world).await;
    assert!(!world.path("clusters/ageing.lock.yaml").exists());
}
