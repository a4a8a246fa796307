//! What a resource is for, from the tags that its maker put on it, and else from its description.

use super::owner::Purpose;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::tags::TAG_STACK;

/// How the name in a tag is meant.
type Named = fn(String) -> Purpose;

/// Tags whose value says it, by what each is the name of. Those of the cloud controller manager and of the EBS CSI driver
/// come first: the AWS Load Balancer Controller may name a group of Ingresses.
const TAGS: [(&str, Named); 3] = [
    ("kubernetes.io/service-name", Purpose::Service),
    ("service.k8s.aws/stack", Purpose::Service),
    ("ingress.k8s.aws/stack", Purpose::Ingress),
];
/// A claim's namespace and name, of the EBS CSI driver and of the driver that was in Kubernetes before it.
const CLAIM: [&str; 2] = [
    "kubernetes.io/created-for/pvc/namespace",
    "kubernetes.io/created-for/pvc/name",
];
const VOLUMES: [&str; 2] = ["kubernetes.io/created-for/pv/name", "CSIVolumeName"];
/// Tags of the CSI snapshotter, with `--extra-create-metadata`.
const SNAPSHOT: [&str; 2] = [
    "csi.storage.k8s.io/volumesnapshot/namespace",
    "csi.storage.k8s.io/volumesnapshot/name",
];
/// In front of the database's identifier in the name of a log group.
const DATABASE_LOGS: &str = "/aws/rds/instance/";
/// In the text of external-dns's registry.
const DNS_RESOURCE: &str = "external-dns/resource=";

/// What a resource is for; `None` where nothing says it.
pub(super) fn purpose(resource: &OutsideResource) -> Option<Purpose> {
    match resource.kind {
        OutsideKind::DnsRecord => of_record(resource).or_else(|| text(resource)),
        OutsideKind::LogGroup | OutsideKind::Backup | OutsideKind::DatabaseSnapshot => {
            database(resource)
                .map(Purpose::Database)
                .or_else(|| text(resource))
        }
        _ => of_tags(resource)
            .or_else(|| of_group(resource))
            .or_else(|| {
                resource
                    .tag(TAG_STACK)
                    .map(|kind| Purpose::Stack(kind.to_owned()))
            })
            .or_else(|| text(resource)),
    }
}

fn text(resource: &OutsideResource) -> Option<Purpose> {
    let text = resource.description.as_deref()?.trim();
    (!text.is_empty()).then(|| Purpose::Text(text.to_owned()))
}

fn of_tags(resource: &OutsideResource) -> Option<Purpose> {
    let pair = |[namespace, name]: [&str; 2]| {
        let name = resource.tag(name)?;
        Some(match resource.tag(namespace) {
            Some(namespace) => format!("{namespace}/{name}"),
            None => name.to_owned(),
        })
    };
    let named = TAGS
        .iter()
        .find_map(|(key, purpose)| resource.tag(key).map(|value| purpose(value.to_owned())));
    let volume = || VOLUMES.into_iter().find_map(|key| resource.tag(key));
    let snapshot = || pair(SNAPSHOT).map(|name| Purpose::Text(format!("VolumeSnapshot {name}")));
    named
        .or_else(|| pair(CLAIM).map(Purpose::Claim))
        .or_else(snapshot)
        .or_else(|| volume().map(|name| Purpose::Volume(name.to_owned())))
}

/// The Service in the description that the cloud controller manager gives a load balancer's security group:
/// `Security group for Kubernetes ELB a1b2 (default/web)`.
fn of_group(resource: &OutsideResource) -> Option<Purpose> {
    let text = resource.description.as_deref()?;
    let (_, rest) = text
        .strip_prefix("Security group for Kubernetes ELB ")?
        .split_once('(')?;
    let name = rest.strip_suffix(')')?;
    name.contains('/')
        .then(|| Purpose::Service(name.to_owned()))
}

/// What external-dns made a record for: `external-dns/resource=service/default/web`.
fn of_record(resource: &OutsideResource) -> Option<Purpose> {
    let texts = [resource.description.as_deref(), Some(&*resource.body)];
    let named = texts
        .into_iter()
        .flatten()
        .find_map(|text| text.split_once(DNS_RESOURCE));
    let end = |c: char| !(c.is_ascii_alphanumeric() || "/-.".contains(c));
    let name = named?.1.split(end).next()?;
    match name.split_once('/')? {
        ("service", name) => Some(Purpose::Service(name.to_owned())),
        ("ingress", name) => Some(Purpose::Ingress(name.to_owned())),
        (_, _) => Some(Purpose::Text(name.to_owned())),
    }
}

/// The identifier of the database that a log group, backups or a snapshot belong to.
fn database(resource: &OutsideResource) -> Option<String> {
    let of_logs = || resource.id.strip_prefix(DATABASE_LOGS)?.split('/').next();
    let said = || {
        resource
            .description
            .as_deref()
            .filter(|_| resource.kind != OutsideKind::LogGroup)
    };
    let name = of_logs().or_else(said)?;
    Some(name.to_owned())
}
