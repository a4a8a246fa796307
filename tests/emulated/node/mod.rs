//! The programs of a node with the real AWS CLI behind an unchanged `ec2.sh`, against the emulated AWS.

mod approval;
mod boot;
mod functions;
pub mod machine;
mod programs;
