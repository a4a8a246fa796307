//! Runs that are killed at a call: the emulated AWS holds it before or after it is carried out, until its caller is gone.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::Said;
use crate::share::{every, share};
use crate::world::World;

/// Which calls a world's runs are killed at.
pub struct Kills {
    /// How many calls change something, at least, that no earlier run made.
    pub calls: usize,
    /// `before` or `after` they are carried out.
    pub when: &'static str,
}

impl Kills {
    /// Runs a command again and again until it comes to its end. Each run is killed at the next call that none made
    /// before it: at every one with `tests/run --full`, else at one of so many. `facts` are those of the account;
    /// `killed` looks at the world after each.
    pub fn until_done(
        &self,
        world: &World,
        command: &[&str],
        facts: &Value,
        killed: impl Fn(&str),
    ) -> Said {
        let mut facts = facts.clone();
        facts["holds"] = json!({"every": every(self.calls), "when": self.when});
        world.account_facts(&facts);
        let mut calls = Vec::new();
        let last = loop {
            let mut run = world.spawn(command);
            let Some(call) = held(world, || run.is_over()) else {
                break run.wait();
            };
            assert_eq!(run.kill().code, None, "killed at {call}");
            killed(&call);
            calls.push(call);
        };
        assert!(
            calls.len() as u64 >= share(self.calls as u64),
            "killed at {calls:#?}"
        );
        facts["holds"] = json!({"every": u32::MAX, "when": self.when});
        world.account_facts(&facts);
        last
    }
}

/// The call that is held now, unless the run comes to its end.
fn held(world: &World, mut is_over: impl FnMut() -> bool) -> Option<String> {
    let file = world.account_file("held");
    while !is_over() {
        if let Ok(call) = fs::read_to_string(&file) {
            fs::remove_file(&file).expect("there");
            return Some(call);
        }
        sleep(Duration::from_millis(10));
    }
    None
}
