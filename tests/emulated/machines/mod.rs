//! Whole machines: a real systemd as first process, the real cloud-init, the launch template's user data, the real AWS CLI
//! against the emulated AWS, real etcd, kubectl and containerd (docs/testing.md says what is not real).
//!
//! Where this system cannot have them (`tests/machines/image` says why) these tests look at nothing, and the end of
//! tests/run says so.

mod boot;
mod containerd;
mod faults;
mod interruptions;
mod machine;
mod members;
mod real;
mod vpc;
