//! The timeline of a run: golden charts for the terminal, and a page that stays valid with any text in the
//! events.

mod history;
mod path;

use kube_cfn::events::{Outcome, Verb};
use kube_cfn::stacks::StackKind::Edge;
use kube_cfn::templates::Templates;
use kube_cfn::timeline::{ChartDetail, Timeline, page, text};

use crate::progress::runs::{self, Run, expected};
use crate::support::golden;

const SOURCE: &str = "from the local record";

fn course(run: &Run) -> Timeline {
    Timeline::of(&run.events).expect("a run that began")
}

fn drawn(run: &Run) -> String {
    page(&course(run), SOURCE, &Templates::new(None).unwrap()).unwrap()
}

fn chart(name: &str, run: &Run) {
    for (detail, file) in [
        (ChartDetail::Stacks, "stacks"),
        (ChartDetail::Resources, "resources"),
    ] {
        let chart = text(&course(run), SOURCE, detail, 80);
        golden::check(&format!("timeline/{name}/{file}.txt"), &chart);
    }
}

#[test]
fn a_whole_run_has_a_critical_path_and_slack_beside_it() {
    chart("whole", &runs::whole());
}

#[test]
fn a_failed_run_names_place_and_cause() {
    chart("failed", &runs::failed());
}

#[test]
fn a_detached_run_is_drawn_as_far_as_it_was_followed() {
    chart("halfway", &runs::halfway());
}

#[test]
fn a_deletion_runs_in_reverse_order() {
    chart("deleting", &runs::deleting());
}

#[test]
fn the_timeline_page_matches_its_golden_file() {
    golden::check("timeline/failed/page.html", &drawn(&runs::failed()));
}

/// The elements of a page, in order; panics where they do not close as they opened.
fn balanced(page: &str) -> usize {
    const VOID: &[&str] = &["!DOCTYPE", "meta"];
    let mut open: Vec<&str> = Vec::new();
    let mut count = 0;
    for piece in page.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split_whitespace().next().expect("a tag has a name");
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed: {piece}");
        } else if !VOID.contains(&name) {
            assert_eq!(tag.matches('"').count() % 2, 0, "quotes of {tag}");
            open.push(name);
            count += 1;
        }
    }
    assert_eq!(open, Vec::<&str>::new());
    count
}

#[test]
fn timeline_pages_are_self_contained() {
    for run in [
        runs::whole(),
        runs::failed(),
        runs::failing(),
        runs::halfway(),
        runs::update(),
        runs::nothing(),
        runs::deleting(),
        runs::strange(),
        runs::twelve(),
    ] {
        let page = drawn(&run);
        assert!(balanced(&page) > 20);
        for elsewhere in [
            "http", "src=", "href", "url(", "@import", "<script", "<link",
        ] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
        assert!(!page.contains("NaN"));
    }
}

#[test]
fn event_texts_are_escaped() {
    let hostile = "<script>alert(1)</script>\"' onload=\"x\" &lt;";
    let what = format!("Nat AWS::EC2::NatGateway {hostile}");
    let run = Run::start(
        Verb::Create,
        vec![expected(Edge, Some(Verb::Create), 1, &[])],
    )
    .stack(1, Edge, Verb::Create)
    .resource(2, Edge, &what, "CREATE_IN_PROGRESS")
    .because(9, Edge, &what, "CREATE_FAILED", Some(hostile))
    .settled(20, Edge, Outcome::Unchanged)
    .finished(20, false);
    let page = drawn(&run);
    assert!(balanced(&page) > 20);
    assert!(!page.contains("<script") && !page.contains("\"x\""));
    let safe = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=&quot;x&quot; &amp;lt;";
    assert!(page.matches(safe).count() >= 3, "{page}");
}
