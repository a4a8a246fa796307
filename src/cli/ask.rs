//! Asking the person before something changes, and hearing that they want out.

use std::cell::Cell;
use std::io::IsTerminal;

use dialoguer::Input;

use super::failure::{Exit, Failure};

/// Asks for a yes. Without a terminal there is nobody to ask: `--yes` says it beforehand.
pub fn confirm(question: &str) -> Result<(), Failure> {
    somebody("--yes")?;
    let asked = Input::<String>::new()
        .with_prompt(format!("{question} [y/N]"))
        .allow_empty(true)
        .interact_text();
    match asked {
        Ok(answer) if is_yes(&answer) => Ok(()),
        Ok(_) => Err(Failure::new(
            Exit::Interrupted,
            "not confirmed; nothing was changed",
        )),
        Err(error) => Err(unanswered(&error)),
    }
}

/// A whole answer, ended with Enter: a stray key, or the `y` of another word, is no yes.
fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

/// Asks for a name to be typed.
pub fn confirm_by_name(question: &str, name: &str) -> Result<(), Failure> {
    somebody(&format!("--yes {name}"))?;
    let asked = Input::<String>::new()
        .with_prompt(question)
        .allow_empty(true)
        .interact_text();
    match asked {
        Ok(answer) if answer.trim() == name => Ok(()),
        Ok(answer) => Err(Failure::refused(format!(
            "`{answer}` is not `{name}`; nothing was changed"
        ))),
        Err(error) => Err(unanswered(&error)),
    }
}

fn somebody(flag: &str) -> Result<(), Failure> {
    if is_somebody() {
        return Ok(());
    }
    let message = "there is no terminal to confirm on; nothing was changed";
    Err(Failure::new(Exit::Usage, message).help(format!("look at the plan, then run with {flag}")))
}

fn unanswered(error: &dialoguer::Error) -> Failure {
    // The question hid it, and Ctrl-C left it so. A terminal that is gone needs none.
    let _ = console::Term::stderr().show_cursor();
    Failure::new(
        Exit::Interrupted,
        format!("no answer ({error}); nothing was changed"),
    )
}

/// Resolves at the first Ctrl-C (or SIGTERM): the run detaches, AWS goes on.
pub async fn interrupted() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await.map_or((), |()| ()),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        heard = tokio::signal::ctrl_c() => {
            // Without a handler there is nothing to hear: the run goes on undisturbed.
            if heard.is_err() { std::future::pending::<()>().await }
        }
        () = terminated => {}
    }
}

/// Hears the Ctrl-C that detaches a run, and remembers it.
#[derive(Default)]
pub struct Stop(Cell<bool>);

impl Stop {
    pub async fn heard(&self) {
        interrupted().await;
        self.0.set(true);
    }

    pub fn was_heard(&self) -> bool {
        self.0.get()
    }
}

/// Whether there is somebody to ask.
pub fn is_somebody() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::is_yes;

    #[test]
    fn only_a_whole_yes_is_one() {
        assert!(["y", "Y", "yes", " YES "].into_iter().all(is_yes));
        assert!(
            ["", "n", "no", "maybe", "yep", "y y"]
                .into_iter()
                .all(|word| !is_yes(word))
        );
    }
}
