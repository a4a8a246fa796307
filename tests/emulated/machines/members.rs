//! Three control-plane nodes: they boot at the same second, and a member whose data is lost is replaced, also when the power
//! of any machine goes in the middle.

use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::boot::etcd;
use super::vpc::{Machine, Vpc, are_interrupted, note, seed, small};
use crate::world::World;

/// Replacements, each with a power cut, in a run with all of them.
const REPLACEMENTS: usize = 20;

#[test]
fn interrupted_replacements_end_well() {
    if !are_interrupted() {
        return;
    }
    let world = World::new("members");
    let definition = small("members")
        .replace("nodes: 1", "nodes: 3")
        .replace("eu-west-1b]", "eu-west-1b, eu-west-1c]");
    world.definition(&definition);
    world.apply().ends(0);
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let slots = ['a', 'b', 'c'].map(|slot| vpc.slot(slot));
    slots.iter().for_each(Machine::on);
    slots.iter().for_each(Machine::boots);
    etcd(&slots[0], "put /registry/kept yes");
    // The last of them that saw all members has noted it: from now on an empty disk is a lost one.
    let mut random = Rng::with_seed(seed());
    for _ in 0..REPLACEMENTS {
        lose_data(&slots[2]);
        replace(&world, &slots, &mut random);
        for slot in &slots {
            slot.boots();
            let own = format!(
                "get --endpoints https://{}:2379 --consistency s --print-value-only /registry/kept",
                slot.address
            );
            assert_eq!(etcd(slot, &own), "yes");
        }
        let members = etcd(&slots[0], "member list");
        let voting = members
            .lines()
            .filter(|line| line.contains("started") && line.ends_with("false"));
        assert_eq!(
            (voting.count(), members.lines().count()),
            (3, 3),
            "{members}"
        );
    }
}

/// The data goes, as with a volume that was replaced; the boot refuses to begin another life of the member.
fn lose_data(slot: &Machine) {
    slot.sh("rm -rf /var/lib/etcd/data/member");
    slot.cut();
    slot.on();
    slot.says("already been bootstrapped, but its volume is empty; run kube-cfn etcd replace-member members c");
}

/// With a power cut of one of the three at some moment; the same command ends it.
fn replace(world: &World, slots: &[Machine; 3], random: &mut Rng) {
    let replace = ["etcd", "replace-member", &world.name, "c", "--yes"];
    let running = world.spawn(&replace);
    sleep(Duration::from_millis(random.u64(0..15_000)));
    let unlucky = &slots[random.usize(0..3)];
    note(&format!("the power of {} goes", unlucky.instance));
    unlucky.cut();
    unlucky.on();
    drop(running);
    let end = Instant::now() + Duration::from_mins(6);
    loop {
        let said = world.run(&replace);
        if said.code == Some(0) {
            return;
        }
        assert!(Instant::now() < end, "{said}\n{}", slots[2].story());
        sleep(Duration::from_secs(3));
    }
}
