//! Record sets of Route 53 that external-dns made for a cluster, as its registry of TXT records says.
//!
//! Route 53 can't be searched for a value: every zone that may hold such records is read, 300 record sets a page. A zone
//! with fewer than three sets has nothing but its own, and the zones of linked services take no records from others. Route
//! 53 answers 5 calls a second for a whole account: where more than [`MOST_PAGES`] pages would have to be read, none is,
//! and that is an error.

mod answer;
mod registry;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::answer::{RecordSet, Start, Zone};
use super::{unreadable, with_action};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::{ApiCall, each_page};
use crate::cloud::aws::signed::{Rest, Tries, rest};
use crate::cloud::limiter::Service;
use crate::cloud::outside::{OutsideResource, OutsideScope};

/// Pages of record sets that are read at most: about a minute's calls, up to 36,000 record sets.
const MOST_PAGES: u64 = 120;
/// Record sets on a page, the most that Route 53 gives.
const PAGE: u64 = 300;
/// The sets that every zone has: its name servers and its start of authority.
const OWN_SETS: u64 = 2;
const ZONES: &str = "2013-04-01/hostedzone";
/// What stays as it is in a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

pub(super) async fn records(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let mut zones = zones(aws).await?;
    zones.retain(|zone| !zone.is_linked && zone.sets.is_none_or(|sets| sets > OWN_SETS));
    let pages = zones
        .iter()
        .map(|zone| zone.sets.unwrap_or(1).div_ceil(PAGE));
    let pages: u64 = pages.sum();
    if pages > MOST_PAGES {
        let number = zones.len();
        return Err(CloudError::Conflict(format!(
            "record sets of {number} hosted zones need {pages} calls to Route 53, at most {MOST_PAGES} are made"
        )));
    }
    let mut found = Vec::new();
    for zone in zones {
        // A zone may go away in between.
        let sets = CloudError::optional(record_sets(aws, &zone.id).await)?.unwrap_or_default();
        let owned = registry::owned(&zone.id, &sets, &scope.cluster);
        let unclear = |text| CloudError::Conflict(format!("hosted zone {}: {text}", zone.id));
        found.extend(owned.map_err(unclear)?);
    }
    Ok(found)
}

async fn zones(aws: &Aws) -> Result<Vec<Zone>, CloudError> {
    let api_call = ApiCall::new(Service::Route53, "ListHostedZones", "");
    let mut zones = Vec::new();
    each_page(async |next: Option<String>| {
        let from = next.map(|marker| format!("?marker={}", utf8_percent_encode(&marker, PLAIN)));
        let path = format!("{ZONES}{}", from.unwrap_or_default());
        let text = get(aws, api_call, &path).await?;
        let (page, next) = answer::zones(&text).map_err(unreadable(api_call))?;
        zones.extend(page);
        Ok(next)
    })
    .await?;
    Ok(zones)
}

async fn record_sets(aws: &Aws, zone: &str) -> Result<Vec<RecordSet>, CloudError> {
    let api_call = ApiCall::new(Service::Route53, "ListResourceRecordSets", zone);
    let mut sets = Vec::new();
    each_page(async |next: Option<Start>| {
        let path = sets_path(zone, PAGE, next.as_ref());
        let text = get(aws, api_call, &path).await?;
        let (page, next) = answer::record_sets(&text).map_err(unreadable(api_call))?;
        sets.extend(page);
        Ok(next)
    })
    .await?;
    Ok(sets)
}

/// The path of a zone's record sets, from `start` on.
fn sets_path(zone: &str, most: u64, start: Option<&Start>) -> String {
    let path = format!(
        "{ZONES}/{}/rrset?maxitems={most}",
        utf8_percent_encode(zone, PLAIN)
    );
    let Some(start) = start else {
        return path;
    };
    let parts = [
        ("name", Some(&start.name)),
        ("type", start.kind.as_ref()),
        ("identifier", start.identifier.as_ref()),
    ];
    let part = |(key, value): (&str, Option<&String>)| {
        value.map(|value| format!("&{key}={}", utf8_percent_encode(value, PLAIN)))
    };
    let parts = parts.into_iter().filter_map(part);
    [path].into_iter().chain(parts).collect()
}

async fn get(aws: &Aws, api_call: ApiCall<'_>, path: &str) -> Result<String, CloudError> {
    let wanted = Rest {
        method: "GET",
        path,
        body: "",
    };
    let answer = rest(aws, Tries::USUAL, api_call, wanted).await;
    answer.map_err(|error| with_action(api_call, error))
}

/// Deletes a record set as it was read: Route 53 refuses when it has changed since. One that is gone is no error.
pub(super) async fn delete(aws: &Aws, record: &OutsideResource) -> Result<(), CloudError> {
    let (zone, _) = record.id.split_once(' ').unwrap_or((&record.id, ""));
    let api_call = ApiCall::new(Service::Route53, "ChangeResourceRecordSets", zone);
    let path = format!("{ZONES}/{}/rrset/", utf8_percent_encode(zone, PLAIN));
    let body = answer::deletion(&record.body);
    let wanted = Rest {
        method: "POST",
        path: &path,
        body: &body,
    };
    match rest(aws, Tries::USUAL, api_call, wanted).await {
        Ok(_) => Ok(()),
        Err(refused @ CloudError::Refused { .. }) => {
            if exists(aws, zone, record).await? {
                Err(refused)
            } else {
                Ok(())
            }
        }
        Err(error) => Err(with_action(api_call, error)),
    }
}

/// Whether a zone still has a record set of this name, type and identifier.
async fn exists(aws: &Aws, zone: &str, record: &OutsideResource) -> Result<bool, CloudError> {
    let api_call = ApiCall::new(Service::Route53, "ListResourceRecordSets", zone);
    let start = answer::start_of(&record.id).ok_or_else(|| CloudError::Refused {
        operation: api_call.to_string(),
        message: format!("{} does not name a record set", record.id),
    })?;
    let path = sets_path(zone, 1, Some(&start));
    let Some(text) = CloudError::optional(get(aws, api_call, &path).await)? else {
        return Ok(false);
    };
    let (page, _) = answer::record_sets(&text).map_err(unreadable(api_call))?;
    Ok(page.iter().any(|set| set.id(zone) == record.id))
}
