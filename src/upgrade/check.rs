//! The checks before an upgrade, in one table, and what each can say.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Makes the checks, their codes and titles, and whether one can be waived, of one table.
macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $code:literal, $title:literal, $waivable:literal;)+) => {
        /// A check before an upgrade.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Check {
            $($(#[$doc])* #[serde(rename = $code)] $check,)+
        }

        impl Check {
            /// Every check, in the order in which people read them.
            pub const ALL: &'static [Self] = &[$(Self::$check),+];

            /// In JSON, and after `--accept`.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$check => $code,)+ }
            }

            /// What it looks at, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$check => $title,)+ }
            }

            /// Whether `--accept` waives it: not where the upgrade would break a rule of Kubernetes or etcd.
            pub const fn is_waivable(self) -> bool {
                match self { $(Self::$check => $waivable,)+ }
            }
        }
    };
}

checks! {
    /// The way from the running version to the wanted one.
    VersionStep = "version-step", "version step", false;
    /// Stacks that move, or need manual action.
    Stacks = "stacks", "stacks at rest", false;
    /// Nobody else changes the cluster.
    Lock = "operation-lock", "operation lock", false;
    /// Images, launch templates and groups as the stacks have them.
    Drift = "drift", "machine images and drift", true;
    /// API servers of at most two versions, the later one the wanted.
    ApiServers = "api-servers", "versions of the API servers", false;
    /// Kubelets neither newer than the API servers nor too old for the wanted version.
    Kubelets = "kubelets", "versions of the kubelets", false;
    /// Nodes Ready, none cordoned by others.
    Nodes = "nodes", "nodes", true;
    /// Every member of etcd serves, and there is room.
    Etcd = "etcd", "etcd members", false;
    /// etcd's minor does not move together with Kubernetes's.
    EtcdStep = "etcd-step", "etcd version", false;
    /// A snapshot of etcd can be taken.
    Snapshot = "snapshot", "etcd snapshots", true;
    /// Requests to APIs that the wanted version does not serve.
    DeprecatedApis = "deprecated-apis", "requests to removed APIs", true;
    /// Objects that the wanted version does not run.
    RemovedObjects = "removed-objects", "objects that the version no longer runs", true;
    /// Pods that can't be evicted.
    Budgets = "budgets", "PodDisruptionBudgets", true;
    /// Pods that would not come back, or lose local data.
    Pods = "pods", "pods without controller", true;
    /// Webhooks that refuse everything while nothing answers.
    Webhooks = "webhooks", "webhooks and aggregated APIs", true;
    /// Certificates of the control plane.
    Certificates = "certificates", "certificates", true;
    /// The files and images of the wanted version.
    Downloads = "downloads", "downloads of the version", true;
    /// Addons that support the wanted minor.
    Addons = "addons", "addons", false;
    /// Room for the machines that are there twice for a while.
    Capacity = "capacity", "quotas of machines", true;
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Check {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|check| check.code() == text);
        found.copied().ok_or_else(|| {
            let codes: Vec<_> = Self::ALL
                .iter()
                .filter(|check| check.is_waivable())
                .map(|check| check.code())
                .collect();
            format!(
                "`{text}` is no check; these can be accepted: {}",
                codes.join(", ")
            )
        })
    }
}

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    Pass,
    Warn,
    /// It could not be looked at: never a pass.
    Unknown,
    Fail,
}

impl Verdict {
    /// Whether it stops an upgrade unless it is waived.
    pub const fn stops(self) -> bool {
        matches!(self, Self::Unknown | Self::Fail)
    }
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub check: Check,
    pub verdict: Verdict,
    /// What was found, a sentence.
    pub says: String,
    /// What to do about it; nothing for a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What accepts it alone, as an argument: `--accept nodes`. `None` where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<String>,
    /// Whether that was given.
    pub accepted: bool,
}

impl Finding {
    pub(super) fn pass(check: Check, says: impl Into<String>) -> Self {
        Self::new(check, Verdict::Pass, says.into(), None)
    }

    pub(super) fn warn(check: Check, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, says.into(), Some(next.into()))
    }

    pub(super) fn fail(check: Check, says: impl Into<String>, next: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, says.into(), Some(next.into()))
    }

    /// Of something that could not be read, for this reason.
    pub(super) fn unknown(check: Check, why: &str, next: impl Into<String>) -> Self {
        let says = format!("not looked at: {why}");
        Self::new(check, Verdict::Unknown, says, Some(next.into()))
    }

    fn new(check: Check, verdict: Verdict, says: String, next: Option<String>) -> Self {
        let waives = verdict.stops() && check.is_waivable();
        Self {
            check,
            verdict,
            says,
            next,
            accept: waives.then(|| format!("--accept {check}")),
            accepted: false,
        }
    }

    /// Accepted by this argument alone, not by `--accept CHECK`.
    pub(super) fn by(mut self, argument: String) -> Self {
        self.accept = Some(argument);
        self
    }

    /// Whether it stops the upgrade.
    pub const fn stops(&self) -> bool {
        self.verdict.stops() && !self.accepted
    }
}

/// What the user accepts, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    pub checks: Vec<Check>,
    /// `GROUP/VERSION` whose requests may fail afterwards.
    pub deprecated: Vec<String>,
    /// `NAMESPACE/NAME` of budgets against which pods may be deleted.
    pub evict_anyway: Vec<String>,
    /// `NAMESPACE/NAME` of pods that may be lost.
    pub lose_pods: Vec<String>,
}

impl Accepted {
    /// The arguments that were given, as findings name them.
    fn arguments(&self) -> impl Iterator<Item = String> {
        let named = |flag: &'static str, names: &[String]| -> Vec<String> {
            names.iter().map(|name| format!("{flag} {name}")).collect()
        };
        let checks: Vec<_> = self
            .checks
            .iter()
            .map(|check| check.code().to_owned())
            .collect();
        let all = [
            named("--accept", &checks),
            named("--accept-deprecated", &self.deprecated),
            named("--evict-anyway", &self.evict_anyway),
            named("--lose-pod", &self.lose_pods),
        ];
        all.into_iter().flatten()
    }
}

/// All that the checks found, in the order of the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub findings: Vec<Finding>,
    /// Arguments that were given and accept nothing: a name that is wrong, or no longer needed.
    pub unused: Vec<String>,
}

impl Report {
    pub(super) fn new(mut findings: Vec<Finding>, accepted: &Accepted) -> Self {
        let mut unused = Vec::new();
        for argument in accepted.arguments() {
            let mut used = false;
            for finding in &mut findings {
                if finding.accept.as_deref() == Some(argument.as_str()) {
                    finding.accepted = true;
                    used = true;
                }
            }
            if !used {
                unused.push(argument);
            }
        }
        findings.sort_by_key(|finding| finding.check);
        Self { findings, unused }
    }

    /// What stops the upgrade.
    pub fn stops(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.stops())
    }

    /// What a check came to: its worst finding.
    pub fn verdict(&self, check: Check) -> Option<Verdict> {
        let of_check = self
            .findings
            .iter()
            .filter(|finding| finding.check == check);
        of_check.map(|finding| finding.verdict).max()
    }
}
