//! Asking for confirmation before something changes, and waiting for Ctrl-C.

use std::cell::Cell;
use std::io::IsTerminal;

use dialoguer::Input;

use super::error::{CommandError, Exit};

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
    let input = Input::<String>::new().with_prompt(question);
    let answer = input.allow_empty(true).interact_text();
    answer.map_err(|error| unanswered(&error))
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

/// Resolves at the first Ctrl-C (or SIGTERM): the run detaches, AWS continues.
pub async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await.map_or((), |()| ()),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        signal = tokio::signal::ctrl_c() => {
            // Without a handler no signal arrives: the run continues.
            if signal.is_err() { std::future::pending::<()>().await }
        }
        () = terminated => {}
    }
}

/// Waits for the Ctrl-C that detaches a run, and remembers whether it came.
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
