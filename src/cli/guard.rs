//! Where a cluster belongs: what its definition and its lock file say of account and region. Every command on a
//! cluster connects with a guard, and another account or region is refused before anything is asked.

use std::path::{Path, PathBuf};

use super::Global;
use super::error::{CommandError, Exit};
use crate::cloud::Identity;
use crate::definition::lock::{self, Lock};
use crate::definition::{self, Defined};

/// The account and region of a cluster, as far as files say.
#[derive(Debug, Default)]
pub struct PlaceGuard {
    cluster: String,
    definition: Option<DefinedPlace>,
    lock: Option<(PathBuf, Lock)>,
}

/// Where a cluster was looked for.
pub struct FoundPlace<'a> {
    pub identity: &'a Identity,
    /// The file that names this account and region as the cluster's, in words.
    pub confirmed_by: Option<&'static str>,
    /// Whether there is a definition here.
    pub is_defined: bool,
}

#[derive(Debug)]
struct DefinedPlace {
    path: PathBuf,
    region: String,
    account: Option<String>,
}

impl PlaceGuard {
    /// Of what is no cluster of a definition: looks for clusters, of any owner.
    pub fn unbound() -> Self {
        Self::default()
    }

    /// Of a definition and the lock file beside it. A lock file that can't be read is an error: nobody could say then
    /// where the cluster belongs.
    pub fn of(defined: &Defined) -> Result<Self, CommandError> {
        let Defined { path, spec } = defined;
        Ok(Self {
            cluster: spec.name.clone(),
            definition: Some(DefinedPlace {
                path: path.clone(),
                region: spec.region.clone(),
                account: spec.account.clone(),
            }),
            lock: read_lock(lock::path(path))?,
        })
    }

    /// Of a name without a definition that can be used: a lock file may still be there.
    pub fn of_name(global: &Global, name: &str) -> Result<Self, CommandError> {
        let beside = definition::resolve(name, &global.clusters).map_or_else(
            |_| global.clusters.join(format!("{name}.lock.yaml")),
            |path| lock::path(&path),
        );
        Ok(Self {
            cluster: name.to_owned(),
            definition: None,
            lock: read_lock(beside)?,
        })
    }

    /// The account, where a file names one.
    pub fn account(&self) -> Option<&str> {
        let defined = self.definition.as_ref();
        let defined = defined.and_then(|defined| defined.account.as_deref());
        defined.or(self.lock.as_ref().map(|(_, lock)| lock.account.as_str()))
    }

    /// The region, where a file names one.
    pub fn region(&self) -> Option<&str> {
        let defined = self.definition.as_ref();
        let defined = defined.map(|defined| defined.region.as_str());
        defined.or(self.lock.as_ref().map(|(_, lock)| lock.region.as_str()))
    }

    /// The file that names account and region of an identity, in words: then a cluster which is not there was looked for
    /// in the right place.
    pub fn confirms(&self, identity: &Identity) -> Option<&'static str> {
        let Identity {
            account, region, ..
        } = identity;
        let locked = self.lock.as_ref();
        let locked = locked.is_some_and(|(_, lock)| names(lock, account, region));
        let defined = self.definition.as_ref().is_some_and(|defined| {
            defined.account.as_ref() == Some(account) && defined.region == *region
        });
        if locked {
            return Some("the lock file");
        }
        defined.then_some("the definition")
    }

    /// Refuses a region that is not the cluster's.
    pub fn check_region(&self, region: &str) -> Result<(), CommandError> {
        let cluster = &self.cluster;
        let found = |file: &Path, other: &str| {
            let file = file.display();
            let message = format!("{file} says that {cluster} is in {other}, not in {region}");
            CommandError::refused(message)
        };
        match (&self.definition, &self.lock) {
            (Some(defined), _) if defined.region != region => {
                Err(found(&defined.path, &defined.region).help(format!(
                    "leave --region out; for another cluster of that name in {region}, name with --clusters a \
                     directory that has no definition of it"
                )))
            }
            (_, Some((file, lock))) if lock.region != region => {
                Err(found(file, &lock.region).help(moved(file)))
            }
            _ => Ok(()),
        }
    }

    /// Refuses credentials of an account that is not the cluster's, or another region.
    pub fn check(&self, identity: &Identity) -> Result<(), CommandError> {
        self.check_region(&identity.region)?;
        let account = &identity.account;
        let defined = self.definition.as_ref();
        let defined = defined.and_then(|defined| defined.account.as_ref());
        if let Some(other) = defined.filter(|other| *other != account) {
            return Err(CommandError::refused(format!(
                "{} belongs to account {other}, these credentials to {account}: wrong profile?",
                self.cluster
            ))
            .help("choose the account's profile with --profile or AWS_PROFILE"));
        }
        match &self.lock {
            Some((file, lock)) => check_lock(file, lock, account, &identity.region),
            None => Ok(()),
        }
    }
}

/// Refuses a lock file of another account or region.
pub fn check_lock(
    file: &Path,
    lock: &Lock,
    account: &str,
    region: &str,
) -> Result<(), CommandError> {
    if names(lock, account, region) {
        return Ok(());
    }
    let message = format!(
        "{} was resolved in account {}, region {}; this is account {account}, region {region}: wrong profile?",
        file.display(),
        lock.account,
        lock.region
    );
    Err(CommandError::refused(message).help(format!(
        "choose the account's profile with --profile or AWS_PROFILE; {}",
        moved(file)
    )))
}

/// Reads the lock file of a definition, where there is one.
pub fn read_lock(file: PathBuf) -> Result<Option<(PathBuf, Lock)>, CommandError> {
    let lock = Lock::read(&file).map_err(|error| {
        CommandError::new(Exit::Definition, error)
            .help("restore it from version control; deleting it locks the newest images")
    })?;
    Ok(lock.map(|lock| (file, lock)))
}

fn names(lock: &Lock, account: &str, region: &str) -> bool {
    lock.account == account && lock.region == region
}

fn moved(file: &Path) -> String {
    format!(
        "if the cluster is to be in the other place, where image ids differ, delete {} to lock again",
        file.display()
    )
}

/// What is not where one looked for it. Never advises to create it: it may be elsewhere.
pub fn not_found(what: &str, place: &FoundPlace<'_>, cluster: &str) -> CommandError {
    let Identity {
        account, region, ..
    } = place.identity;
    let message = format!("{what} in account {account}, region {region}");
    let list = format!("`kube-cfn list --region {region}` shows the clusters there");
    let plan = format!("if it was never created, `kube-cfn plan {cluster}` shows what would be");
    CommandError::other(message).help(match (place.confirmed_by, place.is_defined) {
        (Some(file), true) => format!("account and region are those of {file}; {plan}"),
        (Some(file), false) => format!("account and region are those of {file}; {list}"),
        (None, true) => {
            format!("wrong profile? --profile or AWS_PROFILE chooses the account; {plan}")
        }
        (None, false) => format!("wrong profile or region? {list}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_is_doubted_only_where_no_file_confirms_it() {
        let identity = Identity {
            account: "123456789012".to_owned(),
            caller: "arn".to_owned(),
            region: "eu-west-1".to_owned(),
        };
        let help = |confirmed_by| {
            let place = FoundPlace {
                identity: &identity,
                confirmed_by,
                is_defined: true,
            };
            format!("{:?}", not_found("canary has no stacks", &place, "canary"))
        };
        assert!(help(None).contains("wrong profile?"));
        let confirmed = help(Some("the lock file"));
        assert!(!confirmed.contains("wrong profile?"), "{confirmed}");
        assert!(confirmed.contains("account and region are those of the lock file"));
    }
}
