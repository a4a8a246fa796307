//! From power-on to a node, and again.

use super::vpc::{Vpc, small};
use crate::world::World;

#[test]
fn a_slot_boots_from_power_on() {
    let world = World::new("powered");
    world.definition(&small("powered"));
    world.apply().ends(0);
    let Some(vpc) = Vpc::of(&world) else {
        return;
    };
    let slot = vpc.slot('a');
    slot.on();
    slot.boots();
}
