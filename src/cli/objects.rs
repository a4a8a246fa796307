//! The objects in a cluster's buckets that are compared with what belongs there: bundles of its nodes, and
//! documents of its issuer.

use super::error::CommandError;
use super::session::Session;
use crate::access::{self, AccessError, IssuerDocuments};
use crate::cloud::{CloudError, Store};
use crate::plan::objects::{self, WantedObject};
use crate::plan::protection::{LayerState, ProtectionLayer};
use crate::plan::{DamagedObject, Survey};
use crate::stacks::{Stack, StackKind};

/// The issuer's documents that are missing or have other content. Without the permission to look nothing is
/// known, and that is no reason to refuse a plan.
pub async fn damaged_documents<C: Store>(
    session: &Session<C>,
    survey: &Survey,
) -> Result<Vec<DamagedObject>, CommandError> {
    let wanted = match documents(session, survey).await {
        Err(AccessError::Denied { .. }) | Ok(None) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
        Ok(Some(wanted)) => wanted,
    };
    match objects::damaged(&session.cloud, &objects_of(&wanted)).await {
        // A bucket that went with its stack: the plan shows that.
        Err(CloudError::NotFound(_)) => Ok(Vec::new()),
        answer => Ok(answer?),
    }
}

/// Every layer: the bundles of all stacks, and the issuer's documents.
pub async fn layers<C: Store>(
    session: &Session<C>,
    survey: &Survey,
    wanted: &[Stack],
) -> Vec<ProtectionLayer> {
    let (cloud, cluster) = (&session.cloud, &survey.cluster);
    let mut layers = objects::layers(cloud, survey, wanted).await;
    match documents(session, survey).await {
        Ok(None) => {}
        Ok(Some(wanted)) => {
            layers.extend(objects::document_layers(cloud, cluster, &objects_of(&wanted)).await);
        }
        Err(error) => layers.push(ProtectionLayer {
            stack: StackKind::Base,
            resource: Some("Issuer bucket".to_owned()),
            layer: "issuer document",
            state: LayerState::Unknown,
            text: format!("could not be compared: {error}"),
            next: None,
        }),
    }
    layers
}

/// Before the control plane there are none.
async fn documents<C: Store>(
    session: &Session<C>,
    survey: &Survey,
) -> Result<Option<IssuerDocuments>, AccessError> {
    let named = |kind: StackKind| survey.named(&kind.stack_name(&survey.cluster));
    if named(StackKind::ControlPlane).is_none() {
        return Ok(None);
    }
    let outputs = named(StackKind::Base).map(|base| &base.outputs);
    access::wanted_issuer_documents(&session.cloud, &survey.cluster, outputs).await
}

fn objects_of(wanted: &IssuerDocuments) -> Vec<WantedObject<'_>> {
    let all = wanted.documents.iter();
    let object = all.map(|(key, document)| WantedObject {
        bucket: &wanted.bucket,
        key,
        bytes: document.as_bytes(),
    });
    object.collect()
}
