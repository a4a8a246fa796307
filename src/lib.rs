//! kube-cfn turns a short cluster definition into CloudFormation stacks and hands out a kubeconfig.
#![forbid(unsafe_code)]

pub mod apply;
pub mod catalog;
pub mod cloud;
pub mod node;
pub mod plan;
pub mod spec;
pub mod stacks;
pub mod templates;
