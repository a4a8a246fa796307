//! kube-cfn turns a short cluster definition into CloudFormation stacks, creates or updates them with
//! live progress, and writes a kubeconfig. CloudFormation and the cluster hold all the state.
//!
//! # Architecture
//! ```text
//!  clusters/*.yaml             templates/**   node files                       ~/.kube/config
//!       |                            |                                               ^
//!  definition -> spec -> stacks (+ templates, node) -> plan -> apply -> access -> kubeconfig
//!                                                        ^        | \
//!                                                        |        |  events -> progress, journal, timeline
//!                                                      [    cloud    ]   the only client of AWS
//!  cli calls these stages in this order.   report shows their results.   kube is the only client of a cluster's API.
//! ```
//! Modules from the top to the bottom; each may import only modules further below.
//!
//! | module | contains | must not know |
//! |---|---|---|
//! | `cli` | flags, order of stages, confirmation, exit codes | AWS SDK, Tera, YAML, formatting of reports |
//! | `report` | plans, status, readiness, checks as text, Markdown, JSON | how things are done, the cloud |
//! | `progress` | events of a run as a live block, plain lines, JSON | the cloud, how things are done |
//! | `timeline` | the course of a run from its events: spans, critical path, slack | where events come from |
//! | `journal` | a local record of each run's events, for timeline and durations only | how things are done |
//! | `apply` | executing a plan: following stacks, outcomes, root causes, gathering outputs | how anything looks |
//! | `roll` | which machines are outdated, in which order and how they are replaced: a pure step function and an executor | AWS SDK, template text |
//! | `sweep` | what a cluster has in the account outside its stacks, and how it is removed | templates |
//! | `operation` | the operation lock of a cluster: taking, renewing, giving it back | what runs under it |
//! | `access` | storing the authorities and their copy, issuing and granting credentials | the screen |
//! | `etcd` | the order of a snapshot, a restore, a member's replacement | how machines are reached |
//! | `events` | the event types that every running operation emits | how they are shown |
//! | `forecast` | expected durations, outages and costs of a plan | printing |
//! | `plan` | comparing wanted with found, the risk of every change, what is refused | SDK types, time, printing |
//! | `stacks` | what each stack needs: template context, inputs, outputs, policy | AWS calls, the screen |
//! | `definition` | the file format, defaults, every problem with its place in the file | AWS, templates |
//! | `node` | user data and the bundle of a machine's files: boot programs, kubeadm, kubelet | AWS calls |
//! | `kube` | readiness, nodes and grants through the API of a running cluster | CloudFormation |
//! | `kubeconfig` | building, merging, locking and writing kubeconfig files | everything else |
//! | `pki` | certificate authorities, keys, client certificates | where they are kept |
//! | `simulated` | a deterministic AWS and a deterministic Kubernetes in virtual time, with seeded faults | the rest |
//! | `templates` | embedded templates, overrides, Tera, escaping; references and functions of a rendered one | what a cluster is |
//! | `cloud` | the traits `Cloud`, `Store`, `Remote`, `VersionedParameters` in our own words; only `cloud/aws` names the SDK | the rest |
//! | `spec` | the types of a cluster and the rules between its parts | files, I/O, template text |
//! | `catalog` | tables: versions, images, instance types, durations | I/O, rules |
//! | `common` | clock, retry, tag names and other small parts that several modules need | everything else |
//!
//! # Invariants, held by `tests/offline/architecture.rs`
//! - Values move forward only: each stage takes one value and returns the next; nothing writes back.
//! - Rendering is pure: no clock, no random numbers, no AWS. The same definition gives the same bytes.
//! - A plan is data that can be printed, saved, tested and executed; a dry run stops after `plan`.
//! - Operations emit events; what shows them only consumes them.
//!
//! CONTRIBUTING.md says which files to change for what.
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
pub mod operation;
pub mod pki;
pub mod plan;
pub mod progress;
pub mod report;
pub mod roll;
pub mod simulated;
pub mod spec;
pub mod stacks;
pub mod sweep;
pub mod templates;
pub mod timeline;
