//! Clock, drift, store, and what can be seen from outside.

use super::*;
use crate::cloud::{DriftReport, PutResult};
use secrecy::{ExposeSecret, SecretString};

#[tokio::test(start_paused = true)]
async fn time_runs_at_the_configured_speed() {
    let cloud = Simulated::new(SimulationConfig {
        speed: 60.0,
        ..steady()
    });
    let began = cloud.now();
    assert_eq!(began.to_string(), "2026-01-15T09:00:00Z");
    let real = tokio::time::Instant::now();
    cloud.sleep(Duration::from_mins(1)).await;
    assert_eq!(real.elapsed().as_secs(), 1);
    assert_eq!(cloud.now().duration_since(began).as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn external_change_is_drift_until_updated() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    assert_eq!(cloud.drift(&id).await.unwrap(), DriftReport::default());
    assert!(cloud.change_property("s", "NetA", "CidrBlock", json!("changed")));
    assert!(cloud.change_property("s", "NetB", "CidrBlock", json!("b")));
    assert!(cloud.delete_resource("s", "Ip"));
    assert!(!cloud.change_property("s", "Nobody", "X", json!(1)));
    let drift = cloud.drift(&id).await.unwrap().resources;
    let short: Vec<_> = drift
        .iter()
        .map(|one| {
            let paths = one.differences.iter().map(|d| {
                let [expected, actual] = [&d.expected, &d.actual];
                format!(
                    "{} {:?} {:?}",
                    d.path,
                    expected.as_deref(),
                    actual.as_deref()
                )
            });
            (
                one.logical_id.as_str(),
                one.deleted,
                paths.collect::<Vec<_>>(),
            )
        })
        .collect();
    let difference = r#"Properties.CidrBlock Some("a") Some("changed")"#.to_owned();
    assert_eq!(
        short,
        [("NetA", false, vec![difference]), ("Ip", true, vec![])]
    );
}

#[tokio::test(start_paused = true)]
async fn store_never_overwrites_and_deletes_by_path() {
    let template = json!({"Resources": {"K": {"Type": "AWS::KMS::Key"}},
        "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["K", "Arn"]}}}});
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &template).await;
    let key = cloud.stack(&id).await.unwrap().unwrap().outputs["Arn"].clone();
    let keep = async |text: &str| {
        cloud
            .put_secret_if_absent("/kube-cfn/canary/pki", &SecretString::from(text), &key)
            .await
            .unwrap()
    };
    assert_eq!(keep("one").await, PutResult::Stored);
    assert_eq!(keep("two").await, PutResult::AlreadyThere);
    let read = cloud.secret("/kube-cfn/canary/pki").await.unwrap().unwrap();
    assert_eq!(read.expose_secret(), "one");
    assert_eq!(
        cloud
            .put_parameter_if_absent("/kube-cfn/canary/x", "1")
            .await
            .unwrap(),
        PutResult::Stored
    );
    assert_eq!(
        cloud
            .put_parameter_if_absent("/kube-cfn/canary/x", "2")
            .await
            .unwrap(),
        PutResult::AlreadyThere
    );
    cloud
        .put_parameter_if_absent("/kube-cfn/canary-2/x", "1")
        .await
        .unwrap();
    assert_eq!(
        cloud
            .parameter("/kube-cfn/canary/x")
            .await
            .unwrap()
            .as_deref(),
        Some("1")
    );
    let gone = cloud
        .delete_parameters_under("/kube-cfn/canary", None)
        .await
        .unwrap();
    assert_eq!(gone, ["/kube-cfn/canary/pki", "/kube-cfn/canary/x"]);
    assert!(
        cloud
            .parameter("/kube-cfn/canary-2/x")
            .await
            .unwrap()
            .is_some()
    );
    let foreign = cloud
        .put_secret_if_absent(
            "/x",
            &SecretString::from("hidden"),
            "arn:aws:kms:eu-west-1:1:key/none",
        )
        .await;
    let shown = refusal(foreign);
    assert!(
        shown.contains("does not exist") && !shown.contains("hidden"),
        "{shown}"
    );
    assert!(
        cloud.texts().iter().all(|text| !text.contains("one")),
        "a secret was heard"
    );
}

#[tokio::test(start_paused = true)]
async fn public_image_id_does_not_depend_on_the_seed() {
    let mut ids = Vec::new();
    for seed in [1, 2] {
        let cloud = Simulated::new(SimulationConfig { seed, ..steady() });
        ids.push(
            cloud
                .parameter("/aws/service/ami-amazon-linux-latest/al2023")
                .await
                .unwrap(),
        );
    }
    assert_eq!(ids[0], ids[1]);
    assert!(ids[0].as_ref().unwrap().starts_with("ami-0"));
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_and_texts_recorded() {
    let cloud = Simulated::new(steady());
    let mut ask = wanted("s", &network("x"), "t");
    ask.tags.insert("word".to_owned(), "overheard".to_owned());
    cloud.create(&ask, &OPEN).await.unwrap();
    cloud.sleep(Duration::from_secs(5)).await;
    let moving = cloud.in_progress_stacks().await.unwrap();
    assert_eq!(moving.len(), 1);
    let calls = cloud.calls();
    assert_eq!(calls.by_second(), BTreeMap::from([(0, 1), (5, 1)]));
    assert_eq!(
        (calls.total(), calls.by_verb()["in_progress_stacks"]),
        (2, 1)
    );
    assert!(cloud.texts().contains("overheard"));
}

#[tokio::test(start_paused = true)]
async fn events_are_selected_by_token_or_newest_operation() {
    let cloud = Simulated::new(steady());
    let id = made(&cloud, "s", &network("x")).await;
    updated(&cloud, "s", &network("y")).await;
    let ask = async |token: Option<&str>| {
        let asked = StackOperation {
            stack_id: id.clone(),
            token: token.map(str::to_owned),
        };
        let shown = cloud.events(&asked, &HashSet::new()).await.unwrap();
        shown.first().map(|event| event.status.to_string())
    };
    assert_eq!(ask(None).await.as_deref(), Some("UPDATE_IN_PROGRESS"));
    assert_eq!(
        ask(Some("create-s")).await.as_deref(),
        Some("CREATE_IN_PROGRESS")
    );
    assert_eq!(ask(Some("nobody")).await, None);
}
