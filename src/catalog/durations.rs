//! How long resources take: seconds by type and operation, for estimates on a screen.
//! Priors from public logs, not promises: nothing may be decided by them. What a cluster's own past runs
//! took goes before them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Seconds that half, and nine in ten, of all operations stay under.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Seconds {
    pub p50: f64,
    pub p90: f64,
}

impl Seconds {
    /// In whole seconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` ends at the bounds of u32, and nothing takes a century"
    )]
    pub fn span(self) -> Span {
        Span {
            from: self.p50.round() as u32,
            to: self.p90.round() as u32,
        }
    }
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    Create,
    Update,
    Delete,
}

/// A length of time as a range: half of all stay under `from`, nine in ten under `to`. Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    pub from: u32,
    pub to: u32,
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

/// What to expect: the table, and before it what was learned from past runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Durations {
    learned: BTreeMap<(Operation, String), Seconds>,
}

/// An assumption, for a type that is not in the table.
const UNKNOWN: Seconds = Seconds {
    p50: 5.0,
    p90: 15.0,
};

/// From the moment a control plane answers until a machine that waits for it is Ready and says so. An
/// assumption: the machine looks every ten seconds, its kubelet joins within ten more, then the images
/// of the pod network are pulled.
pub const JOIN: Seconds = Seconds {
    p50: 30.0,
    p90: 90.0,
};

/// From the launch of a worker until its node is Ready. EC2 runs an instance within 30 to 60 s, and the boot programs need
/// as long again; the ninth decile is a cold image or a slow mirror.
pub const WORKER_BOOT: Seconds = Seconds {
    p50: 120.0,
    p90: 240.0,
};

/// From the first eviction on a worker until its last pod has gone: Kubernetes gives a pod 30 s
/// (`terminationGracePeriodSeconds`), budgets and volumes make it minutes.
pub const WORKER_DRAIN: Seconds = Seconds {
    p50: 60.0,
    p90: 300.0,
};

/// From the request until EC2 lists an instance as terminated.
pub const TERMINATION: Seconds = Seconds {
    p50: 30.0,
    p90: 90.0,
};

/// The same of a control-plane node within its group, whose interface has to be free for the next one: deregistration at
/// the load balancer comes before it.
pub const SLOT_TERMINATION: Seconds = Seconds {
    p50: 60.0,
    p90: 90.0,
};

/// A control-plane node as a whole: termination with its interface 60 to 90 s, boot 90 to 150 s, etcd and API server 30 to
/// 60 s, the load balancer's health checks 20 to 60 s, a minute of probes.
pub const SLOT_REPLACEMENT: Seconds = Seconds {
    p50: 330.0,
    p90: 540.0,
};

/// From so many samples on, a cluster's own past alone counts.
const ENOUGH: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    per_stack_overhead: Seconds,
    create: BTreeMap<String, Seconds>,
    update: BTreeMap<String, Seconds>,
    delete: BTreeMap<String, Seconds>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| super::table("durations.json", include_str!("data/durations.json")));

impl Table {
    fn of(&self, operation: Operation) -> &BTreeMap<String, Seconds> {
        match operation {
            Operation::Create => &self.create,
            Operation::Update => &self.update,
            Operation::Delete => &self.delete,
        }
    }
}

impl Durations {
    /// The table alone.
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Takes in what past runs took, in seconds, under the key of [`key`]. Five samples or more speak for
    /// themselves. Fewer move the median of the table by their share of five, on a logarithmic scale,
    /// and leave its spread as it is: two runs say something of the middle, nothing of the tail.
    #[expect(clippy::cast_precision_loss, reason = "fewer than five samples")]
    pub fn learn(&mut self, operation: Operation, key: &str, samples: &[f64]) {
        let mut samples: Vec<f64> = samples
            .iter()
            .copied()
            .filter(|s| s.is_finite() && *s > 0.0)
            .collect();
        samples.sort_by(f64::total_cmp);
        let (Some(p50), Some(p90)) = (quantile(&samples, 0.5), quantile(&samples, 0.9)) else {
            return;
        };
        let learned = if samples.len() >= ENOUGH {
            Seconds { p50, p90 }
        } else {
            let prior = prior(operation, key);
            let share = samples.len() as f64 / ENOUGH as f64;
            let middle = (share * p50.ln() + (1.0 - share) * prior.p50.ln()).exp();
            Seconds {
                p50: middle,
                p90: middle * prior.p90 / prior.p50,
            }
        };
        self.learned.insert((operation, key.to_owned()), learned);
    }

    /// What to expect of a resource. `body` is all of it as the template has it (`Type`, `Properties`,
    /// `CreationPolicy`); it decides the variant.
    pub fn seconds(
        &self,
        operation: Operation,
        resource_type: &str,
        body: Option<&Value>,
    ) -> Seconds {
        let key = key(operation, resource_type, body);
        match self.learned.get(&(operation, key.clone())) {
            Some(learned) => *learned,
            None => prior(operation, &key),
        }
    }

    /// What to expect of an operation over all variants of a type. Variants have keys of their own:
    /// `AWS::RDS::DBInstance+multiAz`, `AWS::AutoScaling::AutoScalingGroup+signals`. Where past runs
    /// have some of them, those alone count.
    pub fn range(&self, operation: Operation, resource_type: &str) -> Option<Range> {
        let is_of = |key: &str| key.split('+').next() == Some(resource_type);
        let mut known: Vec<Seconds> = self
            .learned
            .iter()
            .filter(|((of, key), _)| *of == operation && is_of(key))
            .map(|(_, seconds)| *seconds)
            .collect();
        if known.is_empty() {
            let table = TABLE.of(operation).iter();
            known.extend(table.filter(|(key, _)| is_of(key)).map(|(_, s)| *s));
        }
        let spans = known.into_iter().map(Seconds::span);
        let ranges = spans.map(|span| Range {
            from: span.from,
            to: span.from,
            slow_after: span.to,
        });
        ranges.reduce(|a, b| Range {
            from: a.from.min(b.from),
            to: a.to.max(b.to),
            slow_after: a.slow_after.max(b.slow_after),
        })
    }

    /// What CloudFormation itself takes around the resources of an operation on a stack.
    pub fn stack_overhead(&self) -> Seconds {
        TABLE.per_stack_overhead
    }
}

/// The key under which a resource's time is looked up and learned: its type, with the variant that the
/// table or experience tells apart.
pub fn key(operation: Operation, resource_type: &str, body: Option<&Value>) -> String {
    let creates = operation == Operation::Create;
    let variant = match resource_type {
        "AWS::RDS::DBInstance" if creates && is_true(&property(body, "MultiAZ")) => "+multiAz",
        "AWS::AutoScaling::AutoScalingGroup" if creates && waits_for_signals(body) => "+signals",
        "AWS::EC2::VPCEndpoint" if creates && is_gateway(body) => "+gateway",
        _ => "",
    };
    format!("{resource_type}{variant}")
}

fn property(body: Option<&Value>, name: &str) -> Value {
    let properties = body.and_then(|body| body.get("Properties"));
    properties
        .and_then(|all| all.get(name))
        .cloned()
        .unwrap_or_default()
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}

fn waits_for_signals(body: Option<&Value>) -> bool {
    let policy = body.and_then(|body| body.get("CreationPolicy"));
    policy.is_some_and(|policy| policy.get("ResourceSignal").is_some())
}

/// An endpoint is a gateway unless it says otherwise, as CloudFormation has it.
fn is_gateway(body: Option<&Value>) -> bool {
    let said = property(body, "VpcEndpointType");
    body.is_some() && said.as_str().is_none_or(|word| word == "Gateway")
}

/// The table's entry for a key, or for the plain type where the table has no entry for the variant.
fn prior(operation: Operation, key: &str) -> Seconds {
    let table = TABLE.of(operation);
    let plain = key.split('+').next().unwrap_or(key);
    let known = table.get(key).or_else(|| table.get(plain));
    known.copied().unwrap_or(UNKNOWN)
}

/// The value that a share of sorted samples stays under, between two samples in proportion.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list of runs: small, and never below nought"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = (sorted.len().checked_sub(1)?) as f64 * share;
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DATABASE: &str = "AWS::RDS::DBInstance";

    #[test]
    fn embedded_durations_are_read() {
        let nat = Range {
            from: 106,
            to: 106,
            slow_after: 130,
        };
        assert_eq!(
            Durations::builtin().range(Operation::Create, "AWS::EC2::NatGateway"),
            Some(nat)
        );
        let delete = Durations::builtin().range(Operation::Delete, "AWS::EC2::NatGateway");
        assert_eq!(delete.map(|known| known.slow_after), Some(90));
        assert_eq!(
            Durations::builtin().range(Operation::Create, "AWS::Nobody::Knows"),
            None
        );
    }

    #[test]
    fn median_durations_are_below_the_ninth_decile() {
        for operation in [Operation::Create, Operation::Update, Operation::Delete] {
            let mut known = TABLE.of(operation).values();
            assert!(known.all(|known| 0.0 < known.p50 && known.p50 <= known.p90));
        }
    }

    #[test]
    fn duration_of_an_unknown_database_variant_spans_both() {
        let span = Range {
            from: 595,
            to: 1026,
            slow_after: 1200,
        };
        assert_eq!(
            Durations::builtin().range(Operation::Create, DATABASE),
            Some(span)
        );
    }

    #[test]
    fn duration_keys_match_whole_types() {
        let route = Durations::builtin().range(Operation::Create, "AWS::EC2::Route");
        assert_eq!(route.map(|span| span.to), Some(2));
    }

    #[test]
    fn duration_variant_follows_the_resource_body() {
        let known = Durations::builtin();
        let half = |of_type: &str, body: Value| {
            let found = known.seconds(Operation::Create, of_type, Some(&body));
            found.span().from
        };
        let group = "AWS::AutoScaling::AutoScalingGroup";
        let endpoint = "AWS::EC2::VPCEndpoint";
        let found = [
            half(DATABASE, json!({"Properties": {"MultiAZ": true}})),
            half(DATABASE, json!({"Properties": {"MultiAZ": "false"}})),
            half(
                group,
                json!({"CreationPolicy": {"ResourceSignal": {"Count": 1}}}),
            ),
            half(group, json!({"Properties": {"MinSize": "0"}})),
            half(
                endpoint,
                json!({"Properties": {"VpcEndpointType": "Interface"}}),
            ),
            half(endpoint, json!({"Properties": {}})),
            half("AWS::Nobody::Knows", json!({})),
        ];
        assert_eq!(found, [1026, 595, 240, 3, 60, 7, 5]);
        let update = known.seconds(Operation::Update, DATABASE, None);
        assert!((update.p90 - 400.0).abs() < 1e-9);
    }

    #[test]
    fn durations_of_five_past_runs_replace_the_table() {
        let mut known = Durations::builtin();
        known.learn(
            Operation::Create,
            DATABASE,
            &[300.0, 320.0, 310.0, 330.0, 400.0, f64::NAN],
        );
        let found = known.seconds(Operation::Create, DATABASE, None);
        assert!((found.p50 - 320.0).abs() < 1e-9);
        assert!((found.p90 - 372.0).abs() < 1e-9);
        let other = known.seconds(Operation::Delete, DATABASE, None);
        assert!((other.p50 - 300.0).abs() < 1e-9, "the table's");
    }

    #[test]
    fn durations_of_fewer_runs_move_the_median_only() {
        let mut known = Durations::builtin();
        let before = known.seconds(Operation::Create, DATABASE, None);
        known.learn(Operation::Create, DATABASE, &[300.0]);
        let after = known.seconds(Operation::Create, DATABASE, None);
        assert!(after.p50 < before.p50 && after.p50 > 500.0, "{}", after.p50);
        assert!((after.p90 / after.p50 - before.p90 / before.p50).abs() < 1e-9);
        known.learn(Operation::Create, DATABASE, &[]);
        assert_eq!(known.seconds(Operation::Create, DATABASE, None), after);
    }
}
