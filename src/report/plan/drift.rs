//! Drift in words: what differs, where in a long value, and what becomes of it.

use serde::Serialize;
use serde_json::Value;

use super::changes::{cut, plain, short};
use super::{PlanDetail, StackView};
use crate::cloud::Difference;
use crate::plan::{DriftState, Drifted, Plan, Step};

/// What drift detection found in all stacks. The resources are with their stacks.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DriftView<'a> {
    /// Stacks whose resources CloudFormation compared with the template.
    pub compared: usize,
    /// Stacks that exist and that nobody looked at.
    pub not_looked: usize,
    /// Resources that differ and that a run leaves as they are.
    pub needs_action: usize,
    /// Stacks of which not everything could be found out.
    pub unknown: usize,
    /// The first reason for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

impl<'a> DriftView<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let existing = plan.steps.iter().filter(|step| step.found.is_some());
        let unknown = plan.drift_unknown();
        let looked = |step: &&Step| step.drift_checked || step.drift_unknown.is_some();
        Self {
            compared: existing.clone().filter(|step| step.drift_checked).count(),
            not_looked: existing.filter(|step| !looked(step)).count(),
            needs_action: plan.drift_needing_action().count(),
            unknown: unknown.map_or(0, |(stacks, _)| stacks),
            reason: unknown.map(|(_, reason)| reason),
        }
    }
}

/// Every drift of a stack with its mark, and behind them each way back once.
pub(super) fn drift_notes(
    stack: &StackView<'_>,
    detail: PlanDetail,
) -> Vec<(&'static str, String)> {
    let mut notes = Vec::new();
    for drifted in stack.drift {
        let known = stack.description(&drifted.drift.logical_id);
        notes.extend(words(drifted, known, detail));
    }
    let mut ways: Vec<&str> = Vec::new();
    for way in stack.drift.iter().filter_map(|one| one.remedy.as_deref()) {
        let is_said = stack.blocked.is_some_and(|why| why.remedy == way);
        if !is_said && !ways.contains(&way) {
            ways.push(way);
        }
    }
    notes.extend(ways.into_iter().map(|way| ("next:", way.to_owned())));
    if let Some(why) = stack.drift_unknown {
        let what = if stack.drift.is_empty() {
            "drift"
        } else {
            "whether anything else differs"
        };
        notes.push(("??", format!("{what} is unknown: {why}")));
    }
    notes
}

fn words(
    drifted: &Drifted,
    sentence: Option<&str>,
    detail: PlanDetail,
) -> Vec<(&'static str, String)> {
    let drift = &drifted.drift;
    let id = &drift.logical_id;
    let what = sentence.map_or_else(|| id.clone(), |text| format!("{text} ({id})"));
    if drift.deleted {
        let then = match drifted.state {
            DriftState::NeedsAction => "CloudFormation doesn't create it again",
            DriftState::Overwritten | DriftState::Expected => "this run makes a new one",
        };
        let text = format!("drift: {what} was deleted outside kube-cfn; {then}");
        return vec![("!!", text)];
    }
    if drift.differences.is_empty() {
        let text = format!("drift: {what} was changed outside kube-cfn; AWS doesn't say in what");
        return vec![("!!", text)];
    }
    let line = |difference: &Difference| {
        let (mark, then) = becomes(drifted, &difference.path);
        let values = values(difference, detail);
        (mark, format!("drift: {what}: {values}; {then}"))
    };
    drift.differences.iter().map(line).collect()
}

/// What becomes of a difference.
fn becomes(drifted: &Drifted, path: &String) -> (&'static str, String) {
    let changed = "changed outside kube-cfn";
    if let Some(why) = drifted.expected.get(path) {
        return ("--", format!("expected: {why}"));
    }
    if drifted.overwritten.contains(path) {
        return ("!!", format!("{changed}; this run will reset it"));
    }
    let keep = drifted.kept_by.get(path);
    let keep = keep.map_or_else(String::new, |field| {
        format!("; to keep it, write it at `{field}`")
    });
    ("!!", format!("{changed}; this run won't touch it{keep}"))
}

/// `MaxSize is 9, the template has 1`; of a long value the first place that differs, unless all is asked for.
fn values(difference: &Difference, detail: PlanDetail) -> String {
    let Difference {
        path,
        expected,
        actual,
    } = difference;
    let path = plain(path);
    let say =
        |actual: &str, expected: &str| format!("{path} is {actual}, the template has {expected}");
    let absent = |value: &Option<String>| value.clone().unwrap_or_else(|| "absent".to_owned());
    let (Some(before), Some(after)) = (expected, actual) else {
        return match detail {
            PlanDetail::Full => say(&absent(actual), &absent(expected)),
            PlanDetail::Short => say(&short(&absent(actual)), &short(&absent(expected))),
        };
    };
    if detail == PlanDetail::Full {
        return say(after, before);
    }
    let Some(places) = places(before, after) else {
        let (before, after) = cut(before, after);
        return say(&after, &before);
    };
    let Some((place, before, after)) = places.first() else {
        return format!("{path} differs in form alone");
    };
    let (before, after) = cut(before, after);
    let more = match places.len() - 1 {
        0 => String::new(),
        more => format!(" ({more} more in it; `--full` shows all)"),
    };
    format!("{path}{place} is {after}, the template has {before}{more}")
}

/// Where two JSON documents differ: the place with dots, what one has and what the other has. `None` where they are
/// no documents.
fn places(before: &str, after: &str) -> Option<Vec<(String, String, String)>> {
    let document = |text: &str| {
        let value: Option<Value> = serde_json::from_str(text).ok();
        value.filter(|value| value.is_object() || value.is_array())
    };
    let mut found = Vec::new();
    let (before, after) = (document(before)?, document(after)?);
    compare("", Some(&before), Some(&after), &mut found);
    Some(found)
}

fn compare(
    at: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    found: &mut Vec<(String, String, String)>,
) {
    match (before, after) {
        _ if before == after => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (key, value) in old {
                compare(&format!("{at}.{key}"), Some(value), new.get(key), found);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                compare(&format!("{at}.{key}"), None, Some(value), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            // What both have is the same wherever it is.
            let only = |these: &[Value], those: &[Value]| -> Vec<(usize, Value)> {
                let these = these.iter().cloned().enumerate();
                these.filter(|(_, one)| !those.contains(one)).collect()
            };
            let (old, new) = (only(old, new), only(new, old));
            for n in 0..old.len().max(new.len()) {
                let (one, other) = (old.get(n), new.get(n));
                let place = one.or(other).map_or(n, |(place, _)| *place);
                let value = |one: Option<&(usize, Value)>| one.map(|(_, value)| value.clone());
                let (one, other) = (value(one), value(other));
                compare(
                    &format!("{at}.{place}"),
                    one.as_ref(),
                    other.as_ref(),
                    found,
                );
            }
            if old.is_empty() && new.is_empty() {
                let (before, after) = ("the same values", "in another order or number");
                found.push((at.to_owned(), before.to_owned(), after.to_owned()));
            }
        }
        (before, after) => {
            let text = |value: Option<&Value>| match value {
                None => "absent".to_owned(),
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
            };
            found.push((at.to_owned(), text(before), text(after)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(expected: &str, actual: &str, detail: PlanDetail) -> String {
        let difference = Difference {
            path: "Properties.Policy".to_owned(),
            expected: Some(expected.to_owned()),
            actual: Some(actual.to_owned()),
        };
        values(&difference, detail)
    }

    #[test]
    fn drift_of_a_document_is_shown_where_it_differs() {
        let long = "x".repeat(200);
        let document = |principal: &str, more: &str| {
            format!(
                r#"{{"Id":"{long}","Statement":[{{"Sid":"a"}},{{"Principal":{{"AWS":"{principal}"}}{more}}}]}}"#
            )
        };
        let ours = document("111122223333", "");
        assert_eq!(
            said(&ours, &document("*", ""), PlanDetail::Short),
            "Policy.Statement.1.Principal.AWS is *, the template has 111122223333"
        );
        let two = said(
            &ours,
            &document("*", r#","Effect":"Allow""#),
            PlanDetail::Short,
        );
        assert!(two.ends_with("(1 more in it; `--full` shows all)"), "{two}");
        let full = said(&ours, &document("*", ""), PlanDetail::Full);
        assert!(full.contains(&long), "{full}");
        // What moved in a list is no difference of its members.
        let moved = r#"{"Statement":[{"Sid":"b"},{"Sid":"a"},{"Sid":"c"}]}"#;
        let was = r#"{"Statement":[{"Sid":"a"},{"Sid":"b"}]}"#;
        assert_eq!(
            said(was, moved, PlanDetail::Short),
            r#"Policy.Statement.2 is {"Sid":"c"}, the template has absent"#
        );
        assert_eq!(
            said("[1,2]", "[2,1]", PlanDetail::Short),
            "Policy is in another order or number, the template has the same values"
        );
    }

    #[test]
    fn drift_of_a_long_text_is_shown_around_its_difference() {
        let long = |end: &str| format!("{}{end}", "word ".repeat(40));
        let text = said(&long("one"), &long("two"), PlanDetail::Short);
        assert!(
            text.contains("two, the template has") && text.ends_with("one"),
            "{text}"
        );
        assert!(text.len() < 200, "{text}");
    }
}
