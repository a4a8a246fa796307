//! What is encrypted under which key, and until when it can be read.

use crate::cloud::outside::OutsideKind;
use crate::sweep::{Disposition, Found, Owner};

/// When something comes to its end that is kept: a key that waits for its deletion, and what is encrypted under it. Of a key
/// that is kept for want of proof, why. `all` are the things among which keys are looked for.
pub(in crate::report) fn end<'a>(
    found: &Found,
    all: impl IntoIterator<Item = &'a Found>,
) -> Option<String> {
    let resource = &found.resource;
    if resource.is_scheduled() {
        return Some(format!(
            "disabled, and {} with all that is encrypted under it",
            match resource.ends {
                Some(day) => format!("deleted for good on {}", day.strftime("%Y-%m-%d")),
                None => "deleted for good after its replicas".to_owned(),
            }
        ));
    }
    let is_kept = found.disposition == Disposition::Kept && found.owner == Owner::Stack;
    if resource.kind == OutsideKind::Key && is_kept {
        return Some("kept: CloudFormation has no record of a stack that left it".to_owned());
    }
    let arn = resource.key.as_deref()?;
    let key = all.into_iter().find(|key| key.resource.id == arn)?;
    if !key.resource.is_scheduled() {
        return None;
    }
    Some(match key.resource.ends {
        Some(day) => format!("can't be read after {}", day.strftime("%Y-%m-%d")),
        None => format!("can't be read once {arn} is deleted"),
    })
}

/// Everything that is encrypted under a key.
pub(super) fn under<'a>(key: &Found, all: &'a [Found]) -> Vec<&'a Found> {
    let is_under = |found: &&Found| found.resource.key.as_deref() == Some(&*key.resource.id);
    all.iter().filter(is_under).collect()
}
