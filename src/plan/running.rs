//! Reading which Kubernetes version the stacks of a cluster run: from their outputs, their templates, or
//! the bundle that a template names.

use semver::Version;
use serde_json::Value;

use super::bundle::{self, Trust};
use super::versions::RunningVersions;
use super::{Survey, Unknown, status};
use crate::cloud::{CloudError, LiveStack, Store};
use crate::stacks::{KUBERNETES_VERSION, StackKind, versions as stack_versions};

/// Reads the running versions. Of stacks that are older than the output, the bundle named in their
/// template says the version.
pub async fn running(survey: &Survey, store: &impl Store) -> Result<RunningVersions, CloudError> {
    let mut running = RunningVersions::new();
    for found in &survey.found {
        let kind = StackKind::parse(&found.kind).filter(StackKind::has_machines);
        let Some(kind) = kind.filter(|_| status::runs(&found.status)) else {
            continue;
        };
        let version = match declared_version(found, survey.templates.get(&found.id)) {
            Some(version) => Ok(version),
            None => of_bundle(survey, found, store).await?,
        };
        running.insert(kind, version);
    }
    Ok(running)
}

/// The version in the output of a stack, else the one that its template declares: only versions of this
/// tool that follow the rule send such a template.
fn declared_version(found: &LiveStack, template: Option<&Value>) -> Option<Version> {
    let output = found.outputs.get(KUBERNETES_VERSION);
    let output = output.and_then(|text| text.parse().ok());
    output.or_else(|| stack_versions::declared(template?))
}

async fn of_bundle(
    survey: &Survey,
    found: &LiveStack,
    store: &impl Store,
) -> Result<Result<Version, Unknown>, CloudError> {
    bundle::read(
        survey,
        found,
        store,
        (KUBERNETES_VERSION, Trust::InForce),
        stack_versions::of_bundle,
    )
    .await
}
