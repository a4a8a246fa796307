//! Tests that need a server: the real SDK over HTTP against the emulated AWS, and the whole program as a person
//! runs it.

#[expect(clippy::unwrap_used, reason = "a double that can't go on fails")]
#[expect(dead_code, reason = "the offline tests use the rest of it")]
#[path = "../apiserver/mod.rs"]
mod apiserver;
mod authorities;

mod boots;
mod change;
mod changes;
mod cloud;
mod create;
mod delete;
mod doctor;
mod drift;
mod etcd;
mod failure;
mod files;
mod guards;
mod interrupted;
mod kills;
mod kubernetes;
mod leftovers;
mod machines;
mod node;
mod objects;
mod output;
mod outside;
mod preflight;
mod process;
mod production;
mod recovery;
mod release;
mod roll;
mod saved;
mod scaling;
#[path = "../support/share.rs"]
mod share;
mod store;
mod support;
mod timeline;
mod tools;
#[path = "../support/untested.rs"]
mod untested;
mod upgrade;
mod verdicts;
mod versions;
mod wire;
mod without_aws;
mod world;
