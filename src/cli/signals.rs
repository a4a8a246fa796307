//! Signals that ask the program to end: Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a closed terminal. All
//! three do the same in every command. What waits for one gets it, as a run that detaches then, or a
//! question that stays without answer; where nothing waits the command ends with 130, and the files that it
//! has begun are removed.

use std::any::Any;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

use super::ask;
use super::error::{CommandError, Exit};
use crate::common::files;

/// Room for the futures of a whole run in a debug build.
const STACK: usize = 16 << 20;

/// How many wait for a signal, and how they hear of it.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static ARRIVED: Notify = Notify::const_new();

/// Resolves at the next signal.
pub async fn interrupted() {
    struct Waiting;
    impl Drop for Waiting {
        fn drop(&mut self) {
            WAITING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    // It hears from its creation on, so it exists before anybody counts on it.
    let arrived = ARRIVED.notified();
    WAITING.fetch_add(1, Ordering::SeqCst);
    let _waiting = Waiting;
    arrived.await;
}

/// Runs the command on a thread of its own, for it may wait in a read or a write, and ends at its end or at
/// a signal that nothing in it waits for.
pub fn run(command: impl FnOnce() -> ExitCode + Send + 'static) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    let ended = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let mut signals = Signals::listen()?;
            let (sender, done) = oneshot::channel();
            let worker = thread::Builder::new()
                .name("command".to_owned())
                .stack_size(STACK)
                .spawn(move || {
                    let _ = sender.send(command());
                })?;
            Ok(tokio::select! {
                biased;
                done = done => match done {
                    Ok(code) => Ended::Done(code),
                    // It panicked, and has said so.
                    Err(_) => Ended::Panicked(worker.join().err()),
                },
                () = signals.unheard() => Ended::Interrupted,
            })
        })
    });
    match ended {
        Ok(Ended::Done(code)) => code,
        Ok(Ended::Panicked(Some(panic))) => resume_unwind(panic),
        Ok(Ended::Panicked(None)) => Exit::Other.into(),
        Ok(Ended::Interrupted) => {
            files::remove_unfinished();
            failed(&CommandError::new(Exit::Interrupted, "interrupted"))
        }
        Err(error) => failed(&CommandError::other(format!("failed to start: {error}"))),
    }
}

enum Ended {
    Done(ExitCode),
    Panicked(Option<Box<dyn Any + Send>>),
    Interrupted,
}

fn failed(failure: &CommandError) -> ExitCode {
    failure.print();
    failure.exit.into()
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` under `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_hangup_ignored() {
                None
            } else {
                Some(signal(SignalKind::hangup())?)
            },
        })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }

    /// Hands every signal to the open question or to who waits for it; resolves at one that nobody waits for. The first one after
    /// a signal that was heard does not count: a run needs a moment to detach.
    async fn unheard(&mut self) {
        let mut is_ending = false;
        loop {
            self.next().await;
            if ask::abandon() {
                is_ending = true;
            } else if WAITING.load(Ordering::SeqCst) > 0 {
                ARRIVED.notify_waiters();
                is_ending = true;
            } else if !std::mem::take(&mut is_ending) {
                return;
            }
        }
    }
}

/// Whether the program was started with SIGHUP ignored, as `nohup` does: listening would undo it.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    ignored.is_some_and(|mask| mask & 1 != 0)
}
