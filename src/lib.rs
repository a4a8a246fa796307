//! kube-cfn turns a short cluster definition into CloudFormation stacks and hands out a kubeconfig.
#![forbid(unsafe_code)]

pub mod access;
pub mod apply;
pub mod catalog;
pub mod cloud;
pub mod kubeconfig;
pub mod pki;
pub mod plan;
pub mod spec;
pub mod stacks;
