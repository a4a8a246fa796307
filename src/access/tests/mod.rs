//! The whole module on the simulated cloud.

mod cache;
mod copy;
mod ensure;
mod inventory;
mod issue;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::cloud::{
    ChangeSetLifetime, ChangeSetRequest, Cloud as _, CloudError, LiveStack, Protection, StackStatus,
};
use crate::common::Clock as _;
use crate::simulated::{CallFault, ExternalChange, FaultKind, Faults, Simulated, SimulationConfig};

/// A cloud with the key of the cluster. Other tasks get these turns before and after each call has its
/// effect.
async fn cloud_with(seed: u64, turns: RangeInclusive<u32>) -> Simulated {
    let cloud = Simulated::new(SimulationConfig {
        seed,
        faults: turns_of(turns),
        ..SimulationConfig::default()
    });
    let template = serde_json::json!({
        "Resources": {
            "Key": {"Type": "AWS::KMS::Key", "Properties": {}},
            "StateBucket": {"Type": "AWS::S3::Bucket", "Properties": {}},
        },
        "Outputs": {
            "KeyArn": {"Value": {"Fn::GetAtt": ["Key", "Arn"]}},
            "StateBucket": {"Value": {"Ref": "StateBucket"}},
        },
    });
    let base = ChangeSetRequest {
        stack: "canary-base".to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: BTreeMap::new(),
        capabilities: Vec::new(),
        tags: BTreeMap::new(),
        token: "base".to_owned(),
        lifetime: ChangeSetLifetime::Run,
        comparison: crate::cloud::Comparison::Template,
    };
    let open = Protection {
        termination: false,
        policy: None,
    };
    cloud.create(&base, &open).await.unwrap();
    tokio::time::sleep(Duration::from_mins(30)).await;
    cloud
}

async fn cloud() -> Simulated {
    cloud_with(1, 0..=0).await
}

/// No fault but these turns.
fn turns_of(turns: RangeInclusive<u32>) -> Faults {
    Faults {
        turns,
        ..Faults::default()
    }
}

/// ARN of the cluster's key.
fn key(cloud: &Simulated) -> String {
    cloud.all_stacks()[0].outputs["KeyArn"].clone()
}

/// Its state bucket.
fn bucket(cloud: &Simulated) -> String {
    cloud.all_stacks()[0].outputs["StateBucket"].clone()
}

/// Before there is a control plane.
async fn ensure(cloud: &Simulated) -> Result<EnsuredAuthorities, AccessError> {
    ensure_with(cloud, None).await
}

async fn ensure_with(
    cloud: &Simulated,
    control_plane: Option<&LiveStack>,
) -> Result<EnsuredAuthorities, AccessError> {
    let (key, bucket) = (key(cloud), bucket(cloud));
    ensure_authorities(cloud, stacks(&key, &bucket, control_plane), now()).await
}

fn stacks<'a>(
    key: &'a str,
    bucket: &'a str,
    control_plane: Option<&'a LiveStack>,
) -> ClusterStacks<'a> {
    ClusterStacks {
        cluster: "canary",
        key: Some(key),
        bucket: Some(bucket),
        control_plane,
    }
}

/// A control-plane stack that was created at the present moment of the cloud.
fn control_plane(cloud: &Simulated, status: StackStatus) -> LiveStack {
    LiveStack {
        status,
        created: cloud.now(),
        ..cloud.all_stacks()[0].clone()
    }
}

/// Somebody deletes a parameter.
fn lose(cloud: &Simulated, short: &str) {
    let name = format!("/kube-cfn/canary/{short}");
    assert!(cloud.apply_external_change(&ExternalChange::DeleteParameter { name }));
}

/// The names of the nine below the cluster's path.
fn nine() -> Vec<String> {
    let all = ParameterNames::of("canary").unwrap().all();
    all.into_iter().map(|one| one.short).collect()
}

/// From now on calls of a method, or all, are denied.
fn deny(cloud: &Simulated, verb: Option<&'static str>) {
    let denied = CloudError::Denied {
        caller_may_not: "arn:aws:iam::123456789012:user/ada may not".to_owned(),
        action: None,
    };
    strike(cloud, verb, u32::MAX, FaultKind::Refused(denied));
}

/// From now on so many reads of secrets don't see what was written within an hour.
fn lag(cloud: &Simulated, times: u32) {
    let stale = FaultKind::Stale(Duration::from_hours(1));
    strike(cloud, Some("secret"), times, stale);
}

fn strike(cloud: &Simulated, verb: Option<&'static str>, times: u32, kind: FaultKind) {
    let fault = CallFault {
        verb,
        about: None,
        after: 0,
        times,
        kind,
    };
    cloud.change_faults(|faults| faults.calls.insert(0, fault));
}

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn later(minutes: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_mins(minutes)
}

fn limits() -> LifetimeLimits {
    LifetimeLimits {
        ttl_seconds: 8 * 3600,
        max_ttl_seconds: 24 * 3600,
    }
}

fn request(user: &str, ttl_seconds: Option<u64>) -> CertificateRequest {
    CertificateRequest {
        user: user.to_owned(),
        groups: vec!["kube-cfn:admins".to_owned()],
        ttl_seconds,
    }
}

fn cache_key(user: &str) -> CacheKey {
    CacheKey {
        cluster: "canary".to_owned(),
        scope: "123456789012/eu-west-1".to_owned(),
        request: request(user, None),
    }
}
