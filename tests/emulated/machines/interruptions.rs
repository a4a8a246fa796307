//! Interruptions of machines at random moments: a power cut, a reboot, a kill, a unit that is started again, a second boot at
//! the same time. 210 with `tests/run --full`, otherwise one of ten.

use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::machine::Machine;
use super::vpc::note;
use crate::process::Running;
use crate::share::{is_full, only};

/// Of first boots, of later ones, of restores and of replacements, in a run with all of them.
pub const FIRST: usize = 90;
pub const LATER: usize = 100;
pub const RESTORES: usize = 10;
pub const REPLACEMENTS: usize = 10;

/// How many of `all` this run makes.
pub fn part(all: usize) -> usize {
    if is_full() { all } else { all / 10 }
}

/// The random moments of this run: its seed is shown when a test fails.
pub fn moments() -> Rng {
    let seed = only().unwrap_or(1);
    note(&format!("seed {seed}"));
    Rng::with_seed(seed)
}

/// Something happens when the machine has printed some more lines since it was started or interrupted last. Whether its
/// boot was on its way then; when it has come to its end, nothing happens.
pub fn interrupt_boot(slot: &Machine, random: &mut Rng) -> bool {
    let wanted = random.usize(0..slot.before.get() + 60);
    let end = Instant::now() + Duration::from_mins(4);
    while slot.printed().lines().count() < wanted && !slot.is_booted() {
        assert!(Instant::now() < end, "not {wanted} lines\n{}", slot.story());
        sleep(Duration::from_millis(20));
    }
    if slot.is_booted() {
        return false;
    }
    match random.u8(0..8) {
        0 | 1 => cut(slot),
        2 => reboot(slot),
        3..=5 => again(
            slot,
            "kill",
            "systemctl kill --signal KILL kube-cfn-boot.service; systemctl restart --no-block kube-cfn-boot.service",
        ),
        6 => again(
            slot,
            "restart",
            "systemctl restart --no-block kube-cfn-boot.service",
        ),
        // Both may begin now: each has to find the other one.
        _ => again(
            slot,
            "second boot",
            "systemd-run --quiet --no-block --collect /opt/kube-cfn/boot; systemctl restart --no-block kube-cfn-boot.service",
        ),
    }
    true
}

/// A machine on which a command of ours works: the power goes, it reboots, or what Run Command runs is killed. Where the
/// command has ended before, nothing happens.
pub fn interrupt_command(
    slot: &Machine,
    running: &mut Running,
    milliseconds: u64,
    random: &mut Rng,
) -> bool {
    let end = Instant::now() + Duration::from_millis(random.u64(0..milliseconds));
    while Instant::now() < end && !running.is_over() {
        sleep(Duration::from_millis(20));
    }
    if running.is_over() {
        return false;
    }
    match random.u8(0..4) {
        0 => cut(slot),
        1 => reboot(slot),
        _ => again(slot, "kill", "systemctl kill --signal KILL 'run-*.service'"),
    }
    true
}

fn cut(slot: &Machine) {
    note(&format!("the power of {} goes", slot.instance));
    slot.cut();
    slot.on();
}

/// Before systemd listens, only the power can go.
fn reboot(slot: &Machine) {
    let asked = slot.run(&["systemctl", "--no-block", "reboot"]);
    if asked.code != Some(0) {
        return cut(slot);
    }
    note(&format!("{} reboots", slot.instance));
    slot.ends_by_itself();
    slot.on();
}

fn again(slot: &Machine, what: &str, script: &str) {
    if slot.run(&["systemctl", "show-environment"]).code != Some(0) {
        return cut(slot);
    }
    note(&format!("{what} on {}", slot.instance));
    slot.listen();
    // What is killed may have ended meanwhile.
    let _ = slot.run(&["/bin/bash", "-c", script]);
}
