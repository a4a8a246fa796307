//! From the typed file to the spec: every leaf to its exact type, every default that follows from
//! another field. What can't be read is reported and stands aside; the rest goes on.

mod leaf;
mod report;

use ipnet::Ipv4Net;

pub(super) use report::{Finding, Report, Spot};

use super::file::{
    AccessFile, ApiFile, ClusterFile, ControlPlaneFile, DatabaseFile, EffectFile, ExposureFile,
    NatFile, NetworkFile, PoolFile, SecretFile, SpreadFile, TaintFile,
};
use crate::catalog::{instances, regions};
use crate::spec::rules::{LONGEST_NAME, LONGEST_POOL_NAME, nearest};
use crate::spec::{
    Access, Api, ApiDns, Architecture, ClusterSpec, ControlPlane, Database, DatabaseSecret,
    Exposure, Nat, Network, NodePool, Spread, Taint, TaintEffect, Zone,
};

/// The spec that `file` stands for, as far as it can be read. `stem` is the name of its file.
pub(super) fn cluster(file: &ClusterFile, stem: Option<&str>, report: &mut Report) -> ClusterSpec {
    leaf::name("name", &file.name, LONGEST_NAME, report);
    same_as_file(&file.name, stem, report);
    let spec = ClusterSpec {
        name: file.name.clone(),
        region: file.region.clone(),
        account: file
            .account
            .as_deref()
            .map(|text| leaf::account("account", text, report)),
        kubernetes: leaf::version("kubernetes", &file.kubernetes, report),
        zones: zones(file, report),
        network: network(&file.network, report),
        api: api(&file.api, report),
        control_plane: control_plane(&file.control_plane, report),
        pools: pools(&file.pools, report),
        database: file
            .database
            .as_ref()
            .map(|database| self::database(database, report)),
        protect: file.protect,
        access: access(&file.access, report),
        mirror: file
            .mirror
            .as_deref()
            .map(|url| url.trim_end_matches('/').to_owned()),
        tags: file.tags.clone(),
    };
    report.settle();
    spec
}

/// A copied file whose name was not changed would change the cluster that it was copied from.
fn same_as_file(name: &str, stem: Option<&str>, report: &mut Report) {
    if let Some(stem) = stem.filter(|stem| *stem != name)
        && !report.hides("name")
    {
        let message = format!("the file is called `{stem}`, the cluster in it `{name}`");
        let help =
            format!("a copy must not change the original: write `name: {stem}` or rename the file");
        report.problem("name", message, help);
    }
}

fn zones(file: &ClusterFile, report: &mut Report) -> Vec<Zone> {
    let known = regions::default_zones(&file.region);
    let names = match (&file.zones, known) {
        (Some(names), _) => names.clone(),
        (None, Some(usual)) => usual,
        (None, None) => {
            unknown_region(&file.region, report);
            Vec::new()
        }
    };
    names
        .into_iter()
        .map(|name| Zone {
            letter: name.chars().next_back().unwrap_or('a'),
            name,
        })
        .collect()
}

/// A region outside the catalogue is fine where its zones are written down.
fn unknown_region(region: &str, report: &mut Report) {
    report.broken("zones");
    if report.hides("region") {
        return;
    }
    let zone = region.strip_suffix(|c: char| c.is_ascii_lowercase());
    let help =
        if let Some(of_zone) = zone.filter(|name| regions::names().any(|known| known == *name)) {
            format!("this is a zone: write `{of_zone}` here, and zones under `zones`")
        } else if let Some(near) = nearest(region, regions::names()) {
            format!("did you mean `{near}`?")
        } else if !region.contains('-') {
            "write its code, such as `eu-west-1` for Ireland".to_owned()
        } else {
            "if it is new, write its zones under `zones`".to_owned()
        };
    report.problem(
        "region",
        format!("`{region}` is no region that this kube-cfn knows"),
        help,
    );
}

fn network(file: &NetworkFile, report: &mut Report) -> Network {
    Network {
        cidr: leaf::range("network.cidr", &file.cidr, report),
        pod_cidr: leaf::range("network.podCidr", &file.pod_cidr, report),
        service_cidr: leaf::range("network.serviceCidr", &file.service_cidr, report),
        nat: match file.nat {
            NatFile::Regional => Nat::Regional,
            NatFile::Single => Nat::Single,
            NatFile::None => Nat::None,
        },
    }
}

fn api(file: &ApiFile, report: &mut Report) -> Api {
    let mut range = |(index, text): (usize, &String)| -> Ipv4Net {
        leaf::range(&format!("api.allowedCidrs[{index}]"), text, report)
    };
    Api {
        exposure: match file.exposure {
            ExposureFile::Internal => Exposure::Internal,
            ExposureFile::Public => Exposure::Public,
        },
        allowed_cidrs: file
            .allowed_cidrs
            .iter()
            .enumerate()
            .map(&mut range)
            .collect(),
        dns: file.dns.as_ref().map(|dns| ApiDns {
            name: dns.name.clone(),
            hosted_zone: dns.hosted_zone.clone(),
        }),
    }
}

fn control_plane(file: &ControlPlaneFile, report: &mut Report) -> ControlPlane {
    let at = "controlPlane.instanceType";
    ControlPlane {
        slots: u8::try_from(file.slots).unwrap_or(u8::MAX),
        instance_type: file.instance_type.clone(),
        architecture: architecture(at, &file.instance_type, report),
        volume_gib: file.volume_gib,
        etcd_volume_gib: file.etcd_volume_gib,
    }
}

/// The architecture of a type. A type without one has no instance type's form.
fn architecture(at: &str, name: &str, report: &mut Report) -> Architecture {
    match instances::architecture(name) {
        Some("arm64") => Architecture::Arm64,
        Some(_) => Architecture::X86_64,
        None => {
            if !report.hides(at) {
                let help = match name.strip_prefix("db.") {
                    Some(bare) => format!("`db.` is for databases: write `{bare}`"),
                    None => match nearest(name, instances::names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "a family and a size, such as `m7g.large`".to_owned(),
                    },
                };
                report.problem(at, format!("expected an instance type, got `{name}`"), help);
            }
            Architecture::Arm64
        }
    }
}

fn pools(files: &[PoolFile], report: &mut Report) -> Vec<NodePool> {
    let mut pools = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        pools.push(pool(&format!("pools[{index}]"), file, report));
    }
    pools
}

fn pool(at: &str, file: &PoolFile, report: &mut Report) -> NodePool {
    leaf::name(&format!("{at}.name"), &file.name, LONGEST_POOL_NAME, report);
    let mut kinds = Vec::with_capacity(file.instance_types.len());
    for (index, name) in file.instance_types.iter().enumerate() {
        kinds.push(architecture(
            &format!("{at}.instanceTypes[{index}]"),
            name,
            report,
        ));
    }
    if report.hides(&format!("{at}.min")) {
        report.broken(format!("{at}.max"));
    }
    NodePool {
        name: file.name.clone(),
        instance_types: file.instance_types.clone(),
        architecture: kinds.first().copied().unwrap_or(Architecture::Arm64),
        min: file.min,
        max: file.max.unwrap_or(file.min),
        spot_percent: u8::try_from(file.spot_percent).unwrap_or(100),
        on_demand_base: file.on_demand_base,
        labels: file.labels.clone(),
        taints: file.taints.iter().map(taint).collect(),
        volume_gib: file.volume_gib,
        spread: match file.spread {
            SpreadFile::Regional => Spread::Regional,
            SpreadFile::Zonal => Spread::Zonal,
        },
    }
}

fn taint(file: &TaintFile) -> Taint {
    Taint {
        key: file.key.clone(),
        value: file.value.clone(),
        effect: match file.effect {
            EffectFile::NoSchedule => TaintEffect::NoSchedule,
            EffectFile::PreferNoSchedule => TaintEffect::PreferNoSchedule,
            EffectFile::NoExecute => TaintEffect::NoExecute,
        },
    }
}

/// The largest storage that RDS has for gp3, in GiB.
const MOST_STORAGE: u32 = 65_536;

fn database(file: &DatabaseFile, report: &mut Report) -> Database {
    class(&file.class, report);
    engine(&file.engine_version, report);
    let five_times = file.storage_gib.saturating_mul(5).min(MOST_STORAGE);
    Database {
        engine_version: file.engine_version.clone(),
        class: file.class.clone(),
        storage_gib: file.storage_gib,
        storage_limit_gib: file.storage_limit_gib.unwrap_or(five_times),
        multi_az: file.multi_az,
        backup_days: u8::try_from(file.backup_days).unwrap_or(u8::MAX),
        backup_window: file.backup_window.clone(),
        maintenance_window: file.maintenance_window.clone(),
        parameters: file.parameters.clone(),
        restore_from: file.restore_from.clone(),
        secret: file.secret.as_ref().map(secret),
    }
}

fn secret(file: &SecretFile) -> DatabaseSecret {
    DatabaseSecret {
        name: file.name.clone(),
        namespaces: file.namespaces.clone(),
        user: file.user.clone(),
    }
}

fn class(class: &str, report: &mut Report) {
    let at = "database.class";
    if !class.starts_with("db.") && instances::architecture(class).is_some() && !report.hides(at) {
        let message = format!("expected a class of database instances, got `{class}`");
        report.problem(at, message, format!("write `db.{class}`"));
    }
}

fn engine(version: &str, report: &mut Report) {
    let at = "database.engineVersion";
    let Ok(major) = version.split('.').next().unwrap_or_default().parse::<u32>() else {
        return;
    };
    if report.hides(at) {
        return;
    }
    if !(14..=18).contains(&major) {
        let help = "RDS offers 14 to 18 with ordinary support; 17 is the default";
        report.problem(at, format!("Postgres {major} is not supported"), help);
    } else if !version.contains('.') {
        let message = format!("expected an exact Postgres version, got `{version}`");
        report.problem(
            at,
            message,
            "write the minor too: it moves only when you say so, such as `17.11`",
        );
    }
}

fn access(file: &AccessFile, report: &mut Report) -> Access {
    Access {
        issuers: file.issuers.clone(),
        ttl_seconds: leaf::seconds("access.ttl", &file.ttl, report),
        max_ttl_seconds: leaf::seconds("access.maxTtl", &file.max_ttl, report),
    }
}
