//! What a roll needs to know of a cluster, from the outputs of its stacks.

use std::collections::BTreeMap;

use semver::Version;

use super::Args;
use crate::catalog::kubernetes;
use crate::cli::cluster::Cluster;
use crate::cli::error::CommandError;
use crate::cloud::{Cloud as _, LiveStack};
use crate::etcd;
use crate::roll::Options;
use crate::stacks::{API_TARGET_GROUP, KUBERNETES_VERSION, StackKind};

/// A cluster as a roll finds it.
pub struct Live {
    pub options: Options,
    /// Where its API answers.
    pub host: String,
}

pub async fn read(cluster: &Cluster, args: &Args) -> Result<Live, CommandError> {
    let host = cluster.api().require_host().await?;
    let stacks = cluster.cloud.stacks(Some(&cluster.name)).await?;
    refuse_moving(cluster, &stacks)?;
    let of = |kind: &StackKind| {
        let kind = kind.to_string();
        let stack = stacks.iter().find(move |stack| stack.kind == kind);
        stack.map(|stack| stack.outputs.clone()).unwrap_or_default()
    };
    let control_plane = of(&StackKind::ControlPlane);
    let versions: BTreeMap<String, String> = stacks
        .iter()
        .filter_map(|stack| {
            let version = stack.outputs.get(KUBERNETES_VERSION)?;
            Some((stack.kind.clone(), version.clone()))
        })
        .collect();
    let etcd_version = control_plane
        .get(KUBERNETES_VERSION)
        .and_then(|text| etcd_of(text));
    let duration = |span: jiff::SignedDuration| span.unsigned_abs();
    let options = Options {
        scope: args.scope(),
        surge: args.surge,
        drain_timeout: duration(args.drain_timeout),
        older_than: args.older_than.map(duration),
        lose_pods: args.lose_pods.iter().cloned().collect(),
        evict_anyway: args.evict_anyway.iter().cloned().collect(),
        slots: etcd::slots(&control_plane),
        target_group: of(&StackKind::Edge).remove(API_TARGET_GROUP),
        versions,
        etcd_version,
        ..Options::new(&cluster.name)
    };
    Ok(Live { options, host })
}

/// The version of etcd that a control-plane node of this Kubernetes version boots; the tag of its image has a revision
/// behind it.
fn etcd_of(kubernetes: &str) -> Option<String> {
    let version: Version = kubernetes.parse().ok()?;
    let etcd = kubernetes::minor(&version)?.etcd_version();
    Some(etcd.to_owned())
}

/// Refuses a cluster whose stacks of machines move: what their groups launch next is not certain.
fn refuse_moving(cluster: &Cluster, stacks: &[LiveStack]) -> Result<(), CommandError> {
    let moving = stacks.iter().find(|stack| stack.status.is_in_progress());
    moving.map_or(Ok(()), |stack| {
        let name = &cluster.name;
        let message = format!(
            "the stack {} of {name} is {}; what its machines are to be is not certain, nothing was changed",
            stack.kind, stack.status
        );
        Err(CommandError::refused(message)
            .help(format!("`{}` follows it", cluster.command("watch"))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etcd_version_is_that_of_the_image_of_the_minor() {
        let newest = kubernetes::newest().expect("a version").to_string();
        let version = etcd_of(&newest).expect("its etcd");
        assert!(version.parse::<Version>().is_ok(), "{version}");
        assert_eq!(etcd_of("0.1.0"), None);
        assert_eq!(etcd_of("newest"), None);
    }
}
