//! The node's scripts for etcd on real members with mutual TLS: the start of three, a lost disk, replacing a
//! member, snapshots and restores, each step interrupted and called again.

mod abandoned;
mod addresses;
mod api_requests;
mod certificates;
mod interruptions;
mod members;
mod restore;
mod world;
