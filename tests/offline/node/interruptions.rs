//! A power failure at any point of a boot: before the first call of each program. Started again, and interrupted
//! again at the next one, the boot ends with the same result.

use super::boot::worker;
use super::machine::{Machine, assert_same, text};
use crate::support::share::every;
use crate::support::specs;

/// About so many calls does the boot of a worker make.
const CALLS: usize = 30;

/// Boots `cut` again and again, with a cut before the `share`-th of each `of` calls that are new; fewer without
/// `tests/run --full`.
fn cut_everywhere(whole: &Machine, cut: &Machine, share: usize, of: usize) {
    for machine in [whole, cut] {
        machine.install_less();
    }
    whole.boots();
    let (share, of) = (share * every(CALLS), of * every(CALLS));
    cut.cut(share, of);
    let mut cuts = 0;
    loop {
        let ended = cut.boot();
        if ended.status.success() {
            break;
        }
        let said = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(137), "after {cuts} cuts: {said}");
        cuts += 1;
    }
    let calls = cut.get("srv/seen").lines().count();
    assert_eq!(cuts, (1..=calls).filter(|call| call % of == share).count());
    assert!(calls > 20, "only {calls} calls");
    assert_same(&cut.kept(), &whole.kept(), "the cuts left their marks");
}

fn cut_slot(share: usize) {
    let spec = specs::production();
    let machine = || Machine::new(&spec, "control-plane/a");
    cut_everywhere(&machine(), &machine(), share, 4);
}

#[test]
fn an_interrupted_control_plane_boot_is_finished_1() {
    cut_slot(0);
}

#[test]
fn an_interrupted_control_plane_boot_is_finished_2() {
    cut_slot(1);
}

#[test]
fn an_interrupted_control_plane_boot_is_finished_3() {
    cut_slot(2);
}

#[test]
fn an_interrupted_control_plane_boot_is_finished_4() {
    cut_slot(3);
}

#[test]
fn an_interrupted_worker_boot_is_finished() {
    cut_everywhere(&worker(), &worker(), 0, 1);
}
