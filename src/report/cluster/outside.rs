//! What a cluster has outside its stacks, as `status` shows it: load balancers with their Services, volumes with their
//! claims, machines that no group has, what stacks left; and what keeps a network from being deleted.

mod text;

use serde::Serialize;

use crate::cloud::outside::OutsideKind;
use crate::cloud::{LiveStack, StackStatus};
use crate::common::text::{clean, count, listed_line};
use crate::forecast::prices::Prices;
use crate::plan::status::rests;
use crate::report::outside::{FoundRow, end, short};
use crate::stacks::StackKind;
use crate::sweep::kinds::row;
use crate::sweep::{Found, Inventory, Owner, Purpose, UnknownKind};
use text::{
    SHOWN, balancers_text, machines_text, named, named_by_kind, others_text, plurals, volumes_text,
};

/// Kinds that have lines of their own.
const BALANCERS: [OutsideKind; 2] = [OutsideKind::LoadBalancer, OutsideKind::ClassicLoadBalancer];
const ALONE: [OutsideKind; 2] = [OutsideKind::Volume, OutsideKind::Machine];
/// In front of the lines.
const LABEL: &str = "outside   ";
const BELOW: &str = "          ";

/// What lies outside the stacks of a cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutsideView {
    /// What is the cluster's.
    resources: Vec<OutsideRow>,
    /// How many things of others lie in its VPC.
    foreign: usize,
    /// How many may be the cluster's or somebody else's.
    unclear: usize,
    /// What keeps its network's stack from being deleted, where a deletion has come so far: also things of others.
    holds_network: Vec<OutsideRow>,
    /// What could not be looked for, and why.
    unknown: Vec<UnknownKind>,
    /// Why nothing was looked for.
    not_looked_for: Option<String>,
    /// Whether a deletion has come as far as the network's stack and not further.
    #[serde(skip)]
    is_network_stuck: bool,
}

/// One resource.
#[derive(Debug, Clone, Serialize)]
pub struct OutsideRow {
    #[serde(flatten)]
    row: FoundRow,
    #[serde(skip)]
    found: Found,
    /// Until when it is there or can be read, in words.
    #[serde(skip)]
    end: Option<String>,
}

/// Whether a deletion has come as far as the network's stack and not further: AWS could not delete it, or `delete` did not
/// begin with it, and it stands alone: without base, control plane and pools no cluster is being made either.
pub fn is_network_stuck<'a>(stacks: impl IntoIterator<Item = &'a LiveStack>) -> bool {
    let mut network = None;
    let mut is_alone = true;
    for stack in stacks {
        match StackKind::parse(&stack.kind) {
            Some(StackKind::Network) => network = Some(&stack.status),
            Some(kind) => is_alone &= kind != StackKind::Base && !kind.has_machines(),
            None => {}
        }
    }
    network.is_some_and(|status| {
        *status == StackStatus::from("DELETE_FAILED") || (is_alone && rests(status))
    })
}

impl OutsideView {
    /// Of what was found in a region; `is_network_stuck` as [`is_network_stuck`] says.
    pub fn of(inventory: &Inventory, region: &str, is_network_stuck: bool) -> Self {
        let prices = Prices::table();
        let row = |found: &Found| OutsideRow {
            row: FoundRow::of(found, false, region, &prices),
            found: found.clone(),
            end: end(found, &inventory.found),
        };
        let Inventory { found, unknown } = inventory;
        let is_own = |found: &&Found| match found.owner {
            Owner::Kubernetes | Owner::Stack | Owner::Past(_) => true,
            Owner::Foreign | Owner::Unclear => false,
        };
        let number_of = |owner| found.iter().filter(|one| one.owner == owner).count();
        let holds = |found: &&Found| is_network_stuck && found.row().holds_network;
        Self {
            resources: found.iter().filter(is_own).map(row).collect(),
            foreign: number_of(Owner::Foreign),
            unclear: number_of(Owner::Unclear),
            holds_network: found.iter().filter(holds).map(row).collect(),
            unknown: unknown.clone(),
            not_looked_for: None,
            is_network_stuck,
        }
    }

    /// Where nothing could be looked for.
    pub fn not_looked_for(why: impl Into<String>, is_network_stuck: bool) -> Self {
        Self {
            not_looked_for: Some(why.into()),
            ..Self::of(&Inventory::default(), "", is_network_stuck)
        }
    }

    /// The section of `status`, a line for each kind of thing.
    pub(super) fn lines(&self, cluster: &str) -> Vec<String> {
        if let Some(why) = &self.not_looked_for {
            return vec![listed_line(LABEL, &format!("not looked for: {why}"))];
        }
        let of = |kinds: &[OutsideKind]| -> Vec<&OutsideRow> {
            let all = self.resources.iter();
            all.filter(|row| kinds.contains(&row.kind())).collect()
        };
        let balancers = of(&BALANCERS);
        let mut texts = Vec::new();
        texts.extend(balancers_text(&balancers));
        texts.extend(volumes_text(&of(&[OutsideKind::Volume])));
        texts.extend(machines_text(&self.machines()));
        texts.extend(others_text(&self.others(), cluster));
        if texts.is_empty() {
            let but = if self.unknown.is_empty() {
                ""
            } else {
                ", as far as could be seen"
            };
            texts.push(format!("nothing of {cluster} lies outside its stacks{but}"));
        }
        if self.foreign > 0 {
            texts.push(format!(
                "{} of others in its VPC",
                count(self.foreign, "resource")
            ));
        }
        if self.unclear > 0 {
            texts.push(format!(
                "{} that may be {cluster}'s or another cluster's",
                count(self.unclear, "resource")
            ));
        }
        texts.extend(self.unknown_text());
        let labels = std::iter::once(LABEL).chain(std::iter::repeat(BELOW));
        let lines = texts.iter().zip(labels);
        lines
            .map(|(text, label)| listed_line(label, text))
            .collect()
    }

    /// What keeps the network's stack from being deleted, where a deletion has come so far.
    pub fn holds_network(&self) -> &[OutsideRow] {
        &self.holds_network
    }

    /// What keeps the network from being deleted, and the command that goes on; nothing where no deletion has come so far.
    pub fn network_lines(&self, delete: &str) -> Vec<String> {
        if !self.is_network_stuck {
            return Vec::new();
        }
        let (foreign, own): (Vec<_>, Vec<_>) = self
            .holds_network
            .iter()
            .partition(|row| row.found.owner == Owner::Foreign);
        let mut texts = Vec::new();
        if own.len() > SHOWN {
            texts.extend(named_by_kind("held by ", &own));
        } else if !own.is_empty() {
            texts.push(format!("held by {}", named(&own)));
        }
        if foreign.len() > SHOWN {
            texts.push(format!(
                "held by {} that others put into the VPC, never touched by kube-cfn: remove them, or ask their owners:",
                count(foreign.len(), "resource")
            ));
            texts.extend(named_by_kind("", &foreign));
        } else if !foreign.is_empty() {
            texts.push(format!(
                "held by what others put into the VPC: {}: never touched by kube-cfn; remove it, or ask its owner",
                named(&foreign)
            ));
        }
        let holding = self
            .unknown
            .iter()
            .filter(|one| row(one.kind).holds_network);
        let unknown = plurals(holding);
        if let Some(why) = &self.not_looked_for {
            texts.push(format!("what holds it was not looked for: {why}"));
        } else if !unknown.is_empty() {
            texts.push(format!("not looked for: {unknown}"));
        } else if texts.is_empty() {
            texts.push("nothing is found that holds it any more".to_owned());
        }
        let lines = texts.iter().map(|text| listed_line("!! network: ", text));
        let next = if own.iter().any(|row| row.is_named()) {
            format!(
                "next: `{delete} --plan` has the commands that delete what holds data, which kube-cfn never does; \
                 `{delete}` goes on after them"
            )
        } else if own.is_empty() && !foreign.is_empty() {
            format!("next: `{delete}`, once they are gone")
        } else {
            format!("next: `{delete}` removes what is the cluster's, and goes on")
        };
        lines.chain([listed_line("   ", &next)]).collect()
    }

    /// What is worth a remark: it costs, and no part of the cluster's health depends on it. `is_running` while a command
    /// holds the operation lock: it may be about to end a machine.
    pub(super) fn remarks(&self, is_running: bool) -> Vec<String> {
        let detached = self
            .machines()
            .into_iter()
            .filter(|_| !is_running)
            .map(|machine| {
                format!(
                    "machine {} is in no Auto Scaling group any more, and costs while it is there",
                    machine.id()
                )
            });
        let left = self.resources.iter().filter(|row| row.is_left());
        let left = left.map(|row| format!("{} is left of a stack that is gone", row.name()));
        let unknown = self.unknown_text();
        let nothing = self.not_looked_for.iter();
        let nothing =
            nothing.map(|why| format!("nothing outside the stacks was looked for: {why}"));
        detached.chain(left).chain(unknown).chain(nothing).collect()
    }

    /// Kinds that could not be looked for. A caller without the rights has many of them: one reason shows which.
    fn unknown_text(&self) -> Option<String> {
        let first = self.unknown.first()?;
        let names = plurals(self.unknown.iter());
        let why = clean(&first.why);
        if self.unknown.iter().all(|one| one.why == first.why) {
            return Some(format!("not looked for: {names}: {why}"));
        }
        let first = row(first.kind).plural;
        Some(format!(
            "not looked for: {names}; of {first}: {why}; -o json has every reason"
        ))
    }

    /// Machines that are in no Auto Scaling group any more.
    fn machines(&self) -> Vec<&OutsideRow> {
        let all = self.resources.iter();
        all.filter(|row| row.kind() == OutsideKind::Machine)
            .collect()
    }

    /// What has no line of its own.
    fn others(&self) -> Vec<&OutsideRow> {
        let has_line = |kind| BALANCERS.contains(&kind) || ALONE.contains(&kind);
        let all = self.resources.iter();
        all.filter(|row| !has_line(row.kind())).collect()
    }
}

impl OutsideRow {
    fn kind(&self) -> OutsideKind {
        self.found.resource.kind
    }

    fn id(&self) -> &str {
        &self.found.resource.id
    }

    /// `bucket canary-state-1a2b`
    fn name(&self) -> String {
        format!("{} {}", self.found.row().name, short(&self.found.resource))
    }

    /// `k8s-web (network) of shop/web`
    fn named(&self) -> String {
        let short = short(&self.found.resource);
        match &self.found.purpose {
            Some(Purpose::Service(of) | Purpose::Ingress(of)) => {
                format!("{short} of {}", clean(of))
            }
            Some(_) | None => short,
        }
    }

    fn claim(&self) -> Option<String> {
        match &self.found.purpose {
            Some(Purpose::Claim(name)) => Some(clean(name)),
            Some(_) | None => None,
        }
    }

    /// Whether a stack that is gone left it.
    fn is_left(&self) -> bool {
        self.found.is_left()
    }

    /// Whether a deletion names it and never removes it.
    fn is_named(&self) -> bool {
        self.found.is_named()
    }
}
