//! kube-cfn turns a short cluster definition into CloudFormation stacks, creates or updates them with
//! live progress, and hands out a kubeconfig. CloudFormation and the cluster hold all the state.
//!
//! # Floor plan
//! ```text
//!  clusters/*.yaml             templates/**   node files                       ~/.kube/config
//!       |                            |                                               ^
//!  definition -> spec -> stacks (+ templates, node) -> plan -> apply -> access -> kubeconfig
//!                                                        ^        | \
//!                                                        |        |  Event -> progress
//!                                                      [    cloud    ]   the only door to AWS
//!  cli: opens the doors in this order, holds no furniture.    kube: the only door to a running cluster's API
//! ```
//! | room | knows | must not know |
//! |---|---|---|
//! | `cli` | flags, order of stages, confirmation, exit codes, printing of data | SDKs, Tera, YAML |
//! | `definition` | the file format, defaults, where each problem stands in the file | AWS, templates |
//! | `spec` | the vocabulary and the rules between its parts | files, I/O, template text |
//! | `catalog` | tables: versions, images, instance types, durations | I/O, rules |
//! | `stacks` | what each stack needs: context, inputs, outputs, policy | AWS calls, the screen |
//! | `templates` | embedded templates, overrides, Tera, escaping; references and functions of a rendered one | what a cluster is |
//! | `node` | user data and the bundle that is a machine's root tree: boot programs, kubeadm, kubelet | AWS calls |
//! | `plan` | comparing wanted with found, the risk of every change | SDK, time, printing |
//! | `cloud` | the `Cloud` and `Store` traits in our own words; `aws` alone names the SDK | the rest |
//! | `apply` | walking a plan, following stacks, gathering outputs, emitting events | how it looks |
//! | `progress` | events to text: live block, plain lines, JSON | the cloud, how things are done |
//! | `etcd` | the order of a snapshot, a restore, a member's replacement | how machines are reached |
//! | `journal` | a local record of each run's events, for timeline and durations only | how things are done |
//! | `timeline` | what a run's events say of its course: spans, critical path, slack | where events come from |
//! | `pki` | authorities, keys, client certificates | where they are kept |
//! | `access` | keeping the authorities in the cloud's store, minting and granting credentials | the screen |
//! | `kube` | readiness, nodes, who may do what, through the API of a running cluster | CloudFormation |
//! | `kubeconfig` | building, merging, locking and writing kubeconfig files | everything else |
//!
//! # Invariants, held by `tests/offline/architecture.rs`
//! - Values move forward only: each stage takes one value and returns the next; nothing writes back.
//! - Rendering is pure: no clock, no random, no AWS. The same definition gives the same bytes.
//! - A plan is data that can be printed, tested and executed; a dry run is "stop after plan".
//! - Doing emits events, showing consumes them.
//!
//! # Where a change goes
//! | change | touch |
//! |---|---|
//! | a field | `definition/file`, `definition/check`, `spec`, the module of the stack, its template |
//! | a kind of stack | `templates/stacks/x.yaml.tera`, `stacks/x.rs`, its cases; a line in `stacks/mod.rs` and `stacks/kind.rs` |
//! | a node's file | `templates/node`, a line in `node/files.rs`, the goldens of `tests/cases/node` |
//! | a command | `cli/x.rs`, a variant in `cli/mod.rs`, the README |
//! | an output style | `progress/x.rs`, a variant |
//! | an AWS call | `cloud/mod.rs`, `cloud/aws` |
#![forbid(unsafe_code)]

pub mod access;
pub mod apply;
pub mod catalog;
pub mod cli;
pub mod cloud;
pub mod common;
pub mod definition;
pub mod etcd;
pub mod events;
pub mod forecast;
pub mod journal;
pub mod kube;
pub mod kubeconfig;
pub mod node;
pub mod pki;
pub mod plan;
pub mod progress;
pub mod report;
pub mod simulated;
pub mod spec;
pub mod stacks;
pub mod templates;
pub mod timeline;
