//! Reading which ranges of pod and service addresses a living cluster has: from the outputs of its control plane, its
//! template, or the bundle that the template names.

use super::bundle::{self, Trust};
use super::{Survey, Unknown, status};
use crate::cloud::{CloudError, Store};
use crate::stacks::ranges::{POD_CIDR, SERVICE_CIDR};
use crate::stacks::{Ranges, Stack, StackKind, versions};

/// What is known of the ranges of a living cluster.
pub type LiveRanges = Result<Ranges, Unknown>;

/// Reads the ranges of a cluster. `None` where no machine of a control plane can run: then there are none to keep.
/// Nothing is asked where its machines boot from the bundle that is wanted.
///
/// # Errors
/// The store did not answer.
pub async fn live_ranges(
    survey: &Survey,
    wanted: &[Stack],
    store: &impl Store,
) -> Result<Option<LiveRanges>, CloudError> {
    let name = StackKind::ControlPlane.stack_name(&survey.cluster);
    let Some(found) = survey
        .named(&name)
        .filter(|found| status::runs(&found.status))
    else {
        return Ok(None);
    };
    let template = survey.templates.get(&found.id);
    let known = Ranges::of_outputs(&found.outputs).or_else(|| Ranges::declared(template?));
    if let Some(ranges) = known {
        return Ok(Some(Ok(ranges)));
    }
    let wanted = wanted.iter().find(|stack| stack.name == name);
    let same = wanted.filter(|stack| {
        let key = versions::bundle_key(&stack.template);
        key.is_some() && key == template.and_then(versions::bundle_key)
    });
    if let Some(ranges) = same.and_then(|stack| Ranges::declared(&stack.template)) {
        return Ok(Some(Ok(ranges)));
    }
    let output = format!("{POD_CIDR} and {SERVICE_CIDR}");
    let asked = (output.as_str(), Trust::AtRest);
    let read = bundle::read(survey, found, store, asked, Ranges::of_bundle).await?;
    Ok(Some(read))
}
