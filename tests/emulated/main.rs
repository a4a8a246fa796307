//! What only a server can show: the real SDK path over HTTP against the emulated AWS, and the whole
//! program as a person runs it.

mod change;
mod cloud;
mod create;
mod delete;
mod failure;
mod guards;
mod interrupted;
mod process;
mod production;
mod saved;
mod store;
mod support;
mod timeline;
mod tools;
mod trouble;
mod wire;
mod without_aws;
mod words;
mod world;
