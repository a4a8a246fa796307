//! What a roll would replace and what would block it, as text and as data; why one stopped.

#[cfg(test)]
mod tests;
mod unfinished;

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::format::table;
use crate::catalog::durations::Span;
use crate::common::duration::{age, estimate};
use crate::common::text::{count, listed_line};
use crate::roll::{Forecast, MachineForecast, Options, Reason, RollScope, Stop};

pub use unfinished::RollState;

/// What a roll would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RollView {
    cluster: String,
    machines: Vec<MachineRow>,
    /// Seconds that it takes in all.
    seconds: SpanRow,
    /// Whether the Kubernetes API is away for some minutes meanwhile.
    api_is_away: bool,
    /// Whether something of an earlier roll is left to do, beside the machines.
    has_rest: bool,
    /// What keeps it from beginning.
    refusals: Vec<String>,
    /// The command without `--plan`.
    command: String,
    /// What is rolled where nothing is outdated, in words.
    #[serde(skip)]
    scope: String,
    #[serde(skip)]
    now: Timestamp,
}

/// A machine that would be replaced.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MachineRow {
    node: String,
    stack: String,
    reason: &'static str,
    launched: Option<Timestamp>,
    /// Of its kubelet; `None` where it is no node.
    version: Option<String>,
    pods: usize,
    /// Pods of those that lose data with the machine.
    pods_losing_data: usize,
    seconds: SpanRow,
    obstacles: Vec<ObstacleRow>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ObstacleRow {
    text: String,
    /// Whether nothing begins before it is gone or waived by name.
    refuses: bool,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct SpanRow {
    from: u32,
    to: u32,
}

impl From<Span> for SpanRow {
    fn from(span: Span) -> Self {
        Self {
            from: span.from,
            to: span.to,
        }
    }
}

impl RollView {
    /// `command` goes on without `--plan`; ages are counted to `now`.
    pub fn of(
        cluster: &str,
        forecast: &Forecast,
        options: &Options,
        command: &str,
        now: Timestamp,
    ) -> Self {
        let mut refusals: Vec<String> = Vec::new();
        for (_, obstacle) in forecast.refusals() {
            if !refusals.contains(&obstacle.text) {
                refusals.push(obstacle.text.clone());
            }
        }
        Self {
            cluster: cluster.to_owned(),
            machines: forecast.machines.iter().map(row).collect(),
            seconds: forecast.span.into(),
            api_is_away: forecast.api_is_away,
            has_rest: forecast.has_rest,
            refusals,
            command: command.to_owned(),
            scope: scope(options),
            now,
        }
    }
}

fn row(machine: &MachineForecast) -> MachineRow {
    let obstacles = machine.obstacles.iter().map(|obstacle| ObstacleRow {
        text: obstacle.text.clone(),
        refuses: obstacle.refuses,
    });
    MachineRow {
        node: machine.instance.clone(),
        stack: machine.stack.clone(),
        reason: match machine.reason {
            Reason::Outdated => "outdated",
            Reason::Old => "old",
            Reason::Named => "named",
            Reason::Detached => "detached",
        },
        launched: machine.launched,
        version: machine.version.clone(),
        pods: machine.pods,
        pods_losing_data: machine.loses_data,
        seconds: machine.span.into(),
        obstacles: obstacles.collect(),
    }
}

fn scope(options: &Options) -> String {
    match &options.scope {
        RollScope::Pools => "no machine of a node pool".to_owned(),
        RollScope::Named(pools) => {
            let names: Vec<_> = pools.iter().map(String::as_str).collect();
            format!("no machine of {}", names.join(", "))
        }
        RollScope::ControlPlane => "no control-plane node".to_owned(),
        RollScope::All => "no machine".to_owned(),
        RollScope::Node(node) => format!("not {node}"),
    }
}

/// The view as text for 80 columns.
pub fn text(view: &RollView) -> String {
    if view.machines.is_empty() {
        let nothing = format!(
            "nothing to roll: {} of {} is outdated",
            view.scope, view.cluster
        );
        if !view.has_rest {
            return nothing;
        }
        let rest = format!(
            "an earlier roll is not at its end, or a machine is new: `{}` waits until all is complete, and takes its marks away",
            view.command
        );
        return format!("{nothing}\n{}", listed_line("-- ", &rest));
    }
    let rows = view.machines.iter().map(|machine| {
        let launched = machine.launched.map(|at| age(view.now.duration_since(at)));
        vec![
            machine.node.clone(),
            machine.stack.clone(),
            machine.reason.to_owned(),
            launched.unwrap_or_default(),
            machine
                .version
                .clone()
                .unwrap_or_else(|| "no node".to_owned()),
            machine.pods.to_string(),
            estimate(machine.seconds.from, machine.seconds.to),
        ]
    });
    let header = ["NODE", "STACK", "WHY", "AGE", "VERSION", "PODS", "TIME"];
    let mut text = table(&header, rows);
    for line in blocks(view) {
        text.push('\n');
        text.push_str(&line);
    }
    let losing: usize = view
        .machines
        .iter()
        .map(|machine| machine.pods_losing_data)
        .sum();
    if losing > 0 {
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "\n!! {} local data (emptyDir)",
            verb(losing, "pod", "lose")
        );
    }
    let all = estimate(view.seconds.from, view.seconds.to);
    let _ = write!(
        text,
        "\n{} to replace, about {all}",
        count(view.machines.len(), "machine")
    );
    if view.api_is_away {
        let away = "the Kubernetes API is away for 4-7m: the only control-plane node is replaced; workloads keep running, \
                    controllers restart";
        text.push('\n');
        text.push_str(&listed_line("!! ", away));
    }
    text
}

fn verb(number: usize, noun: &str, verb: &str) -> String {
    let ending = if number == 1 { "s" } else { "" };
    format!("{} {verb}{ending}", count(number, noun))
}

/// What will block: each text once, with the machines that it is of.
fn blocks(view: &RollView) -> Vec<String> {
    let mut found: Vec<(&str, bool, Vec<&str>)> = Vec::new();
    for machine in &view.machines {
        for obstacle in &machine.obstacles {
            match found.iter_mut().find(|(text, ..)| *text == obstacle.text) {
                Some((_, _, nodes)) => nodes.push(&machine.node),
                None => found.push((&obstacle.text, obstacle.refuses, vec![&machine.node])),
            }
        }
    }
    let line = |(text, refuses, nodes): (&str, bool, Vec<&str>)| {
        let mark = if refuses { "!! " } else { "-- " };
        listed_line(mark, &format!("{}: {text}", nodes.join(", ")))
    };
    found.into_iter().map(line).collect()
}

/// Why a roll may not begin; `None` where it may.
pub fn refusal(view: &RollView) -> Option<String> {
    if view.refusals.is_empty() {
        return None;
    }
    let lines = view.refusals.iter().map(|line| format!("\n  - {line}"));
    let lines = lines.collect::<Vec<_>>().concat();
    Some(format!(
        "{} is not rolled, nothing was changed; some pods can't leave their machines:{lines}",
        view.cluster
    ))
}

/// What helps then.
pub fn remedy(command: &str) -> String {
    format!("remove the cause, or consent by name with the flags above, then re-run `{command}`")
}

/// What is asked before anything moves.
pub fn question(view: &RollView) -> String {
    if view.machines.is_empty() {
        return format!("Finish what an earlier roll of {} left?", view.cluster);
    }
    let machines = count(view.machines.len(), "machine");
    let away = if view.api_is_away {
        " (the API is away meanwhile)"
    } else {
        ""
    };
    format!("Replace {machines} of {}{away}?", view.cluster)
}

/// Why a roll stopped, a line each.
pub fn stops(stops: &[Stop]) -> String {
    let line = |stop: &Stop| match stop.instance.as_str() {
        "" => format!("\n  - {}: {}", stop.stack, stop.text),
        id => format!("\n  - {id} ({}): {}", stop.stack, stop.text),
    };
    stops.iter().map(line).collect::<Vec<_>>().concat()
}

/// How to see more of the machines that stopped a roll.
pub fn look_closer(stops: &[Stop], region: &str) -> String {
    match stops.iter().find(|stop| !stop.instance.is_empty()) {
        Some(stop) => format!(
            "the console of {}: `aws ec2 get-console-output --region {region} --latest --output text --instance-id {}`",
            stop.instance, stop.instance
        ),
        None => String::new(),
    }
}
