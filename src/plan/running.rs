//! Reading which Kubernetes version the stacks of a cluster run: from their outputs, their templates, or
//! the bundle that a template names.

use semver::Version;
use serde_json::Value;

use super::versions::{RunningVersions, UnknownVersion};
use super::{Survey, status};
use crate::cloud::{CloudError, LiveStack, Store};
use crate::stacks::{KUBERNETES_VERSION, STATE_BUCKET, StackKind, versions as stack_versions};

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
) -> Result<Result<Version, UnknownVersion>, CloudError> {
    let unknown =
        |reason: String, remedy: Option<String>| Ok(Err(UnknownVersion { reason, remedy }));
    let name = &found.name;
    if !status::template_in_force(&found.status) {
        let watch = format!("`kube-cfn watch {}` follows it to its end", survey.cluster);
        let why = format!(
            "{name} has no output {KUBERNETES_VERSION}, and in {} its template may not be what runs",
            found.status
        );
        return unknown(why, found.status.is_in_progress().then_some(watch));
    }
    let template = survey.templates.get(&found.id);
    let Some(key) = template.and_then(stack_versions::bundle_key) else {
        let why = format!("{name} has no output {KUBERNETES_VERSION}, and its template no bundle");
        return unknown(why, None);
    };
    let base = survey.named(&StackKind::Base.stack_name(&survey.cluster));
    let Some(bucket) = base.and_then(|base| base.outputs.get(STATE_BUCKET)) else {
        return unknown("the base stack names no state bucket".to_owned(), None);
    };
    let place = format!("s3://{bucket}/{key}");
    let restore = format!("restore {place}: new machines of {name} need it too");
    match store.object(bucket, key).await {
        Ok(Some(bytes)) => match stack_versions::of_bundle(key, &bytes) {
            Some(version) => Ok(Ok(version)),
            None => unknown(format!("{place} is no bundle of that name"), Some(restore)),
        },
        Ok(None) => unknown(format!("{place} is not there"), Some(restore)),
        Err(error @ (CloudError::Denied { .. } | CloudError::Refused { .. })) => {
            let next =
                "ask for the IAM actions s3:GetObject on it and kms:Decrypt on the cluster's key"
                    .to_owned();
            unknown(format!("{place} can't be read: {error}"), Some(next))
        }
        Err(error) => Err(error),
    }
}
