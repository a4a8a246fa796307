//! Tests with real tools and no network beyond this machine.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod kubeconfig;
mod pki;
mod tools;
