//! One machine of a cluster: its power, what runs on it, and its console.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::vpc::Vpc;
use crate::process::Said;
use crate::world::{World, given};

/// Where programs of a machine are looked for, as systemd and cloud-init have it.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// About so many lines come before the boot program's first one.
const POWER_ON: usize = 30;

/// A machine of it, whose disk outlives its power.
pub struct Machine<'a> {
    pub(super) vpc: &'a Vpc<'a>,
    pub instance: String,
    pub address: String,
    pub(super) name: String,
    pub(super) facts: Value,
    pub(super) files: Value,
    pub(super) pid: RefCell<Option<u64>>,
    /// How much its console had printed when it was started or interrupted last.
    pub(super) said: Cell<u64>,
    /// How many lines come from there on until its boot program says its first one.
    pub(super) before: Cell<usize>,
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.registration());
    }
}

impl Machine<'_> {
    /// Power on: from here to a node it takes systemd, cloud-init and user data alone.
    pub fn on(&self) {
        self.listen();
        self.before.set(POWER_ON);
        let order = json!({"on": self.name, "facts": self.facts, "files": self.files});
        let pid = self.vpc.order(&order)["pid"].as_u64().expect("a process");
        *self.pid.borrow_mut() = Some(pid);
        // Run Command reaches it, and its console is EC2's.
        let known = json!({"pid": pid, "console": self.console_file()});
        let half = self.vpc.home.path().join("known");
        fs::write(&half, known.to_string()).expect("written");
        fs::copy(&half, self.registration()).expect("registered");
    }

    /// The file that its metadata service gives as user data.
    pub fn user_data(&self) -> &str {
        self.facts["user_data"].as_str().expect("a path")
    }

    fn registration(&self) -> PathBuf {
        Path::new(&given("KUBE_CFN_TEST_RULES")).join(format!("{}.machine", self.instance))
    }

    fn console_file(&self) -> PathBuf {
        self.vpc.home.path().join(format!("console-{}", self.name))
    }

    /// Its first process, as this system knows it.
    pub fn process(&self) -> u64 {
        self.pid.borrow().expect("it is on")
    }

    /// The power goes.
    pub fn cut(&self) {
        self.vpc.order(&json!({"cut": self.name}));
        *self.pid.borrow_mut() = None;
    }

    /// Waits until the machine is off by itself.
    pub fn ends_by_itself(&self) {
        self.vpc.order(&json!({"off": self.name, "seconds": 200}));
        *self.pid.borrow_mut() = None;
    }

    /// Runs a program on it to its end.
    pub fn run(&self, command: &[&str]) -> Said {
        let pid = self.pid.borrow().expect("it is on").to_string();
        let mut enter = Command::new("nsenter");
        enter
            .args(["-t", &pid, "-m", "-u", "-i", "-n", "-p", "-C", "--"])
            .args([
                "/usr/bin/env",
                "-i",
                PATH,
                "HOME=/root",
                "TERM=dumb",
                "LANG=C.UTF-8",
            ])
            .args(command)
            .stdin(Stdio::null());
        Said::of(&mut enter)
    }

    /// Runs lines of shell on it; what they print.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        let said = self.run(&["/bin/bash", "-euc", script]);
        said.ends(0).stdout.trim_end().to_owned()
    }

    /// A property of a unit.
    pub fn unit(&self, unit: &str, property: &str) -> String {
        self.run(&["systemctl", "show", "--property", property, "--value", unit])
            .stdout
            .trim_end()
            .to_owned()
    }

    /// Waits until lines of shell succeed.
    #[track_caller]
    pub fn until(&self, seconds: u64, script: &str) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while self.run(&["/bin/bash", "-euc", script]).code != Some(0) {
            assert!(
                Instant::now() < end,
                "not within {seconds} s: {script}\n{}",
                self.story()
            );
            sleep(Duration::from_millis(300));
        }
    }

    /// Waits until it is a node: its boot program has ended well. What the console says costs nothing to look at; systemd,
    /// which has to answer each time, has the last word.
    #[track_caller]
    pub fn boots(&self) {
        let end = Instant::now() + Duration::from_mins(5);
        let mut look = Instant::now() + Duration::from_secs(5);
        loop {
            if self.is_booted() || Instant::now() > look {
                if self.unit("kube-cfn-boot.service", "ActiveState") == "active" {
                    return;
                }
                look = Instant::now() + Duration::from_secs(5);
                sleep(Duration::from_millis(200));
            }
            assert!(Instant::now() < end, "it does not boot\n{}", self.story());
            sleep(Duration::from_millis(100));
        }
    }

    /// Whether the console has said, since the machine was started or interrupted last, that it is a node.
    pub fn is_booted(&self) -> bool {
        self.printed().contains(" with Kubernetes ")
    }

    /// Runs a command of ours until it ends with 0, which it does when this machine can be reached again.
    #[track_caller]
    pub fn ends_well(&self, world: &World, command: &[&str]) {
        let end = Instant::now() + Duration::from_mins(6);
        loop {
            self.is_reachable();
            let said = world.run(command);
            if said.code == Some(0) {
                return;
            }
            assert!(Instant::now() < end, "{said}\n{}", self.story());
            sleep(Duration::from_secs(2));
        }
    }

    /// Waits until systemd has started what Run Command needs.
    fn is_reachable(&self) {
        let end = Instant::now() + Duration::from_mins(4);
        while self.before.get() > 0 && !self.printed().contains("basic.target") {
            assert!(Instant::now() < end, "it does not start\n{}", self.story());
            sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the console says it.
    #[track_caller]
    pub fn says(&self, text: &str) {
        let end = Instant::now() + Duration::from_mins(4);
        while !self.printed().contains(text) {
            assert!(Instant::now() < end, "no {text:?}\n{}", self.story());
            sleep(Duration::from_millis(100));
        }
    }

    /// From now on only what it prints from here counts.
    pub fn listen(&self) {
        let length = fs::metadata(self.console_file()).map_or(0, |file| file.len());
        self.said.set(length);
        self.before.set(0);
    }

    /// What its console has printed since then.
    pub fn printed(&self) -> String {
        let mut said = Vec::new();
        if let Ok(mut file) = fs::File::open(self.console_file()) {
            let read = file
                .seek(SeekFrom::Start(self.said.get()))
                .and_then(|_| file.read_to_end(&mut said));
            read.expect("a console");
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// All that its console has printed.
    pub fn console(&self) -> String {
        let said = fs::read(self.console_file()).unwrap_or_default();
        String::from_utf8_lossy(&said).into_owned()
    }

    /// Another, empty disk and empty volumes for a machine that is off: its next boot is its first one.
    pub fn blank(&self) {
        self.vpc.order(&json!({"blank": self.name}));
    }

    /// What the units of this boot said, for a failure.
    pub fn story(&self) -> String {
        let said = self.run(&["journalctl", "--boot", "--no-pager", "--lines", "200"]);
        format!("{said}\nconsole:\n{}", self.console())
    }
}
