//! A cloud with the rate limiter around it: for clouds that have none of their own, the simulated one first.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Deref;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::account::{
    Account, DatabaseOffer, Decision, MachineType, Quota, RightsQuestion, RunningMachine, Vpcs,
};
use super::limiter::{CallKind, Limiter, Service};
use super::remote::{CommandResult, ObjectSummary, Remote, RemoteCommand};
use super::{
    Activity, Boots, BucketAccess, ChangeSet, ChangeSetRequest, Cloud, CloudError, Console,
    DriftReport, Identity, Inspect, Instance, KeyState, LiveDatabase, LiveResource, LiveStack,
    Machine, MachineGroup, Machines, OnFailure, OpenChangeSet, Outside, OutsideKind,
    OutsideResource, OutsideScope, ParameterSummary, Presence, Protection, PutResult, RoleAccess,
    Scaling, ScalingGroup, StackEvent, StackOperation, Store, StoredContent, Target,
    UploadedObject, VersionedParameters, VersionedValue, WriteGate,
};
use crate::common::Clock;

/// Each call asks the limiter once. What the inner cloud has besides its traits is reached
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

/// Calls of the inner cloud, each with what it is counted as.
macro_rules! limited {
    ($($kind:ident $service:ident: $call:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {$(
        async fn $call(&self, $($name: $type),*) -> Result<$answer, CloudError> {
            let bucket = (Service::$service, CallKind::$kind);
            let request = self.cloud.$call($($name),*);
            self.limiter.call(&self.cloud, bucket, request).await
        }
    )+};
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

#[rustfmt::skip]
impl<C: Cloud> Cloud for Limited<C> {
    limited! {
        Read Sts: identity() -> Identity;
        Read CloudFormation: stacks(cluster: Option<&str>) -> Vec<LiveStack>;
        Read CloudFormation: stack(id: &str) -> Option<LiveStack>;
        Read CloudFormation: template(stack_id: &str) -> Value;
        Write CloudFormation: create(wanted: &ChangeSetRequest, protection: &Protection) -> String;
        Write CloudFormation: create_change_set(wanted: &ChangeSetRequest) -> ChangeSet;
        Write CloudFormation: execute(change_set: &ChangeSet, token: &str, on_failure: OnFailure) -> ();
        Write CloudFormation: delete_change_set(change_set: &ChangeSet) -> ();
        Write CloudFormation: set_protection(stack_id: &str, protection: &Protection) -> ();
        Read CloudFormation: events(operation: &StackOperation, seen: &HashSet<String>) -> Vec<StackEvent>;
        Read CloudFormation: resources(stack_id: &str) -> Vec<LiveResource>;
        Write CloudFormation: delete(stack_id: &str, token: &str) -> ();
        Read CloudFormation: in_progress_stacks() -> BTreeSet<String>;
        Read CloudFormation: change_sets(stack_id: &str) -> Vec<OpenChangeSet>;
        Read CloudFormation: change_set(id: &str, stack_id: &str) -> Option<ChangeSet>;
        Read CloudFormation: policy(stack_id: &str) -> Option<Value>;
        Write CloudFormation: continue_rollback(stack_id: &str, skip: &[String], token: &str) -> ();
        Write CloudFormation: cancel_update(stack_id: &str, token: &str) -> ();
        Write CloudFormation: drift(stack_id: &str) -> DriftReport;
    }
}

#[rustfmt::skip]
impl<C: Scaling + Clock> Scaling for Limited<C> {
    limited! {
        Read AutoScaling: group(name: &str) -> Option<ScalingGroup>;
        Write AutoScaling: suspend(group: &str, process: &str) -> ();
        Read Rds: database(identifier: &str) -> Option<LiveDatabase>;
    }
}

#[rustfmt::skip]
impl<C: Machines + Clock> Machines for Limited<C> {
    limited! {
        Read AutoScaling: machine_groups(cluster: &str) -> Vec<MachineGroup>;
        Read Ec2: instances(cluster: &str, groups: &[MachineGroup]) -> Vec<Instance>;
        Read AutoScaling: activities(group: &str) -> Vec<Activity>;
        Write Ec2: mark_instance(instance: &str, value: &str) -> Presence;
        Write Ec2: unmark_instance(instance: &str) -> Presence;
        Write AutoScaling: detach(group: &str, instance: &str) -> Presence;
        Write Ec2: terminate(instance: &str) -> Presence;
        Write AutoScaling: terminate_in_group(instance: &str) -> Presence;
        Read LoadBalancing: targets(target_group: &str) -> Vec<Target>;
    }
}

#[rustfmt::skip]
impl<C: Store + Clock> Store for Limited<C> {
    limited! {
        Read Ssm: parameter(name: &str) -> Option<String>;
        Read Ssm: secret(name: &str) -> Option<SecretString>;
        Write Ssm: put_secret_if_absent(name: &str, secret: &SecretString, key: &str) -> PutResult;
        Write Ssm: put_parameter_if_absent(name: &str, value: &str) -> PutResult;
        Read Ssm: parameters_under(path: &str) -> Vec<ParameterSummary>;
        Write Ssm: delete_parameters_under(path: &str, except: Option<&str>) -> Vec<String>;
        Write S3: upload(bucket: &str, key: &str, bytes: &[u8]) -> UploadedObject;
        Read S3: compare_object(bucket: &str, key: &str, bytes: &[u8]) -> StoredContent;
        Read S3: object(bucket: &str, key: &str) -> Option<Vec<u8>>;
        Write S3: empty_bucket(bucket: &str) -> usize;
        Read Ec2: console(group: &str) -> Option<Console>;
    }
}

impl<C: VersionedParameters> VersionedParameters for Limited<C> {
    limited! {
        Read Ssm: versioned_parameter(name: &str) -> Option<VersionedValue>;
        Lock Ssm: write_parameter(name: &str, value: &str) -> u64;
        Lock Ssm: delete_parameter(name: &str) -> ();
    }

    fn write_gate(&self) -> &WriteGate {
        self.cloud.write_gate()
    }
}

#[rustfmt::skip]
impl<C: Boots> Boots for Limited<C> {
    limited! {
        Read Ec2: machines(cluster: &str) -> Vec<Machine>;
        Read Ec2: machines_of(group: &str) -> Vec<Machine>;
        Read Ec2: console_of(instance: &str) -> Option<Console>;
    }
}

impl<C: Inspect + Clock> Inspect for Limited<C> {
    limited! {
        Read Kms: key(key: &str) -> Option<KeyState>;
        Read Kms: key_policy(key: &str) -> Option<Value>;
        Read S3: bucket_access(bucket: &str) -> Option<BucketAccess>;
        Read Iam: role(name: &str) -> Option<RoleAccess>;
    }
}

impl<C: Account + Clock> Account for Limited<C> {
    limited! {
        Read Quotas: quota(quota: Quota) -> u64;
        Read Ec2: addresses() -> u64;
        Read Ec2: vpcs() -> Vpcs;
        Read Ec2: running_machines() -> Vec<RunningMachine>;
        Read Ec2: zones() -> BTreeSet<String>;
        Read Ec2: offerings(types: &BTreeSet<String>) -> BTreeMap<String, BTreeSet<String>>;
        Read Ec2: machine_types(types: &BTreeSet<String>) -> BTreeMap<String, MachineType>;
        Read Rds: database_offers(class: &str, version: Option<&str>) -> Vec<DatabaseOffer>;
        Read S3Control: account_access_block(account: &str) -> BTreeSet<String>;
        Read Iam: role_arn(name: &str) -> Option<String>;
        Read Iam: decisions(question: &RightsQuestion) -> Vec<Decision>;
    }
}

impl<C: Outside + Clock> Outside for Limited<C> {
    limited! {
        Read Ec2: outside(kind: OutsideKind, scope: &OutsideScope) -> Vec<OutsideResource>;
        Write Ec2: remove(resource: &OutsideResource) -> ();
        Read CloudFormation: left_by(stack: &str, physical_id: &str) -> Option<String>;
    }
}

#[rustfmt::skip]
impl<C: Remote> Remote for Limited<C> {
    limited! {
        Write Ssm: run(group: &str, command: &RemoteCommand) -> CommandResult;
        Read S3: objects(bucket: &str, prefix: &str) -> Vec<ObjectSummary>;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::clock::elapsed;
    use crate::simulated::{Faults, Simulated, SimulationConfig};

    fn cloud(throttle: f64) -> Limited<Simulated> {
        let faults = Faults {
            throttle,
            ..Faults::default()
        };
        Limited::new(Simulated::new(SimulationConfig {
            faults,
            ..SimulationConfig::default()
        }))
    }

    async fn seconds_for(cloud: &Limited<Simulated>, reads: usize) -> f64 {
        let start = cloud.now();
        for _ in 0..reads {
            cloud.in_progress_stacks().await.ok();
        }
        elapsed(start, cloud.now()).as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn limiter_applies_to_the_simulated_cloud() {
        let taken = seconds_for(&cloud(0.0), 40).await;
        assert!((9.9..10.2).contains(&taken), "{taken}");
    }

    #[tokio::test(start_paused = true)]
    async fn throttle_slows_its_kind_of_call_only() {
        let cloud = cloud(1.0);
        assert!(seconds_for(&cloud, 1).await < 0.01);
        let start = cloud.now();
        let error = cloud.cancel_update("arn:s", "t").await;
        assert!(matches!(error, Err(CloudError::Throttled(_))), "{error:?}");
        assert!(elapsed(start, cloud.now()).as_secs_f64() < 0.01);
        let taken = seconds_for(&cloud, 1).await;
        assert!((0.6..0.8).contains(&taken), "{taken}");
    }
}
