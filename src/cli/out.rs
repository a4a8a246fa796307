//! The two streams: stdout carries data, stderr carries messages. A closed pipe is no error.

use std::io::{self, Write};

use serde::Serialize;
use tracing_subscriber::EnvFilter;

use super::error::CommandError;
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

/// Writes data to stdout, with a newline at its end.
pub fn data(text: &str) -> Result<(), CommandError> {
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
        data(&match self.output {
            Format::Table => table(),
            Format::Json => json(value)?,
            Format::Yaml => serde_saphyr::to_string(value).map_err(CommandError::other)?,
        })
    }
}

/// A value as JSON.
pub fn json<T: Serialize>(value: &T) -> Result<String, CommandError> {
    serde_json::to_string_pretty(value).map_err(CommandError::other)
}

/// Prints a message on stderr. A closed stderr is no failure.
pub fn eprint(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints on stderr what is wrong with a definition, and where.
pub fn problems(problems: &Problems) {
    let colours = console::colors_enabled_stderr();
    eprint(&if colours {
        problems.coloured()
    } else {
        problems.to_string()
    });
}

/// Starts the log on stderr. Only this program's own lines: the SDK's would carry request bodies, and
/// with them secrets.
pub fn start_log() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("off,kube_cfn=debug"))
        .with_writer(io::stderr)
        .with_ansi(console::colors_enabled_stderr())
        .with_target(false)
        .init();
}
