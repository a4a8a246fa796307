//! The boot of a machine: its documents, and the boot programs themselves, run in a root directory of their own
//! with stand-ins for everything outside.

mod approval;
mod boot;
mod boot_causes;
mod boot_log;
mod cis;
mod cis_policies;
mod documents;
mod expected;
mod host;
mod interruptions;
mod machine;
mod pod_security;
mod real;
mod renewal;
mod stand_ins;
mod steps;
mod user_data;
