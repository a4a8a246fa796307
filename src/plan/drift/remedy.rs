//! The way back of a drift, in commands. CloudFormation has change sets that compare with the resources and put them
//! back, created again where they are gone (`REVERT_DRIFT`, since November 2025; AWS CLI 2.31.38 and newer know it):
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>.

use super::super::Step;
use super::kinds::GoneKind;
use crate::cloud::Drift;

/// The database's output with its name in RDS.
const DB_INSTANCE: &str = "DbInstanceId";
const CHANGE_SET: &str = "revert-drift";

/// What puts a changed resource back, or keeps it as it is.
pub(super) fn modified(step: &Step, reversible: bool, only_grows: &[String]) -> String {
    let mut ways = Vec::new();
    if !only_grows.is_empty() {
        let names = only_grows.iter().map(|path| name(path));
        ways.push(format!(
            "AWS can't set {} back: write the value of today into the definition, then `kube-cfn apply {}`",
            names.collect::<Vec<_>>().join(" and "),
            cluster(step)
        ));
    }
    if reversible {
        ways.push(format!("to set it back: {}", revert(step)));
    }
    ways.join("; then, ")
}

/// What a resource needs that was deleted.
pub(super) fn gone(step: &Step, drift: &Drift) -> String {
    let (cluster, id) = (cluster(step), &drift.logical_id);
    match GoneKind::of(&drift.resource_type) {
        GoneKind::Stateless => format!(
            "to create it again: {}; then `kube-cfn apply {cluster}`, which passes its new id on",
            revert(step)
        ),
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
            "what lay in it is lost; to create it again, empty: {}; then `kube-cfn apply {cluster}`, which writes the \
             boot files and documents, `kube-cfn certs backup {cluster}` and `kube-cfn etcd snapshot {cluster}`",
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

/// A change set that puts the whole stack back to its template: made, shown, executed.
fn revert(step: &Step) -> String {
    let stack = &step.stack.name;
    let named = format!("--stack-name {stack} --change-set-name {CHANGE_SET}");
    let mut create = format!(
        "aws cloudformation create-change-set {named} --deployment-mode REVERT_DRIFT --use-previous-template"
    );
    if !step.stack.capabilities.is_empty() {
        create += " --capabilities ";
        create += &step.stack.capabilities.join(" ");
    }
    let found = step.found.as_ref();
    let parameters = found.into_iter().flat_map(|found| found.parameters.keys());
    let kept: Vec<String> = parameters
        .map(|key| format!("ParameterKey={key},UsePreviousValue=true"))
        .collect();
    if !kept.is_empty() {
        create += " --parameters ";
        create += &kept.join(" ");
    }
    format!(
        "`{create}`, look at it with `aws cloudformation describe-change-set {named}`, then \
         `aws cloudformation execute-change-set {named}`"
    )
}

fn cluster(step: &Step) -> &str {
    step.found
        .as_ref()
        .map_or("NAME", |found| found.cluster.as_str())
}

fn name(path: &str) -> &str {
    path.strip_prefix("Properties.").unwrap_or(path)
}
