//! The objects that a cluster relies on, compared with what lies in its buckets: what its machines boot from,
//! and templates on their way to CloudFormation. Somebody who may write to the bucket could exchange them.

use futures::future::join_all;

use super::offline::Resolution;
use super::protection::{LayerState, ProtectionLayer};
use super::{Action, Damage, DamagedObject, PlanDraft, Step, Survey, status};
use crate::cloud::{CloudError, INLINE, Store, StoredContent, template_key};
use crate::stacks::{STATE_BUCKET, Stack, StackKind, versions};

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Machines boot from it.
    Bundle,
    /// AWS checks the tokens of pods by it.
    IssuerDocument,
}

/// An object as it should be.
#[derive(Debug, Clone, Copy)]
pub struct WantedObject<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub bytes: &'a [u8],
}

/// The damaged ones of some objects. One that the caller may not read is not among them: nothing is known
/// of it, and that is no reason to refuse a plan.
pub async fn damaged(
    store: &impl Store,
    wanted: &[WantedObject<'_>],
) -> Result<Vec<DamagedObject>, CloudError> {
    let compare = wanted.iter().map(|one| compare(store, *one));
    let mut damaged = Vec::new();
    for answer in join_all(compare).await {
        match answer {
            Ok(found) => damaged.extend(found),
            Err(CloudError::Denied { .. } | CloudError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(damaged)
}

async fn compare(
    store: &impl Store,
    wanted: WantedObject<'_>,
) -> Result<Option<DamagedObject>, CloudError> {
    let WantedObject { bucket, key, bytes } = wanted;
    let damage = match store.compare_object(bucket, key, bytes).await? {
        StoredContent::Same { .. } => return Ok(None),
        StoredContent::Missing => Damage::Missing,
        StoredContent::Other => Damage::OtherContent,
    };
    Ok(Some(DamagedObject {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        damage,
    }))
}

/// Notes the damaged objects of stacks in which nothing else is to do: where a stack is created or updated
/// all of its objects are put.
pub(super) async fn note_bundles(
    steps: &mut [Step],
    store: &impl Store,
    bucket: Option<&str>,
) -> Result<(), CloudError> {
    let Some(bucket) = bucket else {
        return Ok(());
    };
    let stays = |step: &&mut Step| {
        let found = step.found.as_ref();
        step.action == Action::NoChange && found.is_some_and(|found| status::rests(&found.status))
    };
    for step in steps.iter_mut().filter(stays) {
        let wanted = bundles(&step.stack, bucket);
        step.damaged_objects.extend(damaged(store, &wanted).await?);
    }
    Ok(())
}

/// Notes the templates that are sent through the bucket and have other content there. To be called before
/// they are sent.
pub(super) async fn note_templates(
    draft: &mut PlanDraft,
    store: &impl Store,
) -> Result<(), CloudError> {
    let Some(bucket) = &draft.bucket else {
        return Ok(());
    };
    for step in &mut draft.steps {
        let body = step.step.stack.body();
        if step.resolution != Resolution::NeedsChangeSet || body.len() <= INLINE {
            continue;
        }
        let wanted = WantedObject {
            bucket,
            key: &template_key(&body),
            bytes: body.as_bytes(),
        };
        let mut found = damaged(store, &[wanted]).await?;
        // That a new one is missing is no news.
        found.retain(|one| one.damage == Damage::OtherContent);
        step.step.damaged_objects = found;
    }
    Ok(())
}

fn bundles<'a>(stack: &'a Stack, bucket: &'a str) -> Vec<WantedObject<'a>> {
    let wanted = stack.objects.iter().map(|object| WantedObject {
        bucket,
        key: &object.key,
        bytes: &object.bytes,
    });
    wanted.collect()
}

/// A layer for each bundle that a stack of the cluster relies on: the one that its machines boot from today,
/// and the one of the definition, `wanted`. Stacks that do not exist rely on none.
pub async fn layers(store: &impl Store, survey: &Survey, wanted: &[Stack]) -> Vec<ProtectionLayer> {
    let base = survey.named(&StackKind::Base.stack_name(&survey.cluster));
    let Some(bucket) = base.and_then(|base| base.outputs.get(STATE_BUCKET)) else {
        return Vec::new();
    };
    let bundle = |stack: &Stack, key: &str, found| {
        let kind = stack.kind.clone();
        layer(&survey.cluster, kind, Purpose::Bundle, key, found)
    };
    let mut layers = Vec::new();
    for stack in wanted {
        let Some(live) = survey.named(&stack.name) else {
            continue;
        };
        let template = survey.templates.get(&live.id);
        let today = template.and_then(versions::bundle_key);
        let today = today.filter(|key| stack.objects.iter().all(|object| object.key != *key));
        if let Some(key) = today {
            let found = by_name(store, bucket, key).await;
            layers.push(bundle(stack, key, found));
        }
        for one in bundles(stack, bucket) {
            // The next update of the stack puts it.
            let new = today.is_some();
            let found = match compare(store, one).await {
                Ok(Some(found)) if new && found.damage == Damage::Missing => continue,
                Ok(found) => Ok(found.map(|found| found.damage)),
                Err(error) => Err(error),
            };
            layers.push(bundle(stack, one.key, found));
        }
    }
    layers
}

/// What is wrong with a bundle of which only the name is known: it has the content's hash.
async fn by_name(
    store: &impl Store,
    bucket: &str,
    key: &str,
) -> Result<Option<Damage>, CloudError> {
    Ok(match store.object(bucket, key).await? {
        None => Some(Damage::Missing),
        Some(bytes) if versions::is_bundle(key, &bytes) => None,
        Some(_) => Some(Damage::OtherContent),
    })
}

/// A layer for each document of the issuer.
pub async fn document_layers(
    store: &impl Store,
    cluster: &str,
    wanted: &[WantedObject<'_>],
) -> Vec<ProtectionLayer> {
    let layer = async |one: &WantedObject<'_>| {
        let found = compare(store, *one).await;
        let found = found.map(|found| found.map(|found| found.damage));
        let (stack, purpose) = (StackKind::Base, Purpose::IssuerDocument);
        layer(cluster, stack, purpose, one.key, found)
    };
    join_all(wanted.iter().map(layer)).await
}

fn layer(
    cluster: &str,
    stack: StackKind,
    purpose: Purpose,
    key: &str,
    found: Result<Option<Damage>, CloudError>,
) -> ProtectionLayer {
    let (resource, layer, means) = match purpose {
        Purpose::Bundle => ("State bucket", "node bundle", "new machines can't boot"),
        Purpose::IssuerDocument => (
            "Issuer bucket",
            "issuer document",
            "AWS checks the tokens of pods by it",
        ),
    };
    let (state, text) = match found {
        Ok(None) => (LayerState::Holds, format!("{key} has its content")),
        Ok(Some(Damage::Missing)) => (LayerState::Missing, format!("{key} is missing: {means}")),
        Ok(Some(Damage::OtherContent)) => (
            LayerState::Missing,
            format!("{key} has other content: {means}; find out who may write to that bucket"),
        ),
        Err(error) => (LayerState::Unknown, format!("{key} can't be read: {error}")),
    };
    let next = (state == LayerState::Missing).then(|| format!("`kube-cfn apply {cluster}`"));
    ProtectionLayer {
        stack,
        resource: Some(resource.to_owned()),
        layer,
        state,
        text,
        next,
    }
}
