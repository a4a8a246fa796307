//! Drift: what was changed outside CloudFormation.

use serde_json::Value;

use super::names::Setting;
use super::stack::{Resource, Stack};
use crate::cloud::{Difference, Drift};
use crate::templates::evaluate::text;

impl Stack {
    /// The resources that are not as the template made them.
    pub(super) fn drift(&self, setting: &Setting) -> Vec<Drift> {
        let drifted = self.resources.iter().filter(|one| one.exists());
        drifted
            .filter_map(|one| self.drifted(setting, one))
            .collect()
    }

    fn drifted(&self, setting: &Setting, resource: &Resource) -> Option<Drift> {
        let mut differences = Vec::new();
        if !resource.external_properties.is_empty() && !resource.deleted_externally {
            let made = self.properties(setting, &resource.logical_id);
            for (path, actual) in &resource.external_properties {
                let expected = at(&made, path);
                if expected.map(text).as_deref() != Some(text(actual).as_str()) {
                    differences.push(Difference {
                        path: format!("Properties.{path}"),
                        expected: expected.map(text),
                        actual: Some(actual).filter(|value| !value.is_null()).map(text),
                    });
                }
            }
        }
        (resource.deleted_externally || !differences.is_empty()).then(|| Drift {
            logical_id: resource.logical_id.clone(),
            resource_type: resource.kind.clone(),
            deleted: resource.deleted_externally,
            differences,
        })
    }
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, step| match step.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(step),
        })
}
