//! What a person reads before a roll.

use super::*;
use crate::roll::Obstacle;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn machine(node: &str, obstacles: &[(&str, bool)]) -> MachineForecast {
    MachineForecast {
        stack: "pool-web".to_owned(),
        instance: node.to_owned(),
        reason: Reason::Outdated,
        launched: Some(at("2026-11-20T10:00:00Z")),
        version: Some("v1.36.4".to_owned()),
        pods: 7,
        loses_data: 1,
        span: Span { from: 240, to: 420 },
        obstacles: obstacles
            .iter()
            .map(|(text, refuses)| Obstacle {
                text: (*text).to_owned(),
                refuses: *refuses,
                waiver: None,
            })
            .collect(),
    }
}

fn view(machines: Vec<MachineForecast>) -> RollView {
    let forecast = Forecast {
        machines,
        span: Span {
            from: 600,
            to: 1380,
        },
        api_is_away: false,
        has_rest: true,
    };
    let options = Options::new("canary");
    let now = at("2026-11-23T10:00:00Z");
    RollView::of("canary", &forecast, &options, "kube-cfn roll canary", now)
}

#[test]
fn machine_has_a_row_and_each_obstacle_is_said_once() {
    let pinned =
        "pod shop/once belongs to no controller and would not come back: --lose-pod shop/once";
    let machines = vec![
        machine("i-0a", &[("no room for shop/db-0", false)]),
        machine("i-0b", &[("no room for shop/db-0", false), (pinned, true)]),
    ];
    let view = view(machines);
    let shown = text(&view);
    let row = shown.lines().nth(1).unwrap_or_default();
    let row: Vec<_> = row.split_whitespace().collect();
    assert_eq!(
        row,
        ["i-0a", "pool-web", "outdated", "3d", "v1.36.4", "7", "4-7m"]
    );
    assert_eq!(shown.matches("no room for shop/db-0").count(), 1, "{shown}");
    assert!(shown.contains("-- i-0a, i-0b: no room"), "{shown}");
    assert!(shown.contains("!! i-0b: pod shop/once"), "{shown}");
    assert!(shown.contains("!! 2 pods lose local data"), "{shown}");
    assert!(
        shown.ends_with("2 machines to replace, about 10-23m"),
        "{shown}"
    );
    let refused = refusal(&view).expect("refused");
    assert!(
        refused.contains(pinned) && !refused.contains("no room"),
        "{refused}"
    );
}

#[test]
fn nothing_outdated_says_what_was_looked_at() {
    let mut view = view(Vec::new());
    let rest = text(&view);
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = "`kube-cfn roll canary` waits until";
    assert!(rest.contains(wanted), "{rest}");
    assert_eq!(
        question(&view),
        "Finish what an earlier roll of canary left?"
    );
    view.has_rest = false;
    assert_eq!(
        text(&view),
        "nothing to roll: no machine of a node pool of canary is outdated"
    );
    assert_eq!(refusal(&view), None);
}

#[test]
fn stop_without_a_machine_names_its_stack_and_no_console() {
    let stop = |instance: &str| Stop {
        stack: "pool-web".to_owned(),
        instance: instance.to_owned(),
        text: "why".to_owned(),
    };
    assert_eq!(stops(&[stop("")]), "\n  - pool-web: why");
    assert_eq!(look_closer(&[stop("")], "eu-west-1"), "");
    let both = [stop(""), stop("i-1")];
    assert!(look_closer(&both, "eu-west-1").ends_with("--instance-id i-1`"));
}
