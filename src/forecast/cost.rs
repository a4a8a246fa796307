//! What a template costs a month at list prices, and what a plan changes about that. Always an estimate:
//! every figure carries its source and date, and what depends on use is named, never guessed. Pure.

mod charges;
mod machines;
mod values;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Add;

use serde::Serialize;
use serde_json::Value;

use super::prices::{Basis, PriceKey, Prices};
use crate::plan::{Action, Plan, Step};
use crate::stacks::StackKind;
use charges::{Charge, charges};

/// US dollars from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostRange {
    pub from: f64,
    pub to: f64,
}

/// One thing that costs something.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostItem {
    /// The resource's sentence, and the part of it where it has several prices.
    pub what: String,
    pub logical_id: String,
    /// How many, in words: `3 to 12 machines`, `100 GiB`.
    pub quantity: String,
    pub usd_month: CostRange,
    /// How the upper end is known.
    pub basis: Basis,
}

/// What a template costs a month.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    pub items: Vec<CostItem>,
    /// What costs something and is not in `items`: by use, or without a known price.
    pub uncounted: Vec<String>,
}

/// What one stack costs before and after a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StackCost {
    pub stack: StackKind,
    /// `None` when it does not exist.
    pub before: Option<Cost>,
    pub after: Cost,
}

/// What a plan does to the monthly bill.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Monthly {
    /// `None` when nothing exists yet.
    pub before: Option<CostRange>,
    pub after: CostRange,
    /// What is more (or less, below nought): of the least size from the least, of the largest from the
    /// largest; the smaller of the two first.
    pub difference: CostRange,
    pub stacks: Vec<StackCost>,
    /// Of all stacks as they become, each once.
    pub uncounted: Vec<String>,
    /// Days of the oldest and of the newest figure that is used; `None` where nothing is counted.
    pub dated: Option<(String, String)>,
}

/// What the resources of a template cost a month in a region. `parameters` are the values of the stack's
/// parameters as far as they are known.
pub fn cost(
    template: &Value,
    parameters: &BTreeMap<String, String>,
    region: &str,
    prices: &Prices,
) -> Cost {
    let found = charges(template, parameters);
    let mut items = Vec::new();
    let mut uncounted = found.uncounted;
    for charge in &found.list {
        match item(charge, region, prices, &mut uncounted) {
            Some(item) => items.push(item),
            None => uncounted.push(format!("{}: no price is known in {region}", charge.what)),
        }
    }
    let uncounted = once_each(uncounted);
    Cost { items, uncounted }
}

/// The lines without those that were there before.
fn once_each(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let new = |line: &String| seen.insert(line.clone());
    lines.into_iter().filter(new).collect()
}

fn sum(ranges: impl Iterator<Item = CostRange>) -> CostRange {
    ranges.fold(CostRange::default(), Add::add)
}

/// Which prices a template needs: what to ask the AWS price list for.
pub fn wanted(
    template: &Value,
    parameters: &BTreeMap<String, String>,
    region: &str,
) -> Vec<PriceKey> {
    let found = charges(template, parameters).list;
    let meters = found.into_iter().flat_map(|charge| charge.meters);
    let keys: BTreeSet<PriceKey> = meters.map(|meter| PriceKey::new(region, meter)).collect();
    keys.into_iter().collect()
}

/// Which prices a plan needs, for what is there and for what comes.
pub fn wanted_by(plan: &Plan, region: &str) -> Vec<PriceKey> {
    let all = plan.steps.iter().flat_map(|step| {
        let new = Some((&step.stack.template, &step.parameters));
        [existing(step), new].into_iter().flatten()
    });
    let keys = all.flat_map(|(template, known)| wanted(template, known, region));
    keys.collect::<BTreeSet<_>>().into_iter().collect()
}

/// What a step does to the bill.
pub fn step(step: &Step, region: &str, prices: &Prices) -> StackCost {
    let before = existing(step);
    StackCost {
        stack: step.stack.kind.clone(),
        before: before.map(|(template, known)| cost(template, known, region, prices)),
        after: cost(&step.stack.template, &step.parameters, region, prices),
    }
}

/// What a plan does to the bill, if all of it is done.
pub fn monthly(plan: &Plan, region: &str, prices: &Prices) -> Monthly {
    let steps = plan.steps.iter();
    let stacks: Vec<StackCost> = steps.map(|one| step(one, region, prices)).collect();
    let old: Vec<&Cost> = stacks
        .iter()
        .filter_map(|stack| stack.before.as_ref())
        .collect();
    let before = (!old.is_empty()).then(|| sum(old.into_iter().map(Cost::usd_month)));
    let after = sum(stacks.iter().map(|stack| stack.after.usd_month()));
    let left = plan
        .leftover
        .iter()
        .map(|found| format!("stack {}, which the definition no longer has", found.name));
    let named = stacks
        .iter()
        .flat_map(|stack| stack.after.uncounted.clone());
    Monthly {
        difference: after.less(before.unwrap_or_default()),
        before,
        after,
        uncounted: once_each(named.chain(left)),
        dated: dated(&stacks),
        stacks,
    }
}

/// The template and parameters of what is there now.
fn existing(step: &Step) -> Option<(&Value, &BTreeMap<String, String>)> {
    // What is replaced is the empty leftover of a failed creation.
    if step.action == Action::Replace {
        return None;
    }
    Some((step.before.as_ref()?, &step.found.as_ref()?.parameters))
}

fn dated(stacks: &[StackCost]) -> Option<(String, String)> {
    let costs = stacks
        .iter()
        .flat_map(|stack| stack.before.iter().chain([&stack.after]));
    let dates = costs.flat_map(|cost| cost.items.iter().map(|item| &item.basis.date));
    let oldest = dates.clone().min()?;
    Some((oldest.clone(), dates.max()?.clone()))
}

/// The price of a charge. Of several things that AWS may choose from, the cheapest makes the lower end and
/// the dearest the upper one.
fn item(
    charge: &Charge,
    region: &str,
    prices: &Prices,
    uncounted: &mut Vec<String>,
) -> Option<CostItem> {
    let mut known = Vec::new();
    for meter in &charge.meters {
        let key = PriceKey::new(region, meter.clone());
        match prices.find(&key) {
            Some(price) => known.push((price.usd * meter.a_month(), price.basis)),
            None if charge.meters.len() > 1 => {
                let what = &charge.what;
                uncounted.push(format!("{what}, as {meter}: no price is known in {region}"));
            }
            None => {}
        }
    }
    let least = known.iter().map(|(usd, _)| *usd).min_by(f64::total_cmp)?;
    let (most, basis) = known.into_iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(CostItem {
        what: charge.what.clone(),
        logical_id: charge.logical_id.clone(),
        quantity: charge.quantity.clone(),
        usd_month: CostRange::of(least * charge.paid, most * charge.most),
        basis,
    })
}

impl StackCost {
    /// What is more (or less, below nought) than before, as in [`Monthly::difference`].
    pub fn difference(&self) -> CostRange {
        let before = self.before.as_ref().map(Cost::usd_month);
        self.after.usd_month().less(before.unwrap_or_default())
    }
}

impl Cost {
    /// All items together.
    pub fn usd_month(&self) -> CostRange {
        sum(self.items.iter().map(|item| item.usd_month))
    }
}

impl CostRange {
    /// In whole cents.
    fn of(from: f64, to: f64) -> Self {
        let cents = |usd: f64| (usd * 100.0).round() / 100.0;
        Self {
            from: cents(from),
            to: cents(to),
        }
    }

    fn less(self, other: Self) -> Self {
        let (a, b) = (self.from - other.from, self.to - other.to);
        Self::of(a.min(b), a.max(b))
    }
}

impl Add for CostRange {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of(self.from + other.from, self.to + other.to)
    }
}
