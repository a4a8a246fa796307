//! How long resources take: seconds by type and operation, for estimates on a screen.
//! Priors from public logs, not promises: nothing may be decided by them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// Seconds that half, and nine in ten, of all operations stay under.
#[derive(Deserialize)]
struct Seconds {
    p50: u32,
    p90: u32,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// Seconds to expect where it is not known which variant of a type it is
/// (a database may be Multi-AZ, a group may wait for signals).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Median of the fastest variant.
    pub from: u32,
    /// Median of the slowest variant; the same as `from` where there is one only.
    pub to: u32,
    /// Beyond this it is slow by any measure: the largest `p90`.
    pub slow_after: u32,
}

/// What makes an operation on a resource take longer than on others of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    #[default]
    Plain,
    /// A database with a standby in another zone.
    MultiAz,
    /// A group that waits for its machines to say that they are up.
    Signals,
}

/// Seconds that half, and nine in ten, of such operations stay under.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Typical {
    pub p50: f64,
    pub p90: f64,
}

/// For types that nobody measured: an assumption.
const UNMEASURED: Typical = Typical {
    p50: 5.0,
    p90: 15.0,
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    per_stack_overhead: Option<Seconds>,
    create: BTreeMap<String, Seconds>,
    update: BTreeMap<String, Seconds>,
    delete: BTreeMap<String, Seconds>,
}

// A test holds that the embedded text parses.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/durations.json")).unwrap_or_default());

/// What to expect of an operation over all variants of a type. Variants have keys of their own:
/// `AWS::RDS::DBInstance+multiAz`, `AWS::AutoScaling::AutoScalingGroup+signals`.
pub fn range(operation: Operation, resource_type: &str) -> Option<Range> {
    let table = match operation {
        Operation::Create => &TABLE.create,
        Operation::Update => &TABLE.update,
        Operation::Delete => &TABLE.delete,
    };
    table
        .iter()
        .filter(|(key, _)| key.split('+').next() == Some(resource_type))
        .map(|(_, seconds)| Range {
            from: seconds.p50,
            to: seconds.p50,
            slow_after: seconds.p90,
        })
        .reduce(|a, b| Range {
            from: a.from.min(b.from),
            to: a.to.max(b.to),
            slow_after: a.slow_after.max(b.slow_after),
        })
}

/// What an operation on a resource of a known variant takes; 5 and 15 seconds for a type or an
/// operation that is not in the table.
pub fn typical(operation: Operation, resource_type: &str, variant: Variant) -> Typical {
    let table = match operation {
        Operation::Create => &TABLE.create,
        Operation::Update => &TABLE.update,
        Operation::Delete => &TABLE.delete,
    };
    let special = match variant {
        Variant::Plain => None,
        Variant::MultiAz => table.get(&format!("{resource_type}+multiAz")),
        Variant::Signals => table.get(&format!("{resource_type}+signals")),
    };
    let known = special.or_else(|| table.get(resource_type));
    known.map_or(UNMEASURED, Typical::of)
}

/// What every operation on a stack takes on top of its resources.
pub fn overhead() -> Typical {
    let known = TABLE.per_stack_overhead.as_ref();
    known.map_or(UNMEASURED, Typical::of)
}

impl Typical {
    fn of(seconds: &Seconds) -> Self {
        Self {
            p50: f64::from(seconds.p50),
            p90: f64::from(seconds.p90),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_table_is_read() {
        let nat = Range {
            from: 106,
            to: 106,
            slow_after: 130,
        };
        assert_eq!(range(Operation::Create, "AWS::EC2::NatGateway"), Some(nat));
        let delete = range(Operation::Delete, "AWS::EC2::NatGateway");
        assert_eq!(delete.map(|known| known.slow_after), Some(90));
        assert_eq!(range(Operation::Create, "AWS::Nobody::Knows"), None);
    }

    #[test]
    fn half_stay_under_less_than_nine_in_ten() {
        for table in [&TABLE.create, &TABLE.update, &TABLE.delete] {
            assert!(table.iter().all(|(_, known)| known.p50 <= known.p90));
        }
    }

    #[test]
    fn a_database_of_unknown_variant_spans_both() {
        let span = Range {
            from: 595,
            to: 1026,
            slow_after: 1200,
        };
        assert_eq!(range(Operation::Create, "AWS::RDS::DBInstance"), Some(span));
    }

    #[test]
    fn a_type_is_no_prefix_of_another() {
        let route = range(Operation::Create, "AWS::EC2::Route");
        assert_eq!(route.map(|span| span.to), Some(2));
    }

    #[test]
    fn a_variant_has_its_own_figures_and_falls_back_to_its_type() {
        let create =
            |of_type, variant| typical(Operation::Create, of_type, variant).p50.to_string();
        let database = "AWS::RDS::DBInstance";
        assert_eq!(create(database, Variant::Plain), "595");
        assert_eq!(create(database, Variant::MultiAz), "1026");
        let group = "AWS::AutoScaling::AutoScalingGroup";
        assert_eq!(create(group, Variant::Plain), "3");
        assert_eq!(create(group, Variant::Signals), "240");
        assert_eq!(create("AWS::Nobody::Knows", Variant::Plain), "5");
        let update = typical(Operation::Update, database, Variant::MultiAz);
        let told = format!("{} {}", update.p50, overhead().p50);
        assert_eq!(told, "171 16");
    }
}
