//! A deletion as its user sees it: the order, what refuses, what remains.

use super::*;
use crate::apply::{RunOutcome, RunReport, Session};
use crate::cloud::Store as _;
use crate::events::{Event, Outcome, Retained};
use crate::plan::{DeletePlan, Guard, deletion, survey};
use crate::stacks::StackKind;

async fn plan(cloud: &TestCloud, guard: Guard) -> DeletePlan {
    let found = survey(&cloud.cloud, CLUSTER).await.expect("a survey");
    deletion(&found, guard)
}

async fn gone(cloud: &TestCloud, guard: Guard) -> (RunReport, Vec<Event>) {
    gone_in("r1", cloud, guard).await
}

async fn gone_in(run: &str, cloud: &TestCloud, guard: Guard) -> (RunReport, Vec<Event>) {
    let plan = plan(cloud, guard).await;
    let (events, heard) = unbounded_channel();
    let session = Session::new(run, &events);
    cloud.began.set(cloud.now());
    let report = delete_stacks(&plan, cloud, &session, std::future::pending()).await;
    (report, received(heard))
}

#[tokio::test(start_paused = true)]
async fn deletion_runs_in_reverse_and_in_parallel() {
    let cloud = TestCloud::standing().await;
    for key in ["one", "two"] {
        cloud.upload("bucket-1", key, b"1").await.expect("kept");
    }
    let (report, events) = gone(&cloud, Guard::Open).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(report.outcomes.len(), 6);
    let calls = cloud.called("delete");
    let order: Vec<&str> = calls
        .iter()
        .filter_map(|call| call.rsplit_once("canary-").map(|(_, kind)| kind))
        .collect();
    assert_eq!(order[..3], ["pool-workers", "control-plane", "database"]);
    assert_eq!(order[3], "edge");
    assert!(
        calls[..3].iter().all(|call| call.starts_with("0 ")),
        "{calls:?}"
    );
    // Base and network wait for the database, the longest; the bucket is emptied before the base goes.
    let mut last = order[4..].to_vec();
    last.sort_unstable();
    assert_eq!(last, ["base", "network"]);
    assert_eq!(cloud.called("empty_bucket").len(), 1);
    assert_eq!(cloud.called("delete_parameters_under").len(), 1);
    assert!(cloud.called("delete_parameters_under")[0].ends_with("/kube-cfn/canary/"));
    assert!(
        notes(&events)
            .iter()
            .any(|text| text == "bucket bucket-1 emptied of 3 objects")
    );
}

#[tokio::test(start_paused = true)]
async fn deletion_removes_remaining_parameters_unless_protected() {
    let cloud = TestCloud::new();
    let (report, _) = gone(&cloud, Guard::Protected).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert!(cloud.called("delete_parameters_under").is_empty());
    let (report, _) = gone(&cloud, Guard::Open).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(cloud.called("delete_parameters_under").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn protected_cluster_refuses_deletion() {
    let cloud = TestCloud::standing().await;
    let refused = plan(&cloud, Guard::Protected)
        .await
        .refused
        .expect("refused");
    assert!(refused.by_guard && refused.reason.contains("`protect: true`"));
    cloud.amend("canary-database", |it| {
        it.termination_protection = true;
    });
    let refused = plan(&cloud, Guard::Open).await.refused.expect("refused");
    assert_eq!(
        refused.reason,
        "termination protection is on for canary-database"
    );
    assert!(refused.remedy.contains("`protect: false`"));
    let (report, _) = gone(&cloud, Guard::Open).await;
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    assert_eq!(cloud.called("delete"), [""; 0]);
    assert_eq!(cloud.called("delete_parameters_under"), [""; 0]);
}

/// What a deletion left behind goes without an apply: that would make the cluster again.
#[tokio::test(start_paused = true)]
async fn leftovers_of_a_protected_cluster_need_no_apply() {
    let cloud = TestCloud::new();
    let refused = plan(&cloud, Guard::Protected).await.refused;
    let remedy = refused.expect("refused").remedy;
    assert!(remedy.contains("set `protect: false`"), "{remedy}");
    assert!(remedy.contains("`kube-cfn delete canary`"), "{remedy}");
    assert!(!remedy.contains("kube-cfn apply"), "{remedy}");
}

#[tokio::test(start_paused = true)]
async fn failed_deletion_names_its_cause_and_a_second_run_resumes() {
    let cloud = TestCloud::standing().await;
    let reason = "has dependencies and cannot be deleted";
    cloud.fails("canary-network", "Vpc", Operation::Delete, reason);
    let (report, _) = gone(&cloud, Guard::Open).await;
    let Some((_, Outcome::Failed(why))) = report
        .outcomes
        .iter()
        .find(|(kind, _)| *kind == StackKind::Network)
    else {
        panic!("the network was stuck: {:?}", outcome_lines(&report))
    };
    assert_eq!(why.resource.as_deref(), Some("the Vpc of network"));
    assert_eq!(why.reason, "has dependencies and cannot be deleted");
    assert_eq!(report.outcome(), RunOutcome::NeedsManualAction);
    assert_eq!(cloud.called("delete_parameters_under"), [""; 0]);

    let (report, _) = gone_in("r2", &cloud, Guard::Open).await;
    assert_eq!(outcome_lines(&report), ["network Deleted"]);
    assert_eq!(cloud.called("delete_parameters_under").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn deletion_lists_retained_resources() {
    let mut retaining = stacks();
    retaining[1].template["Resources"]["Vpc"]["DeletionPolicy"] = json!("Retain");
    let cloud = TestCloud::standing_as(retaining).await;
    let (report, _) = gone(&cloud, Guard::Open).await;
    assert_eq!(report.retained.len(), 3, "{:?}", report.retained);
    let begins = report.retained.iter().find_map(|left| match left {
        Retained::Snapshot { begins_with, .. } => begins_with.clone(),
        _ => None,
    });
    assert_eq!(
        begins.as_deref(),
        Some("canary-database-snapshot-database-")
    );
    let days = report.retained.iter().find_map(|left| match left {
        Retained::Key { days, .. } => Some(*days),
        _ => None,
    });
    assert_eq!(days, Some(30));
    let kept = |left: &Retained| matches!(left, Retained::Kept { description, .. } if description == "the Vpc of network");
    assert!(report.retained.iter().any(kept));
}

#[tokio::test(start_paused = true)]
async fn deletion_lists_logs_and_backups_of_the_database() {
    let mut stacks = stacks();
    let database = &mut stacks[3].template["Resources"]["Database"]["Properties"];
    database["EnableCloudwatchLogsExports"] = json!(["postgresql", "upgrade"]);
    database["DeleteAutomatedBackups"] = json!(false);
    database["BackupRetentionPeriod"] = json!(7);
    let cloud = TestCloud::standing_as(stacks).await;
    let (report, _) = gone(&cloud, Guard::Open).await;
    let mut logs = Vec::new();
    let mut backups = Vec::new();
    for left in &report.retained {
        match left {
            Retained::LogGroups { names, .. } => logs.extend(names),
            Retained::Backups { database, days, .. } => backups.push((database.as_deref(), *days)),
            Retained::Kept { .. } | Retained::Snapshot { .. } | Retained::Key { .. } => {}
        }
    }
    let [(Some(database), 7)] = backups[..] else {
        panic!("{backups:?}")
    };
    let group = |log: &str| format!("/aws/rds/instance/{database}/{log}");
    assert_eq!(logs, [&group("postgresql"), &group("upgrade")]);
}

#[tokio::test(start_paused = true)]
async fn deletion_follows_running_operations() {
    let cloud = TestCloud::standing().await;
    cloud.remove("canary-database");
    cloud.touch("canary-edge", "Lb");
    let (report, _) = gone(&cloud, Guard::Open).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    let calls = cloud.called("delete");
    assert!(
        !calls.iter().any(|call| call.ends_with("database")),
        "{calls:?}"
    );
    assert!(calls.iter().any(|call| call.ends_with("edge")));
}

#[tokio::test(start_paused = true)]
async fn deletion_of_nothing_succeeds() {
    let cloud = TestCloud::new();
    let (report, _) = gone(&cloud, Guard::Open).await;
    assert_eq!(report.outcome(), RunOutcome::Done);
    assert_eq!(cloud.called("delete_parameters_under").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn unknown_stack_kind_refuses_deletion() {
    let cloud = TestCloud::standing().await;
    cloud.amend("canary-edge", |it| it.kind = "mesh".to_owned());
    let refused = plan(&cloud, Guard::Open).await.refused.expect("refused");
    assert!(refused.reason.contains("\"mesh\""), "{}", refused.reason);
}

#[tokio::test(start_paused = true)]
async fn protected_empty_leftover_is_deleted() {
    let (cloud, database) = (TestCloud::standing().await, "canary-database");
    cloud.removed(database).await;
    cloud.fails(database, "Database", Operation::Create, "no capacity");
    cloud.begin(&stacks()[3]).await;
    cloud.rest().await;
    assert_eq!(cloud.found(database).status.as_str(), "ROLLBACK_COMPLETE");
    cloud.amend(database, |it| it.termination_protection = true);
    let (report, _) = gone(&cloud, Guard::Open).await;
    assert_eq!(
        report.outcome(),
        RunOutcome::Done,
        "{:?}",
        outcome_lines(&report)
    );
    assert_eq!(cloud.called("set_protection"), ["0 canary-database"]);
}
