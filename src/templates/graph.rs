//! Which resource of a template waits for which, and the longest way through them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::references::{Reference, Steps, visit};

/// For every resource, the resources of the same template that have to be there before it: those it
/// refers to (`Ref`, `Fn::GetAtt`, `Fn::Sub`) and those it names in `DependsOn`.
pub type Needs = BTreeMap<String, BTreeSet<String>>;

/// Reads what every resource of a template needs.
pub fn needs(template: &Value) -> Needs {
    let Some(resources) = template.get("Resources").and_then(Value::as_object) else {
        return Needs::new();
    };
    let of = |(id, body): (&String, &Value)| {
        let mut named = BTreeSet::new();
        for part in ["Properties", "UpdatePolicy", "CreationPolicy"] {
            collect(body.get(part).unwrap_or(&Value::Null), &mut named);
        }
        depends_on(&body["DependsOn"], &mut named);
        named.retain(|name| name != id && resources.contains_key(name));
        (id.clone(), named)
    };
    resources.iter().map(of).collect()
}

fn depends_on(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(name) => {
            into.insert(name.clone());
        }
        Value::Array(names) => names.iter().for_each(|name| depends_on(name, into)),
        _ => {}
    }
}

/// Every name that a value refers to: resources, parameters and pseudo parameters.
pub fn collect(value: &Value, into: &mut BTreeSet<String>) {
    visit(value, &Steps::Start, &mut |_, reference, _| {
        if let Reference::Name(name) | Reference::Attribute(name) = reference
            && !into.contains(name)
        {
            into.insert(name.to_owned());
        }
    });
}

/// The longest way through things that need each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Longest {
    /// When the last is done, if each begins as soon as what it needs is done.
    pub total: f64,
    /// When each is done.
    pub done: BTreeMap<String, f64>,
    /// The way itself, first to last.
    pub path: Vec<String>,
}

/// Finds the longest way. `cost` is what each takes. What needs itself in a circle counts as if its
/// circle were cut: CloudFormation refuses such a template anyway.
pub fn longest(needs: &Needs, cost: impl Fn(&str) -> f64) -> Longest {
    let mut found = Longest::default();
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut open: Vec<&str> = needs.keys().map(String::as_str).collect();
    while !open.is_empty() {
        let ready = |id: &&str| needs[*id].iter().all(|need| found.done.contains_key(need));
        let (now, later): (Vec<&str>, Vec<&str>) = open.iter().partition(|id| ready(id));
        let now = if now.is_empty() { later.clone() } else { now };
        for id in &now {
            let done = needs[*id]
                .iter()
                .filter_map(|need| Some((need.as_str(), *found.done.get(need)?)));
            let last = done.max_by(|a, b| a.1.total_cmp(&b.1));
            before.extend(last.map(|(need, _)| (*id, need)));
            let begin = last.map_or(0.0, |(_, at)| at);
            found.done.insert((*id).to_owned(), begin + cost(id));
        }
        open.retain(|id| !now.contains(id));
    }
    let last = found.done.iter().max_by(|a, b| a.1.total_cmp(b.1));
    if let Some((id, total)) = last {
        let mut path = vec![id.clone()];
        while let Some(need) = path.last().and_then(|id| before.get(id.as_str())) {
            path.push((*need).to_owned());
        }
        path.reverse();
        (found.total, found.path) = (*total, path);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_of_every_form_are_dependencies() {
        let template = json!({"Resources": {
            "A": {"Type": "X", "Properties": {"P": {"Ref": "Parameter"}}},
            "B": {"Type": "X", "Properties": {"P": [{"Fn::GetAtt": ["A", "Arn"]}]}},
            "C": {"Type": "X", "Properties": {"P": {"Fn::Sub": "${A.Arn}/${AWS::Region}/${!B}"}}},
            "D": {"Type": "X", "DependsOn": ["B", "C"]},
            "E": {"Type": "X", "Properties": {"P": {"Fn::Sub": ["${A}${D}", {"D": {"Ref": "B"}}]}}},
        }});
        let needs = needs(&template);
        let of = |id: &str| needs[id].iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(
            ["A", "B", "C", "D", "E"].map(of),
            ["", "A", "A", "B C", "A B"]
        );
    }

    #[test]
    fn longest_path_is_found_despite_a_cycle() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let needs = Needs::from([
            ("a".to_owned(), set(&[])),
            ("b".to_owned(), set(&["a"])),
            ("c".to_owned(), set(&["a"])),
            ("d".to_owned(), set(&["b", "c"])),
        ]);
        let cost = |id: &str| if id == "c" { 5.0 } else { 2.0 };
        let found = longest(&needs, cost);
        assert!((found.total - 9.0).abs() < 1e-9);
        assert_eq!(found.path, ["a", "c", "d"]);
        let circle = Needs::from([("a".to_owned(), set(&["b"])), ("b".to_owned(), set(&["a"]))]);
        assert_eq!(longest(&circle, |_| 1.0).done.len(), 2);
    }
}
