//! Layers of protection, from templates and answers made here.

mod account;
mod stack;
