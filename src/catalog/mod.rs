//! Data that the tool is built with: Kubernetes versions, node binaries, AMI parameters, durations,
//! instance types, properties whose change replaces a resource. Look-up only, no I/O, no rules.
