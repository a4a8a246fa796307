//! What a finished deletion adds of Kubernetes's objects.

use super::*;
use crate::cloud::outside::OutsideResource;
use crate::events::Outcome;
use crate::stacks::StackKind;
use crate::sweep::kubernetes::VolumeSource;
use crate::sweep::{Found, Past, UnknownKind};

fn found(id: &str, owner: Owner) -> Found {
    Found {
        resource: OutsideResource::new(OutsideKind::Volume, id),
        owner,
        purpose: None,
        disposition: Disposition::Kept,
    }
}

fn volume(id: Option<&str>, policy: &str) -> Volume {
    Volume {
        name: "pvc-1".to_owned(),
        volume_id: id.map(str::to_owned),
        source: VolumeSource::Ebs,
        claim: Some("shop/data".to_owned()),
        gib: Some(8),
        reclaim_policy: policy.to_owned(),
    }
}

fn outside(shown: Vec<Found>, volumes: Vec<Volume>, delete_volumes: bool) -> Outside {
    Outside {
        plan: OutsidePlan {
            shown: Inventory {
                found: shown,
                unknown: Vec::new(),
            },
            delete_volumes,
            ..OutsidePlan::default()
        },
        seen: Seen::Objects(Objects {
            volumes,
            ..Objects::default()
        }),
        obstacles: Obstacles::default(),
        buckets: Vec::new(),
        api: None,
        server: None,
    }
}

/// A deletion that is done, and what its last look found kept.
fn done(kept: Vec<Found>) -> RunReport {
    let mut report = RunReport {
        outcomes: vec![(StackKind::Network, Outcome::Deleted)],
        ..RunReport::default()
    };
    report.outside.kept = kept;
    report
}

fn ids(report: &RunReport) -> Vec<&str> {
    let kept = report.outside.kept.iter();
    kept.map(|one| one.resource.id.as_str()).collect()
}

#[test]
fn volume_without_tags_is_named_by_its_object_alone() {
    let kept = vec![found("vol-tagged", Owner::Kubernetes)];
    let volumes = vec![
        volume(Some("vol-tagged"), "Delete"),
        volume(Some("vol-untagged"), "Delete"),
        volume(None, "Delete"),
    ];
    let mut report = done(kept.clone());
    outside(kept.clone(), volumes.clone(), false).complete(&mut report);
    assert_eq!(ids(&report), ["vol-tagged", "vol-untagged"]);
    assert_eq!(report.outside.kept[1].resource.bytes, Some(8 << 30));
    assert!(report.unfinished.is_empty());
    // With its claim it was deleted, unless its policy keeps it.
    let mut report = done(Vec::new());
    outside(kept.clone(), volumes, true).complete(&mut report);
    assert!(ids(&report).is_empty());
    let mut report = done(Vec::new());
    outside(kept, vec![volume(Some("vol-untagged"), "Retain")], true).complete(&mut report);
    assert_eq!(ids(&report), ["vol-untagged"]);
}

#[test]
fn kept_volume_that_the_last_look_lacks_is_said() {
    let shown = vec![
        found("vol-1", Owner::Kubernetes),
        found("vol-2", Owner::Kubernetes),
        found("vol-maybe", Owner::Unclear),
    ];
    let mut report = done(vec![found("vol-2", Owner::Kubernetes)]);
    outside(shown.clone(), Vec::new(), false).complete(&mut report);
    assert_eq!(
        report.unfinished,
        ["volume vol-1 was to be kept and is gone"]
    );
    // Those of this cluster were to go; what an earlier one left was not.
    let mut past = shown;
    past.push(found("vol-old", Owner::Past(Past::Earlier)));
    let mut report = done(Vec::new());
    outside(past, Vec::new(), true).complete(&mut report);
    assert_eq!(
        report.unfinished,
        ["volume vol-old was to be kept and is gone"]
    );
}

#[test]
fn nothing_is_said_where_nobody_could_look_or_the_deletion_is_not_done() {
    let shown = vec![found("vol-1", Owner::Kubernetes)];
    let mut blind = done(Vec::new());
    blind.outside.unknown.push(UnknownKind {
        kind: OutsideKind::Volume,
        why: "denied".to_owned(),
    });
    let outside = outside(shown, vec![volume(Some("vol-untagged"), "Delete")], false);
    outside.complete(&mut blind);
    assert!(blind.unfinished.is_empty());
    let mut open = done(Vec::new());
    open.waiting.push(StackKind::Base);
    outside.complete(&mut open);
    assert_eq!((open.unfinished.len(), ids(&open).len()), (0, 0));
}
