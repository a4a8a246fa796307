//! What a deletion does with each thing outside the stacks: sorted from what was looked at, decided once for text and JSON.

use std::collections::BTreeMap;

use super::stays::{Reasons, Stay, stay};
use super::{DeletionView, names};
use crate::cloud::outside::OutsideKind;
use crate::forecast::prices::Prices;
use crate::forecast::upkeep::{Left, LeftKind, Upkeep, Upkeeps, left, of_volume, upkeep};
use crate::sweep::kinds::End;
use crate::sweep::kubernetes::{Objects, Volume, VolumeSource};
use crate::sweep::{Disposition, Found, Purpose, Seen};

/// Everything, sorted by what becomes of it.
pub(super) struct Contents<'a> {
    /// Removed, but for volumes of claims.
    pub removed: Vec<&'a Found>,
    /// To be removed, and not to be.
    pub stays: Vec<Stay<'a>>,
    /// Kept, but for volumes of claims.
    pub kept: Vec<(&'a Found, Upkeep)>,
    pub kept_volumes: Vec<Disk<'a>>,
    /// Volumes with its tags that the cluster does not use, kept too.
    pub past_volumes: Vec<Disk<'a>>,
    /// Volumes that are deleted with their data.
    pub lost_volumes: Vec<Disk<'a>>,
    pub foreign: Vec<&'a Found>,
    /// What the stacks leave on purpose, and was not found yet.
    pub left: Vec<Left>,
}

/// A volume of a claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Disk<'a> {
    /// As AWS lists it.
    pub found: Option<&'a Found>,
    /// Its EBS id, or the name of a `PersistentVolume` that is none of EBS.
    pub id: String,
    pub is_ebs: bool,
    pub source: VolumeSource,
    /// Whether only its `PersistentVolume` says that it is the cluster's: no tag does.
    pub is_untagged: bool,
    pub bytes: Option<u64>,
    /// AWS's word.
    pub state: Option<String>,
    /// The claim, or what else is known of it.
    pub purpose: Option<Purpose>,
    /// The same in words.
    pub words: String,
    pub upkeep: Upkeep,
}

impl<'a> Contents<'a> {
    pub fn of(view: &DeletionView<'a>) -> Self {
        let prices = Prices::table();
        let mut all = Self {
            removed: Vec::new(),
            stays: Vec::new(),
            kept: Vec::new(),
            kept_volumes: Vec::new(),
            past_volumes: Vec::new(),
            lost_volumes: Vec::new(),
            foreign: Vec::new(),
            left: left(view.plan, view.region, &prices),
        };
        let mut by_id = by_id(view.kubernetes);
        let reasons = Reasons::of(view);
        for found in &view.inventory.found {
            let of_cluster = by_id.remove(found.resource.id.as_str());
            if let Some(why) = reasons.why(found) {
                all.stays.push(stay(found, why, view.region, &prices));
                continue;
            }
            all.sort(found, of_cluster, view, &prices);
        }
        all.left.retain(|left| is_open(left, view));
        all.add_unlisted(view, &prices);
        all
    }

    fn sort(
        &mut self,
        found: &'a Found,
        of_cluster: Option<&Volume>,
        view: &DeletionView<'_>,
        prices: &Prices,
    ) {
        let cost = upkeep(&found.resource, view.region, prices);
        let is_volume = found.row().end == End::KeptAsVolume;
        let goes_with_claim = of_cluster.is_some_and(|volume| is_lost(volume, view));
        match found.becomes(view.delete_volumes) {
            Disposition::Removed if is_volume => {
                self.lost_volumes.push(disk(found, of_cluster, view, cost));
            }
            Disposition::Kept | Disposition::Untouched if is_volume && goes_with_claim => {
                self.lost_volumes.push(disk(found, of_cluster, view, cost));
            }
            Disposition::Kept if found.owner.is_past() => {
                self.past_volumes.push(disk(found, of_cluster, view, cost));
            }
            Disposition::Kept if is_volume => {
                self.kept_volumes.push(disk(found, of_cluster, view, cost));
            }
            Disposition::Removed => self.removed.push(found),
            Disposition::Kept => self.kept.push((found, cost)),
            Disposition::Untouched => self.foreign.push(found),
        }
    }

    /// `PersistentVolume`s behind which AWS's tags show no volume of this cluster.
    fn add_unlisted(&mut self, view: &DeletionView<'_>, prices: &Prices) {
        let known = |volume: &&Volume| {
            let mut found = view.inventory.found.iter();
            let id = volume.volume_id.as_deref();
            !found.any(|found| Some(found.resource.id.as_str()) == id)
        };
        let looked = is_looked_for(view, OutsideKind::Volume);
        for volume in volumes(view.kubernetes).iter().filter(known) {
            let disk = Disk {
                found: None,
                id: volume.volume_id.clone().unwrap_or(volume.name.clone()),
                is_ebs: volume.volume_id.is_some(),
                source: volume.source.clone(),
                is_untagged: looked && volume.volume_id.is_some(),
                bytes: volume.bytes(),
                state: None,
                purpose: Some(volume.purpose()),
                words: words(volume),
                upkeep: match (&volume.volume_id, volume.gib) {
                    (Some(_), Some(gib)) => of_volume(gib, view.region, prices),
                    _ => Upkeep::Unknown,
                },
            };
            if is_lost(volume, view) {
                self.lost_volumes.push(disk);
            } else {
                self.kept_volumes.push(disk);
            }
        }
    }

    /// What all that is kept costs together.
    pub fn upkeep(&self) -> Upkeeps {
        let volumes = self.kept_volumes.iter().chain(&self.past_volumes);
        let volumes = volumes.map(|disk| &disk.upkeep);
        let kept = self.kept.iter().map(|(_, upkeep)| upkeep);
        let left = self.left.iter().map(|left| &left.upkeep);
        let stays = self.stays.iter().map(|stay| &stay.upkeep);
        Upkeeps::of(volumes.chain(kept).chain(left).chain(stays))
    }
}

/// Whether the data of a `PersistentVolume` goes: a claim of EBS is deleted, a machine's disk ends with it. Claims of other
/// drivers are not deleted.
fn is_lost(volume: &Volume, view: &DeletionView<'_>) -> bool {
    match volume.source {
        VolumeSource::Ebs => view.delete_volumes && volume.reclaim_policy != "Retain",
        VolumeSource::Machine => true,
        VolumeSource::Other(_) => false,
    }
}

/// Whether something that a template announces has to be said: what was found is said as it was found, and a log group
/// that was looked for and not found is not there.
fn is_open(left: &Left, view: &DeletionView<'_>) -> bool {
    let LeftKind::LogGroup { name } = &left.what else {
        return true;
    };
    let looked = is_looked_for(view, OutsideKind::LogGroup);
    let found = view.inventory.found.iter();
    let mut groups = found.filter(|found| found.resource.kind == OutsideKind::LogGroup);
    !looked && !groups.any(|found| found.resource.id == *name)
}

fn is_looked_for(view: &DeletionView<'_>, kind: OutsideKind) -> bool {
    let mut unknown = view.inventory.unknown.iter();
    !unknown.any(|unknown| unknown.kind == kind)
}

fn volumes(seen: &Seen) -> &[Volume] {
    match seen {
        Seen::Objects(Objects { volumes, .. }) => volumes,
        Seen::NoApi | Seen::Silent(_) => &[],
    }
}

fn by_id(seen: &Seen) -> BTreeMap<&str, &Volume> {
    let volumes = volumes(seen).iter();
    volumes
        .filter_map(|volume| Some((volume.volume_id.as_deref()?, volume)))
        .collect()
}

fn words(volume: &Volume) -> String {
    match &volume.claim {
        Some(claim) => format!("claim {claim}"),
        None => format!("PersistentVolume {}, without a claim", volume.name),
    }
}

fn disk<'a>(
    found: &'a Found,
    of_cluster: Option<&Volume>,
    view: &DeletionView<'_>,
    upkeep: Upkeep,
) -> Disk<'a> {
    let resource = &found.resource;
    let of_claim = of_cluster.filter(|volume| volume.claim.is_some());
    Disk {
        found: Some(found),
        id: resource.id.clone(),
        is_ebs: true,
        source: VolumeSource::Ebs,
        is_untagged: false,
        bytes: resource.bytes,
        state: resource.state.clone(),
        purpose: of_claim
            .map(Volume::purpose)
            .or_else(|| found.purpose.clone()),
        words: of_claim.map_or_else(|| names::purpose(found, &view.plan.cluster), words),
        upkeep,
    }
}
