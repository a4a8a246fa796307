//! Machines whose test was killed: they end by themselves, or they would take this system's processors until it is
//! turned off.

use std::fs;
use std::process::Command;

use super::world::World;

#[test]
fn machines_of_a_killed_test_end() {
    let world = World::of("a");
    let _a = world.start('a');
    world.serves('a');
    let etcd = world.process('a');
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    fs::write(world.root('a').join("test-process"), ended.id().to_string()).unwrap();
    world.until("the end of etcd", || {
        !fs::exists(format!("/proc/{etcd}")).unwrap()
    });
}
