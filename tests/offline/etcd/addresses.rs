//! Which addresses of this machine a world of the etcd tests uses.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

static USED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Addresses of this machine that no other living world uses, be it of another test or another run of them: etcd's ports
/// are always the same. They are free again when this is dropped.
pub struct Addresses(u32);

impl Addresses {
    /// The second and third octet are the process's; a world has ten values of the last.
    const WORLDS: u32 = 25;

    pub fn reserve() -> Self {
        let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
        let free = (0..Self::WORLDS).find(|world| !used.contains(world));
        let free = free.expect("fewer worlds at once than addresses");
        used.insert(free);
        Self(free)
    }

    pub fn all(&self) -> impl Iterator<Item = String> {
        let process = std::process::id();
        let (second, third) = (64 + (process >> 8) % 128, process % 256);
        let first = self.0 * 10 + 1;
        (first..first + 10).map(move |last| format!("127.{second}.{third}.{last}"))
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        let mut used = USED.lock().unwrap_or_else(PoisonError::into_inner);
        used.remove(&self.0);
    }
}
