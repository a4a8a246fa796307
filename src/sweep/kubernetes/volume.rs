//! A `PersistentVolume` as something in the account.

use super::Volume;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::sweep::inventory::Found;
use crate::sweep::owner::{Disposition, Owner, Purpose};

impl Volume {
    /// What it is for: its claim, or where it has none itself.
    pub fn purpose(&self) -> Purpose {
        match &self.claim {
            Some(claim) => Purpose::Claim(claim.clone()),
            None => Purpose::Volume(self.name.clone()),
        }
    }

    /// Its size, where Kubernetes says it.
    pub fn bytes(&self) -> Option<u64> {
        self.gib.map(|gib| gib.saturating_mul(1 << 30))
    }

    /// The kept volume of EBS behind it, where only this object shows it; `None` for other drivers.
    pub fn untagged(&self) -> Option<Found> {
        Some(Found {
            resource: OutsideResource {
                bytes: self.bytes(),
                ..OutsideResource::new(OutsideKind::Volume, self.volume_id.clone()?)
            },
            owner: Owner::Kubernetes,
            purpose: Some(self.purpose()),
            disposition: Disposition::Kept,
        })
    }
}
