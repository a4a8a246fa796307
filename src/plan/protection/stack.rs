//! What the stacks say of a cluster's data. Four layers hold the database: its own deletion protection; both of the
//! template's policies, with the automated backups kept; the stack policy; the stack's termination protection. The
//! other resources that hold data have the last two, and the policies where their template gives any.
//!
//! A template beside the definition may drop a policy that the tool's own has: it is missing all the same.

use serde_json::Value;

use super::super::stack_policy;
use super::keepers::{DATABASE, Keeper, kept};
use super::{LayerState, ProtectionLayer, StateText, missing, unknown};
use crate::catalog::resources::stored_data;
use crate::cloud::{DriftReport, LiveStack};
use crate::common::arn::region_option;
use crate::common::text::count;
use crate::stacks::Stack;

/// A stack as it should be.
#[derive(Debug, Clone, Copy)]
pub struct WantedProtection<'a> {
    pub stack: &'a Stack,
    /// The same from the tool's own templates, without those beside the definition.
    pub own: &'a Stack,
    /// The directory of the templates beside the definition.
    pub overrides: &'a str,
}

/// A stack as it is in AWS.
#[derive(Debug, Clone, Copy)]
pub struct LiveProtection<'a> {
    pub found: &'a LiveStack,
    pub template: Option<&'a Value>,
    /// The stack policy in force, or why it could not be read.
    pub policy: &'a Result<Option<Value>, String>,
    /// What was changed by hand, or why it could not be found out.
    pub drift: &'a Result<DriftReport, String>,
}

/// A state and the remedy where it is missing.
type Verdict = (StateText, String);

/// Every layer of a stack; none for a stack that holds no data.
pub fn layers(wanted: WantedProtection<'_>, live: LiveProtection<'_>) -> Vec<ProtectionLayer> {
    let stack = wanted.stack;
    let Some(wanted_policy) = &stack.policy else {
        return Vec::new();
    };
    let apply = format!("`kube-cfn apply {}`", live.found.cluster);
    let layer = |id: Option<&str>, layer, ((state, text), remedy): Verdict| ProtectionLayer {
        stack: stack.kind.clone(),
        resource: id.map(|id| stack.description(id).unwrap_or(id).to_owned()),
        layer,
        state,
        text,
        next: (state == LayerState::Missing).then_some(remedy),
    };
    let termination = switched(
        stack.termination_protection,
        live.found.termination_protection,
    );
    let policy = stack_policy(wanted_policy, live);
    let mut layers = vec![
        layer(None, "termination protection", (termination, apply.clone())),
        layer(None, "stack policy", (policy, apply.clone())),
    ];
    for (id, of_type) in data_bearing(wanted) {
        let one = DataResource {
            id,
            of_type,
            wanted,
            live,
        };
        let policies = one.policies();
        layers.extend(policies.map(|verdict| layer(Some(id), "policies", verdict)));
        if of_type == DATABASE {
            let verdict = one.deletion_protection();
            layers.push(layer(Some(id), "deletion protection", verdict));
        }
    }
    layers
}

/// Logical id and type of what holds data, in the wanted template or in the tool's own.
fn data_bearing(wanted: WantedProtection<'_>) -> Vec<(&str, &str)> {
    let holding = |(_, of_type): &(&str, &str)| stored_data(of_type).is_some();
    let mut all: Vec<_> = wanted.stack.resources().filter(holding).collect();
    for own in wanted.own.resources().filter(holding) {
        if !all.iter().any(|(id, _)| *id == own.0) {
            all.push(own);
        }
    }
    all
}

fn switched(wanted: bool, live: bool) -> StateText {
    match (wanted, live) {
        (_, true) => (LayerState::Holds, "on".to_owned()),
        (false, false) => (LayerState::Open, "off, as the definition says".to_owned()),
        (true, false) => missing("off"),
    }
}

fn stack_policy(wanted: &Value, live: LiveProtection<'_>) -> StateText {
    let in_force = match live.policy {
        Err(why) => return unknown(format!("can't be read: {why}")),
        Ok(policy) => stack_policy::protected_resources(policy.as_ref()),
    };
    let asked = stack_policy::protected_resources(Some(wanted));
    let open: Vec<&str> = asked.difference(&in_force).map(String::as_str).collect();
    if open.is_empty() {
        return (
            LayerState::Holds,
            format!("protects {}", count(asked.len(), "resource")),
        );
    }
    missing(format!("allows to replace and delete {}", open.join(", ")))
}

/// A resource that holds data.
#[derive(Clone, Copy)]
struct DataResource<'a> {
    id: &'a str,
    of_type: &'a str,
    wanted: WantedProtection<'a>,
    live: LiveProtection<'a>,
}

impl DataResource<'_> {
    fn body<'t>(&self, template: &'t Value) -> Option<&'t Value> {
        template.get("Resources")?.get(self.id)
    }

    /// Both policies of a resource, and of a database the backups: where a template keeps it.
    fn policies(&self) -> Option<Verdict> {
        let (stack, own) = (&self.wanted.stack.template, &self.wanted.own.template);
        let keeps = |keeper: Keeper, template: &Value| {
            self.body(template).is_some() && keeper.keeps(template, self.id, self.of_type)
        };
        let mut asked = Keeper::ALL.to_vec();
        asked.retain(|keeper| keeps(*keeper, stack) || keeps(*keeper, own));
        if asked.is_empty() {
            return None;
        }
        let live = self.live.template.filter(|live| self.body(live).is_some());
        let Some(live) = live else {
            return Some((missing("not in the stack"), self.apply()));
        };
        let mut open = asked;
        open.retain(|keeper| !keeps(*keeper, live));
        if open.is_empty() {
            let kept = kept(live, self.id, self.of_type);
            return Some(((LayerState::Holds, kept), String::new()));
        }
        let dropped: Vec<Keeper> = open
            .iter()
            .copied()
            .filter(|one| !keeps(*one, stack))
            .collect();
        let names: Vec<&str> = open.iter().map(|keeper| keeper.attribute()).collect();
        let whose = match dropped[..] {
            [] => String::new(),
            _ => format!(", as {} has it", self.override_file()),
        };
        let data = stored_data(self.of_type).unwrap_or("its data");
        let text = format!(
            "open: {}{whose}; what is lost then: {data}",
            names.join(", ")
        );
        Some((missing(text), self.restored(&dropped)))
    }

    fn apply(&self) -> String {
        format!("`kube-cfn apply {}`", self.live.found.cluster)
    }

    fn override_file(&self) -> String {
        let WantedProtection { own, overrides, .. } = self.wanted;
        format!("{overrides}/{}", own.kind.template())
    }

    /// What brings the policies back. CloudFormation takes a changed policy only along with a change of a resource.
    fn restored(&self, dropped: &[Keeper]) -> String {
        let apply = self.apply();
        let along = "with another change of the stack, a tag in `tags` for one: CloudFormation ignores a policy that \
                     changes alone";
        if dropped.is_empty() {
            return format!("{apply}, {along}");
        }
        let own = &self.wanted.own.template;
        let lines = dropped.iter().map(|keeper| {
            let value = keeper.value(own, self.id, self.of_type);
            format!("`{}: {value}`", keeper.attribute())
        });
        let lines: Vec<String> = lines.collect();
        let file = self.override_file();
        format!(
            "write {} at {} in {file}, then {apply}, {along}",
            lines.join(" and "),
            self.id
        )
    }

    /// As in the template, unless it was changed outside kube-cfn since; then with the command that switches
    /// it on.
    fn deletion_protection(&self) -> Verdict {
        let on = |body: &Value| body["Properties"]["DeletionProtection"] == Value::Bool(true);
        let own = self.body(&self.wanted.own.template).is_some_and(on);
        let stack = self.body(&self.wanted.stack.template).is_some_and(on);
        let asked = own || stack;
        let Some(now) = self.live.template.and_then(|live| self.body(live)) else {
            return (missing("not in the stack"), self.apply());
        };
        let drift = match self.live.drift {
            Ok(DriftReport { resources, unknown }) => {
                let found = resources.iter().find(|drift| drift.logical_id == self.id);
                if let (None, Some(why)) = (found, unknown) {
                    return (
                        super::unknown(format!("could not be read: {why}")),
                        String::new(),
                    );
                }
                found
            }
            Err(why) => return (unknown(format!("could not be read: {why}")), String::new()),
        };
        if drift.is_some_and(|drift| drift.deleted) {
            return (missing("the database does not exist"), self.apply());
        }
        let by_hand = drift.and_then(|drift| {
            let mut all = drift.differences.iter();
            all.find(|one| one.path.ends_with("DeletionProtection"))
        });
        let Some(by_hand) = by_hand else {
            return match switched(asked, on(now)) {
                (LayerState::Missing, text) if !stack => {
                    let file = self.override_file();
                    let remedy = format!(
                        "write `DeletionProtection: true` at {} in {file}, then {}",
                        self.id,
                        self.apply()
                    );
                    (missing(format!("{text}, as {file} has it")), remedy)
                }
                verdict => (verdict, self.apply()),
            };
        };
        match switched(asked, by_hand.actual.as_deref() == Some("true")) {
            (LayerState::Missing, _) => {
                // An update leaves alone what its template does not change.
                let outputs = &self.live.found.outputs;
                let database = outputs.get("DbInstanceId").map_or(self.id, String::as_str);
                let region = region_option(&self.live.found.id);
                let switch = format!(
                    "`aws rds modify-db-instance{region} --db-instance-identifier {database} \
                     --deletion-protection --apply-immediately`"
                );
                (missing("off, changed outside kube-cfn"), switch)
            }
            verdict => (verdict, self.apply()),
        }
    }
}
