//! What a machine boots with: its documents, and the boot programs themselves, run in a root directory
//! of their own with stand-ins for all that reaches out.

mod boot;
mod boot_log;
mod cis;
mod cuts;
mod documents;
mod expected;
mod machine;
mod stand_ins;
mod user_data;
