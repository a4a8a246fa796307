//! What is allowed and probably not meant, or can't be judged without AWS. It stops nothing.

use serde::Serialize;

use super::{Violation, additions};
use crate::catalog::engines::{self, EngineOffer};
use crate::catalog::{instances, regions};
use crate::spec::{ClusterSpec, Exposure};

/// A range of more addresses than a /8 is no range that somebody works from.
const WIDEST_RANGE: u8 = 8;

/// What a warning is about. The words are stable: scripts read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// The catalogue does not know the region.
    RegionUnknown,
    /// Two definitions of one directory have overlapping VPC ranges.
    NetworkCidrOverlap,
    /// A public API is open to the internet.
    ApiOpenToInternet,
    /// The catalogue does not know the instance type.
    InstanceTypeUnknown,
    /// Such a machine can't be a node, or not a useful one; `plan` refuses new ones.
    MachineUnfit,
    /// Pools may grow beyond the addresses of their subnets; `plan` refuses more machines.
    SubnetsTooSmall,
    /// The name gives another cluster's control plane the password of this one's database; `plan` refuses a new cluster.
    ClusterName,
    /// RDS creates no database from the engine version, and upgrades running ones by force.
    EngineVersionRetired,
    /// The catalogue does not know the engine version.
    EngineVersionUnknown,
}

/// A warning at a field of the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleWarning {
    pub code: WarningCode,
    /// Path of the field, as in [`super::Violation::at`].
    pub at: String,
    /// What was found, as a lower-case fragment.
    pub what: String,
    /// What comes of it, and what to do.
    pub help: String,
}

impl RuleWarning {
    pub(super) fn of(code: WarningCode, found: Violation) -> Self {
        let Violation { at, what, help, .. } = found;
        Self {
            code,
            at,
            what,
            help,
        }
    }
}

/// Every warning about `spec`, in the order of the definition's fields. `others` are the definitions beside it.
pub fn warnings(spec: &ClusterSpec, others: &[ClusterSpec]) -> Vec<RuleWarning> {
    let mut all = Vec::new();
    region(spec, &mut all);
    ranges(spec, others, &mut all);
    api(spec, &mut all);
    machines(spec, &mut all);
    all.extend(additions(spec).into_iter().map(|(_, warning)| warning));
    engine(spec, &mut all);
    all
}

fn push(
    all: &mut Vec<RuleWarning>,
    code: WarningCode,
    at: impl Into<String>,
    (what, help): (String, String),
) {
    let at = at.into();
    all.push(RuleWarning {
        code,
        at,
        what,
        help,
    });
}

fn region(spec: &ClusterSpec, all: &mut Vec<RuleWarning>) {
    if regions::names().all(|known| known != spec.region) {
        let what = format!("`{}` is not in the table of this kube-cfn", spec.region);
        let help = "it may lack the default machine types or regional NAT gateways: name types that it has, and \
                    `nat: single`, where AWS refuses them";
        push(
            all,
            WarningCode::RegionUnknown,
            "region",
            (what, help.to_owned()),
        );
    }
}

fn ranges(spec: &ClusterSpec, others: &[ClusterSpec], all: &mut Vec<RuleWarning>) {
    let own = spec.network.cidr;
    for other in others {
        let cidr = other.network.cidr;
        if cidr.contains(&own.network()) || own.contains(&cidr.network()) {
            let what = format!("the VPC range {own} overlaps {cidr} of `{}`", other.name);
            let help = "the two VPCs can never be connected, and a range never changes: before the cluster is created, \
                        write one that no other definition has";
            let code = WarningCode::NetworkCidrOverlap;
            push(all, code, "network.cidr", (what, help.to_owned()));
        }
    }
}

fn api(spec: &ClusterSpec, all: &mut Vec<RuleWarning>) {
    if spec.api.exposure != Exposure::Public {
        return;
    }
    for (index, range) in spec.api.allowed_cidrs.iter().enumerate() {
        if range.prefix_len() >= WIDEST_RANGE {
            continue;
        }
        let what = if range.prefix_len() == 0 {
            format!("{range} opens the API to everybody on the internet")
        } else {
            format!("{range} opens the API to a large part of the internet")
        };
        let help = "only certificates keep others out then, and one can't be revoked: list the ranges that you work from, \
                    such as 203.0.113.7/32";
        let at = format!("api.allowedCidrs[{index}]");
        push(
            all,
            WarningCode::ApiOpenToInternet,
            at,
            (what, help.to_owned()),
        );
    }
}

fn machines(spec: &ClusterSpec, all: &mut Vec<RuleWarning>) {
    let control_plane = spec.control_plane.instance_type.as_str();
    let mut named = vec![("controlPlane.instanceType".to_owned(), control_plane)];
    for (pool, of) in spec.pools.iter().enumerate() {
        let types = of.instance_types.iter().enumerate();
        let at = |index| format!("pools[{pool}].instanceTypes[{index}]");
        named.extend(types.map(|(index, name)| (at(index), name.as_str())));
    }
    let database = spec.database.as_ref();
    let class = database.and_then(|database| database.class.strip_prefix("db."));
    named.extend(class.map(|class| ("database.class".to_owned(), class)));
    for (at, name) in named {
        if instances::is_known(name) {
            continue;
        }
        let name = if at == "database.class" {
            format!("db.{name}")
        } else {
            name.to_owned()
        };
        let what = format!("`{name}` is not in the table of this kube-cfn");
        let help =
            "its size could not be checked here, and may not exist: `kube-cfn plan` asks AWS"
                .to_owned();
        push(all, WarningCode::InstanceTypeUnknown, at, (what, help));
    }
}

fn engine(spec: &ClusterSpec, all: &mut Vec<RuleWarning>) {
    let Some(database) = &spec.database else {
        return;
    };
    let (version, date) = (&database.engine_version, engines::as_of());
    let (code, words) = match engines::postgres(version) {
        EngineOffer::Creatable => return,
        EngineOffer::Retired { nearest } => {
            let what =
                format!("RDS creates no new database of PostgreSQL {version} (as of {date})");
            let help = format!(
                "a running one is upgraded by AWS, whatever this file says; write {nearest} or newer, or the version \
                 that runs"
            );
            (WarningCode::EngineVersionRetired, (what, help))
        }
        EngineOffer::Unknown { newest } => {
            let what = format!("PostgreSQL {version} is not in the table of {date}");
            let help = newest.map_or_else(
                || "RDS may not have it".to_owned(),
                |newest| format!("RDS may not have it; the newest there is {newest}"),
            );
            (WarningCode::EngineVersionUnknown, (what, help))
        }
    };
    push(all, code, "database.engineVersion", words);
}
