//! Three control-plane nodes: they boot at the same second, and a member whose data is lost is replaced, also when one of the
//! machines is interrupted in the middle.

use fastrand::Rng;

use super::boot::etcd;
use super::interruptions::{REPLACEMENTS, interrupt_command, moments, part};
use super::machine::Machine;
use super::vpc::{Vpc, small};
use crate::world::World;

#[test]
fn interrupted_replacements_end_well() {
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
    let mut random = moments();
    let mut left = part(REPLACEMENTS);
    while left > 0 {
        lose_data(&slots[2]);
        if replace(&world, &slots, &mut random) {
            left -= 1;
        }
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
    slot.says("run kube-cfn etcd replace-member members c");
}

/// One of the three is interrupted at some moment; the same command ends it. Whether that was before its end.
fn replace(world: &World, slots: &[Machine; 3], random: &mut Rng) -> bool {
    let command = ["etcd", "replace-member", &world.name, "c", "--yes"];
    let mut running = world.spawn(&command);
    let unlucky = &slots[random.usize(0..3)];
    let interrupted = interrupt_command(unlucky, &mut running, 10_000, random);
    drop(running);
    unlucky.ends_well(world, &command);
    interrupted
}
