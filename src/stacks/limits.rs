//! AWS's limits on what a stack is made of, checked before anything is sent.
//! Figures: CloudFormation quotas and API model, EC2 user data and tag restrictions.

use serde_json::Value;

use super::{DesignError, Source, Stack};
use crate::node;

const TEMPLATE_BYTES: usize = 1_048_576;
const RESOURCES: usize = 500;
const PARAMETERS: usize = 200;
const OUTPUTS: usize = 200;
const POLICY_BYTES: usize = 16_384;
const NAME_CHARACTERS: usize = 128;
const STACK_TAGS: usize = 50;
/// EC2 takes one less than the others.
const TAG_KEY_CHARACTERS: usize = 127;
const TAG_VALUE_CHARACTERS: usize = 256;
/// Names of parameters, resources and outputs.
const ID_CHARACTERS: usize = 255;
const DESCRIPTION_BYTES: usize = 1024;
const PARAMETER_VALUE_BYTES: usize = 4096;
/// A value that CloudFormation puts into user data: a bucket or host name is at most 255 long.
const LATE_VALUE_BYTES: usize = 255;

/// The first limit that the stack breaks.
pub(super) fn check(stack: &Stack) -> Result<(), DesignError> {
    for (what, is, limit, unit, help) in limits(stack) {
        if is > limit {
            return Err(DesignError::Limit {
                stack: stack.name.clone(),
                what,
                is,
                limit,
                unit,
                help,
            });
        }
    }
    Ok(())
}

/// What is measured, how much there is of it, how much AWS takes, in what unit, and what helps.
type Limit = (String, usize, usize, &'static str, &'static str);

fn limits(stack: &Stack) -> Vec<Limit> {
    let count = |part| {
        let entries = stack.template.get(part).and_then(Value::as_object);
        entries.map_or(0, serde_json::Map::len)
    };
    let own = |what: &str, is, limit, unit, help| (format!("the {what} is"), is, limit, unit, help);
    let name = stack.name.chars().count();
    let policy = stack.policy.as_ref().map(|policy| policy.to_string().len());
    let policy = policy.unwrap_or_default();
    let shorter = "shorten the name of the cluster or the pool";
    let fewer = "split the cluster or take out what was added to the template";
    let mut limits = vec![
        own(
            "name's length",
            name,
            NAME_CHARACTERS,
            "characters",
            shorter,
        ),
        own(
            "template's size",
            stack.body().len(),
            TEMPLATE_BYTES,
            "bytes",
            fewer,
        ),
    ];
    for (part, limit, unit) in [
        ("Resources", RESOURCES, "resources"),
        ("Parameters", PARAMETERS, "parameters"),
        ("Outputs", OUTPUTS, "outputs"),
    ] {
        limits.push(own(
            &format!("number of {unit}"),
            count(part),
            limit,
            unit,
            fewer,
        ));
    }
    limits.push(own(
        "stack policy's size",
        policy,
        POLICY_BYTES,
        "bytes",
        fewer,
    ));
    let tag_help = "take some out of `tags`";
    limits.push(own(
        "number of tags",
        stack.tags.len(),
        STACK_TAGS,
        "tags",
        tag_help,
    ));
    for (key, value) in tags(stack) {
        let help = "shorten the label, taint or tag that it comes from";
        for (part, text, limit) in [
            ("key", key, TAG_KEY_CHARACTERS),
            ("value", value, TAG_VALUE_CHARACTERS),
        ] {
            let what = format!("the {part} of tag {key} has the length");
            limits.push((what, text.chars().count(), limit, "characters", help));
        }
    }
    limits.extend(parts(stack));
    for (id, size) in user_data(&stack.template) {
        let what = format!("the user data of {id} has the size");
        let help = "move what was added into the bundle (templates/node/boot)";
        limits.push((what, size, node::MAX_USER_DATA, "bytes", help));
    }
    limits
}

/// Names and descriptions of the template's parts, and the values of its parameters.
fn parts(stack: &Stack) -> Vec<Limit> {
    let template = &stack.template;
    let shorter = "shorten it in the template";
    let description = |what: String, of: &Value| {
        let text = of.get("Description").and_then(Value::as_str);
        let length = text.map_or(0, str::len);
        (what, length, DESCRIPTION_BYTES, "bytes", shorter)
    };
    let mut limits = vec![description(
        "the description has the length".to_owned(),
        template,
    )];
    for part in ["Parameters", "Resources", "Outputs"] {
        let entries = template.get(part).and_then(Value::as_object);
        for (id, body) in entries.into_iter().flatten() {
            let what = format!("the name {id} in {part} has the length");
            let length = id.chars().count();
            limits.push((what, length, ID_CHARACTERS, "characters", shorter));
            limits.push(description(
                format!("the description of {id} has the length"),
                body,
            ));
        }
    }
    for input in &stack.inputs {
        if let Source::Value(value) = &input.source {
            let what = format!("the value of parameter {} has the length", input.parameter);
            let length = value.len();
            limits.push((what, length, PARAMETER_VALUE_BYTES, "bytes", shorter));
        }
    }
    limits
}

/// Every tag of the stack and, as far as they are in the template, of its resources.
fn tags(stack: &Stack) -> Vec<(&str, &str)> {
    let own = stack
        .tags
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let mut found: Vec<_> = own.collect();
    collect_tags(&stack.template, &mut found);
    found
}

fn collect_tags<'a>(value: &'a Value, found: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect_tags(value, found)),
        Value::Object(entries) => {
            for (name, value) in entries {
                let tags = value.as_array().filter(|_| name == "Tags");
                let pairs = tags.into_iter().flatten().filter_map(|tag| {
                    Some((tag.get("Key")?.as_str()?, tag.get("Value")?.as_str()?))
                });
                found.extend(pairs);
                collect_tags(value, found);
            }
        }
        _ => {}
    }
}

/// Logical id and size of the user data of every launch template.
fn user_data(template: &Value) -> Vec<(&str, usize)> {
    let resources = template.get("Resources").and_then(Value::as_object);
    let size = |resource: &Value| {
        let data = resource
            .get("Properties")?
            .get("LaunchTemplateData")?
            .get("UserData")?;
        Some(text_size(data))
    };
    resources
        .into_iter()
        .flatten()
        .filter_map(|(id, resource)| Some((id.as_str(), size(resource)?)))
        .collect()
}

/// The most that the text of an intrinsic can come to.
fn text_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 1,
        Value::Array(values) => values.iter().map(text_size).sum(),
        Value::Object(entries) => {
            let late = entries
                .keys()
                .any(|key| key == "Ref" || key == "Fn::Sub" || key == "Fn::GetAtt");
            let inner: usize = entries.values().map(text_size).sum();
            inner + if late { LATE_VALUE_BYTES } else { 0 }
        }
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::stacks::{Input, StackKind};
    use serde_json::json;

    fn stack(template: Value) -> Stack {
        Stack {
            kind: StackKind::Network,
            name: "canary-network".to_owned(),
            template,
            inputs: Vec::new(),
            capabilities: Vec::new(),
            tags: BTreeMap::new(),
            policy: None,
            termination_protection: false,
            objects: Vec::new(),
        }
    }

    fn broken(stack: &Stack) -> String {
        check(stack).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn descriptions_and_names_have_limits() {
        for (length, fits) in [(1024, true), (1025, false)] {
            let whole = stack(json!({"Description": "x".repeat(length)}));
            let output = stack(json!({"Outputs": {"A": {"Description": "x".repeat(length)}}}));
            assert_eq!(broken(&whole).is_empty(), fits);
            assert_eq!(broken(&output).is_empty(), fits);
        }
        for (length, fits) in [(255, true), (256, false)] {
            let template = json!({"Resources": {"x".repeat(length): {}}});
            assert_eq!(broken(&stack(template)).is_empty(), fits);
        }
    }

    #[test]
    fn parameter_values_and_tag_keys_have_limits() {
        for (length, fits) in [(4096, true), (4097, false)] {
            let mut stack = stack(json!({}));
            stack.inputs.push(Input {
                parameter: "A".to_owned(),
                source: Source::Value("x".repeat(length)),
            });
            assert_eq!(broken(&stack).is_empty(), fits);
        }
        for (length, fits) in [(127, true), (128, false)] {
            let mut stack = stack(json!({}));
            stack.tags.insert("x".repeat(length), "v".to_owned());
            assert_eq!(broken(&stack).is_empty(), fits);
        }
    }
}
