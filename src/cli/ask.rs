//! Asking for confirmation before something changes, and waiting for Ctrl-C.

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

use dialoguer::Input;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::error::{CommandError, Exit};
pub use super::signals::interrupted;
use crate::common::terminal::escape;

/// The terminal as it was before the question that is open now.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Consent to what a command is about to do.
#[derive(clap::Args)]
pub struct YesArg {
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

/// Consent to what destroys data: a name has to be typed.
#[derive(clap::Args)]
pub struct ConfirmArg {
    /// The cluster's name, instead of typing it when asked
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

impl YesArg {
    /// Asks unless `--yes` is given.
    pub fn confirm(&self, question: &str) -> Result<(), CommandError> {
        if self.yes { Ok(()) } else { confirm(question) }
    }
}

impl ConfirmArg {
    /// Asks for `name` to be typed unless `--confirm` gives it.
    pub fn confirm(&self, question: &str, name: &str) -> Result<(), CommandError> {
        let answer = match &self.confirm {
            Some(given) if given == name => return Ok(()),
            Some(other) => format!("--confirm {other}"),
            None => {
                let answer = ask(question, &format!("--confirm {name}"))?;
                if answer.trim() == name {
                    return Ok(());
                }
                format!("`{answer}`")
            }
        };
        Err(CommandError::refused(format!(
            "{answer} is not {name}; nothing was changed"
        )))
    }
}

/// Asks for a yes.
pub fn confirm(question: &str) -> Result<(), CommandError> {
    if is_yes(&ask(&format!("{question} [y/N]"), "--yes")?) {
        return Ok(());
    }
    Err(CommandError::new(
        Exit::Interrupted,
        "not confirmed; nothing was changed",
    ))
}

/// Asks on the terminal; without one `flag` has to say it beforehand.
fn ask(question: &str, flag: &str) -> Result<String, CommandError> {
    if !is_terminal() {
        let message = "there is no terminal to confirm on; nothing was changed";
        let help = format!("review the plan, then re-run with {flag}");
        return Err(CommandError::new(Exit::Usage, message).help(help));
    }
    before(tcgetattr(std::io::stdin()).ok());
    let input = Input::<String>::new().with_prompt(escape(question));
    let answer = input.allow_empty(true).interact_text();
    before(None);
    answer.map_err(|error| unanswered(&error))
}

fn before(terminal: Option<Termios>) -> Option<Termios> {
    let mut before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut before, terminal)
}

/// Puts the terminal back where a question was open when the program is interrupted.
pub fn leave() {
    if let Some(terminal) = before(None) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &terminal);
        let _ = console::Term::stderr().show_cursor();
        super::out::eprint("");
    }
}

/// Only a whole answer, ended with Enter, counts: not a stray key, not the `y` of another word.
fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn unanswered(error: &dialoguer::Error) -> CommandError {
    // The prompt hides the cursor, and Ctrl-C leaves it hidden. An error means that the terminal is gone.
    let _ = console::Term::stderr().show_cursor();
    CommandError::new(
        Exit::Interrupted,
        format!("no answer ({error}); nothing was changed"),
    )
}

/// Waits for the signal that detaches a run, and remembers whether it came.
#[derive(Default)]
pub struct Interrupt(Cell<bool>);

impl Interrupt {
    pub async fn wait(&self) {
        interrupted().await;
        self.0.set(true);
    }

    pub fn received(&self) -> bool {
        self.0.get()
    }
}

/// Whether a person can be asked.
pub fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn confirmation_takes_only_a_whole_yes() {
        assert!(["y", "Y", "yes", " YES "].into_iter().all(is_yes));
        assert!(
            ["", "n", "no", "maybe", "yep", "y y"]
                .into_iter()
                .all(|word| !is_yes(word))
        );
    }
}
