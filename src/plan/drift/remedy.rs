//! The way back of a drift, in commands.

use super::super::Step;
use super::Left;
use super::kinds::GoneKind;
use crate::cloud::Drift;

/// The database's output with its name in RDS.
const DB_INSTANCE: &str = "DbInstanceId";
/// What puts a changed resource back, or keeps it as it is.
pub(super) fn modified(step: &Step, left: &Left, is_reversible: bool) -> String {
    let cluster = cluster(step);
    let mut first = left.only_grows.clone();
    if is_reversible {
        first.extend(left.grown.iter().cloned());
    }
    let mut ways = Vec::new();
    if !first.is_empty() {
        let names = first.iter().map(|path| name(path));
        ways.push(format!(
            "AWS can't set {} back: write the value of today into the definition, then `kube-cfn apply {cluster}`",
            names.collect::<Vec<_>>().join(" and "),
        ));
    }
    if is_reversible {
        ways.push(format!("to set it back: {}", revert(step)));
    }
    ways.join("; then, ")
}

/// What a resource needs that was deleted.
pub(super) fn gone(step: &Step, drift: &Drift) -> String {
    let (cluster, id) = (cluster(step), &drift.logical_id);
    match GoneKind::of(&drift.resource_type) {
        GoneKind::Stateless => format!("to create it again: {}", revert(step)),
        GoneKind::Key => format!(
            "nothing creates a key again as it was; `kube-cfn doctor {cluster}` says whether its deletion can still \
             be cancelled"
        ),
        GoneKind::Database => {
            let outputs = step.found.as_ref().map(|found| &found.outputs);
            let instance = outputs.and_then(|outputs| outputs.get(DB_INSTANCE));
            format!(
                "restore it: write a snapshot of `aws rds describe-db-snapshots --db-instance-identifier {}` at \
                 `database.restoreFrom` in the definition, then `kube-cfn apply {cluster} --allow-data-loss {}/{id}`",
                instance.map_or(id.as_str(), String::as_str),
                step.stack.name
            )
        }
        GoneKind::EtcdVolume => format!(
            "to create it again, empty: {}; its next machine stops at the empty volume: {}",
            revert(step),
            member(step, id)
        ),
        GoneKind::Bucket => format!(
            "what lay in it is lost; to create it again, empty: {}; then `kube-cfn apply {cluster}` writes boot files \
             and documents, `kube-cfn certs backup {cluster}` and `kube-cfn etcd snapshot {cluster}` the rest",
            revert(step)
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
fn revert(step: &Step) -> String {
    if step.reverts_drift {
        return "CloudFormation's change set does not do it: use the service's own command"
            .to_owned();
    }
    format!("`kube-cfn apply {} --revert-drift`", cluster(step))
}

fn cluster(step: &Step) -> &str {
    step.found
        .as_ref()
        .map_or("NAME", |found| found.cluster.as_str())
}

fn name(path: &str) -> &str {
    path.strip_prefix("Properties.").unwrap_or(path)
}
