//! Change sets: found again, obsolete, executed once.

use super::*;

#[tokio::test(start_paused = true)]
async fn empty_change_set_is_not_kept() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let set = cloud
        .create_change_set(&wanted("s", &network("x"), "p"))
        .await
        .unwrap();
    assert_eq!(set.changes, []);
    assert_eq!(cloud.change_sets(&id).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn change_set_of_the_same_content_is_reused_until_deleted() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let first = cloud
        .create_change_set(&wanted("s", &network("y"), "p"))
        .await
        .unwrap();
    let again = cloud
        .create_change_set(&wanted("s", &network("y"), "q"))
        .await
        .unwrap();
    assert_eq!(first, again);
    let saved = ChangeSetRequest {
        lifetime: ChangeSetLifetime::Persistent,
        ..wanted("s", &network("y"), "r")
    };
    let saved = cloud.create_change_set(&saved).await.unwrap();
    assert_ne!(saved.id, first.id);
    assert_eq!(cloud.change_sets(&id).await.unwrap().len(), 2);
    assert_eq!(
        cloud.change_set(&saved.id, &id).await.unwrap().as_ref(),
        Some(&saved)
    );
    cloud.delete_change_set(&first).await.unwrap();
    cloud.delete_change_set(&first).await.unwrap();
    assert_eq!(cloud.open_change_sets().len(), 1);
    assert_eq!(cloud.change_set(&first.id, &id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn executing_a_change_set_removes_the_others() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let one = cloud
        .create_change_set(&wanted("s", &network("y"), "p"))
        .await
        .unwrap();
    let other = cloud
        .create_change_set(&wanted("s", &network("z"), "q"))
        .await
        .unwrap();
    cloud.execute(&one, "t", OnFailure::Rollback).await.unwrap();
    cloud.execute(&one, "t", OnFailure::Rollback).await.unwrap();
    let busy = cloud.execute(&other, "u", OnFailure::Rollback).await;
    assert!(matches!(busy, Err(CloudError::Conflict(_))), "{busy:?}");
    let busy = cloud
        .create_change_set(&wanted("s", &network("z"), "r"))
        .await;
    assert!(matches!(busy, Err(CloudError::Conflict(_))), "{busy:?}");
    rest(&cloud, &id).await;
    let gone = cloud.execute(&other, "u", OnFailure::Rollback).await;
    assert!(matches!(gone, Err(CloudError::NotFound(_))), "{gone:?}");
    assert_eq!(cloud.writes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn change_set_is_obsolete_after_another_operation() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let set = cloud
        .create_change_set(&wanted("s", &network("y"), "p"))
        .await
        .unwrap();
    let update = ExternalChange::Update {
        stack: "s".to_owned(),
        logical_id: "Ip".to_owned(),
    };
    assert!(cloud.apply_external_change(&update));
    assert!(!cloud.apply_external_change(&update), "it moves already");
    rest(&cloud, &id).await;
    assert_eq!(cloud.change_set(&set.id, &id).await.unwrap(), None);
    let shown = refusal(cloud.execute(&set, "t", OnFailure::Rollback).await);
    assert!(shown.contains("OBSOLETE"), "{shown}");
    let fresh = cloud
        .create_change_set(&wanted("s", &network("y"), "p"))
        .await
        .unwrap();
    assert_ne!(fresh.id, set.id);
    assert_eq!(
        executed(&cloud, &fresh).await.status,
        StackStatus::UpdateComplete
    );
}

#[tokio::test(start_paused = true)]
async fn external_changes_are_applied() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    let set = ExternalChange::ChangeSet {
        stack: "s".to_owned(),
        name: "theirs".to_owned(),
    };
    assert!(cloud.apply_external_change(&set));
    assert_eq!(cloud.change_sets(&id).await.unwrap()[0].name, "theirs");
    let shell = ExternalChange::ReviewStack {
        stack: "canary-edge".to_owned(),
        cluster: "canary".to_owned(),
        kind: "edge".to_owned(),
    };
    assert!(cloud.apply_external_change(&shell));
    let all = cloud.stacks(Some("canary")).await.unwrap();
    assert_eq!(all[1].status, StackStatus::ReviewInProgress);
    assert!(matches!(
        cloud.template(&all[1].id).await,
        Err(CloudError::NotFound(_))
    ));
    let refused = cloud
        .create_change_set(&wanted("canary-edge", &network("x"), "p"))
        .await;
    assert!(
        matches!(refused, Err(CloudError::Refused { .. })),
        "{refused:?}"
    );
    assert!(cloud.apply_external_change(&ExternalChange::Delete {
        stack: "s".to_owned()
    }));
    assert_eq!(rest(&cloud, &id).await.status, StackStatus::DeleteComplete);
    assert!(!cloud.apply_external_change(&ExternalChange::Delete {
        stack: "s".to_owned()
    }));
}
