//! The live block, the lines and the JSON show the same facts.

use std::io::{self, Write};

use kube_cfn::events::Event;
use kube_cfn::progress::{Environment, JsonRenderer, LineRenderer, Pace, Renderer, Style, follow};
use serde_json::Value;

use super::runs::{self, Run, at};
use super::terminal::Memory;

fn play(mut renderer: impl Renderer, run: &Run) {
    for event in &run.events {
        renderer.render(event).expect("an event");
        renderer.tick(event.at()).expect("a tick");
    }
    let last = run.events.last().map_or(at(0), Event::at);
    renderer.finish(last).expect("an end");
}

fn lines(run: &Run) -> String {
    let mut out = Vec::new();
    play(LineRenderer::new(&mut out), run);
    String::from_utf8(out).expect("text")
}

fn json(run: &Run) -> String {
    let mut out = Vec::new();
    play(JsonRenderer::new(&mut out), run);
    String::from_utf8(out).expect("text")
}

fn live(run: &Run) -> String {
    let memory = Memory::default();
    play(memory.live(), run);
    memory.text()
}

/// Wrapped and unwrapped text alike.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn all_renderers_show_stacks_outcomes_and_causes() {
    let run = runs::failed();
    let cause = squeezed("The maximum number of addresses has been reached.");
    let facts = [
        ("lines", lines(&run), "rolled-back", "not-started"),
        ("live", live(&run), "rolled back", "not started"),
        ("json", json(&run), "rolledBack", "notStarted"),
    ];
    for (name, text, rolled_back, not_started) in facts {
        for stack in [
            "base",
            "network",
            "edge",
            "database",
            "control-plane",
            "pool-workers",
        ] {
            assert!(
                text.contains(stack),
                "{name} does not name {stack}:\n{text}"
            );
        }
        let of_nat = ["NAT gateway in eu-west-1b", "NatGatewayB", "CREATE_FAILED"];
        for fact in of_nat.into_iter().chain([rolled_back, not_started]) {
            assert!(
                squeezed(&text).contains(&squeezed(fact)),
                "{name} does not say {fact}:\n{text}"
            );
        }
        let text = squeezed(&text);
        assert!(text.contains(&cause), "{name} lost the cause");
        // A terminal gets five lines; logs and programs get all of it.
        assert!(
            name == "live" || text.contains("ServiceLimitExceeded"),
            "{name} cut the reason"
        );
    }
}

#[test]
fn all_renderers_show_the_notes() {
    let run = runs::whole();
    for text in [lines(&run), live(&run), json(&run)] {
        assert!(text.contains("boot bundle uploaded, 41 kB"), "{text}");
        assert!(text.contains("clusters/canary.lock.yaml"), "{text}");
    }
}

#[test]
fn json_contains_every_event_and_starts_with_its_version() {
    let run = runs::failed();
    let text = json(&run);
    let mut rest = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let version = serde_json::json!({"type": "version", "schema": 1});
    assert_eq!(rest.next(), Some(version));
    let events = run.events.iter();
    let wanted = events.map(|event| serde_json::to_value(event).expect("an event"));
    assert!(rest.eq(wanted));
}

#[test]
fn lines_have_six_columns_that_stay_in_place() {
    let text = lines(&runs::failed());
    let (log, _summary) = text.split_once("\n\n").expect("a log and a summary");
    // Blanks before each column: after the time, stack, logical id and status.
    let gaps = [20, 35, 61, 83];
    for line in log.lines() {
        for gap in gaps {
            assert_eq!(&line[gap..gap + 2], "  ", "{line}");
        }
        for (gap, column) in gaps.iter().zip(["stack", "logical id", "status"]) {
            assert_ne!(&line[gap + 2..gap + 3], " ", "{column} is empty: {line}");
        }
        assert!(line.split_whitespace().count() >= 6, "{line}");
    }
}

#[test]
fn lines_print_a_heartbeat_every_thirty_seconds() {
    let edge = kube_cfn::stacks::StackKind::Edge;
    let run = runs::halfway().resource(176, edge, runs::BALANCER, "CREATE_COMPLETE");
    let mut out = Vec::new();
    let mut renderer = LineRenderer::new(&mut out);
    run.events
        .iter()
        .for_each(|event| renderer.render(event).expect("an event"));
    for second in 177..=360 {
        renderer.tick(at(second)).expect("a tick");
    }
    drop(renderer);
    let text = String::from_utf8(out).expect("text");
    let beats = text.lines().filter(|line| line.contains(" running "));
    assert_eq!(beats.clone().count(), 7, "{text}");
    let slowest = "slowest: database: Postgres 17 on db.t4g.medium";
    assert!(beats.clone().all(|beat| beat.contains(slowest)), "{text}");
}

#[tokio::test(start_paused = true)]
async fn time_between_events_follows_their_own_clock() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let mut out = Vec::new();
    let silent = async move {
        for event in runs::halfway().events {
            sender.send(event).expect("somebody listens");
        }
        tokio::time::sleep(std::time::Duration::from_secs(65)).await;
    };
    let (shown, ()) = tokio::join!(
        follow(LineRenderer::new(&mut out), receiver, Pace::default()),
        silent
    );
    shown.expect("written");
    let text = String::from_utf8(out).expect("text");
    let beats = text.lines().filter(|line| line.contains("  running  "));
    assert!(beats.clone().count() >= 2, "{text}");
    assert!(
        beats
            .clone()
            .all(|beat| beat.starts_with("2026-11-23T10:0"))
    );
    assert!(text.contains("no longer followed after 3m57s"), "{text}");
}

/// A reader that went away after the first line.
struct Gone {
    written: usize,
}

impl Write for Gone {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += 1;
        if self.written > 1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_closed_output_stops_nothing() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    for event in runs::whole().events {
        sender.send(event).expect("somebody listens");
    }
    drop(sender);
    let shown = follow(
        JsonRenderer::new(Gone { written: 0 }),
        receiver,
        Pace::default(),
    )
    .await;
    assert!(shown.is_ok());
}

#[tokio::test]
async fn a_full_disk_is_reported_after_the_run() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    for event in runs::whole().events {
        sender.send(event).expect("somebody listens");
    }
    drop(sender);
    let shown = follow(LineRenderer::new(Full), receiver, Pace::default()).await;
    let kind = shown.expect_err("a full disk").kind();
    assert_eq!(kind, io::ErrorKind::StorageFull);
}

#[test]
fn the_style_follows_the_kind_of_stderr() {
    let desk = Environment {
        terminal: true,
        ci: false,
    };
    let server = Environment {
        terminal: true,
        ci: true,
    };
    let pipe = Environment {
        terminal: false,
        ci: false,
    };
    assert_eq!(Style::Auto.resolve(desk), Style::Live);
    assert_eq!(Style::Auto.resolve(server), Style::Plain);
    assert_eq!(Style::Auto.resolve(pipe), Style::Plain);
    assert_eq!(Style::Live.resolve(server), Style::Live);
    assert_eq!(Style::Live.resolve(pipe), Style::Plain);
    assert_eq!(Style::Plain.resolve(desk), Style::Plain);
    assert_eq!(Style::Json.resolve(desk), Style::Json);
}
