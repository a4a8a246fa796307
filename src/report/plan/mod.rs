//! A plan as data: the view that scripts read, and that [`text`] is made of.

mod changes;
mod checks;
mod drift;
mod forecast;
mod markdown;
mod notes;
mod summary;
mod text;

use std::collections::BTreeMap;

use semver::Version;
use serde::Serialize;

use crate::catalog::durations::{Durations, Span};
use crate::cloud::{Finding, Identity};
use crate::definition::{Defined, Warning};
use crate::forecast::cost::{self, CostRange, Monthly, StackCost};
use crate::forecast::estimate::{self, Estimate};
use crate::forecast::outage::{Outage, outages};
use crate::forecast::prices::Prices;
use crate::plan::{
    self, Action, Blocked, ChangeCounts, Check, DamagedObject, Drifted, Grown, PendingInput, Plan,
    PlannedResource, Risk, Step, StuckResource,
};
use crate::stacks::StackKind;
use changes::{Causes, ChangeView};
use drift::DriftView;

pub use markdown::markdown;
pub use text::{PlanDetail, text};

/// A plan as data.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView<'a> {
    cluster: &'a str,
    account: &'a str,
    region: &'a str,
    /// What is allowed in the definition, and probably not meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    /// Why nothing of it is executed, with the next step of each reason.
    #[serde(skip_serializing_if = "slice_is_empty")]
    refused: &'a [Blocked],
    /// What was looked at before the first stack.
    #[serde(skip_serializing_if = "slice_is_empty")]
    checks: &'a [Check],
    /// Whether a run would change anything.
    changes: bool,
    /// What drift detection found.
    drift: DriftView<'a>,
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
    action: StackAction,
    counts: ChangeCounts,
    /// The Kubernetes version that its machines boot next.
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes: Option<Version>,
    /// The control plane's, where that is another one.
    #[serde(skip)]
    older: Option<Version>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<Span>,
    /// US dollars a month more, or less.
    cost_difference: CostRange,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    creates: Vec<PlannedResource>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeView<'a>>,
    /// What an update means for the users of the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    downtime: Vec<Outage>,
    /// What was changed outside kube-cfn.
    #[serde(skip_serializing_if = "slice_is_empty")]
    drift: &'a [Drifted],
    /// The human sentences of those.
    #[serde(skip)]
    sentences: BTreeMap<&'a str, String>,
    /// Why drift is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift_unknown: Option<&'a str>,
    /// What CloudFormation's early validation says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<FindingView<'a>>,
    /// Warnings about the update.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    pending: &'a [PendingInput],
    #[serde(skip_serializing_if = "slice_is_empty")]
    risks: &'a [Risk],
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<&'a Blocked>,
    /// Whether that is among what refuses the plan as a whole.
    #[serde(skip)]
    refused_above: bool,
    /// What blocks the rollback of the stack.
    #[serde(skip_serializing_if = "slice_is_empty")]
    stuck: &'a [StuckResource],
    /// Of those, what is skipped.
    #[serde(skip_serializing_if = "slice_is_empty")]
    skip: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_protection: Option<bool>,
    /// Whether its stack policy is set back to the wanted one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    policy: bool,
    /// Groups over several zones in which `AZRebalance` is suspended.
    #[serde(skip_serializing_if = "slice_is_empty")]
    rebalancing: &'a [String],
    /// What AWS raised by itself.
    #[serde(skip_serializing_if = "slice_is_empty")]
    grown: &'a [Grown],
    /// Live sizes that could not be read, a sentence each.
    #[serde(skip_serializing_if = "slice_is_empty")]
    sizes_unknown: &'a [String],
    /// Objects in a bucket that are put back.
    #[serde(skip_serializing_if = "slice_is_empty")]
    damaged_objects: &'a [DamagedObject],
}

#[derive(Serialize)]
struct FindingView<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    /// Fields of the definition that decide what it is about, with their place.
    fields: Vec<String>,
}

/// What happens to a stack. The JSON has these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum StackAction {
    Create,
    Recreate,
    Update,
    /// It is planned when the stacks that it depends on are done.
    Later,
    Protect,
    /// Objects in a bucket are put back.
    PutBack,
    /// A process of its groups is suspended.
    Suspend,
    Keep,
    Follow,
    /// The rollback that failed is continued.
    Continue,
    Refused,
    Blocked,
}

impl StackView<'_> {
    /// The human sentence of a resource that is compared with its template.
    fn description(&self, logical_id: &str) -> Option<&str> {
        self.sentences.get(logical_id).map(String::as_str)
    }
}

fn slice_is_empty<T>(slice: &&[T]) -> bool {
    slice.is_empty()
}

/// What the forecasts of a plan are made with.
#[derive(Debug)]
pub struct ForecastInputs {
    pub durations: Durations,
    pub prices: Prices,
}

impl Default for ForecastInputs {
    fn default() -> Self {
        Self {
            durations: Durations::builtin(),
            prices: Prices::table(),
        }
    }
}

/// Makes the view of a plan. Changes are traced to the fields of `defined`.
pub fn view<'a>(
    plan: &'a Plan,
    identity: &'a Identity,
    defined: &Defined,
    inputs: &ForecastInputs,
) -> PlanView<'a> {
    let causes = Causes::new(defined);
    let expected = estimate::estimate(plan, &inputs.durations);
    let cost = cost::monthly(plan, &identity.region, &inputs.prices);
    PlanView {
        cluster: &plan.cluster,
        account: &identity.account,
        region: &identity.region,
        warnings: defined.warnings(),
        refused: &plan.refused,
        checks: &plan.checks,
        changes: plan.has_changes(),
        drift: DriftView::of(plan),
        stacks: plan
            .steps
            .iter()
            .map(|step| stack_view(step, plan, &causes, &expected, &cost))
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

fn stack_view<'a>(
    step: &'a Step,
    plan: &Plan,
    causes: &Causes<'_>,
    expected: &Estimate,
    cost: &Monthly,
) -> StackView<'a> {
    let action = stack_action(step);
    let blocked = match &step.action {
        Action::Blocked(why) => Some(why),
        _ => None,
    };
    let kind = &step.stack.kind;
    let of_stack = cost.stacks.iter().find(|stack| stack.stack == *kind);
    let drifted = step.drift.iter().map(|one| &one.drift.logical_id);
    let resized = step.sizes.grown.iter().map(|one| &one.logical_id);
    let named = drifted.chain(resized).chain(&step.sizes.rebalancing);
    let (stuck, skip) = match &step.action {
        Action::Continue { stuck, skip } => (&stuck[..], &skip[..]),
        _ => (&[][..], &[][..]),
    };
    StackView {
        stack: &step.stack.kind,
        name: &step.stack.name,
        action,
        counts: step.counts(),
        kubernetes: step.stack.kubernetes(),
        older: older(step, plan),
        expected: expected.stacks.get(kind).copied(),
        cost_difference: of_stack.map_or_else(CostRange::default, StackCost::difference),
        creates: match action {
            StackAction::Create | StackAction::Recreate => step.resources(),
            _ => Vec::new(),
        },
        changes: changes::views(step, causes),
        downtime: outages(step),
        drift: &step.drift,
        sentences: named
            .map(|id| (id.as_str(), step.description(id)))
            .collect(),
        drift_unknown: step.drift_unknown.as_deref(),
        findings: step
            .findings
            .iter()
            .map(|finding| FindingView {
                fields: causes.finding(step, finding),
                finding,
            })
            .collect(),
        warnings: match action {
            StackAction::Keep => Vec::new(),
            _ => plan::changes::warnings(step),
        },
        pending: &step.pending,
        risks: &step.risks,
        blocked,
        refused_above: blocked.is_some_and(|why| plan.refused.contains(why)),
        stuck,
        skip,
        termination_protection: step
            .needs_termination_protection_update()
            .then_some(step.stack.termination_protection),
        policy: step.policy_drifted && !matches!(step.action, Action::Blocked(_)),
        rebalancing: match blocked {
            None => &step.sizes.rebalancing,
            Some(_) => &[],
        },
        // The refusal says it already.
        grown: match blocked {
            None => &step.sizes.grown,
            Some(_) => &[],
        },
        sizes_unknown: &step.sizes.unknown,
        damaged_objects: &step.damaged_objects,
    }
}

/// The version of the control plane beside that of a pool that is older.
fn older(step: &Step, plan: &Plan) -> Option<Version> {
    let own = step.stack.kubernetes()?;
    let mut steps = plan.steps.iter();
    let control_plane = steps.find(|step| step.stack.kind == StackKind::ControlPlane)?;
    let version = control_plane.stack.kubernetes()?;
    (own < version).then_some(version)
}

fn stack_action(step: &Step) -> StackAction {
    match &step.action {
        Action::Create => StackAction::Create,
        Action::Replace => StackAction::Recreate,
        Action::Update(_) => StackAction::Update,
        Action::Deferred => StackAction::Later,
        Action::NoChange if step.needs_protection_update() => StackAction::Protect,
        Action::NoChange if !step.damaged_objects.is_empty() => StackAction::PutBack,
        Action::NoChange if !step.sizes.rebalancing.is_empty() => StackAction::Suspend,
        Action::NoChange => StackAction::Keep,
        Action::Follow(_) => StackAction::Follow,
        Action::Continue { .. } => StackAction::Continue,
        Action::Blocked(why) if why.by_guard => StackAction::Refused,
        Action::Blocked(_) => StackAction::Blocked,
    }
}
