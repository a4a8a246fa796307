//! The program as a process: its output, its exit code, and stopping it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};

/// The output of a program, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    /// The exit code; `None` for a program that was killed.
    pub code: Option<i32>,
}

impl Said {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().expect("it starts");
        Self {
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
            code: output.status.code(),
        }
    }

    /// It ended with this exit code.
    #[track_caller]
    pub fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "it said:\n{self}");
        self
    }

    /// The text is on stderr, where messages go, however its lines are folded.
    #[track_caller]
    pub fn tells(&self, text: &str) -> &Self {
        let found = folded(&self.stderr).contains(&folded(text));
        assert!(found, "no {text:?} in:\n{self}");
        self
    }

    /// It did not say this on stderr.
    #[track_caller]
    pub fn omits(&self, text: &str) -> &Self {
        assert!(!self.stderr.contains(text), "{text:?} in:\n{self}");
        self
    }

    /// It printed this as data, however the lines were folded.
    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        let found = folded(&self.stdout).contains(&folded(text));
        assert!(found, "no {text:?} in:\n{self}");
        self
    }

    /// The position of a text on stderr.
    #[track_caller]
    pub fn at(&self, text: &str) -> usize {
        let found = self.stderr.find(text);
        found.unwrap_or_else(|| panic!("no {text:?} in:\n{self}"))
    }
}

/// Text on one line with single spaces.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            stdout,
            stderr,
            code,
        } = self;
        write!(
            f,
            "--- stdout\n{stdout}\n--- stderr\n{stderr}\n--- {code:?}"
        )
    }
}

/// A program on its way.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: String,
    stdout: Option<JoinHandle<String>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut pipe = child.stdout.take().expect("a pipe");
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            text
        });
        Self {
            child,
            lines,
            stderr: String::new(),
            stdout: Some(stdout),
        }
    }

    /// Waits until it says a line in which all of `parts` occur.
    #[track_caller]
    pub fn until(&mut self, parts: &[&str]) {
        while let Ok(line) = self.lines.recv() {
            self.stderr.push_str(&line);
            self.stderr.push('\n');
            if parts.iter().all(|part| line.contains(part)) {
                return;
            }
        }
        panic!("it ended before it said {parts:?}:\n{}", self.stderr);
    }

    /// What Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(id.expect("a process"), signal).expect("it still runs");
    }

    /// As if the machine went away.
    pub fn kill(mut self) -> Said {
        self.child.kill().expect("it still runs");
        self.wait()
    }

    /// Whether it came to its end.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Said {
        let status = self.child.wait().expect("it ends");
        for line in &self.lines {
            self.stderr.push_str(&line);
            self.stderr.push('\n');
        }
        let stdout = self.stdout.take().map(JoinHandle::join);
        Said {
            stdout: stdout.and_then(Result::ok).unwrap_or_default(),
            stderr: std::mem::take(&mut self.stderr),
            code: status.code(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
