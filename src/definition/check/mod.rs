//! From the typed file to the spec: every leaf to its exact type, every default that follows from
//! another field. What can't be read is reported and left out; the rest is read all the same.
//!
//! Every struct of the file is taken apart without `..`, and an unused variable is an error: a field
//! that is added to the file and used nowhere does not compile.

#![deny(unused_variables)]

mod report;
mod scalars;

use ipnet::Ipv4Net;

pub(super) use report::{Finding, Location, Report};

use super::file::{
    AccessFile, ApiFile, ClusterFile, ControlPlaneFile, DatabaseFile, DnsFile, NetworkFile,
    PoolFile, SecretFile, TaintFile,
};
use crate::catalog::{instances, regions};
use crate::spec::rules::{LONGEST_NAME, LONGEST_POOL_NAME, nearest};
use crate::spec::{
    Access, Api, ApiDns, Architecture, ClusterSpec, ControlPlane, Database, DatabaseSecret,
    Network, NodePool, Taint, Zone,
};

/// The spec that `file` stands for, as far as it can be read. `stem` is the name of its file.
pub(super) fn cluster(file: ClusterFile, stem: Option<&str>, report: &mut Report) -> ClusterSpec {
    let ClusterFile {
        name,
        region,
        account,
        kubernetes,
        zones,
        network,
        api,
        control_plane,
        pools,
        database,
        protect,
        access,
        mirror,
        tags,
    } = file;
    scalars::name("name", &name, LONGEST_NAME, report);
    same_as_file(&name, stem, report);
    let spec = ClusterSpec {
        account: account.map(|text| scalars::account("account", &text, report)),
        kubernetes: scalars::version("kubernetes", &kubernetes, report),
        zones: self::zones(zones, &region, report),
        network: self::network(network, report),
        api: self::api(api, report),
        control_plane: self::control_plane(control_plane, report),
        pools: (0..)
            .zip(pools)
            .map(|(index, file)| pool(index, file, report))
            .collect(),
        database: database.map(|file| self::database(file, report)),
        access: self::access(access, report),
        mirror: mirror.map(|url| url.trim_end_matches('/').to_owned()),
        name,
        region,
        protect,
        tags,
    };
    report.finish();
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

fn zones(names: Option<Vec<String>>, region: &str, report: &mut Report) -> Vec<Zone> {
    let names = names.or_else(|| regions::default_zones(region));
    let names = names.unwrap_or_else(|| {
        unknown_region(region, report);
        Vec::new()
    });
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

fn network(file: NetworkFile, report: &mut Report) -> Network {
    let NetworkFile {
        cidr,
        nat,
        pod_cidr,
        service_cidr,
    } = file;
    Network {
        cidr: scalars::range("network.cidr", &cidr, report),
        pod_cidr: scalars::range("network.podCidr", &pod_cidr, report),
        service_cidr: scalars::range("network.serviceCidr", &service_cidr, report),
        nat,
    }
}

fn api(file: ApiFile, report: &mut Report) -> Api {
    let ApiFile {
        exposure,
        allowed_cidrs,
        dns,
    } = file;
    let mut range = |(index, text): (usize, &String)| -> Ipv4Net {
        scalars::range(&format!("api.allowedCidrs[{index}]"), text, report)
    };
    Api {
        exposure,
        allowed_cidrs: allowed_cidrs.iter().enumerate().map(&mut range).collect(),
        dns: dns.map(|DnsFile { name, hosted_zone }| ApiDns { name, hosted_zone }),
    }
}

fn control_plane(file: ControlPlaneFile, report: &mut Report) -> ControlPlane {
    let ControlPlaneFile {
        nodes,
        instance_type,
        volume_gib,
        etcd_volume_gib,
    } = file;
    ControlPlane {
        nodes: u8::try_from(nodes).unwrap_or(u8::MAX),
        architecture: architecture("controlPlane.instanceType", &instance_type, report),
        instance_type,
        volume_gib,
        etcd_volume_gib,
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

fn pool(index: usize, file: PoolFile, report: &mut Report) -> NodePool {
    let PoolFile {
        name,
        instance_types,
        min,
        max,
        spot_percent,
        on_demand_base,
        labels,
        taints,
        volume_gib,
        spread,
    } = file;
    let at = format!("pools[{index}]");
    scalars::name(&format!("{at}.name"), &name, LONGEST_POOL_NAME, report);
    let mut types = instance_types
        .iter()
        .enumerate()
        .map(|(index, name)| architecture(&format!("{at}.instanceTypes[{index}]"), name, report));
    let first = types.next();
    types.for_each(drop);
    if report.hides(&format!("{at}.min")) {
        report.broken(format!("{at}.max"));
    }
    NodePool {
        name,
        architecture: first.unwrap_or(Architecture::Arm64),
        instance_types,
        min,
        max: max.unwrap_or(min),
        spot_percent: u8::try_from(spot_percent).unwrap_or(100),
        on_demand_base,
        labels,
        taints: taints.into_iter().map(taint).collect(),
        volume_gib,
        spread,
    }
}

fn taint(TaintFile { key, value, effect }: TaintFile) -> Taint {
    Taint { key, value, effect }
}

/// The largest storage that RDS has for gp3, in GiB.
const MOST_STORAGE: u32 = 65_536;

fn database(file: DatabaseFile, report: &mut Report) -> Database {
    let DatabaseFile {
        engine_version,
        class,
        storage_gib,
        storage_limit_gib,
        multi_az,
        backup_days,
        backup_window,
        maintenance_window,
        parameters,
        restore_from,
        secret,
    } = file;
    self::class(&class, report);
    engine(&engine_version, report);
    let five_times = storage_gib.saturating_mul(5).min(MOST_STORAGE);
    Database {
        engine_version,
        class,
        storage_gib,
        storage_limit_gib: storage_limit_gib.unwrap_or(five_times),
        multi_az,
        backup_days: u8::try_from(backup_days).unwrap_or(u8::MAX),
        backup_window,
        maintenance_window,
        parameters,
        restore_from,
        secret: secret.map(self::secret),
    }
}

fn secret(file: SecretFile) -> DatabaseSecret {
    let SecretFile {
        name,
        namespaces,
        user,
    } = file;
    DatabaseSecret {
        name,
        namespaces,
        user,
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

fn access(file: AccessFile, report: &mut Report) -> Access {
    let AccessFile {
        issuers,
        ttl,
        max_ttl,
    } = file;
    Access {
        issuers,
        ttl_seconds: scalars::seconds("access.ttl", &ttl, report),
        max_ttl_seconds: scalars::seconds("access.maxTtl", &max_ttl, report),
    }
}
