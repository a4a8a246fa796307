//! Waiting for a cluster: the live block, its final form, and the log.

use std::fmt::Write as _;

use kube_cfn::events::{Event, ReadyPart};
use kube_cfn::progress::{ClusterWait, LineRenderer, Renderer};

use super::runs::at;
use crate::support::golden;

fn part(name: &str, done: usize, wanted: usize, state: &str, missing: &[&str]) -> ReadyPart {
    ReadyPart {
        name: name.to_owned(),
        done,
        wanted,
        state: state.to_owned(),
        missing: missing.iter().map(ToString::to_string).collect(),
    }
}

fn look(second: i64, parts: Vec<ReadyPart>) -> Event {
    Event::Readiness {
        at: at(second),
        cluster: "canary".to_owned(),
        since: at(0),
        until: at(900),
        ready: parts.iter().all(|part| part.done >= part.wanted),
        parts,
        remarks: vec!["i-0d1 runs v1.35.9, the definition says v1.36.4".to_owned()],
    }
}

fn silent() -> Vec<ReadyPart> {
    let unknown = "not known before the API answers";
    vec![
        part(
            "API",
            0,
            1,
            "does not answer",
            &["can't be reached: nothing listens there"],
        ),
        part("control plane", 0, 3, unknown, &[]),
        part("pool web", 0, 2, unknown, &[]),
    ]
}

fn halfway() -> Vec<ReadyPart> {
    vec![
        part("API", 1, 1, "answers", &[]),
        part(
            "control plane",
            2,
            3,
            "2 of 3 nodes Ready",
            &["node c: no machine has joined as 10.20.64.10"],
        ),
        part(
            "pool web",
            1,
            2,
            "1 of 2 nodes Ready",
            &["i-0d0 is NotReady: network plugin not ready: cni plugin not initialized"],
        ),
        part(
            "critical pods",
            5,
            9,
            "5 of 9 kinds run",
            &[
                "etcd on i-0c1: CrashLoopBackOff",
                "Cilium not on i-0d0 yet",
                "CoreDNS: there is none yet",
                "the EBS CSI controller: there is none yet",
            ],
        ),
    ]
}

fn whole() -> Vec<ReadyPart> {
    vec![
        part("API", 1, 1, "answers", &[]),
        part("control plane", 3, 3, "3 of 3 nodes Ready", &[]),
        part("pool web", 2, 2, "2 of 2 nodes Ready", &[]),
        part("critical pods", 9, 9, "9 of 9 kinds run", &[]),
    ]
}

fn screen(name: &str, look: &Event, second: i64) {
    let look = ClusterWait::of(look).unwrap();
    let mut text = String::new();
    for line in look.view(at(second), 80, 24) {
        writeln!(text, "{line}").unwrap();
    }
    text.push_str("--- at the end\n");
    for line in look.summary(at(second), 80) {
        writeln!(text, "{line}").unwrap();
    }
    golden::check(&format!("progress/{name}/screen.txt"), &text);
}

#[test]
fn an_unreachable_api_hides_the_other_checks() {
    screen("waiting-silent", &look(4, silent()), 12);
}

#[test]
fn every_part_lists_what_is_missing() {
    screen("waiting", &look(130, halfway()), 132);
}

#[test]
fn a_ready_cluster_is_one_line() {
    screen("waiting-over", &look(200, whole()), 200);
}

#[test]
fn the_log_shows_changes_and_heartbeats() {
    let mut out = Vec::new();
    let mut lines = LineRenderer::new(&mut out);
    for (second, parts) in [
        (4, silent()),
        (8, silent()),
        (130, halfway()),
        (200, whole()),
    ] {
        for beat in 0..second {
            lines.tick(at(beat)).unwrap();
        }
        lines.render(&look(second, parts)).unwrap();
    }
    lines.finish(at(200)).unwrap();
    golden::check(
        "progress/waiting/lines.txt",
        &String::from_utf8(out).unwrap(),
    );
}
