//! What costs something a month when a cluster is gone: what is kept outside its stacks, what its stacks leave on
//! purpose, and what should be gone and is not. List prices, as everywhere in the forecast; asks nobody.

use serde_json::Value;

use super::cost::{CostRange, cost};
use super::prices::{Basis, Meter, PriceKey, Prices};
use crate::cloud::StackStatus;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::plan::deletion::{DeletePlan, DeleteStep, Loss};

const GIB: f64 = 1_073_741_824.0;

/// What one thing costs a month.
#[derive(Debug, Clone, PartialEq)]
pub enum Upkeep {
    /// AWS takes nothing for it.
    Free,
    About(Amount),
    /// AWS bills less than its size says: what changed, what is compressed, what exceeds a free size.
    UpTo(Amount),
    /// Its price depends on what is not known here, or no price is known in the region.
    Unknown,
}

/// US dollars a month, and how they are known.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount {
    pub usd: f64,
    pub basis: Basis,
}

/// Several things together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Upkeeps {
    /// US dollars a month, each thing rounded to cents.
    pub usd: f64,
    /// Whether it can be less.
    pub is_most: bool,
    /// How many have a price.
    pub priced: usize,
    /// How many cost something that is not in the sum.
    pub unpriced: usize,
    /// Days of the oldest and the newest figure.
    pub dated: Option<(String, String)>,
    /// Whether a figure was worked out from another region or size.
    pub is_derived: bool,
}

/// What a deletion leaves of a resource of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Left {
    pub stack: String,
    pub logical_id: String,
    /// The resource's sentence.
    pub sentence: String,
    pub what: LeftKind,
    /// Its size where the template has one, in GiB; a database may have grown since.
    pub gib: Option<f64>,
    pub upkeep: Upkeep,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftKind {
    /// The resource itself.
    Kept,
    /// A last snapshot of it.
    Snapshot,
    /// Automated backups of a database.
    Backups {
        /// Its identifier, where it is known.
        database: Option<String>,
        days: u64,
    },
    /// A log group that a database may have.
    LogGroup { name: String },
}

/// What a resource outside the stacks costs while it is there.
pub fn upkeep(resource: &OutsideResource, region: &str, prices: &Prices) -> Upkeep {
    let gib = resource.bytes.map(gib);
    let by_size = |meter| gib.and_then(|gib| amount(meter, gib, region, prices));
    let fixed = |meter: Meter| {
        let units = meter.a_month();
        amount(meter, units, region, prices)
    };
    match resource.kind {
        OutsideKind::TargetGroup
        | OutsideKind::GroupRule
        | OutsideKind::SecurityGroup
        | OutsideKind::Interface
        | OutsideKind::DnsRecord
        | OutsideKind::Subnet
        | OutsideKind::RouteTable
        | OutsideKind::Peering
        // The connections of a gateway are billed, not it.
        | OutsideKind::NetworkAcl
        | OutsideKind::VpnGateway
        | OutsideKind::InternetGateway
        | OutsideKind::Vpc => Upkeep::Free,
        // KMS takes nothing for one that waits for its deletion.
        OutsideKind::Key if resource.is_scheduled() => Upkeep::Free,
        // No type of a machine or a database, no zones of an endpoint, no contents of a bucket are known of them.
        OutsideKind::Machine
        | OutsideKind::Endpoint
        | OutsideKind::Bucket
        | OutsideKind::Database => Upkeep::Unknown,
        // A regional one is billed by its zones.
        OutsideKind::NatGateway if resource.description.is_some() => Upkeep::Unknown,
        OutsideKind::NatGateway => about(fixed(Meter::NatHour)),
        OutsideKind::Address => about(fixed(Meter::Ipv4Hour)),
        OutsideKind::LoadBalancer => balancer(&resource.id)
            .and_then(fixed)
            .map_or(Upkeep::Unknown, Upkeep::About),
        OutsideKind::ClassicLoadBalancer => about(fixed(Meter::ClassicHour)),
        OutsideKind::Key => about(fixed(Meter::Key)),
        // As gp3, the type of the storage class that comes with the tool.
        OutsideKind::Volume => about(by_size(Meter::VolumeGib)),
        OutsideKind::Snapshot => up_to(by_size(Meter::SnapshotGib)),
        OutsideKind::LogGroup => up_to(by_size(Meter::LogGib)),
        OutsideKind::Backup | OutsideKind::DatabaseSnapshot => up_to(by_size(Meter::BackupGib)),
    }
}

/// What a `PersistentVolume`'s EBS volume of a size costs, as gp3.
pub fn of_volume(gib: u64, region: &str, prices: &Prices) -> Upkeep {
    let bytes = gib.saturating_mul(1 << 30);
    let volume = OutsideResource {
        bytes: Some(bytes),
        ..OutsideResource::new(OutsideKind::Volume, "")
    };
    upkeep(&volume, region, prices)
}

/// The meter of a load balancer by the kind in its ARN.
fn balancer(arn: &str) -> Option<Meter> {
    if arn.contains(":loadbalancer/net/") {
        Some(Meter::NlbHour)
    } else if arn.contains(":loadbalancer/app/") {
        Some(Meter::AlbHour)
    } else {
        None
    }
}

fn amount(meter: Meter, units: f64, region: &str, prices: &Prices) -> Option<Amount> {
    let price = prices.find(&PriceKey::new(region, meter))?;
    Some(Amount {
        usd: price.usd * units,
        basis: price.basis,
    })
}

fn about(amount: Option<Amount>) -> Upkeep {
    amount.map_or(Upkeep::Unknown, Upkeep::About)
}

fn up_to(amount: Option<Amount>) -> Upkeep {
    amount.map_or(Upkeep::Unknown, Upkeep::UpTo)
}

/// Bytes in GiB; no resource is so large that a float counts it wrong by a cent.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 bytes are 8 PiB, more than a volume can have"
)]
fn gib(bytes: u64) -> f64 {
    bytes as f64 / GIB
}

impl Upkeep {
    /// What it costs as far as it is known.
    pub fn amount(&self) -> Option<&Amount> {
        match self {
            Self::About(amount) | Self::UpTo(amount) => Some(amount),
            Self::Free | Self::Unknown => None,
        }
    }

    /// Whether it can cost less.
    pub fn is_most(&self) -> bool {
        matches!(self, Self::UpTo(_))
    }
}

impl Upkeeps {
    /// All of them together.
    pub fn of<'a>(all: impl IntoIterator<Item = &'a Upkeep>) -> Self {
        all.into_iter().fold(Self::default(), Self::and)
    }

    fn and(mut self, one: &Upkeep) -> Self {
        let Some(amount) = one.amount() else {
            self.unpriced += usize::from(*one == Upkeep::Unknown);
            return self;
        };
        self.usd += (amount.usd * 100.0).round() / 100.0;
        self.is_most |= one.is_most();
        self.priced += 1;
        self.is_derived |= amount.basis.derived.is_some();
        let date = amount.basis.date.clone();
        self.dated = Some(match self.dated {
            None => (date.clone(), date),
            Some((oldest, newest)) => (oldest.min(date.clone()), newest.max(date)),
        });
        self
    }
}

/// What the stacks of a deletion leave on purpose, by their templates: kept resources, last snapshots, and what RDS keeps
/// of a database.
pub fn left(plan: &DeletePlan, region: &str, prices: &Prices) -> Vec<Left> {
    let steps = plan.steps.iter();
    let of_step = |step| left_of(step, region, prices);
    steps
        .filter(|step| has_resources(step))
        .flat_map(of_step)
        .collect()
}

/// Whether a stack can have anything: a creation that was rolled back, and a stack that was only announced, leave nothing
/// when they are deleted.
pub fn has_resources(step: &DeleteStep) -> bool {
    !matches!(
        step.found.status,
        StackStatus::RollbackComplete | StackStatus::ReviewInProgress | StackStatus::DeleteComplete
    )
}

fn left_of(step: &DeleteStep, region: &str, prices: &Prices) -> Vec<Left> {
    let losses = step.losses();
    let data = losses.iter().filter(|loss| loss.is_data());
    let of_loss = |loss| {
        let own = own(step, loss, region, prices);
        own.into_iter()
            .chain(of_database(step, loss, region, prices))
    };
    data.flat_map(of_loss).collect()
}

/// The resource itself or its snapshot, where its policy keeps one of them.
fn own(step: &DeleteStep, loss: &Loss, region: &str, prices: &Prices) -> Option<Left> {
    let gib = size(step, loss);
    let (what, upkeep) = match loss.policy.as_str() {
        "Retain" | "RetainExceptOnCreate" => (LeftKind::Kept, kept(step, loss, region, prices)),
        "Snapshot" => {
            let meter = match loss.resource_type.as_str() {
                "AWS::EC2::Volume" => Some(Meter::SnapshotGib),
                "AWS::RDS::DBInstance" => Some(Meter::BackupGib),
                _ => None,
            };
            let most = meter.and_then(|meter| amount(meter, gib?, region, prices));
            (LeftKind::Snapshot, up_to(most))
        }
        _ => return None,
    };
    Some(Left {
        gib,
        ..with(step, loss, what, upkeep)
    })
}

/// What a kept resource costs, as the forecast of its stack has it.
fn kept(step: &DeleteStep, loss: &Loss, region: &str, prices: &Prices) -> Upkeep {
    let Some(template) = &step.template else {
        return Upkeep::Unknown;
    };
    let cost = cost(template, &step.found.parameters, region, prices);
    let own = cost.items.into_iter();
    let own: Vec<_> = own
        .filter(|item| item.logical_id == loss.logical_id)
        .collect();
    let CostRange { from, to } = own
        .iter()
        .fold(CostRange::default(), |sum, item| sum + item.usd_month);
    let Some(basis) = own.into_iter().map(|item| item.basis).max() else {
        return Upkeep::Unknown;
    };
    let amount = Amount { usd: to, basis };
    if from < to {
        Upkeep::UpTo(amount)
    } else {
        Upkeep::About(amount)
    }
}

fn of_database(step: &DeleteStep, loss: &Loss, region: &str, prices: &Prices) -> Vec<Left> {
    let Some(left) = step.database_leftovers(&loss.logical_id, None) else {
        return Vec::new();
    };
    let gib = size(step, loss);
    let backups = left.backup_days.map(|days| {
        let most = gib.and_then(|gib| amount(Meter::BackupGib, gib, region, prices));
        let what = LeftKind::Backups {
            database: left.database,
            days,
        };
        Left {
            gib,
            ..with(step, loss, what, up_to(most))
        }
    });
    let log_group = |name| with(step, loss, LeftKind::LogGroup { name }, Upkeep::Unknown);
    let log_groups = left.log_groups.into_iter().map(log_group);
    backups.into_iter().chain(log_groups).collect()
}

fn with(step: &DeleteStep, loss: &Loss, what: LeftKind, upkeep: Upkeep) -> Left {
    Left {
        stack: step.found.name.clone(),
        logical_id: loss.logical_id.clone(),
        sentence: loss.sentence.clone(),
        what,
        gib: None,
        upkeep,
    }
}

/// The size that the template gives a volume or a database, in GiB.
fn size(step: &DeleteStep, loss: &Loss) -> Option<f64> {
    let resource = &step.template.as_ref()?["Resources"][&loss.logical_id];
    let sizes = ["Size", "AllocatedStorage"].map(|name| &resource["Properties"][name]);
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    sizes.into_iter().find_map(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priced(kind: OutsideKind, id: &str, bytes: Option<u64>, region: &str) -> Upkeep {
        let resource = OutsideResource {
            bytes,
            ..OutsideResource::new(kind, id)
        };
        upkeep(&resource, region, &Prices::table())
    }

    fn usd(upkeep: &Upkeep) -> f64 {
        upkeep.amount().map_or(0.0, |amount| amount.usd)
    }

    #[test]
    fn upkeep_is_by_size_or_by_hour() {
        let gib = |gib: u64| Some(gib << 30);
        let arn = |kind| format!("arn:aws:elasticloadbalancing:r:1:loadbalancer/{kind}/x/1");
        let home = "us-east-1";
        let cases = [
            (OutsideKind::Volume, String::new(), gib(50), 4.0, false),
            (OutsideKind::Snapshot, String::new(), gib(50), 2.5, true),
            (OutsideKind::LogGroup, String::new(), gib(10), 0.3, true),
            (OutsideKind::Backup, String::new(), gib(20), 1.9, true),
            (OutsideKind::LoadBalancer, arn("net"), None, 16.425, false),
            (OutsideKind::LoadBalancer, arn("app"), None, 16.425, false),
            (
                OutsideKind::ClassicLoadBalancer,
                String::new(),
                None,
                18.25,
                false,
            ),
            (OutsideKind::Key, String::new(), None, 1.0, false),
        ];
        for (kind, id, bytes, wanted, is_most) in cases {
            let found = priced(kind, &id, bytes, home);
            assert!((usd(&found) - wanted).abs() < 1e-9, "{kind:?}: {found:?}");
            assert_eq!(found.is_most(), is_most, "{kind:?}");
        }
        let gateway = priced(OutsideKind::LoadBalancer, &arn("gwy"), None, home);
        assert_eq!(gateway, Upkeep::Unknown);
    }

    #[test]
    fn upkeep_of_a_region_is_its_own_or_derived() {
        let volume = priced(OutsideKind::Volume, "", Some(10 << 30), "eu-west-1");
        assert!((usd(&volume) - 0.88).abs() < 1e-9);
        let snapshot = priced(OutsideKind::Snapshot, "", Some(10 << 30), "eu-west-1");
        let all = Upkeeps::of([&volume, &snapshot]);
        assert!(all.is_derived && all.is_most);
        // 0.88 and 0.535, each rounded.
        assert!((all.usd - 1.42).abs() < 1e-9, "{}", all.usd);
        assert!(!Upkeeps::of([&volume]).is_derived);
    }

    #[test]
    fn unknown_size_has_no_price() {
        let all = Upkeeps::of(&[
            priced(OutsideKind::Volume, "", None, "us-east-1"),
            priced(OutsideKind::Machine, "i-1", None, "us-east-1"),
            priced(OutsideKind::TargetGroup, "", None, "us-east-1"),
        ]);
        assert_eq!((all.unpriced, all.priced, all.dated), (2, 0, None));
    }
}
