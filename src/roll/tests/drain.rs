//! How a cordoned machine gets rid of its pods.

use std::time::Duration;

use super::*;
use crate::roll::Blocked;

/// A machine that was detached and cordoned, whose replacement is there.
fn draining() -> World {
    let mut world = World::pool(2);
    world.machine("workers", "i-new", 2);
    world.detach("workers", "i-0");
    world.cordon("i-0", at(0));
    world.seen.at = at(10);
    world
}

fn block(world: &mut World, name: &str, since: i64) {
    let pod = world.seen.pods.iter().find(|pod| pod.pod.name == name);
    let blocked = Blocked {
        since: at(since),
        why: "Cannot evict pod".to_owned(),
        by_budget: true,
    };
    let pod = pod.unwrap().pod.clone();
    world.memory.blocked.insert(pod, blocked);
}

fn has(step: &Step, wanted: fn(&Action) -> bool) -> bool {
    step.actions.iter().any(wanted)
}

#[test]
fn pods_are_evicted_and_finished_ones_deleted() {
    let mut world = draining();
    world.pod("i-0", "web");
    world.pod("i-0", "job").phase = PodPhase::Finished;
    world.pod("i-0", "cni").owner = PodOwner::DaemonSet;
    world.pod("i-0", "static").owner = PodOwner::Static;
    let step = world.looks(1);
    let names: Vec<(&str, bool)> = step
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Evict { pod, .. } => Some((pod.name.as_str(), true)),
            Action::Remove { pod, .. } => Some((pod.name.as_str(), false)),
            _ => None,
        })
        .collect();
    assert_eq!(names, [("web", true), ("job", false)]);
}

#[test]
fn blocked_eviction_names_the_budget_and_the_pod_it_waits_for() {
    let mut world = draining();
    world.budget("web", 0);
    world.pod("i-0", "web-1");
    world.pod("i-1", "web-2").trouble = Some("CrashLoopBackOff".to_owned());
    block(&mut world, "web-1", 10);
    world.seen.at = at(45);
    let step = world.looks(1);
    let notable: Vec<_> = step.waits.iter().filter(|wait| wait.is_notable).collect();
    let [wait] = notable.as_slice() else {
        panic!("{:?}", step.waits);
    };
    assert_eq!(
        wait.text,
        "shop/web-1 for 35s: shop/pdb web allows 0 of 3 disruptions (healthy 2, wants 3): \
         waits for shop/web-2 (CrashLoopBackOff on i-1)"
    );
    assert!(
        has(&step, |action| matches!(action, Action::Evict { .. })),
        "asked again"
    );
}

#[test]
fn budget_is_broken_only_by_name_and_only_where_it_blocks() {
    let mut world = draining();
    world.budget("web", 0);
    world.pod("i-0", "web-1");
    world.options.evict_anyway = [("shop".to_owned(), "web".to_owned())].into();
    let step = world.looks(1);
    assert!(!has(&step, |action| matches!(
        action,
        Action::Remove { .. }
    )));
    block(&mut world, "web-1", 10);
    let step = world.looks(1);
    assert!(has(&step, |action| matches!(action, Action::Remove { .. })));
}

#[test]
fn drain_that_times_out_untouched_is_uncordoned() {
    let mut world = draining();
    world.options.drain_timeout = Duration::from_mins(1);
    world.pod("i-0", "once").owner = PodOwner::Nobody;
    assert!(world.looks(2).stops.is_empty());
    world.seen.at = at(61);
    let step = world.looks(1);
    assert!(has(&step, |action| matches!(
        action,
        Action::Uncordon { .. }
    )));
    let text = &step.stops[0].text;
    assert_eq!(
        text,
        "i-0 is not empty after 1m00s, 1 pod left: pod shop/once belongs to no controller and would not come back: \
         --lose-pod shop/once; uncordoned, for no pod was evicted"
    );
}

#[test]
fn drain_that_times_out_half_way_stays_cordoned() {
    let mut world = draining();
    world.options.drain_timeout = Duration::from_mins(1);
    world.pod("i-0", "web");
    world.memory.evicted.insert("i-0".to_owned());
    world.looks(1);
    world.seen.at = at(61);
    let step = world.looks(1);
    assert!(!has(&step, |action| matches!(
        action,
        Action::Uncordon { .. }
    )));
    assert!(
        step.stops[0].text.ends_with("still cordoned"),
        "{}",
        step.stops[0].text
    );
}

#[test]
fn drain_of_an_earlier_run_gets_its_whole_time() {
    let mut world = draining();
    world.cordon("i-0", at(-7200));
    world.pod("i-0", "web");
    let step = world.looks(1);
    assert!(step.stops.is_empty());
    assert!(has(&step, |action| matches!(action, Action::Evict { .. })));
}

#[test]
fn machine_is_terminated_after_its_volumes_or_six_minutes() {
    let mut world = draining();
    world.seen.attachments.push(crate::cloud::Attachment {
        node: "i-0".to_owned(),
        volume: "pvc-1".to_owned(),
    });
    let ends = |step: &Step| has(step, |action| matches!(action, Action::Terminate { .. }));
    let step = world.looks(1);
    assert!(!ends(&step));
    assert_eq!(step.waits[0].text, "1 volume is still attached");
    world.seen.at = at(380);
    assert!(ends(&world.looks(1)));
    world.seen.at = at(30);
    world.seen.attachments.clear();
    assert!(ends(&world.looks(1)));
}

#[test]
fn machine_whose_kubelet_is_away_for_minutes_has_lost_its_pods() {
    let mut world = draining();
    world.pod("i-0", "web");
    let node = world.seen.nodes.get_mut("i-0").unwrap();
    node.trouble = Some("its kubelet stopped reporting".to_owned());
    node.is_silent = true;
    node.since = Some(at(-400));
    let ends = |step: &Step| has(step, |action| matches!(action, Action::Terminate { .. }));
    assert!(!ends(&world.looks(1)));
    world.seen.at = at(300);
    assert!(!ends(&world.looks(1)), "five minutes by our own clock too");
    world.seen.at = at(311);
    assert!(ends(&world.looks(1)));
}

#[test]
fn kubelet_that_reports_not_ready_is_drained() {
    let mut world = draining();
    world.pod("i-0", "web");
    let node = world.seen.nodes.get_mut("i-0").unwrap();
    node.trouble = Some("container runtime is down".to_owned());
    node.since = Some(at(-4000));
    world.looks(1);
    world.seen.at = at(320);
    let step = world.looks(1);
    assert!(has(&step, |action| matches!(action, Action::Evict { .. })));
}

#[test]
fn machine_that_falls_silent_during_the_run_stops_it() {
    let mut world = draining();
    world.pod("i-0", "web");
    world.looks(1);
    let node = world.seen.nodes.get_mut("i-0").unwrap();
    node.trouble = Some("its kubelet stopped reporting".to_owned());
    node.is_silent = true;
    // Its clock may be another one's.
    node.since = Some(at(-4000));
    world.seen.at = at(20);
    world.looks(1);
    world.seen.at = at(321);
    let step = world.looks(1);
    assert!(step.stops[0].text.contains("has not reported"), "{step:?}");
    assert!(!has(&step, |action| matches!(
        action,
        Action::Terminate { .. }
    )));
}

#[test]
fn nothing_is_ended_undrained_while_most_nodes_are_silent() {
    let mut world = draining();
    world.pod("i-0", "web");
    for node in world.seen.nodes.values_mut() {
        node.trouble = Some("its kubelet stopped reporting".to_owned());
        node.is_silent = true;
        node.since = Some(at(-4000));
    }
    world.looks(1);
    world.seen.at = at(320);
    let step = world.looks(1);
    assert!(
        step.stops[0]
            .text
            .starts_with("3 of 3 nodes have not reported"),
        "{step:?}"
    );
}

#[test]
fn two_budgets_that_are_waived_by_name_do_not_block() {
    let mut world = draining();
    world.budget("a", 1);
    world.budget("b", 1);
    world.pod("i-0", "web-1");
    block(&mut world, "web-1", 10);
    let name = |name: &str| ("shop".to_owned(), name.to_owned());
    world.options.evict_anyway = [name("a")].into();
    let step = world.looks(1);
    assert!(!has(&step, |action| matches!(
        action,
        Action::Remove { .. }
    )));
    assert!(
        step.waits[0].text.contains("shop/a and shop/b")
            || step.waits[0].text.contains("Cannot evict")
    );
    world.options.evict_anyway = [name("a"), name("b")].into();
    let step = world.looks(1);
    assert!(has(&step, |action| matches!(action, Action::Remove { .. })));
}

#[test]
fn clock_of_another_machine_does_not_hold_up_a_drain() {
    let mut world = draining();
    world.cordon("i-0", at(7200));
    world.pod("i-0", "web");
    world.looks(1);
    world.seen.at = at(16);
    let step = world.looks(1);
    assert!(has(&step, |action| matches!(action, Action::Evict { .. })));
}

#[test]
fn write_without_an_answer_is_said_and_given_up() {
    let mut world = draining();
    world.pod("i-0", "web");
    let step = world.looks(1);
    let evict = step.actions.iter();
    let mut evict = evict.filter(|action| matches!(action, Action::Evict { .. }));
    let evict = evict.next().cloned().unwrap();
    let answered = |world: &mut World| {
        let now = world.seen.at;
        world
            .memory
            .noted
            .answered(&evict, Some("webhook is away".to_owned()), now);
    };
    answered(&mut world);
    world.seen.at = at(50);
    let step = world.looks(1);
    let said = |step: &Step, text: &str| step.waits.iter().any(|wait| wait.text == text);
    let text = "failed to evict shop/web for 40s: webhook is away";
    assert!(said(&step, text), "{step:?}");
    answered(&mut world);
    world.options.drain_timeout = Duration::from_hours(2);
    world.seen.at = at(911);
    let step = world.looks(1);
    let text = "failed to evict shop/web for 15 minutes: webhook is away";
    assert!(step.stops.iter().any(|stop| stop.text == text), "{step:?}");
    assert!(!step.actions.contains(&evict));
    world.memory.noted.answered(&evict, None, at(912));
    assert!(world.looks(1).actions.contains(&evict));
}

#[test]
fn cordon_of_somebody_else_stays_after_a_time_out() {
    let mut world = draining();
    world.options.drain_timeout = Duration::from_mins(1);
    world.pod("i-0", "once").owner = PodOwner::Nobody;
    world.seen.nodes.get_mut("i-0").unwrap().was_cordoned = true;
    world.looks(1);
    world.seen.at = at(71);
    let step = world.looks(1);
    assert!(has(&step, |action| matches!(
        action,
        Action::Uncordon { .. }
    )));
    assert!(
        step.stops[0].text.ends_with("still cordoned"),
        "{}",
        step.stops[0].text
    );
}

#[test]
fn replacement_is_kept_from_the_autoscaler_while_there_is_work() {
    let mut world = draining();
    world.pod("i-0", "web");
    let new = world.seen.instances.get_mut("i-new").unwrap();
    new.launched = Some(at(-60));
    let keep = |is_kept| Action::Keep {
        node: "i-new".to_owned(),
        is_kept,
    };
    assert!(world.looks(1).actions.contains(&keep(true)));
    world.seen.nodes.get_mut("i-new").unwrap().is_kept = true;
    assert!(!world.looks(1).actions.contains(&keep(true)));
    world.seen.groups[0].template = template(1);
    world.seen.instances.get_mut("i-new").unwrap().template = Some(template(1));
    world.seen.instances.remove("i-0");
    world.seen.nodes.remove("i-0");
    assert!(world.looks(1).actions.contains(&keep(false)));
}

#[test]
fn node_of_a_silent_machine_stays_until_ec2_has_ended_it() {
    let mut world = draining();
    world.looks(1);
    let one = world.seen.instances.get_mut("i-0").unwrap();
    one.state = crate::cloud::InstanceState::ShuttingDown;
    let deletes = |step: &Step| has(step, |action| matches!(action, Action::DeleteNode { .. }));
    assert!(deletes(&world.looks(1)), "it was drained");
    world.seen.nodes.get_mut("i-0").unwrap().is_silent = true;
    let step = world.looks(1);
    assert!(!deletes(&step) && step.end.is_none());
    let one = world.seen.instances.get_mut("i-0").unwrap();
    one.state = crate::cloud::InstanceState::Terminated;
    assert!(deletes(&world.looks(1)));
}
