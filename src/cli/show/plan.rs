//! A plan as data: the view that scripts read, and that [`text`] is made of.

mod forecast;
mod markdown;
mod text;

use serde::Serialize;

use crate::catalog::durations::{Durations, Span};
use crate::catalog::prices::Prices;
use crate::cloud::{Identity, ResourceChange};
use crate::plan::cost::{self, Monthly, Range, StackCost};
use crate::plan::estimate::{self, Estimate};
use crate::plan::{Action, Blocked, Counts, Pending, Plan, Planned, Risk, Step, Stuck};
use crate::stacks::StackKind;

pub use markdown::markdown;
pub use text::{Detail, text};

/// A plan as data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View<'a> {
    cluster: &'a str,
    account: &'a str,
    region: &'a str,
    /// Whether a run would change anything.
    changes: bool,
    stacks: Vec<StackView<'a>>,
    /// How long it takes, in seconds.
    expected: Estimate,
    /// What it costs a month before and after: an estimate.
    cost: Monthly,
    /// Stacks in AWS that the definition no longer has; they are left alone.
    leftover: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StackView<'a> {
    stack: &'a StackKind,
    name: &'a str,
    action: Word,
    counts: Counts,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Span>,
    /// US dollars a month more, or less.
    cost_difference: Range,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    creates: Vec<Planned>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeView<'a>>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    pending: &'a [Pending],
    #[serde(skip_serializing_if = "slice_is_empty")]
    risks: &'a [Risk],
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<&'a Blocked>,
    /// What keeps the stack from going back.
    #[serde(skip_serializing_if = "slice_is_empty")]
    stuck: &'a [Stuck],
    /// Of those, what is left as it is.
    #[serde(skip_serializing_if = "slice_is_empty")]
    skip: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_protection: Option<bool>,
    /// Whether its stack policy is set back to the wanted one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    policy: bool,
}

#[derive(Serialize)]
struct ChangeView<'a> {
    sentence: String,
    #[serde(flatten)]
    change: &'a ResourceChange,
}

/// What happens to a stack, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Word {
    Create,
    Recreate,
    Update,
    /// It changes when the stacks before it are done.
    Later,
    Protect,
    Keep,
    Follow,
    /// The rollback that failed is gone on with.
    Continue,
    Refused,
    Blocked,
}

fn slice_is_empty<T>(slice: &&[T]) -> bool {
    slice.is_empty()
}

/// What a plan is weighed with.
#[derive(Debug)]
pub struct Scales {
    pub durations: Durations,
    pub prices: Prices,
}

impl Default for Scales {
    fn default() -> Self {
        Self {
            durations: Durations::builtin(),
            prices: Prices::table(),
        }
    }
}

/// Makes the view of a plan.
pub fn view<'a>(plan: &'a Plan, identity: &'a Identity, scales: &Scales) -> View<'a> {
    let expected = estimate::estimate(plan, &scales.durations);
    let cost = cost::monthly(plan, &identity.region, &scales.prices);
    View {
        cluster: &plan.cluster,
        account: &identity.account,
        region: &identity.region,
        changes: plan.has_changes(),
        stacks: plan
            .steps
            .iter()
            .map(|step| stack_view(step, &expected, &cost))
            .collect(),
        expected,
        cost,
        leftover: plan
            .leftover
            .iter()
            .map(|found| found.name.as_str())
            .collect(),
    }
}

fn stack_view<'a>(step: &'a Step, expected: &Estimate, cost: &Monthly) -> StackView<'a> {
    let action = word(step);
    let kind = &step.stack.kind;
    let of_stack = cost.stacks.iter().find(|stack| stack.stack == *kind);
    let changes = step.change_set().map_or(&[][..], |set| &set.changes);
    let (stuck, skip) = match &step.action {
        Action::Continue { stuck, skip } => (&stuck[..], &skip[..]),
        _ => (&[][..], &[][..]),
    };
    StackView {
        stack: &step.stack.kind,
        name: &step.stack.name,
        action,
        counts: step.counts(),
        expected: expected.stacks.get(kind).copied(),
        cost_difference: of_stack.map_or_else(Range::default, StackCost::difference),
        creates: match action {
            Word::Create | Word::Recreate => step.resources(),
            _ => Vec::new(),
        },
        changes: changes
            .iter()
            .map(|change| ChangeView {
                sentence: step.sentence(&change.logical_id),
                change,
            })
            .collect(),
        pending: &step.pending,
        risks: &step.risks,
        blocked: match &step.action {
            Action::Blocked(why) => Some(why),
            _ => None,
        },
        stuck,
        skip,
        termination_protection: step.relocks().then_some(step.stack.termination_protection),
        policy: step.unguarded && !matches!(step.action, Action::Blocked(_)),
    }
}

fn word(step: &Step) -> Word {
    match &step.action {
        Action::Create => Word::Create,
        Action::Recreate => Word::Recreate,
        Action::Update(_) => Word::Update,
        Action::Later => Word::Later,
        Action::Keep if step.reprotects() => Word::Protect,
        Action::Keep => Word::Keep,
        Action::Follow(_) => Word::Follow,
        Action::Continue { .. } => Word::Continue,
        Action::Blocked(why) if why.guard => Word::Refused,
        Action::Blocked(_) => Word::Blocked,
    }
}
