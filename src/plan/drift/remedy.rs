//! The way back of a drift, in commands.

use super::super::Step;
use super::kinds::GoneKind;
use super::{Drifted, Stuck};
use crate::cloud::Drift;
use crate::common::arn::region_option;

/// The database's output with its name in RDS.
const DB_INSTANCE: &str = "DbInstanceId";
/// What sets a changed resource back, or what to do where AWS can't.
pub(super) fn modified(step: &Step, drifted: &Drifted, stuck: &Stuck) -> String {
    if drifted.reversible {
        return format!("to set it back: {}", revert(step, stuck));
    }
    format!(
        "AWS can't set {} back: write the value of today into the definition, then `kube-cfn apply {}`",
        names(&drifted.only_grows),
        cluster(step)
    )
}

/// What a resource needs that was deleted.
pub(super) fn gone(step: &Step, drift: &Drift, stuck: &Stuck) -> String {
    let (cluster, id) = (cluster(step), &drift.logical_id);
    match GoneKind::of(&drift.resource_type) {
        GoneKind::Stateless => format!("to create it again: {}", revert(step, stuck)),
        GoneKind::Key => format!(
            "nothing creates a key again as it was; `kube-cfn doctor {cluster}` says whether its deletion can still \
             be cancelled"
        ),
        GoneKind::Database => {
            let outputs = step.found.as_ref().map(|found| &found.outputs);
            let instance = outputs.and_then(|outputs| outputs.get(DB_INSTANCE));
            let arn = step.found.as_ref().map_or("", |found| &found.id);
            let region = region_option(arn);
            format!(
                "restore it: write a snapshot of `aws rds describe-db-snapshots{region} --db-instance-identifier {}` at \
                 `database.restoreFrom` in the definition, then `kube-cfn apply {cluster} --allow-data-loss {}/{id}`",
                instance.map_or(id.as_str(), String::as_str),
                step.stack.name
            )
        }
        GoneKind::EtcdVolume => format!(
            "to create it again, empty: {}; its next machine stops at the empty volume: {}",
            revert(step, stuck),
            member(step, id)
        ),
        GoneKind::Bucket => format!(
            "what lay in it is lost; to create it again, empty: {}; then `kube-cfn apply {cluster}` writes boot files \
             and documents, `kube-cfn certs backup {cluster}` and `kube-cfn etcd snapshot {cluster}` the rest",
            revert(step, stuck)
        ),
    }
}

/// What fills an empty etcd volume: the other members, or a snapshot where there are none.
fn member(step: &Step, id: &str) -> String {
    let cluster = cluster(step);
    let volumes = step.stack.resources();
    let volumes = volumes.filter(|(_, of_type)| GoneKind::of(of_type) == GoneKind::EtcdVolume);
    let letter = id.chars().last().map(|last| last.to_ascii_lowercase());
    match letter {
        Some(letter) if volumes.count() > 1 => {
            format!("then `kube-cfn etcd replace-member {cluster} {letter}`")
        }
        _ => format!("then restore a snapshot that `kube-cfn etcd list {cluster}` shows"),
    }
}

/// What sets a stack back to its template; where CloudFormation's change set did not, what is left.
fn revert(step: &Step, stuck: &Stuck) -> String {
    if step.reverts_drift {
        return "CloudFormation's change set does not do it: use the service's own command"
            .to_owned();
    }
    let cluster = cluster(step);
    let lost = if stuck.lost {
        "restore first what is lost; then "
    } else {
        ""
    };
    let grown = if stuck.paths.is_empty() {
        String::new()
    } else {
        format!(
            "write first the value of today of {} into the definition, which AWS can't set back, and `kube-cfn apply \
             {cluster}`; then ",
            names(&stuck.paths)
        )
    };
    format!("{lost}{grown}`kube-cfn apply {cluster} --revert-drift`")
}

fn names(paths: &[String]) -> String {
    let plain = |path: &String| path.strip_prefix("Properties.").unwrap_or(path).to_owned();
    let names: Vec<String> = paths.iter().map(plain).collect();
    names.join(" and ")
}

fn cluster(step: &Step) -> &str {
    step.found
        .as_ref()
        .map_or("NAME", |found| found.cluster.as_str())
}
