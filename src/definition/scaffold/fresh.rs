//! The text of a short definition, with the lines that people look for first as comments.

use super::{NewCluster, cannot, first_free};
use crate::catalog::{kubernetes, regions};
use crate::definition::DefinitionError;
use crate::spec::rules::nearest;

const TEXT: &str = include_str!("fresh.yaml");

pub(super) fn text(request: &NewCluster<'_>) -> Result<String, DefinitionError> {
    let region = region(request)?;
    let version = request
        .kubernetes
        .map(ToString::to_string)
        .or_else(|| kubernetes::newest().map(ToString::to_string))
        .ok_or_else(|| cannot(request, "the catalogue has no Kubernetes version"))?;
    let taken: Vec<_> = request
        .others
        .iter()
        .map(|(_, other)| other.network.cidr)
        .collect();
    let cidr =
        first_free(16, &taken).ok_or_else(|| cannot(request, "10.0.0.0/8 has no free /16 left"))?;
    // Three nodes need three zones, which a few regions do not have.
    let zones = regions::default_zones(region).map_or(3, |zones| zones.len());
    let nodes = if zones < 3 { "1" } else { "3" };
    let nat = if regions::has_regional_nat(region) {
        "regional             # single costs a third and is gone with its zone"
    } else {
        "single               # GovCloud has no regional NAT gateways"
    };
    let database = match request.restore_from {
        Some(snapshot) => format!("database:\n  restoreFrom: {snapshot}\n"),
        None => "# database: {}\n".to_owned(),
    };
    Ok(TEXT
        .replace("<name>", request.name)
        .replace("<region>", region)
        .replace("<kubernetes>", &format!("{version:<16}"))
        .replace("<cidr>", &format!("{:<20}", cidr.to_string()))
        .replace("<nat>", nat)
        .replace("<nodes>", nodes)
        .replace("<worker>", regions::default_worker(region))
        .replace("<database>\n", &database))
}

fn region<'a>(request: &'a NewCluster<'_>) -> Result<&'a str, DefinitionError> {
    let other = request.others.first().map(|(_, spec)| spec.region.as_str());
    let Some(region) = request.region.or(other) else {
        return Err(cannot(
            request,
            "no other definition has a region to take: give --region",
        ));
    };
    if let Some(why) = regions::unsupported(region) {
        return Err(cannot(request, &format!("{why}: `{region}`")));
    }
    if regions::default_zones(region).is_none() {
        let guess = nearest(region, regions::names())
            .map(|near| format!(", did you mean `{near}`?"))
            .unwrap_or_default();
        return Err(cannot(
            request,
            &format!("`{region}` is not a known region{guess}"),
        ));
    }
    Ok(region)
}
