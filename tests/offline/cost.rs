//! Monthly costs: the whole list of the two clusters that come with the tool.

use std::fmt::Write;

use kube_cfn::forecast::cost;
use kube_cfn::forecast::prices::{PriceKey, Prices};

use super::estimate::{cluster, creation};
use crate::support::golden;

fn table_of(name: &str) -> String {
    let spec = cluster(name);
    let found = cost::monthly(&creation(&spec), &spec.region, &Prices::table());
    let mut text = String::new();
    for stack in &found.stacks {
        writeln!(text, "{}", stack.stack).unwrap();
        for item in &stack.after.items {
            let usd = item.usd_month;
            let derived = item.basis.derived.as_deref();
            let derived = derived.map_or(String::new(), |how| format!(" ({how})"));
            writeln!(
                text,
                "  {:>8.2} {:>8.2}  {}: {}\n      {}{derived}, {}",
                usd.from, usd.to, item.what, item.quantity, item.basis.source, item.basis.date
            )
            .unwrap();
        }
    }
    writeln!(
        text,
        "together\n  {:>8.2} {:>8.2}",
        found.after.from, found.after.to
    )
    .unwrap();
    writeln!(text, "not counted").unwrap();
    for line in &found.uncounted {
        writeln!(text, "  {line}").unwrap();
    }
    text
}

#[test]
fn cost_counts_or_names_every_resource() {
    for name in ["production", "canary"] {
        golden::check(&format!("cost/{name}.txt"), &table_of(name));
    }
}

#[test]
fn every_charge_has_a_price_or_a_price_query() {
    for name in ["production", "canary"] {
        let spec = cluster(name);
        let plan = creation(&spec);
        let keys = cost::wanted_by(&plan, &spec.region);
        assert!(keys.len() > 8, "{name}");
        let table = Prices::table();
        let missing: Vec<&PriceKey> = keys
            .iter()
            .filter(|key| table.find(key).is_none())
            .collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}
