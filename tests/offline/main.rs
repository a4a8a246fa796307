//! Everything that needs no emulated AWS: one binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

#[expect(dead_code, reason = "the emulated tests use the rest of it")]
#[path = "../apiserver/mod.rs"]
mod apiserver;
#[path = "../apiserver/contract.rs"]
mod contract;

mod addons;
mod advice;
mod architecture;
mod changes;
mod cost;
mod database;
mod definitions;
mod estimate;
mod etcd;
mod files;
mod identities;
mod kube;
mod kube_dependencies;
mod kubeconfig;
mod node;
mod outside;
mod outside_text;
mod pki;
mod preflight;
mod progress;
mod properties;
mod readme;
mod refused;
mod region_facts;
mod release;
mod roll;
mod scaffold;
mod simulated;
mod sizes;
mod stacks;
mod suite;
mod templates;
mod timeline;
mod tools;
mod versions;
mod warnings;
mod words;
