//! What only a server can show: the real SDK path over HTTP against the emulated AWS.

mod cloud;
mod store;
mod support;
