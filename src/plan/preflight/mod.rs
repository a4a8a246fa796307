//! What AWS would refuse, found before the first stack is made: one table of checks, each asked only where the plan
//! adds what it is about. [`ask`] asks the cloud; what the answers mean is decided in the other files. A look-up
//! that is denied or fails is [`Verdict::Unknown`], never fine.

pub mod ask;
mod needs;
mod offers;
mod quotas;
mod rights;
mod taken;

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Blocked, Code};
use crate::cloud::CloudError;

pub use ask::{extra_machines, names, preflight};
pub use needs::{Fleet, Needs, needs};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckCode {
    StackName,
    KeyAlias,
    Rights,
    Zone,
    MachineType,
    Database,
    QuotaAddresses,
    QuotaVpcs,
    QuotaVcpus,
    QuotaSpotVcpus,
    PublicAccessBlock,
    DefaultVpc,
}

/// A line of the table: the stable code, what it is about in words, and the IAM actions that asking takes.
struct Row {
    code: &'static str,
    subject: &'static str,
    actions: &'static [&'static str],
    /// Whether AWS refuses for certain: then nobody is offered to skip it.
    certain: bool,
}

/// The table.
fn row(code: CheckCode) -> Row {
    use CheckCode as C;
    let (code, subject, actions, certain): (_, _, &[&str], _) = match code {
        C::StackName => (
            "stack-name",
            "names of the stacks",
            &["cloudformation:DescribeStacks"],
            true,
        ),
        C::KeyAlias => ("key-alias", "alias of the key", &["kms:DescribeKey"], false),
        C::Rights => (
            "rights",
            "rights",
            &["iam:SimulatePrincipalPolicy", "iam:GetRole"],
            false,
        ),
        C::Zone => ("zone", "zones", &["ec2:DescribeAvailabilityZones"], false),
        C::MachineType => (
            "machine-type",
            "machine types",
            &[
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
            ],
            false,
        ),
        C::Database => (
            "database",
            "database class and engine version",
            &["rds:DescribeOrderableDBInstanceOptions"],
            false,
        ),
        C::QuotaAddresses => (
            "quota-addresses",
            "quota of Elastic IP addresses",
            &["ec2:DescribeAddresses", "servicequotas:GetServiceQuota"],
            false,
        ),
        C::QuotaVpcs => (
            "quota-vpcs",
            "quota of VPCs",
            &["ec2:DescribeVpcs", "servicequotas:GetServiceQuota"],
            false,
        ),
        C::QuotaVcpus => (
            "quota-vcpus",
            "quota of vCPUs",
            &["ec2:DescribeInstances", "servicequotas:GetServiceQuota"],
            false,
        ),
        C::QuotaSpotVcpus => (
            "quota-spot-vcpus",
            "quota of spot vCPUs",
            &["ec2:DescribeInstances", "servicequotas:GetServiceQuota"],
            false,
        ),
        C::PublicAccessBlock => (
            "public-access-block",
            "public access block of the account",
            &["s3:GetAccountPublicAccessBlock"],
            false,
        ),
        C::DefaultVpc => ("default-vpc", "default VPC", &["ec2:DescribeVpcs"], false),
    };
    Row {
        code,
        subject,
        actions,
        certain,
    }
}

impl CheckCode {
    /// Every check, in the order in which people read them.
    pub const ALL: [Self; 12] = [
        Self::StackName,
        Self::KeyAlias,
        Self::Rights,
        Self::Zone,
        Self::MachineType,
        Self::Database,
        Self::QuotaAddresses,
        Self::QuotaVpcs,
        Self::QuotaVcpus,
        Self::QuotaSpotVcpus,
        Self::PublicAccessBlock,
        Self::DefaultVpc,
    ];

    /// The stable code: in JSON, on the screen and for `--skip-check`.
    pub fn code(self) -> &'static str {
        row(self).code
    }

    /// What is looked at, in words.
    pub fn subject(self) -> &'static str {
        row(self).subject
    }

    /// The IAM actions that looking takes.
    pub fn actions(self) -> &'static [&'static str] {
        row(self).actions
    }

    /// Whether it can be skipped: AWS may accept what it refuses.
    pub fn can_be_skipped(self) -> bool {
        !row(self).certain
    }
}

impl fmt::Display for CheckCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for CheckCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A code of a check that can be skipped.
impl FromStr for CheckCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = Self::ALL.into_iter().filter(|code| code.can_be_skipped());
        all.clone().find(|code| code.code() == text).ok_or_else(|| {
            let first = all.next().map_or_else(String::new, |code| code.to_string());
            let list = all.fold(first, |list, code| format!("{list}, {code}"));
            format!("the checks that can be skipped are {list}")
        })
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Ok,
    /// AWS refuses it: nothing of the plan is done.
    Refused,
    /// It may fail.
    Warning,
    /// Nobody looked, or the answer does not say.
    Unknown,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    pub code: CheckCode,
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// The next step; `None` where there is nothing to do.
    pub next: Option<String>,
}

impl Check {
    fn ok(code: CheckCode, text: impl Into<String>) -> Self {
        Self {
            code,
            verdict: Verdict::Ok,
            text: text.into(),
            next: None,
        }
    }

    fn refused(code: CheckCode, text: impl Into<String>, next: impl Into<String>) -> Self {
        let mut next = next.into();
        if code.can_be_skipped() {
            next = format!("{next}; if AWS accepts it all the same, `--skip-check {code}`");
        }
        Self {
            code,
            verdict: Verdict::Refused,
            text: text.into(),
            next: Some(next),
        }
    }

    fn warning(code: CheckCode, text: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            code,
            verdict: Verdict::Warning,
            text: text.into(),
            next: Some(next.into()),
        }
    }

    fn unknown(code: CheckCode, text: impl Into<String>, next: Option<String>) -> Self {
        Self {
            code,
            verdict: Verdict::Unknown,
            text: text.into(),
            next,
        }
    }

    /// Nobody knows, for the question was denied or failed.
    fn unanswered(code: CheckCode, error: &CloudError) -> Self {
        let next = match error {
            CloudError::Denied {
                action: Some(action),
                ..
            } => format!("allow {action}, which only reads"),
            CloudError::Denied { action: None, .. } => {
                format!("allow {}, which only read", code.actions().join(" and "))
            }
            CloudError::Credentials { help, .. } => help.clone(),
            CloudError::Throttled(_) | CloudError::Unreachable { .. } => {
                "look at the plan again".to_owned()
            }
            CloudError::NotFound(_)
            | CloudError::Offline(_)
            | CloudError::Conflict(_)
            | CloudError::Invalid { .. }
            | CloudError::Refused { .. } => "compare it yourself before the first stack".to_owned(),
        };
        let text = format!("{} could not be checked: {error}", code.subject());
        Self::unknown(code, text, Some(next))
    }

    /// Somebody wants it so.
    fn skipped(code: CheckCode) -> Self {
        let text = format!("{} not checked: `--skip-check {code}`", code.subject());
        Self::unknown(code, text, None)
    }

    /// As what blocks the whole plan; `None` where it does not.
    pub fn blocked(&self) -> Option<Blocked> {
        let next = self.next.clone().unwrap_or_default();
        let text = || format!("{} ({})", self.text, self.code);
        (self.verdict == Verdict::Refused).then(|| Blocked::by_guard(Code::Preflight, text(), next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_codes_are_parsed_as_they_are_written() {
        for code in CheckCode::ALL {
            let parsed = code.code().parse::<CheckCode>();
            if code.can_be_skipped() {
                assert_eq!(parsed, Ok(code));
            } else {
                assert!(parsed.is_err_and(|why| why.contains("key-alias, rights, zone")));
            }
            assert!(!code.actions().is_empty(), "{code}");
        }
        assert!(CheckCode::ALL.is_sorted());
    }
}
