//! What would keep something from being removed, asked before: locks, and whether a call of the tool would be denied.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::cloud::{CloudError, DryRun, Lock, Lockable, RemovalChecks, denies_deletion};
use crate::simulated::state::State;
use crate::simulated::{FaultKind, Simulated};
use crate::templates::evaluate::text;

impl RemovalChecks for Simulated {
    async fn locks(&self, of: Lockable<'_>) -> Result<BTreeSet<Lock>, CloudError> {
        let id = match of {
            Lockable::Balancer(id)
            | Lockable::Machine(id)
            | Lockable::Database(id)
            | Lockable::Bucket(id) => id,
        };
        self.read("locks", id, |state| Ok(state.locks(of))).await
    }

    async fn dry_run(&self, resource: &OutsideResource) -> Result<DryRun, CloudError> {
        self.read("dry_run", &resource.id, |state| {
            let is_of_ec2 = matches!(
                resource.kind,
                OutsideKind::Machine
                    | OutsideKind::SecurityGroup
                    | OutsideKind::Interface
                    | OutsideKind::Volume
                    | OutsideKind::GroupRule
            );
            match state.denial(&resource.id) {
                Some(denied) if is_of_ec2 => Err(denied),
                Some(_) | None if is_of_ec2 => Ok(DryRun::Allowed),
                Some(_) | None => Ok(DryRun::NotOffered),
            }
        })
        .await
    }
}

impl State {
    fn locks(&self, of: Lockable<'_>) -> BTreeSet<Lock> {
        let on = |is_on: bool, lock| is_on.then_some(lock).into_iter().collect();
        match of {
            Lockable::Balancer(arn) => {
                let outside = self
                    .env
                    .outside
                    .find(OutsideKind::LoadBalancer, arn, self.now);
                let of_stack = self.found("AWS::ElasticLoadBalancingV2::LoadBalancer", arn);
                let of_stack = of_stack.is_some_and(|found| {
                    let all = found.properties["LoadBalancerAttributes"].as_array();
                    all.into_iter().flatten().any(|one| {
                        one["Key"] == "deletion_protection.enabled" && text(&one["Value"]) == "true"
                    })
                });
                let is_on = of_stack || outside.is_some_and(|thing| thing.protected);
                on(is_on, Lock::DeletionProtection)
            }
            Lockable::Machine(id) => {
                let thing = self.env.outside.find(OutsideKind::Machine, id, self.now);
                on(
                    thing.is_some_and(|thing| thing.protected),
                    Lock::TerminationProtection,
                )
            }
            Lockable::Database(id) => {
                let found = self.found("AWS::RDS::DBInstance", id);
                let is_on =
                    |properties: &Value| properties["DeletionProtection"] == Value::Bool(true);
                on(
                    found.is_some_and(|found| is_on(&found.properties)),
                    Lock::DeletionProtection,
                )
            }
            Lockable::Bucket(name) => {
                let mut policies = self.all("AWS::S3::BucketPolicy");
                let denies = policies.any(|found| {
                    text(&found.properties["Bucket"]) == name
                        && denies_deletion(&found.properties["PolicyDocument"])
                });
                on(denies, Lock::BucketPolicy)
            }
        }
    }

    /// The denial that a removal of this would meet.
    fn denial(&self, id: &str) -> Option<CloudError> {
        let faults = self.env.faults.calls.iter();
        let mut faults = faults.filter(|fault| {
            fault.times > 0
                && fault.verb.is_none_or(|verb| verb == "remove")
                && fault.about.as_deref().is_none_or(|about| about == id)
        });
        faults.find_map(|fault| match &fault.kind {
            FaultKind::Refused(error @ CloudError::Denied { .. }) => Some(error.clone()),
            FaultKind::Refused(_) | FaultKind::AnswerLost(_) | FaultKind::Stale(_) => None,
        })
    }
}
