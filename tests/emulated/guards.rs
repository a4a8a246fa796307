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
    for command in ["plan", "apply", "lock"] {
        world
            .cluster(command, &[])
            .ends(5)
            .tells("moved.lock.yaml was resolved in account 999988887777")
            .tells("or delete ");
    }
    nothing_was_made(&world).await;
    assert_eq!(world.read("clusters/moved.lock.yaml"), foreign);
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
