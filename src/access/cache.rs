//! Valid credentials, kept between two calls of the plugin: kubectl starts it
//! for every command. A file counts only if it is the user's own and readable by no other.

use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{AccessError, CertificateRequest, Credential, ParameterNames};
use crate::common::{digest, files};
use crate::pki::CertificateInfo;

/// A credential with less than this left is renewed: a command may run for a while.
const LEAST_LEFT: SignedDuration = SignedDuration::from_mins(5);
/// Or with less than one part in this many of its lifetime.
const LEAST_PART: i32 = 10;
/// Mode bits of group and others.
const OTHERS: u32 = 0o077;
/// No credential is larger; anything else in its place is not one.
const LARGEST: u64 = 64 * 1024;

/// A directory of credentials.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// What a cached credential was issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheKey {
    pub cluster: String,
    /// Tells clusters of one name apart: account and region, or profile and region.
    pub scope: String,
    pub request: CertificateRequest,
}

#[derive(Serialize, Deserialize)]
struct CacheEntry {
    certificate: String,
    key: String,
    authority: String,
    issued: Timestamp,
    expires: Timestamp,
    /// Of all other fields: damage inside valid JSON would else reach kubectl until it expires.
    #[serde(default)]
    sum: String,
}

impl CacheEntry {
    fn of(credential: &Credential) -> Self {
        let entry = Self {
            certificate: credential.certificate_pem.clone(),
            key: credential.key.expose_secret().to_owned(),
            authority: credential.authority_pem.clone(),
            issued: credential.issued,
            expires: credential.expires,
            sum: String::new(),
        };
        let sum = entry.sum();
        Self { sum, ..entry }
    }

    fn sum(&self) -> String {
        let Self {
            certificate,
            key,
            authority,
            issued,
            expires,
            sum: _,
        } = self;
        let fields = serde_json::json!([certificate, key, authority, issued, expires]);
        digest::sha256(SecretString::from(fields.to_string()).expose_secret())
    }
}

impl CacheKey {
    fn hash(&self) -> String {
        let mut groups = self.request.groups.clone();
        groups.sort();
        groups.dedup();
        let (user, ttl) = (&self.request.user, self.request.ttl_seconds);
        let text = serde_json::json!([self.scope, user, groups, ttl]).to_string();
        digest::sha256(text)
    }
}

impl Cache {
    /// The user's own: `kube-cfn` under the XDG cache directory.
    pub fn of_user() -> Result<Self, AccessError> {
        let base = etcetera::choose_base_strategy()
            .map_err(|error| AccessError::NoCacheDirectory(error.to_string()))?;
        Ok(Self::at(base.cache_dir().join("kube-cfn")))
    }

    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The credential for `key` if it is the user's own, of `authority` and fresh at `now`.
    /// Anything wrong with it is the same as having none.
    pub fn find(
        &self,
        key: &CacheKey,
        authority: Option<&str>,
        now: Timestamp,
    ) -> Option<Credential> {
        let path = self.path(key).ok()?;
        let entry: CacheEntry = serde_json::from_str(read_private(&path)?.expose_secret()).ok()?;
        if entry.sum() != entry.sum {
            return None;
        }
        let found = Credential {
            certificate_pem: entry.certificate,
            key: entry.key.into(),
            issued: entry.issued,
            expires: entry.expires,
            authority_pem: entry.authority,
        };
        if authority.is_some() && found.authority().as_deref() != authority {
            return None;
        }
        is_fresh(&found, now).then_some(found)
    }

    /// Keeps a credential for `key` in place of what was there.
    pub fn keep(&self, key: &CacheKey, credential: &Credential) -> Result<(), AccessError> {
        let path = self.path(key)?;
        self.write(&path, &CacheEntry::of(credential))
            .map_err(|source| AccessError::Cache { path, source })
    }

    /// What the certificates kept for a cluster say, expired ones included. What can't be read is none.
    pub fn kept(&self, cluster: &str) -> Result<Vec<CertificateInfo>, AccessError> {
        ParameterNames::of(cluster)?;
        let Ok(files) = fs::read_dir(self.root.join(cluster)) else {
            return Ok(Vec::new());
        };
        let read = |path: PathBuf| {
            let text = read_private(&path)?;
            let entry: CacheEntry = serde_json::from_str(text.expose_secret()).ok()?;
            CertificateInfo::of_pem("a kept certificate", &entry.certificate).ok()
        };
        let mut kept: Vec<CertificateInfo> =
            files.filter_map(|file| read(file.ok()?.path())).collect();
        kept.sort_by(|one, other| one.subject.cmp(&other.subject));
        Ok(kept)
    }

    /// Drops every credential of a cluster. Not an error if there is none.
    pub fn forget(&self, cluster: &str) -> Result<(), AccessError> {
        ParameterNames::of(cluster)?;
        let path = self.root.join(cluster);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(AccessError::Cache { path, source })
            }
            _ => Ok(()),
        }
    }

    fn path(&self, key: &CacheKey) -> Result<PathBuf, AccessError> {
        ParameterNames::of(&key.cluster)?;
        let file = format!("{}.json", key.hash());
        Ok(self.root.join(&key.cluster).join(file))
    }

    fn write(&self, path: &Path, entry: &CacheEntry) -> io::Result<()> {
        let directory = path.parent().unwrap_or(&self.root);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        // One that was there before may be open to others.
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        let text = SecretString::from(serde_json::to_string(entry)?);
        files::write(path, text.expose_secret(), files::PRIVATE)
    }
}

fn is_fresh(credential: &Credential, now: Timestamp) -> bool {
    let left = credential.expires.duration_since(now);
    let lifetime = credential.expires.duration_since(credential.issued);
    // A clock that was set back makes a credential look younger than it can be.
    credential.issued <= now && left >= LEAST_LEFT && left >= lifetime / LEAST_PART
}

/// The content of a file that belongs to the user and is closed to everybody else, as its directory.
fn read_private(path: &Path) -> Option<SecretString> {
    if !is_private(&fs::metadata(path.parent()?).ok()?) {
        return None;
    }
    let file = files::open(path).ok()?;
    if !is_private(&file.metadata().ok()?) {
        return None;
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).ok()?;
    Some(text.into())
}

fn is_private(about: &Metadata) -> bool {
    about.uid() == rustix::process::geteuid().as_raw() && about.mode() & OTHERS == 0
}
