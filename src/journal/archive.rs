//! Where the records are: a directory for each account, region and cluster, a file for each run.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use jiff::Timestamp;

use super::{JournalError, KEPT, RunHeader};

/// Ending of a record.
const ENDING: &str = "jsonl";
/// The start in a file's name: sorts by time, and is valid on every file system.
const START: &str = "%Y%m%dT%H%M%SZ";

/// The directory of all records.
#[derive(Debug, Clone)]
pub struct RunArchive {
    root: PathBuf,
}

/// A record in the archive, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub account: String,
    pub region: String,
    pub cluster: String,
    pub run: String,
    /// To the second.
    pub started: Timestamp,
    pub path: PathBuf,
}

impl RunArchive {
    /// The user's own: `kube-cfn/runs` under the XDG state directory.
    pub fn of_user() -> Result<Self, JournalError> {
        let base = etcetera::choose_base_strategy()
            .map_err(|error| JournalError::NoStateDirectory(error.to_string()))?;
        let none = || JournalError::NoStateDirectory("this system has none".to_owned());
        let state = base.state_dir().ok_or_else(none)?;
        Ok(Self::at(state.join("kube-cfn").join("runs")))
    }

    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The records of one cluster, newest first. Empty where nothing was recorded yet.
    pub fn list(
        &self,
        account: &str,
        region: &str,
        cluster: &str,
    ) -> Result<Vec<Record>, JournalError> {
        let mut records = read(&self.directory(account, region, cluster)?, |path| {
            let (started, run) = parse(path)?;
            Some(Record {
                account: account.to_owned(),
                region: region.to_owned(),
                cluster: cluster.to_owned(),
                run,
                started,
                path: path.to_owned(),
            })
        })?;
        newest_first(&mut records);
        Ok(records)
    }

    /// The records of all clusters of that name, newest first; where `account` or `region` is given,
    /// of that alone. For use without credentials, which would say the account.
    pub fn search(
        &self,
        account: Option<&str>,
        region: Option<&str>,
        cluster: &str,
    ) -> Result<Vec<Record>, JournalError> {
        path_part(cluster)?;
        let is = |wanted: Option<&str>, name: &str| wanted.is_none_or(|wanted| wanted == name);
        let mut records = Vec::new();
        for holder in directories(&self.root)? {
            for place in directories(&self.root.join(&holder))? {
                if is(account, &holder) && is(region, &place) {
                    records.extend(self.list(&holder, &place, cluster)?);
                }
            }
        }
        newest_first(&mut records);
        Ok(records)
    }

    /// The path of a new record. Makes its directory and removes the oldest records beyond [`KEPT`].
    pub(super) fn new_path(&self, header: &RunHeader) -> Result<PathBuf, JournalError> {
        let directory = self.directory(&header.account, &header.region, &header.cluster)?;
        let created = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory);
        created.map_err(|source| JournalError::Write {
            path: directory.clone(),
            source,
        })?;
        let records = self.list(&header.account, &header.region, &header.cluster)?;
        for old in records.iter().skip(KEPT - 1) {
            // One more than wanted does no harm; the next run tries again.
            let _ = fs::remove_file(&old.path);
        }
        let name = format!(
            "{}-{}",
            header.started.strftime(START),
            path_part(&header.run)?
        );
        Ok(directory.join(name).with_extension(ENDING))
    }

    fn directory(
        &self,
        account: &str,
        region: &str,
        cluster: &str,
    ) -> Result<PathBuf, JournalError> {
        let parts = [path_part(account)?, path_part(region)?, path_part(cluster)?];
        Ok(parts
            .iter()
            .fold(self.root.clone(), |path, part| path.join(part)))
    }
}

/// A name that is one plain part of a path.
fn path_part(name: &str) -> Result<&str, JournalError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(JournalError::Name(name.to_owned()));
    }
    Ok(name)
}

/// Start and run of a record, from its name; `None` for what is no record.
fn parse(path: &Path) -> Option<(Timestamp, String)> {
    if path.extension()? != ENDING {
        return None;
    }
    let (start, run) = path.file_stem()?.to_str()?.split_once('-')?;
    let start = jiff::civil::DateTime::strptime(START, start).ok()?;
    let start = start.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some((start, run.to_owned()))
}

/// Names of the directories in `path`.
fn directories(path: &Path) -> Result<Vec<String>, JournalError> {
    read(path, |entry| {
        let name = entry.file_name()?.to_str()?;
        (path_part(name).is_ok() && entry.is_dir()).then(|| name.to_owned())
    })
}

/// What `of` finds in the entries of a directory; nothing where there is no directory.
fn read<T>(path: &Path, of: impl Fn(&Path) -> Option<T>) -> Result<Vec<T>, JournalError> {
    let failed = |source| JournalError::Read {
        path: path.to_owned(),
        source,
    };
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(of(&entry.map_err(failed)?.path()));
    }
    Ok(found)
}

fn newest_first(records: &mut [Record]) {
    records.sort_by(|a, b| (b.started, &b.run).cmp(&(a.started, &a.run)));
}
