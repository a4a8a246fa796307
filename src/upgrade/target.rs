//! The version that an upgrade goes to. Kubernetes allows one minor at a time for API servers, and none back; within a minor
//! every newer patch (<https://kubernetes.io/releases/version-skew-policy/>).

use std::fmt;
use std::str::FromStr;

use semver::Version;

use crate::catalog::kubernetes;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    Exact(Version),
    /// The newest patch of the minor that runs.
    Latest,
    /// The newest patch of the minor after it.
    Next,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            "next" => Ok(Self::Next),
            text => {
                let version = text.strip_prefix('v').unwrap_or(text);
                let wrong = |_| {
                    format!("`{text}` is no version: write one like 1.36.4, or `latest` or `next`")
                };
                version.parse().map(Self::Exact).map_err(wrong)
            }
        }
    }
}

/// Which way a version goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The version runs already.
    Same,
    Patch,
    Minor,
}

/// Where an upgrade goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub from: Version,
    pub to: Version,
    pub direction: Direction,
}

/// Why there is no upgrade to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetError {
    /// The catalogue has no hashes for it.
    Unknown {
        wanted: Version,
        newest: Option<&'static Version>,
    },
    /// It is older than what runs.
    Older { runs: Version, wanted: Version },
    /// Minors are left out: `steps` are the versions to go to, one upgrade each.
    Skips {
        runs: Version,
        wanted: Version,
        steps: Vec<Version>,
    },
    /// The catalogue has no minor after the one that runs.
    NoNext { runs: Version },
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { wanted, newest } => {
                write!(f, "this program has no hashes for Kubernetes {wanted}")?;
                newest.map_or(Ok(()), |newest| {
                    write!(f, "; the newest it knows is {newest}")
                })
            }
            Self::Older { runs, wanted } => {
                write!(
                    f,
                    "the cluster runs Kubernetes {runs}, which is newer than {wanted}"
                )
            }
            Self::Skips {
                runs,
                wanted,
                steps,
            } => {
                let (last, first) = match steps.as_slice() {
                    [] => return write!(f, "from {runs} to {wanted} is more than one minor"),
                    [first, .., last] => (last, first),
                    [first] => (first, first),
                };
                let count = steps.len();
                write!(
                    f,
                    "from {runs} to {wanted} takes {count} upgrades, one minor each: {first} first, {last} last"
                )
            }
            Self::NoNext { runs } => write!(
                f,
                "this program knows no minor after {}.{}",
                runs.major, runs.minor
            ),
        }
    }
}

/// The version to go to from the one that runs.
pub fn resolve(wanted: &Wanted, runs: &Version) -> Result<Target, TargetError> {
    let to = match wanted {
        Wanted::Exact(version) => version.clone(),
        // The running one may be newer than every patch that this program knows: it stays then.
        Wanted::Latest => kubernetes::newest_patch(runs.major, runs.minor)
            .filter(|newest| *newest > runs)
            .unwrap_or(runs)
            .clone(),
        Wanted::Next => kubernetes::newest_patch(runs.major, runs.minor + 1)
            .ok_or_else(|| TargetError::NoNext { runs: runs.clone() })?
            .clone(),
    };
    let direction = direction(runs, &to)?;
    if direction != Direction::Same && !kubernetes::knows(&to) {
        return Err(TargetError::Unknown {
            wanted: to,
            newest: kubernetes::newest(),
        });
    }
    Ok(Target {
        from: runs.clone(),
        to,
        direction,
    })
}

fn direction(runs: &Version, to: &Version) -> Result<Direction, TargetError> {
    if to == runs {
        return Ok(Direction::Same);
    }
    if to < runs {
        return Err(TargetError::Older {
            runs: runs.clone(),
            wanted: to.clone(),
        });
    }
    match (to.major == runs.major).then(|| to.minor - runs.minor) {
        Some(0) => Ok(Direction::Patch),
        Some(1) => Ok(Direction::Minor),
        _ => Err(TargetError::Skips {
            runs: runs.clone(),
            wanted: to.clone(),
            steps: steps(runs, to),
        }),
    }
}

/// The newest patch of each minor on the way, then the version itself.
fn steps(runs: &Version, to: &Version) -> Vec<Version> {
    let between = runs.minor + 1..to.minor;
    let newest = between.filter_map(|minor| kubernetes::newest_patch(to.major, minor));
    newest.chain([to]).cloned().collect()
}
