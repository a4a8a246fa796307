//! Helpers that several test modules share.

pub mod golden;
pub mod share;
pub mod specs;
pub mod untested;
