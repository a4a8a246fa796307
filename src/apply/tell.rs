//! The emitter of a run's events lives in `events`.

pub(super) use crate::events::Emitter as Teller;
