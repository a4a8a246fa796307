//! What lies outside the stacks, on the screens of `status` and `doctor`.

mod doctor;
mod found;
mod status;
