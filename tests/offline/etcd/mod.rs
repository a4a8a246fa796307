//! The node's scripts for etcd on real members with mutual TLS: how three come up, what a lost disk does,
//! replacing a member, snapshots and restores, each step cut off and called again.

mod cuts;
mod members;
mod restore;
mod world;
