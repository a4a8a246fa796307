//! The names that reach a program on a machine: snapshots, restores, members. Each is checked when it is
//! made, by the pattern that the program itself checks again.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::cloud::remote::Argument;

/// Where snapshots lie in the state bucket.
pub(super) const PREFIX: &str = "etcd/";
const ENDING: &str = ".db";
/// Of `20261123T100000Z`, `d` being a digit.
const TIME: &str = "ddddddddTddddddZ";
/// The longest revision, of a number of 64 bits.
const REVISION: usize = 19;
/// The longest token of a restore: a cluster's name and the time.
const TOKEN: usize = 80;

/// A text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct NotA(&'static str);

/// Key of a snapshot in the state bucket, `etcd/TIME-REVISION.db`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotKey {
    key: String,
    revision: u64,
}

impl SnapshotKey {
    pub fn as_str(&self) -> &str {
        &self.key
    }

    /// etcd's revision, as the key says it.
    pub const fn revision(&self) -> u64 {
        self.revision
    }
}

impl FromStr for SnapshotKey {
    type Err = NotA;

    fn from_str(key: &str) -> Result<Self, NotA> {
        let no = NotA("a key as `kube-cfn etcd list` shows it, such as etcd/20261123T100000Z-7.db");
        let name = key.strip_prefix(PREFIX);
        let name = name.and_then(|name| name.strip_suffix(ENDING));
        let Some((time, revision)) = name.and_then(|name| name.split_once('-')) else {
            return Err(no);
        };
        let fits = |(is, wanted): (u8, u8)| match wanted {
            b'd' => is.is_ascii_digit(),
            wanted => is == wanted,
        };
        let is_time = time.len() == TIME.len() && time.bytes().zip(TIME.bytes()).all(fits);
        let digits = (1..=REVISION).contains(&revision.len())
            && revision.bytes().all(|digit| digit.is_ascii_digit());
        match revision.parse() {
            Ok(revision) if is_time && digits => Ok(Self {
                key: key.to_owned(),
                revision,
            }),
            Ok(_) | Err(_) => Err(no),
        }
    }
}

/// Names a restored cluster: small letters, digits and dashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreToken(String);

impl FromStr for RestoreToken {
    type Err = NotA;

    fn from_str(token: &str) -> Result<Self, NotA> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=TOKEN).contains(&token.len()) && token.bytes().all(inner) && !token.starts_with('-')
        {
            return Ok(Self(token.to_owned()));
        }
        Err(NotA(
            "the token that an earlier restore printed: small letters, digits and dashes",
        ))
    }
}

/// Name of a member, `cp-a`: that of its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberName(char);

impl MemberName {
    /// Of the slot with this letter; `None` for what is no small letter.
    pub fn of(letter: char) -> Option<Self> {
        letter.is_ascii_lowercase().then_some(Self(letter))
    }

    /// The letter of its slot.
    pub const fn letter(self) -> char {
        self.0
    }
}

/// Seconds that a program waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seconds(pub(super) u32);

impl fmt::Display for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}

impl fmt::Display for RestoreToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cp-{}", self.0)
    }
}

impl Serialize for SnapshotKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.key)
    }
}

impl Argument for SnapshotKey {
    fn text(&self) -> String {
        self.key.clone()
    }
}

impl Argument for RestoreToken {
    fn text(&self) -> String {
        self.0.clone()
    }
}

impl Argument for MemberName {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Argument for Seconds {
    fn text(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_key_is_strict() {
        let key: SnapshotKey = "etcd/20261123T100000Z-17.db".parse().unwrap();
        assert_eq!(
            (key.as_str(), key.revision()),
            ("etcd/20261123T100000Z-17.db", 17)
        );
        for key in [
            "",
            "etcd/x.db",
            "etcd/20261123T100000Z-.db",
            "etcd/20261123T100000Z-7.db.sha256",
            "etcd/20261123T100000Z-7.db\n",
            "etcd/20261123T100000Z-+7.db",
            "etcd/20261123T100000Z-99999999999999999999.db",
            "etcd/20261123t100000z-7.db",
            "etcd/restore/20261123T100000Z-7.db",
            "other/20261123T100000Z-7.db",
            "etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db",
            "etcd/２０261123T100000Z-7.db",
        ] {
            assert!(key.parse::<SnapshotKey>().is_err(), "{key:?}");
        }
    }

    #[test]
    fn restore_token_is_strict() {
        let token: RestoreToken = "canary-20261123t100000".parse().unwrap();
        assert_eq!(token.to_string(), "canary-20261123t100000");
        let long = "a".repeat(81);
        for token in ["", "-a", "x; reboot", "A", "a\n", "a/b", "$(id)", &long] {
            assert!(token.parse::<RestoreToken>().is_err(), "{token:?}");
        }
    }

    #[test]
    fn member_name_has_one_small_letter() {
        assert_eq!(MemberName::of('b').unwrap().to_string(), "cp-b");
        for letter in ['B', ';', '1', 'ü', '\n'] {
            assert_eq!(MemberName::of(letter), None);
        }
    }
}
