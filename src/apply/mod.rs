//! Walking a plan: every stack starts as soon as its inputs exist, all are followed at once.
//! Emits [`event::Event`]s; knows nothing of how anything looks.

pub mod event;
