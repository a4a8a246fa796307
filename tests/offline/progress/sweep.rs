//! What a deletion removes outside the stacks: in the block, in the log, and at the end.

use kube_cfn::events::Verb::Delete;
use kube_cfn::events::{Event, Outcome, SweepPart};
use kube_cfn::progress::{Commands, LineRenderer, Model, Renderer};
use kube_cfn::stacks::StackKind::{ControlPlane, Edge, Network};

use super::runs::{Run, at, expected, part, pool};
use super::terminal::Memory;
use crate::support::golden;

/// A detached machine and the load balancers of two Services, with the words of `sweep::remove`: a kind waits for the first
/// one that has to go before it.
fn parts(second: i64) -> Vec<SweepPart> {
    const AWS: &str = "waiting for AWS";
    let released = |number| format!("waiting for AWS to release {number} network interfaces");
    match second {
        ..100 => vec![
            part("machine", 0, 1, AWS),
            part("load balancer", 0, 2, AWS),
            part("target group", 0, 2, "waits for 2 load balancers"),
            part("rule of a security group", 0, 3, AWS),
            part("security group", 0, 2, "waits for 1 machine"),
            part("network interface", 0, 4, &released(4)),
        ],
        100..200 => vec![
            part("machine", 0, 1, AWS),
            part("load balancer", 2, 2, ""),
            part("target group", 2, 2, ""),
            part("rule of a security group", 3, 3, ""),
            part("security group", 0, 2, "waits for 1 machine"),
            part("network interface", 0, 4, &released(4)),
        ],
        200..300 => vec![
            part("machine", 1, 1, ""),
            part("load balancer", 2, 2, ""),
            part("target group", 2, 2, ""),
            part("rule of a security group", 3, 3, ""),
            part("security group", 0, 2, "waits for 2 network interfaces"),
            part("network interface", 2, 4, &released(2)),
        ],
        _ => vec![
            part("machine", 1, 1, ""),
            part("load balancer", 2, 2, ""),
            part("target group", 2, 2, ""),
            part("rule of a security group", 3, 3, ""),
            part("security group", 2, 2, ""),
            part("network interface", 4, 4, ""),
        ],
    }
}

/// Pools and control plane are gone; the network waits.
fn begun() -> Run {
    let stacks = vec![
        expected(pool("web"), Some(Delete), 3, &[]),
        expected(ControlPlane, Some(Delete), 8, &[]),
        expected(Edge, Some(Delete), 9, &[pool("web"), ControlPlane]),
        expected(Network, Some(Delete), 21, &[Edge]),
    ];
    Run::start(Delete, stacks)
        .stack(1, pool("web"), Delete)
        .stack(1, ControlPlane, Delete)
        .settled(40, pool("web"), Outcome::Deleted)
        .settled(50, ControlPlane, Outcome::Deleted)
        .stack(52, Edge, Delete)
        .sweep(60, 58, parts(60))
        .sweep(75, 58, parts(75))
        .resource(
            80,
            Edge,
            "Nat AWS::EC2::NatGateway NAT gateway",
            "DELETE_IN_PROGRESS",
        )
        .sweep(100, 58, parts(100))
        .sweep(115, 58, parts(115))
        .resource(
            150,
            Edge,
            "Nat AWS::EC2::NatGateway NAT gateway",
            "DELETE_COMPLETE",
        )
        .settled(160, Edge, Outcome::Deleted)
        .sweep(165, 58, parts(165))
        .sweep(181, 58, parts(181))
        .sweep(199, 58, parts(199))
}

fn over() -> Run {
    begun()
        .sweep(215, 58, parts(215))
        .sweep(231, 58, parts(231))
        .sweep(300, 58, parts(300))
        .stack(301, Network, Delete)
        .settled(340, Network, Outcome::Deleted)
        .sweep(345, 345, vec![part("bucket", 1, 1, "")])
        .finished(350, true)
}

fn model(run: &Run) -> Model {
    let mut model = Model::default();
    run.events.iter().for_each(|event| model.update(event));
    model
}

fn text<T: ToString>(lines: &[T]) -> String {
    lines.iter().map(|line| line.to_string() + "\n").collect()
}

/// What the log says, with a tick every second.
fn log(events: &[Event], end: i64) -> String {
    let mut out = Vec::new();
    let mut lines = LineRenderer::new(&mut out);
    let mut second = 0;
    for event in events {
        while at(second) < event.at() {
            second += 1;
            lines.tick(at(second)).unwrap();
        }
        lines.render(event).unwrap();
    }
    lines.finish(at(end)).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn block_shows_what_is_removed_below_the_stacks() {
    let model = model(&begun());
    let block = model.view(at(205), 80, 24);
    golden::check("progress/sweep/screen.txt", &text(&block));
}

#[test]
fn short_screen_folds_what_is_removed() {
    let model = model(&begun());
    for height in [9, 7, 3] {
        let block = text(&model.view(at(205), 80, height));
        assert!(block.lines().count() <= height, "{height}:\n{block}");
        assert!(
            block.contains("outside the stacks  2m27s"),
            "{height}:\n{block}"
        );
    }
    let block = text(&model.view(at(205), 80, 9));
    assert!(block.contains("3 kinds done"), "{block}");
    assert!(block.contains("waiting for AWS to release 4"), "{block}");
}

#[test]
fn log_has_a_line_for_every_change_and_repeats_the_wait() {
    let text = log(&over().events, 350);
    golden::check("progress/sweep/lines.txt", &text);
    let of = |words: &str| text.lines().filter(|line| line.contains(words)).count();
    assert_eq!(
        of("removing") + of("removed  "),
        6 + 3 + 3 + 2 + 1,
        "{text}"
    );
}

/// Nothing but this command removes what is outside the stacks.
#[test]
fn stop_during_the_removal_alone_does_not_say_that_aws_continues() {
    let summary = text(&model(&begun()).summary(at(205), 80));
    golden::check("progress/sweep/stopped.txt", &summary);
    assert!(!summary.contains("kube-cfn watch"), "{summary}");
    // While a stack is deleted, that goes on.
    let mut events = begun().events;
    events.truncate(10);
    let summary = text(&model(&Run { events }).summary(at(90), 80));
    assert!(summary.contains("continues in AWS"), "{summary}");
    assert!(summary.contains("kube-cfn watch canary"), "{summary}");
}

/// Kubernetes releases before the first stack: nothing starts next meanwhile. What it keeps is not removed.
#[test]
fn what_kubernetes_releases_is_waited_for_and_what_it_keeps_is_not_removed() {
    let stacks = vec![
        expected(pool("web"), Some(Delete), 3, &[]),
        expected(Network, Some(Delete), 21, &[pool("web")]),
    ];
    let retain = |done| part(SweepPart::SET_TO_RETAIN, done, 2, "");
    let service = |done, state: &str| part("Service of type LoadBalancer", done, 1, state);
    let run = Run::start(Delete, stacks)
        .sweep(1, 1, vec![retain(0)])
        .sweep(3, 1, vec![retain(2)])
        .sweep(5, 1, vec![retain(2), service(0, "default/web")]);
    let block = text(&model(&run).view(at(9), 80, 24));
    assert!(!block.contains("starts next"), "{block}");
    assert!(
        block.contains("waits for what is outside the stacks"),
        "{block}"
    );
    let run = run
        .sweep(20, 1, vec![retain(2), service(1, "")])
        .stack(21, pool("web"), Delete)
        .settled(40, pool("web"), Outcome::Deleted)
        .stack(41, Network, Delete)
        .settled(60, Network, Outcome::Deleted)
        .finished(61, true);
    let log = log(&run.events, 61);
    let retained = log
        .lines()
        .filter(|line| line.contains("outside the stacks: PersistentVolume"));
    let retained: Vec<_> = retained.collect();
    assert!(!retained.is_empty(), "{log}");
    assert!(
        retained.iter().all(|line| !line.contains("removed")),
        "{retained:#?}"
    );
    let summary = text(&model(&run).summary(at(61), 100));
    assert!(
        summary.contains("24 resources, 1 outside the stacks"),
        "{summary}"
    );
    assert!(
        summary.contains("1/1  removed, PersistentVolume set to Retain 2/2"),
        "{summary}"
    );
    let memory = Memory::default();
    let mut live = memory.live();
    run.events
        .iter()
        .for_each(|event| live.render(event).unwrap());
    let kept = memory.text();
    let words: Vec<_> = kept.split_whitespace().collect();
    let kept = words.join(" ");
    let ended =
        "PersistentVolume set to Retain 2/2, Service of type LoadBalancer 1/1 removed after 19s";
    assert!(kept.contains(ended), "{kept}");
}

#[test]
fn removal_before_the_run_is_shown_without_stacks() {
    let parts = vec![
        part(
            "Service of type LoadBalancer",
            1,
            2,
            "default/web: waits for its finalizer",
        ),
        part("PersistentVolume", 3, 3, ""),
    ];
    let event = Event::Sweep {
        at: at(30),
        since: at(0),
        parts,
    };
    let memory = Memory::default();
    let mut live = memory.live();
    live.render(&event).unwrap();
    live.tick(at(40)).unwrap();
    let block = memory.text();
    assert!(block.contains("outside the stacks  40s"), "{block}");
    assert!(
        block.contains("Service of type LoadBalancer    1/2  default/web: waits for its"),
        "{block}"
    );
    let text = log(&[event], 70);
    assert!(text.contains("removing"), "{text}");
}

#[test]
fn heartbeat_of_a_removal_without_a_run_says_what_it_waits_for() {
    let mut out = Vec::new();
    let mut lines = LineRenderer::new(&mut out);
    let parts = vec![part("load balancer", 0, 1, "waiting for AWS")];
    let event = Event::Sweep {
        at: at(0),
        since: at(0),
        parts,
    };
    lines.render(&event).unwrap();
    for second in 0..=70 {
        lines.tick(at(second)).unwrap();
    }
    let text = String::from_utf8(out).unwrap();
    let running = text.lines().filter(|line| line.contains("running"));
    let beats: Vec<_> = running.collect();
    assert_eq!(beats.len(), 2, "{text}");
    assert!(
        beats[0].ends_with("outside the stacks: load balancer 0/1, waiting for AWS"),
        "{text}"
    );
}

#[test]
fn block_ends_with_the_removal_and_a_line_stays() {
    let memory = Memory::default();
    let mut live = memory.live();
    let run = over();
    for event in &run.events {
        live.render(event).unwrap();
    }
    let kept = memory.text();
    assert!(
        kept.contains(" ok  outside the stacks: machine 1/1, load balancer 2/2"),
        "{kept}"
    );
    let before_the_end = Run {
        events: run.events[..run.events.len() - 3].to_vec(),
    };
    let block = text(&model(&before_the_end).view(at(305), 80, 24));
    assert!(!block.contains("outside the stacks"), "{block}");
}

#[test]
fn removal_that_is_silent_for_long_is_over() {
    let model = model(&begun());
    let has = |second| text(&model.view(at(second), 80, 24)).contains("outside the stacks");
    assert!(has(199 + 119));
    assert!(!has(199 + 121));
}

#[test]
fn end_of_a_run_sums_up_what_was_removed_and_what_was_not() {
    let whole = text(&model(&over()).summary(at(350), 80));
    golden::check("progress/sweep/summary.txt", &whole);
    let failed = begun().finished(900, false);
    let failed = text(&model(&failed).summary(at(900), 80));
    assert!(
        failed.contains(" !!  outside the stacks  2m21s  7/14  machine 0/1, security group 0/2"),
        "{failed}"
    );
    let detached = text(&model(&begun()).summary(at(205), 80));
    assert!(
        detached.contains("stopped: the removal outside the stacks, 7 of 14 done"),
        "{detached}"
    );
}

/// Nothing of parameters is counted, and a run that begins has something to do.
#[test]
fn deletion_of_parameters_alone_is_not_nothing() {
    let run = Run::start(Delete, Vec::new()).finished(4, true);
    let summary = text(&model(&run).summary(at(4), 80));
    assert!(
        summary.starts_with("canary: what was left of it is deleted, in 4s"),
        "{summary}"
    );
    assert!(!summary.contains("nothing to delete"), "{summary}");
}

#[test]
fn last_line_names_the_command_with_its_flags() {
    let again = "kube-cfn delete canary --region eu-west-1 --delete-volumes";
    let said = |end: i64| {
        let mut out = Vec::new();
        let mut log = LineRenderer::new(&mut out).with_commands(Commands {
            argument: Some("canary --region eu-west-1".to_owned()),
            again: Some(again.to_owned()),
        });
        let events = begun().events.into_iter();
        for event in events.filter(|event| event.at() <= at(end)) {
            log.render(&event).unwrap();
        }
        log.finish(at(end)).unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = said(120);
    assert!(text.contains(&format!("{again}  resumes it")), "{text}");
    let watch = "kube-cfn watch canary --region eu-west-1  follows it";
    assert!(text.contains(watch), "{text}");
    let text = said(205);
    assert!(text.contains(&format!("{again}  does the rest")), "{text}");
}

#[test]
fn deletion_of_a_cluster_without_stacks_says_what_went() {
    let run = Run::start(Delete, Vec::new())
        .sweep(5, 1, vec![part("bucket", 2, 2, ""), part("key", 1, 1, "")])
        .finished(9, true);
    let summary = text(&model(&run).summary(at(9), 80));
    assert!(
        summary.starts_with("canary: deleted in 9s, 3 outside the stacks"),
        "{summary}"
    );
}
