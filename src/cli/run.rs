//! Runs an operation with its progress on the screen and its local record; the exit code of its report.

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedSender};

use super::error::{CommandError, Exit};
use super::out::eprint;
use super::session::Session;
use crate::apply::{RunOutcome, RunReport};
use crate::catalog::durations::Durations;
use crate::cloud::Identity;
use crate::common::text::listed_line;
use crate::events::{Event, Outcome};
use crate::journal::{self, Journal, JournalError, RunHeader};
use crate::plan::Plan;
use crate::progress::{self, Commands, Pace, Style};
use crate::stacks::StackKind;

/// A name for this run, from which the tokens of its requests derive.
pub fn run_id() -> String {
    format!("{:x}", Timestamp::now().as_nanosecond())
}

/// How long things take, with what this cluster's runs from this machine have shown.
pub fn learned_durations<C>(session: &Session<C>, plan: &Plan) -> Durations {
    let stacks: Vec<_> = plan.steps.iter().map(|step| &step.stack).collect();
    journal::learned_durations(&session.identity, &session.spec().name, &stacks)
}

/// How a run is shown, and what is kept of it.
pub struct ProgressOptions {
    pub style: Style,
    /// Seconds of the run per real second.
    pub speed: f64,
    /// How long things take: what is slow is judged by it.
    pub durations: Durations,
    /// `None` for what is not recorded: a rehearsal, a watch.
    pub record: Option<RunHeader>,
    /// The commands that are advised, where the cluster's name alone is not enough.
    pub commands: Commands,
}

impl ProgressOptions {
    /// In real time, without a record.
    pub fn plain(style: Style) -> Self {
        Self {
            style,
            speed: 1.0,
            durations: Durations::builtin(),
            record: None,
            commands: Commands::default(),
        }
    }

    /// In real time, with a record.
    pub fn recorded(style: Style, run: &str, cluster: &str, place: &Identity, verb: &str) -> Self {
        let about = RunHeader {
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            cluster: cluster.to_owned(),
            account: place.account.clone(),
            region: place.region.clone(),
            run: run.to_owned(),
            command: format!("kube-cfn {verb} {cluster}"),
            started: Timestamp::now(),
        };
        Self {
            record: Some(about),
            ..Self::plain(style)
        }
    }
}

/// Runs `work` and shows its events meanwhile. An error of the screen is only reported: the run alone
/// decides how the command ends.
pub async fn with_progress<T>(
    options: ProgressOptions,
    work: impl AsyncFnOnce(&UnboundedSender<Event>) -> T,
) -> T {
    let (sender, events) = mpsc::unbounded_channel();
    let doing = async move {
        // The sender is dropped at the end of this block: then the screen ends too.
        work(&sender).await
    };
    let journal = options.record.and_then(|about| {
        let begun = Journal::begin(&about);
        begun.map_err(|error| not_recorded(&error)).ok()
    });
    let (events, recording) = journal::tee(events, journal);
    let pace = Pace {
        speed: options.speed,
    };
    let (report, recorded, shown) = tokio::join!(
        doing,
        recording,
        progress::show(
            options.style,
            events,
            pace,
            options.durations,
            options.commands
        )
    );
    if let Err(error) = recorded {
        not_recorded(&error);
    }
    if let Err(error) = shown {
        eprint(&format!("failed to show the progress: {error}"));
    }
    report
}

fn not_recorded(error: &JournalError) {
    eprint(&format!(
        "this run is not recorded and will have no timeline: failed to {error}"
    ));
}

/// Whether no stack failed, and only what follows them could not be done.
fn is_only_unfinished(report: &RunReport) -> bool {
    let failed = |(_, outcome): &(StackKind, Outcome)| outcome.failure().is_some();
    (!report.unfinished.is_empty() || !report.outside.left.is_empty())
        && !report.outcomes.iter().any(failed)
}

/// `Done`, or why it is not; `again` is the command that continues.
pub fn exit(report: &RunReport, again: &str) -> Result<Exit, CommandError> {
    for line in &report.changed_since {
        eprint(&listed_line("!! ", line));
    }
    if let Some(error) = &report.not_looked_at {
        let text = format!("the stacks could not be looked at once more at the end: {error}");
        eprint(&listed_line("!! ", &text));
    }
    let (exit, message, help) = match report.outcome() {
        RunOutcome::Done => return Ok(Exit::Done),
        // A removal outside the stacks, or a stack that waits for one, is nothing that AWS goes on with.
        RunOutcome::Detached if report.running.is_empty() && !report.unwatched => (
            Exit::Detached,
            "stopped: nothing was cancelled; no stack is in progress, so nothing goes on by itself",
            format!("re-run `{again}`: it does the rest"),
        ),
        RunOutcome::Detached => {
            for running in &report.running {
                eprint(&format!(
                    "> {} continues in AWS: {}",
                    running.stack, running.reason
                ));
            }
            (
                Exit::Detached,
                "detached: nothing was cancelled, AWS continues",
                format!("`{again}` resumes it"),
            )
        }
        RunOutcome::RolledBack => (
            Exit::RolledBack,
            "a stack failed and was rolled back; see the cause above",
            format!("fix the cause, then re-run `{again}`; completed stacks are kept"),
        ),
        RunOutcome::NeedsManualAction if !report.changed_since.is_empty() => (
            Exit::NeedsAction,
            "the cluster is not as this run left it: somebody else has changed its stacks meanwhile",
            format!("find out who works on it, then re-run `{again}`"),
        ),
        RunOutcome::NeedsManualAction if is_only_unfinished(report) => (
            Exit::NeedsAction,
            "every stack is done, but not all else; what is left is named above",
            format!("do what is said above, then re-run `{again}`: it goes on with the rest"),
        ),
        RunOutcome::NotLookedAt => (
            Exit::Other,
            "what this run did is done, but what became of the other stacks is not known",
            format!("re-run `{again}`: it looks again"),
        ),
        RunOutcome::NotBegun => (
            Exit::Other,
            "a stack could not be begun, nothing of it was changed; see the cause above",
            format!("fix the cause, then re-run `{again}`; completed stacks are kept"),
        ),
        RunOutcome::NeedsManualAction => (
            Exit::NeedsAction,
            "a stack failed and needs manual action; see the cause above",
            format!("fix the cause, then re-run `{again}`: it shows what is left to do"),
        ),
    };
    Err(CommandError::new(exit, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::RunningStack;

    #[test]
    fn parameters_that_are_left_are_no_failed_stack() {
        let report = RunReport {
            outcomes: vec![(StackKind::Edge, Outcome::Deleted)],
            unfinished: vec!["the parameters are still there".to_owned()],
            ..RunReport::default()
        };
        let error = exit(&report, "kube-cfn delete canary").expect_err("unfinished");
        assert_eq!(error.exit, Exit::NeedsAction);
        assert!(
            !error.message().contains("a stack failed"),
            "{}",
            error.message()
        );
    }

    /// Nothing of a removal outside the stacks goes on without this command.
    #[test]
    fn run_without_a_running_stack_does_not_continue_in_aws() {
        let stopped = RunReport {
            waiting: vec![StackKind::Network],
            ..RunReport::default()
        };
        let error = exit(&stopped, "kube-cfn delete canary").expect_err("stopped");
        assert_eq!(error.exit, Exit::Detached);
        let message = error.message();
        assert!(!message.contains("AWS continues"), "{message}");
        assert!(message.contains("nothing goes on by itself"), "{message}");
        let detached = RunReport {
            running: vec![RunningStack {
                stack: StackKind::Edge,
                reason: "stopped".to_owned(),
            }],
            ..stopped
        };
        let error = exit(&detached, "kube-cfn delete canary").expect_err("detached");
        assert!(error.message().contains("AWS continues"));
    }

    /// A watch that was left while a run held the operation lock.
    #[test]
    fn run_that_is_no_longer_watched_is_no_all_clear() {
        let report = RunReport {
            unwatched: true,
            ..RunReport::default()
        };
        let error = exit(&report, "kube-cfn watch canary").expect_err("detached");
        assert_eq!(error.exit, Exit::Detached);
    }
}
