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
    AccessFile, ApiFile, ClusterFile, ControlPlaneFile, DatabaseFile, NetworkFile, PoolFile,
    SecretFile,
};
use crate::catalog::regions;
use crate::spec::rules::{LONGEST_NAME, LONGEST_POOL_NAME};
use crate::spec::{
    Access, Api, Architecture, ClusterSpec, ControlPlane, Database, DatabaseSecret, Nat, Network,
    NodePool, Zone,
};

/// The spec of `file`, as far as it can be read. `stem` is the name of its file.
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
        network: self::network(network, &region, report),
        api: self::api(api, report),
        control_plane: self::control_plane(control_plane, report),
        pools: (0..)
            .zip(pools)
            .map(|(index, file)| pool(index, file, &region, report))
            .collect(),
        database: database.map(|file| self::database(file, &region, report)),
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
        scalars::unknown_region(region, report);
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

fn network(file: NetworkFile, region: &str, report: &mut Report) -> Network {
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
        // Losing a zone must not take the nodes of the others from the internet, where AWS has what that needs.
        nat: nat.unwrap_or(if regions::has_regional_nat(region) {
            Nat::Regional
        } else {
            Nat::Single
        }),
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
        dns,
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
        architecture: scalars::architecture("controlPlane.instanceType", &instance_type, report),
        instance_type,
        volume_gib,
        etcd_volume_gib,
    }
}

fn pool(index: usize, file: PoolFile, region: &str, report: &mut Report) -> NodePool {
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
    let instance_types =
        instance_types.unwrap_or_else(|| vec![regions::default_worker(region).to_owned()]);
    let mut types = instance_types.iter().enumerate().map(|(index, name)| {
        scalars::architecture(&format!("{at}.instanceTypes[{index}]"), name, report)
    });
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
        taints,
        volume_gib,
        spread,
    }
}

/// The largest storage that RDS has for gp3, in GiB.
const MOST_STORAGE: u32 = 65_536;

fn database(file: DatabaseFile, region: &str, report: &mut Report) -> Database {
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
    let class = class.unwrap_or_else(|| regions::default_database(region).to_owned());
    scalars::class(&class, report);
    scalars::engine(&engine_version, report);
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
