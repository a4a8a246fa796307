//! The graph of the stacks: dependencies, outputs and parameters.

use std::collections::{BTreeMap, BTreeSet};

use kube_cfn::stacks::{Source, StackKind};
use serde_json::Value;

use super::{design, every_stack, walk};
use crate::support::specs;

#[test]
fn the_stack_graph_is_as_documented() {
    let mut seen = BTreeSet::new();
    for stack in every_stack() {
        let needs: BTreeSet<_> = stack.needs().map(ToString::to_string).collect();
        let needs: Vec<_> = needs.iter().map(String::as_str).collect();
        let wanted: &[&str] = match stack.kind {
            StackKind::Base | StackKind::Network => &[],
            StackKind::Edge | StackKind::Database => &["network"],
            StackKind::ControlPlane | StackKind::Pool(_) => &["base", "edge", "network"],
        };
        assert_eq!(needs, wanted, "{}", stack.name);
        seen.insert(stack.kind);
    }
    assert!(seen.len() >= 7, "{seen:?}");
}

#[test]
fn stacks_are_listed_in_reading_order() {
    let names = |stacks: Vec<kube_cfn::stacks::Stack>| {
        let kinds = stacks.into_iter().map(|stack| stack.kind.to_string());
        kinds.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        names(design(&specs::production())),
        "base network edge database control-plane pool-system pool-batch"
    );
    assert_eq!(
        names(design(&specs::minimal())),
        "base network edge control-plane pool-workers"
    );
}

#[test]
fn every_parameter_has_a_source_and_a_use() {
    for stack in every_stack() {
        let declared: BTreeSet<_> = stack
            .template
            .get("Parameters")
            .and_then(Value::as_object)
            .map(|parameters| parameters.keys().cloned().collect())
            .unwrap_or_default();
        let fed: BTreeSet<_> = stack
            .inputs
            .iter()
            .map(|input| input.parameter.clone())
            .collect();
        assert_eq!(declared, fed, "{}", stack.name);
        let mut used = BTreeSet::new();
        walk(&stack.template["Resources"], "", &mut |path, value| {
            let Some(text) = value.as_str() else { return };
            if path.ends_with("/Ref") {
                used.insert(text.to_owned());
            }
            if path.ends_with("/Fn::Sub") {
                let names = text
                    .split("${")
                    .skip(1)
                    .filter_map(|rest| rest.split('}').next());
                used.extend(names.map(str::to_owned));
            }
        });
        for parameter in &declared {
            assert!(
                used.contains(parameter),
                "{} does not use {parameter}",
                stack.name
            );
        }
    }
}

#[test]
fn every_output_that_is_asked_for_is_there() {
    for spec in specs::all() {
        let stacks = design(&spec);
        let outputs: BTreeMap<_, _> = stacks
            .iter()
            .map(|stack| (&stack.kind, &stack.template["Outputs"]))
            .collect();
        let inputs = stacks.iter().flat_map(|stack| &stack.inputs);
        let mut asked = 0;
        for input in inputs {
            if let Source::Output { stack, key } = &input.source {
                let found = outputs.get(stack).and_then(|outputs| outputs.get(key));
                assert!(
                    found.is_some(),
                    "{}: {stack} has no output {key}",
                    spec.name
                );
                asked += 1;
            }
        }
        assert!(asked > 10);
    }
}

#[test]
fn nothing_is_exported_or_imported() {
    for stack in every_stack() {
        walk(&stack.template, "", &mut |path, _| {
            assert!(!path.ends_with("/Fn::ImportValue"), "{} {path}", stack.name);
            let export = path.starts_with("/Outputs/") && path.ends_with("/Export");
            assert!(!export, "{} {path}", stack.name);
        });
    }
}

#[test]
fn images_are_ids_from_the_lock_file() {
    for stack in every_stack() {
        let machines = matches!(stack.kind, StackKind::ControlPlane | StackKind::Pool(_));
        let locked: Vec<_> = stack
            .inputs
            .iter()
            .filter_map(|input| match &input.source {
                Source::Locked { parameter } => {
                    Some((input.parameter.as_str(), parameter.as_str()))
                }
                _ => None,
            })
            .collect();
        if !machines {
            assert_eq!(locked, []);
            continue;
        }
        let [("ImageId", path)] = locked[..] else {
            panic!("{}: {locked:?}", stack.name)
        };
        assert!(path.contains("kernel-6.18-"), "{path}");
        let kind = &stack.template["Parameters"]["ImageId"]["Type"];
        assert_eq!(kind, "AWS::EC2::Image::Id");
        assert!(!stack.body().contains("{{resolve:"), "{}", stack.name);
    }
}
