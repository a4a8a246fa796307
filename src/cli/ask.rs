//! Asking for confirmation before something changes, and waiting for Ctrl-C.

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use dialoguer::Input;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::error::{CommandError, Exit};
pub use super::signals::interrupted;
use crate::common::terminal::escape;

/// The question that is open now.
static OPEN: Mutex<Option<OpenQuestion>> = Mutex::new(None);

/// How to end a question from outside.
struct OpenQuestion {
    /// `None` is a signal.
    answers: Sender<Option<dialoguer::Result<String>>>,
    /// As it was before.
    terminal: Option<Termios>,
}

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
    /// Not enough here: taken only to say so
    #[arg(short, long, hide = true)]
    yes: bool,
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
        if self.yes && self.confirm.is_none() {
            let message = "--yes does not confirm what destroys data; nothing was changed";
            let help = format!("review what is destroyed, then re-run with --confirm {name}");
            return Err(CommandError::new(Exit::Usage, message).help(help));
        }
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
    let question = escape(question).into_owned();
    let (answers, answer) = channel();
    set_open(Some(OpenQuestion {
        answers: answers.clone(),
        terminal: tcgetattr(std::io::stdin()).ok(),
    }));
    // On a thread of its own: nothing ends a read of the terminal.
    std::thread::spawn(move || {
        let prompt = Input::<String>::new().with_prompt(question);
        let _ = answers.send(Some(prompt.allow_empty(true).interact_text()));
    });
    match answer.recv() {
        Ok(Some(Ok(answer))) => {
            set_open(None);
            Ok(answer)
        }
        // The question stays open for the signal of a Ctrl-C, which may come after the error.
        Ok(Some(Err(error))) => Err(unanswered(&error.to_string())),
        Ok(None) | Err(_) => Err(unanswered("interrupted")),
    }
}

fn set_open(question: Option<OpenQuestion>) -> Option<OpenQuestion> {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut open, question)
}

/// Ends the question that is open, with the terminal as it was before; false if none is.
pub fn abandon() -> bool {
    let Some(question) = set_open(None) else {
        return false;
    };
    if let Some(terminal) = &question.terminal {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, terminal);
    }
    // Without a receiver the error of the prompt was quicker.
    let _ = question.answers.send(None);
    true
}

/// Only a whole answer, ended with Enter, counts: not a stray key, not the `y` of another word.
fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

fn unanswered(why: &str) -> CommandError {
    // The prompt hides the cursor, and Ctrl-C leaves it hidden. An error means that the terminal is gone.
    let _ = console::Term::stderr().show_cursor();
    super::out::eprint("");
    CommandError::new(
        Exit::Interrupted,
        format!("no answer ({why}); nothing was changed"),
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
    use super::*;

    #[test]
    fn yes_does_not_confirm_what_destroys_data() {
        let with = |yes, confirm: Option<&str>| ConfirmArg {
            yes,
            confirm: confirm.map(str::to_owned),
        };
        let exit = |arg: ConfirmArg| match arg.confirm("Type canary", "canary") {
            Ok(()) => Exit::Done,
            Err(error) => error.exit,
        };
        assert_eq!(exit(with(true, None)), Exit::Usage);
        assert_eq!(exit(with(true, Some("canary"))), Exit::Done);
        assert_eq!(exit(with(false, Some("other"))), Exit::Refused);
    }

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
