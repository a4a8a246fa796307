//! What lies in a simulated account outside the stacks: what Kubernetes and others made there.

use super::Simulated;
use crate::cloud::CloudError;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope};

impl Outside for Simulated {
    async fn outside(
        &self,
        _kind: OutsideKind,
        _scope: &OutsideScope,
    ) -> Result<Vec<OutsideResource>, CloudError> {
        Ok(Vec::new())
    }

    async fn remove(&self, resource: &OutsideResource) -> Result<(), CloudError> {
        Err(CloudError::NotFound(resource.id.clone()))
    }
}
