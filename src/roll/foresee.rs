//! What a roll would do, said before anything moves: the machines, how long each takes, and what will block. Pure.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;

use super::drain::has_to_go;
use super::estimate::covers;
use super::memory::Memory;
use super::observed::Observed;
use super::select::{Reason, select};
use super::step::{End, next};
use super::{CONTROL_PLANE, Options, RollScope, drain_seconds, text};
use crate::catalog::durations::{SLOT_REPLACEMENT, Span, TERMINATION, WORKER_BOOT};
use crate::cloud::{Budget, Instance, PodOwner, PodPhase, PodState};

/// Seconds for the looks at a new machine and the pause before the first eviction.
const CHECKS: u32 = 15;

/// What a roll would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forecast {
    /// The control plane's first, then by stack and id; empty: nothing to roll.
    pub machines: Vec<MachineForecast>,
    /// What it takes in all. Pools run side by side, after the control plane.
    pub span: Span,
    /// Whether the Kubernetes API is away meanwhile: its only control-plane node is replaced.
    pub api_is_away: bool,
    /// Whether something of an earlier roll is left, or a machine is not complete yet: a run waits for it and tidies up.
    pub has_rest: bool,
}

/// A machine that would be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineForecast {
    /// The tag of its stack.
    pub stack: String,
    /// The instance's id, which is its node's name.
    pub instance: String,
    pub reason: Reason,
    pub launched: Option<Timestamp>,
    /// Of its kubelet; `None` where it has no node.
    pub version: Option<String>,
    /// Pods that have to leave it.
    pub pods: usize,
    /// Pods of those whose emptyDir or local data ends.
    pub loses_data: usize,
    /// Seconds until it is replaced, once its turn comes.
    pub span: Span,
    pub obstacles: Vec<Obstacle>,
}

/// Something that will block a drain, or that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obstacle {
    pub text: String,
    /// Whether nothing may begin before it is gone, or is waived by name.
    pub refuses: bool,
    /// What waives it.
    pub waiver: Option<Waiver>,
}

/// The argument that accepts a loss by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiver {
    /// A pod: `NAMESPACE/NAME`.
    LosePod(String),
    /// A budget: `NAMESPACE/NAME`.
    EvictAnyway(String),
}

impl fmt::Display for Waiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LosePod(name) => write!(f, "--lose-pod {name}"),
            Self::EvictAnyway(name) => write!(f, "--evict-anyway {name}"),
        }
    }
}

impl Forecast {
    /// What keeps the roll from beginning; empty where it may.
    pub fn refusals(&self) -> impl Iterator<Item = (&MachineForecast, &Obstacle)> {
        let all = self.machines.iter();
        let all = all.flat_map(|one| one.obstacles.iter().map(move |obstacle| (one, obstacle)));
        all.filter(|(_, obstacle)| obstacle.refuses)
    }
}

/// What a roll would do now.
pub fn foresee(seen: &Observed, options: &Options) -> Forecast {
    let memory = Memory::new(seen.at);
    let selection = select(seen, &memory, options);
    let found = selection.iter().filter_map(|(id, reason)| {
        let one = seen.instances.get(id)?;
        Some(machine(seen, options, one, reason))
    });
    let mut machines: Vec<MachineForecast> = found.collect();
    machines.sort_by_key(|one| {
        (
            one.stack != CONTROL_PLANE,
            one.stack.clone(),
            one.instance.clone(),
        )
    });
    let mut known = BTreeSet::new();
    for one in &mut machines {
        // Of the whole stack: said once, with its first machine.
        if known.insert(one.stack.clone()) {
            one.obstacles.extend(of_stack(seen, options, &one.stack));
        }
    }
    let mut looked = memory;
    looked.observe(seen, &options.versions);
    let end = next(seen, &looked, options).end;
    let has_slot = machines.iter().any(|one| one.stack == CONTROL_PLANE);
    Forecast {
        span: whole(seen, options, &machines),
        api_is_away: has_slot && seen.groups_of(CONTROL_PLANE).count() == 1,
        has_rest: end != Some(End::Finished),
        machines,
    }
}

fn machine(seen: &Observed, options: &Options, one: &Instance, reason: Reason) -> MachineForecast {
    let id = one.id.as_str();
    let pods: Vec<&PodState> = seen
        .pods_on(id)
        .filter(|pod| has_to_go(pod) && pod.phase != PodPhase::Finished)
        .collect();
    let mut obstacles: Vec<Obstacle> = Vec::new();
    match text::lost(seen, id) {
        Some(text) => obstacles.push(Obstacle {
            text,
            refuses: false,
            waiver: None,
        }),
        None => obstacles.extend(
            pods.iter()
                .flat_map(|pod| obstacles_of(seen, options, one, pod)),
        ),
    }
    if one.template.is_none() && reason == Reason::Outdated {
        obstacles.push(Obstacle {
            text: text::no_template(id),
            refuses: true,
            waiver: None,
        });
    }
    let stack = one.stack.clone().unwrap_or_default();
    MachineForecast {
        span: span(seen, &stack, id),
        stack,
        instance: id.to_owned(),
        reason,
        launched: one.launched,
        version: seen.nodes.get(id).map(|node| node.version.clone()),
        loses_data: pods.iter().filter(|pod| pod.loses_local_data).count(),
        pods: pods.len(),
        obstacles,
    }
}

/// What keeps every machine of a stack from being replaced.
fn of_stack(seen: &Observed, options: &Options, stack: &str) -> Vec<Obstacle> {
    let suspended = seen.groups_of(stack).filter_map(text::suspended);
    let all = suspended.chain(skew(seen, options, stack));
    let refuse = |text| Obstacle {
        text,
        refuses: true,
        waiver: None,
    };
    all.map(refuse).collect()
}

/// Whether new machines of a pool would run a kubelet of a newer minor version than an API server, which Kubernetes does not
/// support (kubernetes.io/releases/version-skew-policy). The control plane of a whole roll is replaced first.
fn skew(seen: &Observed, options: &Options, stack: &str) -> Option<String> {
    if stack == CONTROL_PLANE || options.scope == RollScope::All {
        return None;
    }
    let wanted = options.versions.get(stack)?;
    let of_control_plane = seen.nodes.values().filter(|node| {
        let one = seen.instances.get(&node.name);
        one.is_some_and(|one| one.is_of(CONTROL_PLANE) && one.state.is_alive())
    });
    let oldest = of_control_plane.min_by_key(|node| minor(&node.version))?;
    (minor(wanted)? > minor(&oldest.version)?)
        .then(|| text::too_new(stack, wanted, &oldest.name, &oldest.version))
}

/// Major and minor version: `(1, 36)` of `v1.36.2`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let mut number = || numbers.next()?.parse().ok();
    Some((number()?, number()?))
}

fn obstacles_of(
    seen: &Observed,
    options: &Options,
    one: &Instance,
    pod: &PodState,
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut refuse = |text: String, waiver: Waiver| {
        found.push(Obstacle {
            text,
            refuses: true,
            waiver: Some(waiver),
        });
    };
    let of_budget =
        |budget: &Budget| Waiver::EvictAnyway(format!("{}/{}", budget.namespace, budget.name));
    if pod.owner == PodOwner::Nobody && !options.may_lose(pod) {
        let name = format!("{}/{}", pod.pod.namespace, pod.pod.name);
        refuse(text::no_controller(pod), Waiver::LosePod(name));
    }
    let budgets: Vec<&Budget> = seen
        .budgets
        .iter()
        .filter(|budget| covers(budget, pod))
        .collect();
    let is_waived = options.breaks_budget(seen, pod);
    match budgets.as_slice() {
        [budget] if never_allows(budget) && !is_waived => {
            let waiver = of_budget(budget);
            let text = text::budget_numbers(budget);
            refuse(format!("{text}, whatever becomes Ready: {waiver}"), waiver);
        }
        // Each has to be waived.
        several @ [_, _, ..] if !is_waived => {
            for waiver in several.iter().map(|budget| of_budget(budget)) {
                let text = text::several_budgets(&pod.pod, several);
                refuse(format!("{text}: {waiver}"), waiver);
            }
        }
        _ => {}
    }
    if let Some(text) = text::no_place(seen, one, pod) {
        found.push(Obstacle {
            text,
            refuses: false,
            waiver: None,
        });
    }
    found
}

/// Whether a budget allows no eviction even when all its pods are healthy.
fn never_allows(budget: &Budget) -> bool {
    budget.allowed == 0 && budget.expected > 0 && budget.desired_healthy >= budget.expected
}

fn span(seen: &Observed, stack: &str, id: &str) -> Span {
    if stack == CONTROL_PLANE {
        return SLOT_REPLACEMENT.span();
    }
    let boot = WORKER_BOOT.span();
    let end = TERMINATION.span();
    let drain = u32::try_from(drain_seconds(seen, id)).unwrap_or(u32::MAX);
    Span {
        from: boot.from.saturating_add(CHECKS).saturating_add(drain / 2),
        to: boot
            .to
            .saturating_add(CHECKS)
            .saturating_add(drain)
            .saturating_add(end.to),
    }
}

/// The control plane one after the other, then the pools side by side: in each the first machine alone, then so many at once.
fn whole(seen: &Observed, options: &Options, machines: &[MachineForecast]) -> Span {
    let of = |stack: &str| {
        let all = machines.iter().filter(|one| one.stack == stack);
        let spans: Vec<Span> = all.map(|one| one.span).collect();
        let wanted = seen.groups_of(stack).map(|group| group.desired);
        let lanes = match stack {
            CONTROL_PLANE => 1,
            _ => options.surge.lanes(wanted.fold(0, u32::saturating_add)),
        };
        let lanes = u32::try_from(lanes).unwrap_or(u32::MAX).max(1);
        let take = |of: fn(&Span) -> u32| {
            let first = spans.first().map_or(0, of);
            let rest: u32 = spans.iter().skip(1).map(of).fold(0, u32::saturating_add);
            let longest = spans.iter().skip(1).map(of).max().unwrap_or(0);
            first.saturating_add(rest.div_ceil(lanes).max(longest))
        };
        (take(|span| span.from), take(|span| span.to))
    };
    let (from, to) = of(CONTROL_PLANE);
    let pools = seen.pools().into_iter().map(of);
    let longest = pools.fold((0, 0), |(a, b), (from, to)| (a.max(from), b.max(to)));
    Span {
        from: from.saturating_add(longest.0),
        to: to.saturating_add(longest.1),
    }
}
