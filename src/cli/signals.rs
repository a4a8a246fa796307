//! Signals that ask the program to end: Ctrl-C (SIGINT), SIGTERM, and SIGHUP of a closed terminal. All
//! three do the same in every command. What waits for one gets it, as a run that detaches then, or a
//! question that stays without answer; where nothing waits the files that the command has begun are removed,
//! and it ends by that signal: only so does a shell know that its loop or script has to end too. A shell
//! shows 130 for it (SIGINT), 143 (SIGTERM) or 129 (SIGHUP).

use std::any::Any;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use signal_hook::low_level::emulate_default_handler;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;

use super::ask;
use super::error::{CommandError, Exit};
use crate::common::files;

/// Room for the futures of a whole run in a debug build.
const STACK: usize = 16 << 20;

/// How many wait for a signal, how they hear of it, and how often one has.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static ARRIVED: Notify = Notify::const_new();
static HEARD: AtomicUsize = AtomicUsize::new(0);

/// So many signals that reach nobody who waits for them are enough: the next one ends the command.
const UNHEARD: u32 = 2;
/// How long the end of an interrupted command may take: to remove files, and to say so where nobody may
/// read it.
const CLEANING: Duration = Duration::from_secs(2);
const PRINTING: Duration = Duration::from_millis(200);
/// The first process of a container: the system sends it no signal that it does not handle.
const INIT: u32 = 1;

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
    HEARD.fetch_add(1, Ordering::SeqCst);
}

/// Runs the command on a thread of its own, for it may wait in a read or a write, and ends at its end or at
/// a signal that nothing in it waits for.
pub fn run(command: impl FnOnce() -> Exit + Send + 'static) -> ExitCode {
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
                    Ok(Exit::Interrupted) => Ended::Done(Exit::Interrupted, signals.latest().await),
                    Ok(exit) => Ended::Done(exit, None),
                    // It panicked, and has said so.
                    Err(_) => Ended::Panicked(worker.join().err()),
                },
                kind = signals.unheard() => Ended::Interrupted(kind),
            })
        })
    });
    match ended {
        // A question without an answer, because of a signal.
        Ok(Ended::Done(_, Some(kind))) => end_by(kind),
        Ok(Ended::Done(exit, None)) => exit.into(),
        Ok(Ended::Panicked(Some(panic))) => resume_unwind(panic),
        Ok(Ended::Panicked(None)) => Exit::Other.into(),
        Ok(Ended::Interrupted(kind)) => {
            clean_up();
            end_by(kind)
        }
        Err(error) => {
            let failure = CommandError::other(format!("failed to start: {error}"));
            failure.print();
            failure.exit.into()
        }
    }
}

enum Ended {
    /// With the signal that was the reason, if one was.
    Done(Exit, Option<SignalKind>),
    Panicked(Option<Box<dyn Any + Send>>),
    Interrupted(SignalKind),
}

/// Removes what was begun and says that the command was interrupted. Not on this thread: the command may
/// wait for ever in a write to stderr or to a disk, and others behind it.
fn clean_up() {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || {
        files::remove_unfinished();
        let _ = sender.send(());
        CommandError::new(Exit::Interrupted, "interrupted").print();
        let _ = sender.send(());
    });
    if done.recv_timeout(CLEANING).is_ok() {
        let _ = done.recv_timeout(PRINTING);
    }
}

/// Ends the program by the signal, as if nothing had handled it.
fn end_by(kind: SignalKind) -> ExitCode {
    if std::process::id() != INIT {
        let _ = emulate_default_handler(kind.as_raw_value());
    }
    Exit::Interrupted.into()
}

struct Signals {
    /// Those that the program was not started to ignore.
    heard: Vec<(SignalKind, Signal)>,
    latest: Option<SignalKind>,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        let all = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let ignored = ignored();
        let heard = all.into_iter().filter(|kind| !is_in(ignored, *kind));
        Ok(Self {
            heard: heard
                .map(|kind| Ok((kind, signal(kind)?)))
                .collect::<std::io::Result<_>>()?,
            latest: None,
        })
    }

    async fn next(&mut self) -> SignalKind {
        let heard = &mut self.heard;
        let kind = std::future::poll_fn(|context| {
            let arrived = |(kind, signal): &mut (SignalKind, Signal)| {
                signal.poll_recv(context).is_ready().then_some(*kind)
            };
            heard
                .iter_mut()
                .find_map(arrived)
                .map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        self.latest = Some(kind);
        kind
    }

    /// The last signal, also one that has come but was not looked at.
    async fn latest(&mut self) -> Option<SignalKind> {
        tokio::select! {
            biased;
            _ = self.next() => {}
            // The runtime looks for signals meanwhile.
            () = async { for _ in 0..2 { yield_now().await } } => {}
        }
        self.latest
    }

    /// Hands every signal to the open question or to who waits for it; resolves at one that nobody waits for.
    /// The first one after a signal that was heard does not count: a run needs a moment to detach. One that
    /// waits and never hears, because it is stuck in a write, is waited for only so long.
    async fn unheard(&mut self) -> SignalKind {
        let mut is_ending = false;
        let (mut unheard, mut before) = (0, HEARD.load(Ordering::SeqCst));
        loop {
            let kind = self.next().await;
            let heard = HEARD.load(Ordering::SeqCst);
            if std::mem::replace(&mut before, heard) != heard {
                unheard = 0;
            }
            if ask::abandon() {
                is_ending = true;
            } else if WAITING.load(Ordering::SeqCst) > 0 && unheard < UNHEARD {
                ARRIVED.notify_waiters();
                unheard += 1;
                is_ending = true;
            } else if unheard >= UNHEARD || !std::mem::take(&mut is_ending) {
                return kind;
            }
        }
    }
}

/// The signals that the program was started to ignore, a bit each: SIGHUP by `nohup`, SIGINT by a script that
/// starts it in the background. Listening would undo it.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}

/// Whether a signal is in such a mask: signal 1 is the lowest bit.
fn is_in(mask: u64, kind: SignalKind) -> bool {
    let bit = u32::try_from(kind.as_raw_value() - 1);
    bit.is_ok_and(|bit| mask >> bit & 1 != 0)
}
