//! The room as a whole over a store in memory.

mod cache;
mod ensure;
mod issue;
mod shelf;

use jiff::Timestamp;

use super::*;

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/k";

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().unwrap()
}

fn later(minutes: i64) -> Timestamp {
    now() + jiff::SignedDuration::from_mins(minutes)
}

fn limits() -> Limits {
    Limits {
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
