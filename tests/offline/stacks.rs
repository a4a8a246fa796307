//! The stacks of a cluster. `tests/cases/stacks` has all of them for three clusters; the tests here hold for
//! every cluster.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod fields;
mod grants;
mod graph;
mod iam;
mod identities;
pub mod node;
mod template_rules;
mod tools;

use kube_cfn::spec::ClusterSpec;
use kube_cfn::stacks::{self, Stack, StackKind};
use kube_cfn::templates::Templates;
use serde_json::Value;

use crate::support::{golden, specs};

fn design(spec: &ClusterSpec) -> Vec<Stack> {
    stacks::design(spec, &Templates::new(None).unwrap()).unwrap()
}

/// The stack of one kind.
fn stack(spec: &ClusterSpec, kind: &StackKind) -> Stack {
    let mut stacks = design(spec).into_iter();
    stacks.find(|stack| stack.kind == *kind).unwrap()
}

/// Every stack of every cluster.
fn every_stack() -> Vec<Stack> {
    specs::all().iter().flat_map(design).collect()
}

/// Calls `visit` with the path and value of everything inside of `value`.
fn walk<'a>(value: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(path, value);
    match value {
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, &format!("{path}/{index}"), visit);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                walk(value, &format!("{path}/{key}"), visit);
            }
        }
        _ => {}
    }
}

/// The resources of a type with their logical ids.
fn of_type<'a>(stack: &'a Stack, wanted: &str) -> Vec<(&'a str, &'a Value)> {
    let found = stack.resources().filter(|(_, found)| *found == wanted);
    found
        .map(|(id, _)| (id, &stack.template["Resources"][id]))
        .collect()
}

fn golden_of(spec: &ClusterSpec) {
    for stack in design(spec) {
        golden::check(
            &format!("stacks/{}/{}.yaml", spec.name, stack.kind),
            &stack.yaml(),
        );
    }
}

#[test]
fn production_matches_its_golden_files() {
    golden_of(&specs::production());
}

#[test]
fn canary_matches_its_golden_files() {
    golden_of(&specs::canary());
}

#[test]
fn a_minimal_cluster_matches_its_golden_files() {
    golden_of(&specs::minimal());
}

#[test]
fn logical_ids_never_change() {
    let mut lines =
        String::from("# Logical ids by cluster and stack. A renamed one is a replaced resource.\n");
    for spec in specs::all() {
        for stack in design(&spec) {
            let mut ids: Vec<_> = stack.resources().map(|(id, _)| id).collect();
            ids.sort_unstable();
            lines.extend(["\n", &stack.name, "\n"]);
            for id in ids {
                lines.extend(["  ", id, "\n"]);
            }
        }
    }
    golden::check("stacks/logical-ids.txt", &lines);
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for spec in specs::all() {
        let (first, second) = (design(&spec), design(&spec));
        for (a, b) in first.iter().zip(&second) {
            assert_eq!(a.body(), b.body());
            assert_eq!(a.yaml(), b.yaml());
            assert_eq!(a.objects, b.objects);
        }
        assert_eq!(first, second);
    }
}

#[test]
fn suppliers_cover_every_input() {
    for stack in every_stack() {
        for supplier in stack.needs() {
            let (kind, name) = (&stack.kind, &stack.name);
            assert!(
                kind.uses(supplier),
                "{name} is not deleted before {supplier}"
            );
        }
    }
}

#[test]
fn rendered_yaml_equals_the_template_data() {
    for stack in every_stack() {
        let back: Value = serde_saphyr::from_str(&stack.yaml()).unwrap();
        assert_eq!(back, stack.template, "{}", stack.name);
    }
}
