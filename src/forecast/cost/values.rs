//! Reading plain values out of a template: literals, and parameters as far as their value is known.

use std::collections::BTreeMap;

use serde_json::Value;

/// A template and what is known of its parameters.
pub(super) struct Values<'a> {
    pub template: &'a Value,
    pub parameters: &'a BTreeMap<String, String>,
}

impl<'a> Values<'a> {
    /// The properties of a resource of this template.
    pub fn properties(&self, logical_id: &str) -> Option<&'a Value> {
        let resource = self.template.get("Resources")?.get(logical_id)?;
        resource.get("Properties")
    }

    /// A value as text. `None` for what is not there and for what is known only when it is made.
    pub fn text(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Object(_) => {
                let name = value.get("Ref")?.as_str()?;
                let set = self.parameters.get(name).cloned();
                set.or_else(|| self.text(&self.template["Parameters"][name]["Default"]))
            }
            Value::Null | Value::Array(_) => None,
        }
    }

    pub fn number(&self, value: &Value) -> Option<f64> {
        self.text(value)?.parse().ok()
    }

    pub fn is_true(&self, value: &Value) -> bool {
        self.text(value).as_deref() == Some("true")
    }
}

/// How many, in words: `3 machines`, `3 to 12 machines`.
pub(super) fn count(least: f64, most: f64, one: &str, many: &str) -> String {
    let same = (least - most).abs() < f64::EPSILON;
    let single = same && (least - 1.0).abs() < f64::EPSILON;
    match (same, single) {
        (_, true) => format!("1 {one}"),
        (true, _) => format!("{least} {many}"),
        (false, _) => format!("{least} to {most} {many}"),
    }
}

/// How many entries a list has.
pub(super) fn length(value: &Value) -> f64 {
    let entries = value.as_array().map_or(0, Vec::len);
    u32::try_from(entries).map_or(0.0, f64::from)
}
