//! What else to know before the update of a stack: older pools, findings of AWS, damaged objects, downtime of the
//! database, drift, live sizes.

use super::changes::fields_words;
use super::drift::drift_notes;
use super::{PlanDetail, StackView};

/// What else to know before the update of a stack, a sentence each with its mark: `!!` where a decision is
/// needed.
pub(super) fn notes(stack: &StackView<'_>, detail: PlanDetail) -> Vec<(&'static str, String)> {
    let mut notes: Vec<(&'static str, String)> = Vec::new();
    if let (Some(own), Some(version)) = (&stack.kubernetes, &stack.older) {
        let text = format!("stays at Kubernetes {own}; the control plane is at {version}");
        notes.push(("--", text));
    }
    for view in &stack.findings {
        let about = view.finding.logical_id.as_ref();
        let about = about.map_or_else(String::new, |id| format!("{id}: "));
        let fields = fields_words(&view.fields);
        let fields = fields.map_or_else(String::new, |by| format!(";{}", &by[1..]));
        let text = format!("AWS finds {about}{}{fields}", view.finding.reason);
        notes.push(("!!", text));
    }
    let damaged = stack.damaged_objects.iter();
    notes.extend(damaged.map(|object| ("!!", object.text())));
    let warned = stack.warnings.iter();
    notes.extend(warned.map(|warning| ("!!", warning.clone())));
    for one in &stack.downtime {
        let of = match one.property.as_str() {
            "" => one.logical_id.clone(),
            property => property.to_owned(),
        };
        let then = one
            .then
            .map_or_else(String::new, |then| format!("; {then}"));
        let mark = if one.seconds.1 > 0 { "!!" } else { "--" };
        notes.push((mark, format!("database, {of}: {}{then}", one.expect)));
    }
    notes.extend(drift_notes(stack, detail));
    let what = |id: &str| match stack.description(id) {
        Some(text) => format!("{text} ({id})"),
        None => id.to_owned(),
    };
    notes.extend(stack.rebalancing.iter().map(|id| {
        let why = "else AWS may terminate machines undrained to even out zones";
        (
            "--",
            format!("AZRebalance will be suspended: {}; {why}", what(id)),
        )
    }));
    let grown = stack.grown.iter();
    notes.extend(grown.map(|one| ("--", format!("{}: {}", what(&one.logical_id), one.text()))));
    let unknown = stack.sizes_unknown.iter();
    notes.extend(unknown.map(|text| ("??", text.clone())));
    notes
}
