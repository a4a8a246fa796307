//! The phases of one stack's way through a run, and which follows which. Pure: knows no cloud.

use crate::plan::Action;

/// What is being done about a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::apply) enum Phase {
    /// The outputs of other stacks are awaited.
    WaitForInputs,
    /// Somebody else's operation, or an earlier run's, is followed to its end.
    FollowExternal,
    /// A rollback that failed half way is continued.
    ContinueRollback,
    /// The stack is read and compared again.
    Replan,
    /// What a failed creation left is deleted.
    DeleteLeftover,
    Create,
    /// The change set is executed.
    Update,
    /// Nothing to change but, perhaps, its protection.
    NoChange,
    /// The accepted operation is followed to its end.
    Follow,
    Done,
}

/// What a phase found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::apply) enum Signal {
    /// There is no such stack.
    Missing,
    /// There is what a failed creation left.
    Leftover,
    /// A change set is ready.
    Differs,
    /// The stack is as wanted.
    Same,
    /// The plan does not fit any more, or could not know the inputs.
    Outdated,
    /// Somebody else moves the stack, or has moved it since it was read.
    MovedElsewhere,
    /// The external operation, or the rollback, is over.
    AtRest,
    /// AWS accepted the creation or update.
    Accepted,
    /// The stack's result is known.
    Ended,
}

impl Phase {
    /// Where a planned action begins; a blocked one has its result at once.
    pub fn first(action: &Action) -> Self {
        match action {
            Action::Follow(_) => Self::FollowExternal,
            Action::Continue { .. } => Self::ContinueRollback,
            Action::Blocked(_) => Self::Done,
            Action::Create
            | Action::Replace
            | Action::Update(_)
            | Action::Deferred
            | Action::NoChange => Self::WaitForInputs,
        }
    }

    /// The next phase. `None` for what a phase never finds out.
    pub fn next(self, signal: Signal) -> Option<Self> {
        use Phase as P;
        let next = match (self, signal) {
            (P::Done, _) => return None,
            (_, Signal::Ended) => P::Done,
            (P::WaitForInputs | P::Replan | P::DeleteLeftover, Signal::Missing) => P::Create,
            (P::WaitForInputs | P::Replan, Signal::Leftover) => P::DeleteLeftover,
            (P::WaitForInputs | P::Replan, Signal::Differs) => P::Update,
            (P::WaitForInputs | P::Replan, Signal::Same) => P::NoChange,
            (P::WaitForInputs, Signal::Outdated) => P::Replan,
            (P::FollowExternal | P::ContinueRollback, Signal::AtRest) => P::WaitForInputs,
            (P::Create | P::Update, Signal::Accepted) => P::Follow,
            (P::WaitForInputs | P::FollowExternal | P::Follow, Signal::MovedElsewhere) => {
                return None;
            }
            (_, Signal::MovedElsewhere) => P::FollowExternal,
            _ => return None,
        };
        Some(next)
    }

    /// Whether an operation of this run begins or runs in it: it needs a permit.
    pub fn operates(self) -> bool {
        matches!(
            self,
            Self::ContinueRollback
                | Self::DeleteLeftover
                | Self::Create
                | Self::Update
                | Self::Follow
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 10] = [
        Phase::WaitForInputs,
        Phase::FollowExternal,
        Phase::ContinueRollback,
        Phase::Replan,
        Phase::DeleteLeftover,
        Phase::Create,
        Phase::Update,
        Phase::NoChange,
        Phase::Follow,
        Phase::Done,
    ];
    const SIGNALS: [Signal; 9] = [
        Signal::Missing,
        Signal::Leftover,
        Signal::Differs,
        Signal::Same,
        Signal::Outdated,
        Signal::MovedElsewhere,
        Signal::AtRest,
        Signal::Accepted,
        Signal::Ended,
    ];

    /// The whole table but `Ended`: a line for each pair of a phase and a signal that it may give.
    fn table() -> String {
        let pairs = PHASES
            .iter()
            .flat_map(|phase| SIGNALS.map(|signal| (phase, signal)));
        let line = |(phase, signal): (&Phase, Signal)| {
            let next = phase.next(signal).filter(|_| signal != Signal::Ended)?;
            Some(format!("//! | `{phase:?}` | `{signal:?}` | `{next:?}` |\n"))
        };
        pairs.filter_map(line).collect()
    }

    #[test]
    fn documented_transitions_are_the_real_ones() {
        let module = include_str!("mod.rs");
        let row = |line: &&str| line.starts_with("//! | `");
        let documented: String = module
            .lines()
            .filter(row)
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(
            documented,
            table(),
            "stack/mod.rs has to show:\n{}",
            table()
        );
    }

    #[test]
    fn every_phase_is_reached_and_may_end_in_one_step() {
        let all = || {
            PHASES
                .iter()
                .flat_map(|from| SIGNALS.map(|signal| from.next(signal)))
        };
        for phase in PHASES {
            // A plan begins with this one, or another phase leads to it.
            assert!(all().any(|next| next == Some(phase)) || phase == Phase::ContinueRollback);
            let ends = phase.next(Signal::Ended) == Some(Phase::Done);
            assert_eq!(ends, phase != Phase::Done, "{phase:?}");
        }
    }

    #[test]
    fn external_change_is_read_again_before_any_operation() {
        assert_eq!(
            Phase::FollowExternal.next(Signal::AtRest),
            Some(Phase::WaitForInputs)
        );
        for signal in SIGNALS {
            let next = Phase::FollowExternal.next(signal);
            let operates = next.is_some_and(Phase::operates);
            assert!(!operates, "{signal:?} leads to {next:?}");
        }
    }
}
