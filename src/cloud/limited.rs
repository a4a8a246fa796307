//! A cloud with the rate limiter around it: for clouds that have none of their own, the simulated one first.

use std::collections::{BTreeSet, HashSet};
use std::ops::Deref;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::limiter::{Effect, Limiter, Service};
use super::remote::{FoundObject, Ran, Remote};
use super::{
    ChangeSet, Cloud, CloudError, Console, Drift, FoundResource, FoundStack, Identity, Kept,
    OnFailure, OpenChangeSet, Operation, Proposal, Protection, StackEvent, Store,
};
use crate::common::Clock;

/// One request of the limiter for each call. What the inner cloud has besides its traits is reached
/// through `Deref`, without a limit.
#[derive(Debug)]
pub struct Limited<C> {
    cloud: C,
    limiter: Limiter,
}

impl<C> Limited<C> {
    pub fn new(cloud: C) -> Self {
        Self {
            cloud,
            limiter: Limiter::default(),
        }
    }
}

impl<C: Clock> Limited<C> {
    async fn read<T>(
        &self,
        service: Service,
        request: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        let kind = (service, Effect::Read);
        self.limiter.call(&self.cloud, kind, request).await
    }

    async fn write<T>(
        &self,
        service: Service,
        request: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        let kind = (service, Effect::Write);
        self.limiter.call(&self.cloud, kind, request).await
    }
}

impl<C> Deref for Limited<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.cloud
    }
}

impl<C: Clock> Clock for Limited<C> {
    fn now(&self) -> Timestamp {
        self.cloud.now()
    }

    async fn sleep(&self, time: Duration) {
        self.cloud.sleep(time).await;
    }
}

impl<C: Cloud> Cloud for Limited<C> {
    async fn identity(&self) -> Result<Identity, CloudError> {
        self.read(Service::Sts, self.cloud.identity()).await
    }

    async fn stacks(&self, cluster: Option<&str>) -> Result<Vec<FoundStack>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.stacks(cluster))
            .await
    }

    async fn stack(&self, id: &str) -> Result<Option<FoundStack>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.stack(id))
            .await
    }

    async fn template(&self, stack_id: &str) -> Result<Value, CloudError> {
        self.read(Service::CloudFormation, self.cloud.template(stack_id))
            .await
    }

    async fn create(
        &self,
        wanted: &Proposal,
        protection: &Protection,
    ) -> Result<String, CloudError> {
        self.write(
            Service::CloudFormation,
            self.cloud.create(wanted, protection),
        )
        .await
    }

    async fn propose(&self, wanted: &Proposal) -> Result<ChangeSet, CloudError> {
        self.write(Service::CloudFormation, self.cloud.propose(wanted))
            .await
    }

    async fn execute(
        &self,
        change_set: &ChangeSet,
        token: &str,
        on_failure: OnFailure,
    ) -> Result<(), CloudError> {
        self.write(
            Service::CloudFormation,
            self.cloud.execute(change_set, token, on_failure),
        )
        .await
    }

    async fn discard(&self, change_set: &ChangeSet) -> Result<(), CloudError> {
        self.write(Service::CloudFormation, self.cloud.discard(change_set))
            .await
    }

    async fn protect(&self, stack_id: &str, protection: &Protection) -> Result<(), CloudError> {
        self.write(
            Service::CloudFormation,
            self.cloud.protect(stack_id, protection),
        )
        .await
    }

    async fn events(
        &self,
        operation: &Operation,
        seen: &HashSet<String>,
    ) -> Result<Vec<StackEvent>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.events(operation, seen))
            .await
    }

    async fn resources(&self, stack_id: &str) -> Result<Vec<FoundResource>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.resources(stack_id))
            .await
    }

    async fn delete(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.write(Service::CloudFormation, self.cloud.delete(stack_id, token))
            .await
    }

    async fn moving(&self) -> Result<BTreeSet<String>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.moving())
            .await
    }

    async fn change_sets(&self, stack_id: &str) -> Result<Vec<OpenChangeSet>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.change_sets(stack_id))
            .await
    }

    async fn change_set(&self, id: &str, stack_id: &str) -> Result<Option<ChangeSet>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.change_set(id, stack_id))
            .await
    }

    async fn policy(&self, stack_id: &str) -> Result<Option<Value>, CloudError> {
        self.read(Service::CloudFormation, self.cloud.policy(stack_id))
            .await
    }

    async fn continue_rollback(
        &self,
        stack_id: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), CloudError> {
        self.write(
            Service::CloudFormation,
            self.cloud.continue_rollback(stack_id, skip, token),
        )
        .await
    }

    async fn cancel_update(&self, stack_id: &str, token: &str) -> Result<(), CloudError> {
        self.write(
            Service::CloudFormation,
            self.cloud.cancel_update(stack_id, token),
        )
        .await
    }

    async fn drift(&self, stack_id: &str) -> Result<Vec<Drift>, CloudError> {
        self.write(Service::CloudFormation, self.cloud.drift(stack_id))
            .await
    }
}

impl<C: Store + Clock> Store for Limited<C> {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.read(Service::Ssm, self.cloud.parameter(name)).await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        self.read(Service::Ssm, self.cloud.secret(name)).await
    }

    async fn keep_secret(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<Kept, CloudError> {
        self.write(Service::Ssm, self.cloud.keep_secret(name, secret, key))
            .await
    }

    async fn keep_parameter(&self, name: &str, value: &str) -> Result<Kept, CloudError> {
        self.write(Service::Ssm, self.cloud.keep_parameter(name, value))
            .await
    }

    async fn forget_parameters(&self, path: &str) -> Result<Vec<String>, CloudError> {
        self.write(Service::Ssm, self.cloud.forget_parameters(path))
            .await
    }

    async fn upload(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), CloudError> {
        self.write(Service::S3, self.cloud.upload(bucket, key, bytes))
            .await
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        self.read(Service::S3, self.cloud.object(bucket, key)).await
    }

    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError> {
        self.write(Service::S3, self.cloud.empty_bucket(bucket))
            .await
    }

    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError> {
        self.read(Service::Ec2, self.cloud.console(group)).await
    }
}

impl<C: Remote> Remote for Limited<C> {
    async fn run(&self, group: &str, command: &str) -> Result<Ran, CloudError> {
        self.write(Service::Ssm, self.cloud.run(group, command))
            .await
    }

    async fn objects(&self, bucket: &str, prefix: &str) -> Result<Vec<FoundObject>, CloudError> {
        self.read(Service::S3, self.cloud.objects(bucket, prefix))
            .await
    }
}
