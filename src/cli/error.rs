//! How a command ends: the exit codes, and how an error is printed.

use std::fmt::Display;
use std::process::ExitCode;

use console::{Style, Term};

use crate::cloud::CloudError;
use crate::common::terminal::paint;
use crate::common::text::folding;
use crate::definition::Problems;

/// The exit codes, for `--help` and for scripts.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  done, or nothing to do
   1  anything not listed here: also what was not found or could not be
      looked at, and a stack that could not be begun
   2  changes present (plan --detailed-exitcode)
   3  failed and rolled back
   4  failed and needs manual action: a stack, a cluster that is not healthy
      or not ready in time, a certificate that expires soon
   5  refused by a guard: wrong account or region, protection, data at stake,
      a change that a living cluster can't take, what AWS would refuse,
      another run at work on the cluster
   6  detached: AWS continues; re-run the same command to resume
  64  wrong usage
  65  wrong definition
 130  not confirmed, or interrupted by Ctrl-C (143 by SIGTERM, 129 by SIGHUP)";

/// How a command ended. The numbers are [`EXIT_CODES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Other = 1,
    Changes = 2,
    RolledBack = 3,
    NeedsAction = 4,
    Refused = 5,
    Detached = 6,
    Usage = 64,
    Definition = 65,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed, as it is printed: the cause, and what to do next.
#[derive(Debug)]
pub struct CommandError {
    pub exit: Exit,
    /// What failed, cause first; may have several lines. Empty when it is printed already.
    message: String,
    /// What to do next.
    help: Option<String>,
}

impl CommandError {
    pub fn new(exit: Exit, message: impl Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            help: None,
        }
    }

    /// Anything without an exit code of its own.
    pub fn other(message: impl Display) -> Self {
        Self::new(Exit::Other, message)
    }

    /// A guard of this tool refuses.
    pub fn refused(message: impl Display) -> Self {
        Self::new(Exit::Refused, message)
    }

    #[must_use]
    pub fn help(mut self, help: impl Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Another help after the first.
    #[must_use]
    pub fn more_help(self, help: impl Display) -> Self {
        match self.help.clone() {
            Some(first) => self.help(format!("{first}; {help}")),
            None => self.help(help),
        }
    }

    /// Puts a sentence first: what was done in spite of the error, or what the error is about.
    #[must_use]
    pub fn context(mut self, first: &str) -> Self {
        self.message = format!("{first}: {}", self.message);
        self
    }

    /// A definition that is wrong: prints its problems.
    pub fn of_definition(problems: &Problems) -> Self {
        super::out::problems(problems);
        Self::new(Exit::Definition, "")
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Prints the failure on stderr.
    pub fn print(&self) {
        if self.message.is_empty() {
            return;
        }
        let label = paint(&Style::new().for_stderr().red().bold(), "error:");
        super::out::eprint(&folded(&format!("{label} {}", self.message)));
        if let Some(help) = &self.help {
            let label = paint(&Style::new().for_stderr().cyan().bold(), "help:");
            super::out::eprint(&folded(&format!(" {label} {help}")));
        }
    }
}

/// Folded to the width of the terminal, between words only: people copy commands from it. Without a
/// terminal a message stays on its line, so that logs can be searched.
fn folded(text: &str) -> String {
    match Term::stderr().size_checked() {
        Some((_, columns)) if Term::stderr().is_term() => fold(text, columns.into()),
        _ => text.to_owned(),
    }
}

fn fold(text: &str, columns: usize) -> String {
    let options = folding(columns.clamp(40, 100)).subsequent_indent("       ");
    // Only the first line is folded; the others have a layout of their own, such as lines of a template.
    match text.split_once('\n') {
        None => textwrap::fill(text, options),
        Some((first, rest)) => format!("{}\n{rest}", textwrap::fill(first, options)),
    }
}

impl From<CloudError> for CommandError {
    fn from(error: CloudError) -> Self {
        let failure = Self::other(&error);
        match error {
            CloudError::Credentials { help, .. } => failure.help(help),
            CloudError::Denied {
                action: Some(action),
                ..
            } => failure.help(format!(
                "ask for the IAM action {action}, or use another profile"
            )),
            CloudError::Throttled(_) | CloudError::Unreachable { .. } => {
                failure.help("re-run the same command to resume")
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_fold_between_words_only() {
        let flag = "--allow-data-loss canary-network/DatabaseSubnetA";
        let text = format!("error: if the data of the subnets may go, then give {flag} and apply");
        let folded = fold(&text, 60);
        assert!(folded.lines().all(|line| line.len() <= 60), "{folded}");
        assert!(
            folded.contains("canary-network/DatabaseSubnetA"),
            "{folded}"
        );
        assert!(folded.contains("--allow-data-loss"), "{folded}");
    }

    #[test]
    fn lines_after_the_first_are_not_folded() {
        assert_eq!(
            fold("error: one\n  12 | {{ x }}", 80),
            "error: one\n  12 | {{ x }}"
        );
    }
}
