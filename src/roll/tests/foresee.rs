//! What is said before anything moves.

use super::*;
use crate::roll::{Reason, foresee};

fn refusals(world: &World) -> Vec<String> {
    let forecast = foresee(&world.seen, &world.options);
    let all = forecast.refusals();
    all.map(|(_, obstacle)| obstacle.text.clone()).collect()
}

#[test]
fn pod_without_a_controller_refuses_unless_named() {
    let mut world = World::pool(2);
    world.pod("i-0", "once").owner = PodOwner::Nobody;
    assert_eq!(
        refusals(&world),
        ["pod shop/once belongs to no controller and would not come back: --lose-pod shop/once"]
    );
    world.options.lose_pods = [("shop".to_owned(), "once".to_owned())].into();
    assert!(refusals(&world).is_empty());
}

#[test]
fn two_budgets_over_a_pod_refuse() {
    let mut world = World::pool(2);
    world.pod("i-0", "web-1");
    world.budget("a", 1);
    world.budget("b", 1);
    assert_eq!(
        refusals(&world),
        [
            "pod shop/web-1 is covered by PDBs shop/a and shop/b: Kubernetes can't evict it: --evict-anyway shop/a",
            "pod shop/web-1 is covered by PDBs shop/a and shop/b: Kubernetes can't evict it: --evict-anyway shop/b",
        ]
    );
}

#[test]
fn budget_that_can_never_allow_refuses() {
    let mut world = World::pool(2);
    world.pod("i-0", "web-1");
    world.budget("web", 0);
    assert_eq!(refusals(&world).len(), 1);
    world.seen.budgets[0].desired_healthy = 2;
    assert!(
        refusals(&world).is_empty(),
        "it allows one once all are healthy"
    );
    world.seen.budgets[0].desired_healthy = 3;
    world.options.evict_anyway = [("shop".to_owned(), "web".to_owned())].into();
    assert!(refusals(&world).is_empty());
}

#[test]
fn volume_without_another_machine_in_its_zone_is_named() {
    let mut world = World::pool(2);
    world.pod("i-0", "db-0").volume_zones = vec!["eu-west-1b".to_owned()];
    let forecast = foresee(&world.seen, &world.options);
    let [obstacle] = forecast.machines[0].obstacles.as_slice() else {
        panic!("{forecast:?}");
    };
    assert!(
        obstacle.text.starts_with("shop/db-0 may find no place"),
        "{}",
        obstacle.text
    );
    assert!(!obstacle.refuses);
}

#[test]
fn forecast_counts_machines_and_minutes() {
    let mut world = World::pool(3);
    world.machine("workers", "i-new", 2);
    world.pod("i-0", "web").loses_local_data = true;
    let forecast = foresee(&world.seen, &world.options);
    let reasons: Vec<Reason> = forecast.machines.iter().map(|one| one.reason).collect();
    assert_eq!(reasons, [Reason::Outdated; 3]);
    assert_eq!(
        (forecast.machines[0].pods, forecast.machines[0].loses_data),
        (1, 1)
    );
    let one = forecast.machines[1].span;
    assert!(forecast.span.from > 3 * one.from, "{forecast:?}");
    world.seen.groups[0].template = template(1);
    world.seen.instances.remove("i-new");
    assert!(foresee(&world.seen, &world.options).machines.is_empty());
}
