//! The two streams: stdout carries data, stderr carries messages. A closed pipe is no error, and nothing
//! that a terminal would obey gets through but our own colours.

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::error::CommandError;
use crate::common::terminal::{escape_json, is_obeyed, visible};
use crate::definition::Problems;

/// How listed data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Yaml,
}

/// The format of a list.
#[derive(clap::Args)]
pub struct FormatArg {
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// The format of what is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum TextFormat {
    #[default]
    Text,
    Json,
}

/// Writes data for programs to stdout, with a newline at its end: byte for byte, but for what a terminal
/// would obey.
pub fn data(text: &str) -> Result<(), CommandError> {
    if io::stdout().is_terminal() {
        write(&visible(text))
    } else {
        write(text)
    }
}

/// Writes text for people to stdout, with a newline at its end.
pub fn text(text: &str) -> Result<(), CommandError> {
    write(&visible(text))
}

fn write(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{newline}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::other(
            format!("failed to write to stdout: {error}"),
        )),
        _ => Ok(()),
    }
}

impl FormatArg {
    /// Writes a list as JSON or YAML, or calls `table` for people.
    pub fn print<T: Serialize>(
        &self,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), CommandError> {
        match self.output {
            Format::Table => text(&table()),
            Format::Json => data(&json(value)?),
            Format::Yaml => data(&yaml(value)?),
        }
    }
}

/// A value as JSON.
pub fn json<T: Serialize>(value: &T) -> Result<String, CommandError> {
    let json = serde_json::to_string_pretty(value).map_err(CommandError::other)?;
    Ok(escape_json(&json).into_owned())
}

/// A value as YAML. Where that would hold what a terminal obeys, as JSON, which is YAML too and can escape
/// everything.
fn yaml<T: Serialize>(value: &T) -> Result<String, CommandError> {
    let yaml = serde_saphyr::to_string(value).map_err(CommandError::other)?;
    if yaml.contains(is_obeyed) {
        return json(value);
    }
    Ok(yaml)
}

/// Prints a message on stderr. A closed stderr is no failure.
pub fn eprint(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", visible(text));
}

/// Whether the command line and the variables that take its place hold nothing that a terminal obeys.
pub fn is_given_plain() -> bool {
    let is_plain = |text: &OsStr| !text.to_string_lossy().contains(is_obeyed);
    let is_ours = |name: &OsStr| name.to_string_lossy().starts_with("KUBE_CFN_");
    std::env::args_os().all(|argument| is_plain(&argument))
        && std::env::vars_os().all(|(name, value)| !is_ours(&name) || is_plain(&value))
}

/// Prints on stderr what is wrong with a definition, and where.
pub fn problems(problems: &Problems) {
    // Their text is escaped already: the colours are those of the excerpt.
    let text = if console::colors_enabled_stderr() {
        problems.coloured()
    } else {
        problems.to_string()
    };
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Starts the log on stderr. Only this program's own lines: the SDK's would carry request bodies, and
/// with them secrets.
pub fn start_log() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("off,kube_cfn=debug"))
        .with_writer(|| LogWriter)
        // It can't be known from a colour in what is logged.
        .with_ansi(false)
        .with_target(false)
        .init();
}

/// Writes the lines of the log, each at once.
struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        io::stderr().write_all(visible(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
