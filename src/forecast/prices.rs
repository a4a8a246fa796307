//! List prices: what an hour or a month of something costs in a region, each figure with its source and
//! date. The built-in table is overlaid by what the AWS price list says today, where it can be asked.
//! Knows nothing of stacks, and of no price that depends on use.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::meters::Size;
use crate::catalog::instances;

pub use super::meters::{HOURS, Meter, PriceKey, Zones};

/// Where the table is most complete; other regions are estimated from it.
pub(super) const HOME: &str = "us-east-1";

/// A figure as somebody published it.
#[derive(Debug, Clone, PartialEq)]
struct Figure {
    usd: f64,
    source: String,
    date: String,
}

/// What one unit of a meter costs, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// US dollars for one unit: an hour or a month, as [`Meter`] says.
    pub usd: f64,
    pub basis: Basis,
}

/// How a price is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    pub source: String,
    /// The day of the figure, `2026-08-31`.
    pub date: String,
    /// How it was worked out where nobody published the figure itself:
    /// `us-east-1 x 1.07`, `2 x db.m7g.large`.
    pub derived: Option<String>,
}

/// Every price that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    figures: BTreeMap<PriceKey, Figure>,
    /// What to multiply the figures of [`HOME`] with, by region; 1 for a region that is not there.
    factors: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceTable {
    sources: BTreeMap<String, Source>,
    factors: BTreeMap<String, f64>,
    /// Types of resources that AWS takes nothing for by themselves; of SSM parameters the standard ones,
    /// as the templates make no others.
    free: BTreeSet<String>,
    /// The beginning of a usage type in each region (`EU-NatGateway-Hours`). In us-east-1 there is none,
    /// but for the services that write `USE1`.
    usage_type_prefixes: BTreeMap<String, String>,
    prices: Vec<PriceLine>,
}

#[derive(Deserialize)]
struct Source {
    what: String,
    date: String,
}

#[derive(Deserialize)]
struct PriceLine {
    meter: String,
    region: String,
    usd: f64,
    source: String,
}

static TABLE: LazyLock<PriceTable> = LazyLock::new(|| {
    serde_json::from_str(include_str!("data/prices.json")).unwrap_or_else(|error| {
        unreachable!("prices.json is part of this program and parses: {error}")
    })
});

/// Whether AWS takes nothing for a resource of this type by itself.
pub(super) fn is_free(of_type: &str) -> bool {
    of_type.starts_with("AWS::IAM::") || TABLE.free.contains(of_type)
}

/// How usage types begin in a region.
pub(super) fn usage_type_prefix(region: &str) -> Option<&'static str> {
    TABLE.usage_type_prefixes.get(region).map(String::as_str)
}

impl Prices {
    /// The prices that the tool is built with.
    pub fn table() -> Self {
        let machines = instances::names().filter_map(|name| {
            let (region, date) = instances::priced();
            let figure = Figure {
                usd: instances::find(name)?.usd_per_hour?,
                source: "AWS price list, as carried by karpenter-provider-aws".to_owned(),
                date: date.to_owned(),
            };
            Some((
                PriceKey::new(region, Meter::Instance(name.to_owned())),
                figure,
            ))
        });
        let others = TABLE.prices.iter().filter_map(|line| {
            let source = TABLE.sources.get(&line.source)?;
            let figure = Figure {
                usd: line.usd,
                source: source.what.clone(),
                date: source.date.clone(),
            };
            Some((
                PriceKey::new(&line.region, line.meter.parse().ok()?),
                figure,
            ))
        });
        Self {
            figures: machines.chain(others).collect(),
            factors: TABLE.factors.clone(),
        }
    }

    /// Puts what the AWS price list said on `date` before the built-in figures.
    #[must_use]
    pub fn overlay(mut self, live: impl IntoIterator<Item = (PriceKey, f64)>, date: &str) -> Self {
        let live = live.into_iter().map(|(key, usd)| {
            let source = format!("AWS price list, {}", key.region);
            let date = date.to_owned();
            (key, Figure { usd, source, date })
        });
        self.figures.extend(live);
        self
    }

    /// What a unit costs: by its own figure, by that of another size of its family, else by the figures
    /// of us-east-1. `None` where nobody knows; then it is not counted, and said so.
    pub fn find(&self, key: &PriceKey) -> Option<Price> {
        self.within(key).or_else(|| {
            let home = self.within(&PriceKey::new(HOME, key.meter.clone()))?;
            if key.meter.is_the_same_everywhere() {
                return Some(home);
            }
            let factor = self.factors.get(&key.region).copied().unwrap_or(1.0);
            let also = home
                .basis
                .derived
                .map_or(String::new(), |how| format!(", {how}"));
            Some(Price {
                usd: home.usd * factor,
                basis: Basis {
                    derived: Some(format!("{HOME} x {factor}{also}")),
                    ..home.basis
                },
            })
        })
    }

    /// The figure of the region itself, or one worked out from another size there.
    fn within(&self, key: &PriceKey) -> Option<Price> {
        if let Some(figure) = self.figures.get(key) {
            return Some(figure.price(1.0, None));
        }
        let size = Size::of(&key.meter)?;
        let here = self
            .figures
            .iter()
            .filter(|(other, _)| other.region == key.region);
        let relatives = here.filter_map(|(other, figure)| {
            let relative = Size::of(&other.meter).filter(|other| other.family == size.family)?;
            Some((size.units / relative.units, relative.name, figure))
        });
        let nearest = relatives.min_by(|a, b| a.0.ln().abs().total_cmp(&b.0.ln().abs()));
        nearest.map(|(times, name, figure)| figure.price(times, Some(name)))
    }
}

impl Figure {
    /// The price of `times` of it, named as that of `of`.
    fn price(&self, times: f64, of: Option<&str>) -> Price {
        Price {
            usd: self.usd * times,
            basis: Basis {
                source: self.source.clone(),
                date: self.date.clone(),
                derived: of.map(|name| format!("{times} x {name}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(region: &str, meter: &str) -> Option<(f64, Option<String>)> {
        let key = PriceKey::new(region, meter.parse().unwrap());
        let found = Prices::table().find(&key)?;
        Some((found.usd, found.basis.derived))
    }

    fn close(found: Option<(f64, Option<String>)>, wanted: f64, how: Option<&str>) {
        let (usd, derived) = found.unwrap();
        assert!((usd - wanted).abs() < 1e-6, "{usd} for {wanted}");
        assert_eq!(derived.as_deref(), how);
    }

    #[test]
    fn every_price_has_a_dated_source_and_a_known_meter() {
        for line in &TABLE.prices {
            let meter: Meter = line.meter.parse().unwrap();
            assert_eq!(meter.to_string(), line.meter);
            let source = &TABLE.sources[&line.source];
            assert!(
                source.date.parse::<jiff::civil::Date>().is_ok(),
                "{}",
                line.source
            );
            assert!(line.usd > 0.0 && !source.what.is_empty(), "{}", line.meter);
        }
    }

    #[test]
    fn no_price_is_listed_twice() {
        let priced = |name: &&str| instances::find(name).is_some_and(|t| t.usd_per_hour.is_some());
        let machines = instances::names().filter(priced).count();
        assert_eq!(Prices::table().figures.len(), machines + TABLE.prices.len());
    }

    #[test]
    fn region_factor_is_the_median_price_ratio() {
        let table = Prices::table();
        for (region, factor) in &TABLE.factors {
            let here = table
                .figures
                .iter()
                .filter(|(key, _)| key.region == *region);
            let mut ratios: Vec<f64> = here
                .filter_map(|(key, figure)| {
                    let home = PriceKey::new(HOME, key.meter.clone());
                    Some(figure.usd / table.figures.get(&home)?.usd)
                })
                .collect();
            ratios.sort_by(f64::total_cmp);
            let middle = ratios[ratios.len() / 2];
            assert!(
                (middle - factor).abs() < 0.01,
                "{region}: {middle} for {factor}"
            );
        }
    }

    #[test]
    fn own_price_of_a_region_counts_first() {
        close(usd("us-east-1", "instance m7g.large"), 0.0816, None);
        close(usd("eu-west-1", "nat-regional-hour"), 0.048, None);
        close(
            usd("eu-west-1", "database multi db.t4g.medium"),
            0.138,
            None,
        );
    }

    #[test]
    fn derived_price_names_its_derivation() {
        let how = Some("2 x m7g.large");
        close(usd("eu-west-1", "instance m7g.xlarge"), 0.182, how);
        let how = Some("0.5 x db.m6g.large");
        close(usd("eu-west-1", "database single db.m6g.large"), 0.176, how);
        let how = Some("us-east-1 x 1.07");
        close(
            usd("eu-west-1", "database multi db.m7g.large"),
            0.36059,
            how,
        );
        let how = Some("us-east-1 x 1.07, 2 x db.m7g.large");
        close(
            usd("eu-west-1", "database multi db.m7g.xlarge"),
            0.72118,
            how,
        );
        close(usd("eu-north-1", "nlb-hour"), 0.0225, Some("us-east-1 x 1"));
    }

    #[test]
    fn global_price_needs_no_factor() {
        for word in ["ipv4-hour", "key", "secret", "zone"] {
            let meter: Meter = word.parse().unwrap();
            let figures = TABLE.prices.iter().filter(|line| line.meter == word);
            let home = usd(HOME, word).unwrap().0;
            assert!(meter.is_the_same_everywhere());
            assert!(
                figures
                    .map(|line| line.usd)
                    .all(|usd| (usd - home).abs() < 1e-9),
                "{word}"
            );
            close(usd("ap-south-2", word), home, None);
        }
    }

    #[test]
    fn unknown_meter_has_no_price() {
        assert_eq!(usd("us-east-1", "instance q9z.large"), None);
        assert_eq!(usd("us-east-1", "database single db.q9z.large"), None);
    }

    #[test]
    fn live_price_overrides_the_table() {
        let key = PriceKey::new("eu-west-1", Meter::NlbHour);
        let prices = Prices::table().overlay([(key.clone(), 0.0252)], "2026-11-20");
        let found = prices.find(&key).unwrap();
        assert!((found.usd - 0.0252).abs() < 1e-9);
        assert_eq!(found.basis.date, "2026-11-20");
        assert_eq!(found.basis.derived, None);
    }
}
