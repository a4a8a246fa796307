//! What the machines of groups do by themselves.

use super::*;

const MINUTES: u64 = 60;

/// A group that waits for signals.
fn group(count: u64, timeout: &str) -> Value {
    json!({"Type": "AWS::AutoScaling::AutoScalingGroup",
        "CreationPolicy": {"ResourceSignal": {"Count": count, "Timeout": timeout}}})
}

fn pool() -> Value {
    json!({"Resources": {"G": group(2, "PT25M")}})
}

fn control_plane(slots: &[&str]) -> Value {
    let mut template = json!({"Resources": {}});
    for slot in slots {
        template["Resources"][*slot] = group(1, "PT15M");
    }
    template
}

/// Begins a stack; its ARN.
async fn begun(cloud: &Simulated, stack: &str, template: &Value) -> String {
    let wanted = wanted(stack, template, &format!("create-{stack}"));
    cloud.create(&wanted, &OPEN).await.unwrap()
}

async fn after(cloud: &Simulated, minutes: u64) {
    cloud.sleep(Duration::from_secs(minutes * MINUTES)).await;
}

/// Second of a resource's `CREATE_COMPLETE`.
async fn done(cloud: &Simulated, id: &str, of: &str) -> i64 {
    let all = events(cloud, id).await;
    let done = |one: &&StackEvent| one.logical_id == of && one.status.as_str() == "CREATE_COMPLETE";
    let at = all.iter().find(done).unwrap().at;
    at.duration_since(stack::timestamp(0)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn pool_waits_for_the_control_plane() {
    let cloud = Simulated::new(steady());
    let workers = begun(&cloud, "canary-pool-workers", &pool()).await;
    after(&cloud, 10).await;
    let slots = begun(&cloud, "canary-control-plane", &control_plane(&["A"])).await;
    rest(&cloud, &workers).await;
    let (answers, joined) = (
        done(&cloud, &slots, "A").await,
        done(&cloud, &workers, "G").await,
    );
    // A machine looks every ten seconds and joins within thirty.
    assert!(
        (30..=40).contains(&(joined - answers)),
        "{answers} {joined}"
    );
}

#[tokio::test(start_paused = true)]
async fn pool_takes_its_usual_time_with_a_running_control_plane() {
    let cloud = Simulated::new(steady());
    made(&cloud, "canary-control-plane", &control_plane(&["A"])).await;
    let before = cloud.now().duration_since(stack::timestamp(0)).as_secs();
    let workers = made(&cloud, "canary-pool-workers", &pool()).await;
    let took = done(&cloud, &workers, "G").await - before;
    assert!((245..=247).contains(&took), "{took}");
}

#[tokio::test(start_paused = true)]
async fn control_plane_needs_a_majority() {
    let cloud = Simulated::new(SimulationConfig {
        failures: ["B", "C"]
            .map(|id| ResourceFailure {
                stack: "canary-control-plane".to_owned(),
                reason: Some("Received 0 SUCCESS signal(s) out of 1.".to_owned()),
                ..failing(id, Operation::Create)
            })
            .into(),
        ..steady()
    });
    begun(
        &cloud,
        "canary-control-plane",
        &control_plane(&["A", "B", "C"]),
    )
    .await;
    let workers = begun(&cloud, "canary-pool-workers", &pool()).await;
    after(&cloud, 14).await;
    let status = cloud.resources(&workers).await.unwrap()[0].status.clone();
    assert_eq!(status.as_str(), "CREATE_IN_PROGRESS");
}

#[tokio::test(start_paused = true)]
async fn pool_without_a_control_plane_times_out() {
    let cloud = Simulated::new(steady());
    // Another cluster's control plane is nothing to join.
    let mut other = wanted("other-control-plane", &control_plane(&["A"]), "other");
    other
        .tags
        .insert(TAG_CLUSTER.to_owned(), "other".to_owned());
    other
        .tags
        .insert(TAG_STACK.to_owned(), "control-plane".to_owned());
    cloud.create(&other, &OPEN).await.unwrap();
    let workers = begun(&cloud, "canary-pool-workers", &pool()).await;
    after(&cloud, 20).await;
    let group = cloud.resources(&workers).await.unwrap()[0]
        .physical_id
        .clone();
    let console = cloud.console(&group.unwrap()).await.unwrap().unwrap();
    let last = console.lines.last().unwrap();
    assert!(last.contains("worker/bootstrap-token"), "{console:?}");
    let found = rest(&cloud, &workers).await;
    assert_eq!(found.status, StackStatus::RollbackComplete);
    let all = events(&cloud, &workers).await;
    let failed = "1506 G CREATE_FAILED Received 0 SUCCESS signal(s) out of 2.";
    assert!(
        lines(&all).iter().any(|line| line.starts_with(failed)),
        "{all:#?}"
    );
}

#[tokio::test(start_paused = true)]
async fn cancelled_pool_does_not_join() {
    let cloud = Simulated::new(steady());
    let workers = begun(&cloud, "canary-pool-workers", &pool()).await;
    after(&cloud, 10).await;
    deleted(&cloud, &workers).await;
    made(&cloud, "canary-control-plane", &control_plane(&["A"])).await;
    let all = cloud.history();
    let of_group: Vec<_> = all
        .into_iter()
        .filter(|event| event.logical_id == "G")
        .collect();
    assert_eq!(way(&of_group, "G").last().unwrap(), "DELETE_COMPLETE");
}
