//! What has a price of its own: the units in which AWS counts machines, disks, hours. Names only, no
//! figures.

use std::fmt;
use std::str::FromStr;

/// Hours that AWS counts for a month.
pub const HOURS: f64 = 730.0;

/// Something with a price of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meter {
    /// An hour of an EC2 machine with Linux, on demand, by type (`m7g.large`).
    Instance(String),
    /// An hour of a Postgres database by class (`db.m7g.large`), the standby included.
    Database(Zones, String),
    /// A GiB of gp3 under a database for a month, both copies of it for Multi-AZ.
    DatabaseStorage(Zones),
    NatHour,
    /// An hour of a regional NAT gateway in one of its zones.
    NatRegionalHour,
    /// An hour of a network load balancer, without its capacity units.
    NlbHour,
    /// An hour of an application load balancer, without its capacity units.
    AlbHour,
    /// An hour of a classic load balancer, without the data that passes it.
    ClassicHour,
    /// An hour of a public IPv4 address.
    Ipv4Hour,
    /// An hour of an interface endpoint in one zone.
    EndpointHour,
    /// A GiB of gp3 for a month.
    VolumeGib,
    /// One of the IOPS above the 3,000 that come with gp3, for a month.
    VolumeIops,
    /// A MiB/s above the 125 that come with gp3, for a month.
    VolumeThroughput,
    /// A GiB of an EBS snapshot in the standard tier for a month.
    SnapshotGib,
    /// A GiB that a log group of `CloudWatch` Logs stores for a month.
    LogGib,
    /// A GiB of snapshots or automated backups of RDS for a month, beyond what comes with databases.
    BackupGib,
    /// A KMS key for a month.
    Key,
    /// A secret for a month.
    Secret,
    /// A hosted zone for a month.
    Zone,
}

/// How many zones a database lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zones {
    One,
    /// With a standby in another zone.
    Two,
}

/// A price to look up: what, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceKey {
    pub region: String,
    pub meter: Meter,
}

impl PriceKey {
    pub fn new(region: &str, meter: Meter) -> Self {
        Self {
            region: region.to_owned(),
            meter,
        }
    }
}

/// How big a machine is among its family. AWS prices the sizes of a family in proportion to each other,
/// and a database in two zones as two.
pub(super) struct Size<'a> {
    pub family: &'a str,
    pub name: &'a str,
    pub units: f64,
}

impl<'a> Size<'a> {
    pub fn of(meter: &'a Meter) -> Option<Self> {
        let (name, copies) = match meter {
            Meter::Instance(name) | Meter::Database(Zones::One, name) => (name, 1.0),
            Meter::Database(Zones::Two, name) => (name, 2.0),
            _ => return None,
        };
        let (family, size) = name.rsplit_once('.')?;
        // AWS's size normalisation factors, as its reserved instances use them.
        let units = match size {
            "nano" => 0.25,
            "micro" => 0.5,
            "small" => 1.0,
            "medium" => 2.0,
            "large" => 4.0,
            "xlarge" => 8.0,
            _ => 8.0 * f64::from(size.strip_suffix("xlarge")?.parse::<u16>().ok()?),
        };
        Some(Self {
            family,
            name,
            units: units * copies,
        })
    }
}

impl Meter {
    /// Whether AWS takes the same in every region that the table quotes.
    pub fn is_the_same_everywhere(&self) -> bool {
        matches!(self, Self::Ipv4Hour | Self::Key | Self::Secret | Self::Zone)
    }

    /// Units of it in a month of one thing.
    pub fn a_month(&self) -> f64 {
        match self {
            Self::Instance(_)
            | Self::Database(..)
            | Self::NatHour
            | Self::NatRegionalHour
            | Self::NlbHour
            | Self::AlbHour
            | Self::ClassicHour
            | Self::Ipv4Hour
            | Self::EndpointHour => HOURS,
            Self::DatabaseStorage(_)
            | Self::VolumeGib
            | Self::VolumeIops
            | Self::VolumeThroughput
            | Self::SnapshotGib
            | Self::LogGib
            | Self::BackupGib
            | Self::Key
            | Self::Secret
            | Self::Zone => 1.0,
        }
    }
}

const PLAIN: [(&str, Meter); 16] = [
    ("nat-hour", Meter::NatHour),
    ("nat-regional-hour", Meter::NatRegionalHour),
    ("nlb-hour", Meter::NlbHour),
    ("alb-hour", Meter::AlbHour),
    ("classic-hour", Meter::ClassicHour),
    ("ipv4-hour", Meter::Ipv4Hour),
    ("endpoint-hour", Meter::EndpointHour),
    ("volume-gib", Meter::VolumeGib),
    ("volume-iops", Meter::VolumeIops),
    ("volume-throughput", Meter::VolumeThroughput),
    ("snapshot-gib", Meter::SnapshotGib),
    ("log-gib", Meter::LogGib),
    ("backup-gib", Meter::BackupGib),
    ("key", Meter::Key),
    ("secret", Meter::Secret),
    ("zone", Meter::Zone),
];

/// The word of the table: `nat-hour`, `instance m7g.large`, `database multi db.m7g.large`.
impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(name) => write!(f, "instance {name}"),
            Self::Database(zones, class) => write!(f, "database {} {class}", zones.word()),
            Self::DatabaseStorage(zones) => write!(f, "database-storage {}", zones.word()),
            plain => {
                let known = PLAIN.iter().find(|(_, meter)| meter == plain);
                f.write_str(known.map_or("", |(word, _)| word))
            }
        }
    }
}

impl FromStr for Meter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split(' ').collect();
        let meter = match words[..] {
            ["instance", name] => Some(Self::Instance(name.to_owned())),
            ["database", zones, class] => {
                Zones::parse(zones).map(|zones| Self::Database(zones, class.to_owned()))
            }
            ["database-storage", zones] => Zones::parse(zones).map(Self::DatabaseStorage),
            [word] => PLAIN
                .into_iter()
                .find_map(|(name, meter)| (name == word).then_some(meter)),
            _ => None,
        };
        meter.ok_or_else(|| format!("`{text}` is no meter"))
    }
}

impl Zones {
    fn word(self) -> &'static str {
        match self {
            Self::One => "single",
            Self::Two => "multi",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::One, Self::Two]
            .into_iter()
            .find(|zones| zones.word() == word)
    }
}
