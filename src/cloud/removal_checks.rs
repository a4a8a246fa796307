//! What keeps something from being removed, asked before anything is: switches that protect it, and rights that the
//! caller lacks. Every call only reads.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::CloudError;
use super::outside::OutsideResource;

/// Something that can be locked against its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lockable<'a> {
    /// The ARN of a network, application or gateway load balancer.
    Balancer(&'a str),
    /// The id of an EC2 instance.
    Machine(&'a str),
    /// The identifier of a database instance.
    Database(&'a str),
    /// The name of an S3 bucket.
    Bucket(&'a str),
}

/// What locks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Lock {
    /// Deletion protection of a load balancer or a database.
    DeletionProtection,
    /// EC2's attribute `disableApiTermination`.
    TerminationProtection,
    /// EC2's attribute `disableApiStop`, which refuses a termination too:
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-stop-protection.html>.
    StopProtection,
    /// Object Lock with a default retention: each version of an object stays for so long.
    ObjectLock,
    /// The bucket's policy denies everybody to delete it, or what is in it.
    BucketPolicy,
}

/// What EC2 says to a call that it only checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// The caller may remove it.
    Allowed,
    /// The kind has no such check.
    NotOffered,
}

/// Questions before a removal.
#[allow(async_fn_in_trait, reason = "one thread, no Send bound wanted")]
pub trait RemovalChecks {
    /// The locks of something, none where it is gone.
    async fn locks(&self, of: Lockable<'_>) -> Result<BTreeSet<Lock>, CloudError>;

    /// Whether the caller may remove a resource, which is not removed by this. [`CloudError::Denied`] where not. Any other
    /// error says nothing of the right.
    async fn dry_run(&self, resource: &OutsideResource) -> Result<DryRun, CloudError>;
}

/// Actions without which a bucket can't be emptied and deleted.
const TO_DELETE_A_BUCKET: [&str; 3] = [
    "s3:DeleteBucket",
    "s3:DeleteObjectVersion",
    "s3:ListBucketVersions",
];

/// Whether a bucket's policy denies everybody, under no condition, what takes to empty and delete the bucket.
pub fn denies_deletion(policy: &Value) -> bool {
    list(&policy["Statement"]).into_iter().any(|statement| {
        statement["Effect"] == "Deny"
            && statement.get("Condition").is_none()
            && is_everybody(&statement["Principal"])
            && list(&statement["Action"])
                .into_iter()
                .filter_map(Value::as_str)
                .any(|pattern| TO_DELETE_A_BUCKET.iter().any(|one| fits(pattern, one)))
    })
}

fn is_everybody(principal: &Value) -> bool {
    let names = list(principal).into_iter().chain(list(&principal["AWS"]));
    names.into_iter().any(|name| name == "*")
}

/// IAM writes one thing as itself or as a list of one.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    }
}

/// Whether an action is meant by one of a policy: `*` is any number of letters, `?` one, and case does not count.
fn fits(pattern: &str, action: &str) -> bool {
    fn rest(pattern: &[u8], action: &[u8]) -> bool {
        match (pattern.split_first(), action.split_first()) {
            (None, None) => true,
            (Some((b'*', after)), _) if rest(after, action) => true,
            (Some((b'*', _)), Some((_, left))) => rest(pattern, left),
            (Some((wanted, after)), Some((is, left))) => {
                (*wanted == b'?' || wanted.eq_ignore_ascii_case(is)) && rest(after, left)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
    rest(pattern.as_bytes(), action.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(statement: &Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": statement})
    }

    #[test]
    fn policy_that_denies_everybody_to_delete_is_a_lock() {
        for action in [
            json!("s3:DeleteBucket"),
            json!(["s3:GetObject", "s3:Delete*"]),
            json!("S3:DELETEOBJECTVERSIO?"),
            json!("*"),
        ] {
            for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["*"]})] {
                let statement = json!({"Effect": "Deny", "Principal": principal, "Action": action, "Resource": "*"});
                assert!(denies_deletion(&policy(&statement)), "{statement}");
                assert!(denies_deletion(&policy(&json!([statement]))));
            }
        }
    }

    #[test]
    fn other_denials_are_none() {
        let usual = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        let mut allowed = usual.clone();
        allowed["Effect"] = json!("Allow");
        let somebody = json!({"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::1:role/x"}, "Action": "s3:*"});
        let reading = json!({"Effect": "Deny", "Principal": "*", "Action": ["s3:GetObject", "s3:DeleteBucke"]});
        for statement in [usual, allowed, somebody, reading] {
            assert!(!denies_deletion(&policy(&statement)), "{statement}");
        }
        assert!(!denies_deletion(&Value::Null));
    }
}
