//! One record: written line by line as a run goes on, read back as far as it was written.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{JournalError, KIND, RunArchive, RunHeader, SCHEMA};
use crate::common::files;
use crate::events::Event;

/// The first line of a record.
#[derive(Serialize, Deserialize)]
struct FirstLine {
    kind: String,
    schema: u32,
    #[serde(flatten)]
    header: RunHeader,
}

/// A record that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    pub(super) file: File,
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRun {
    pub header: RunHeader,
    pub events: Vec<Event>,
    /// Lines in the middle that this program does not understand, as a newer one may write them. A half
    /// last line does not count: the run was killed while it wrote.
    pub unknown_lines: usize,
}

impl Journal {
    /// Begins the record of a run in the user's own directory. An error is reported, it never fails the
    /// run.
    pub fn begin(header: &RunHeader) -> Result<Self, JournalError> {
        RunArchive::of_user()?.begin(header)
    }

    /// Adds an event. It is in the file when this returns.
    pub fn write(&mut self, event: &Event) -> Result<(), JournalError> {
        self.line(event)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), JournalError> {
        // One call, no buffer: a kill cuts at most the last line.
        let write = |file: &mut File| file.write_all(&to_line(value)?);
        write(&mut self.file).map_err(|source| JournalError::Write {
            path: self.path.clone(),
            source,
        })
    }
}

impl RunArchive {
    /// Begins the record of a run; removes the cluster's oldest ones.
    pub fn begin(&self, header: &RunHeader) -> Result<Journal, JournalError> {
        let path = self.new_path(header)?;
        let first = FirstLine {
            kind: KIND.to_owned(),
            schema: SCHEMA,
            header: header.clone(),
        };
        let begin = || {
            // With its first line, or not at all: without it it is no record.
            files::create(&path, to_line(&first)?, files::PRIVATE)?;
            File::options().append(true).open(&path)
        };
        match begin() {
            Ok(file) => Ok(Journal { path, file }),
            Err(source) => Err(JournalError::Write { path, source }),
        }
    }
}

fn to_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a record, as far as it was written.
pub fn load(path: &Path) -> Result<RecordedRun, JournalError> {
    let bytes = files::read(path).map_err(|source| JournalError::Read {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.split_inclusive('\n');
    let header =
        parse_header(lines.next().unwrap_or_default()).map_err(|why| JournalError::Foreign {
            path: path.to_owned(),
            why,
        })?;
    let mut run = RecordedRun {
        header,
        events: Vec::new(),
        unknown_lines: 0,
    };
    for line in lines {
        match serde_json::from_str(line) {
            Ok(event) => run.events.push(event),
            Err(_) if line.ends_with('\n') => run.unknown_lines += 1,
            Err(_) => {}
        }
    }
    Ok(run)
}

fn parse_header(line: &str) -> Result<RunHeader, String> {
    let first: FirstLine = serde_json::from_str(line)
        .map_err(|error| format!("its first line is not the header of a run: {error}"))?;
    if first.kind != KIND {
        return Err(format!("it is a {:?}, not a {KIND}", first.kind));
    }
    if first.schema > SCHEMA {
        return Err(format!(
            "a newer kube-cfn ({}) wrote it; read it with that one",
            first.header.tool
        ));
    }
    Ok(first.header)
}
