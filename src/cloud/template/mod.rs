//! The language of CloudFormation templates, as far as ours use it: which resource refers to which, what
//! the intrinsic functions come to, and what differs between two templates. Pure; knows no cloud.

pub mod changes;
pub mod evaluate;
pub mod graph;
