//! Machines that do not boot, on the simulated AWS, which shows what the boot programs said when they were broken in
//! `tests/offline/node/boot_causes.rs`: the tool names that cause at once, afterwards, and in a rehearsal.

use jiff::SignedDuration;
use kube_cfn::apply::diagnose::{FailedMachines, diagnose, failed_machines};
use kube_cfn::catalog::boot_causes::{self, BootCause};
use kube_cfn::cloud::Boots;
use kube_cfn::events::{Event, Failure};
use kube_cfn::simulated::QUOTA;

use super::*;

fn failing(stack: &str, logical_id: &str, code: &'static str) -> ResourceFailure {
    ResourceFailure {
        stack: stack.to_owned(),
        logical_id: logical_id.to_owned(),
        operation: Operation::Create,
        reason: None,
        boot: Some(code),
        times: 1,
    }
}

/// A run of the canary whose group fails for this cause; the events of the run.
async fn run_failing(stack: &str, group: &str, code: &'static str) -> (Simulated, Vec<Event>) {
    let spec = shipped("canary");
    let stacks = design(&spec);
    let cloud = Simulated::new(SimulationConfig {
        failures: vec![failing(stack, group, code)],
        ..world(&spec)
    });
    let plan = planned(&cloud, &spec, &stacks, "first").await;
    let (events, mut heard) = unbounded_channel();
    let session = Session::new("first", &events);
    let report = apply::run(plan, &cloud, &Nothing, &session, pending()).await;
    assert_ne!(report.outcome(), RunOutcome::Done, "{code}");
    let mut all = Vec::new();
    while let Ok(event) = heard.try_recv() {
        all.push(event);
    }
    (cloud, all)
}

fn first_failure(events: &[Event]) -> &Failure {
    let failed = events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure),
        _ => None,
    });
    failed.unwrap_or_else(|| panic!("no failure: {events:#?}"))
}

/// The stack and group of the machines that a cause befalls.
fn group_of(cause: &BootCause) -> (&'static str, &'static str) {
    match cause.code.as_str() {
        "join" | "kubelet" => ("canary-pool-workers", "Group"),
        _ => ("canary-control-plane", "SlotA"),
    }
}

fn assert_names(failure: &Failure, cause: &BootCause) {
    let begins = failure.reason.starts_with("i-0");
    assert!(
        begins && failure.reason.contains(&cause.sentence),
        "{failure:#?}"
    );
    assert_eq!(failure.hint.as_ref(), Some(&cause.remedy));
    assert_eq!(
        failure.place, None,
        "no field of the definition is the cause"
    );
}

#[tokio::test(start_paused = true)]
async fn boot_failure_is_reported_with_its_cause_within_a_minute() {
    for cause in boot_causes::all() {
        let (stack, group) = group_of(cause);
        let (cloud, events) = run_failing(stack, group, &cause.code).await;
        assert_names(first_failure(&events), cause);
        let history = cloud.history();
        let is = |status: &str| {
            let found = history
                .iter()
                .find(|event| event.logical_id == group && event.status.as_str() == status);
            found.unwrap().at
        };
        let reported = events
            .iter()
            .find(|event| matches!(event, Event::Failed { .. }));
        let after = reported.unwrap().at().duration_since(is("CREATE_FAILED"));
        assert!(
            after < SignedDuration::from_mins(1),
            "{}: {after:?}",
            cause.code
        );
    }
}

#[tokio::test(start_paused = true)]
async fn quota_of_machines_is_reported_with_its_code() {
    let (_, events) = run_failing("canary-control-plane", "SlotA", QUOTA).await;
    let failure = first_failure(&events);
    assert!(failure.reason.contains("vCPU limit of 32"), "{failure:#?}");
    assert!(failure.hint.as_ref().unwrap().contains("L-1216C47A"));
}

/// The first line about a failure is its cause, not the resources that CloudFormation lists.
#[tokio::test(start_paused = true)]
async fn cause_is_reported_before_the_rollback() {
    let (_, events) = run_failing("canary-control-plane", "SlotA", "image-pull").await;
    let notes = events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| match event {
            Event::Note {
                stack: Some(StackKind::ControlPlane),
                text,
                ..
            } if text.contains("rolled back") => Some((at, text)),
            _ => None,
        });
    let notes: Vec<_> = notes.collect();
    let cause = events
        .iter()
        .position(|event| matches!(event, Event::Failed { .. }));
    let [(at, text)] = &notes[..] else {
        panic!("{notes:?}")
    };
    assert!(cause.unwrap() < *at);
    assert_eq!(*text, "failed and is being rolled back");
}

/// The machine is gone by then; its log is in the state bucket.
#[tokio::test(start_paused = true)]
async fn diagnosis_names_the_cause_after_the_rollback() {
    for code in ["image-pull", "parameter", "api"] {
        let (cloud, events) = run_failing("canary-control-plane", "SlotA", code).await;
        let survey = plan::survey(&cloud, "canary").await.unwrap();
        let found = diagnose(&survey, &cloud, &|_, _, _| None).await.unwrap();
        let of = found
            .iter()
            .find(|(kind, _)| *kind == StackKind::ControlPlane);
        let Some((_, diagnosis)) = of else {
            panic!("{found:#?}")
        };
        assert_names(&diagnosis.failure, boot_causes::by_code(code).unwrap());
        let reason = |failure: &Failure| failure.reason.split(" (AWS: ").next().unwrap().to_owned();
        assert_eq!(reason(&diagnosis.failure), reason(first_failure(&events)));
    }
}

/// A replaced machine of a cluster that runs: no stack says anything of it.
#[tokio::test(start_paused = true)]
async fn log_of_a_later_boot_is_found_until_a_boot_succeeds() {
    let spec = shipped("canary");
    let cloud = Simulated::new(world(&spec));
    applied(&cloud, &spec, &design(&spec), "first").await;
    let survey = plan::survey(&cloud, "canary").await.unwrap();
    let bucket = survey.named("canary-base").unwrap().outputs[stacks::STATE_BUCKET].clone();
    let machines = cloud.machines("canary").await.unwrap();
    let machine = machines.first().unwrap();
    let find = async || failed_machines(&cloud, "canary", Some(&bucket)).await;
    assert_eq!(find().await, FailedMachines::default());
    // What is not looked at is said.
    let blind = failed_machines(&cloud, "canary", None).await;
    assert!(
        blind.found.is_empty() && blind.unknown[0].contains("names no state bucket"),
        "{blind:?}"
    );
    let key = |time: &str| format!("boot/AROA1:{}/{time}.log", machine.instance);
    let log = "control-plane of canary, attempt 3\n\
               kube-cfn boot failed: volume: attach it: another machine holds it\n";
    cloud
        .upload(&bucket, &key("20261201T000000Z"), log.as_bytes())
        .await
        .unwrap();
    // The log of a machine that is gone is nothing to repair.
    cloud
        .upload(
            &bucket,
            "boot/AROA1:i-gone/20261201T000000Z.log",
            log.as_bytes(),
        )
        .await
        .unwrap();
    cloud.silence_console(&machine.instance);
    let found = find().await;
    let [(stack, boot)] = &found.found[..] else {
        panic!("{found:#?}")
    };
    assert_eq!(stack, &machine.stack);
    assert_eq!(boot.instance, machine.instance);
    assert_eq!(boot.cause.map(|cause| cause.code.as_str()), Some("volume"));
    let done = "kube-cfn boot succeeded: booted as control-plane\n";
    cloud
        .upload(&bucket, &key("20261201T000100Z"), done.as_bytes())
        .await
        .unwrap();
    assert_eq!(find().await, FailedMachines::default());
}

fn rehearsed(fail: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("canary.yaml");
    let canary = Path::new(env!("CARGO_MANIFEST_DIR")).join("clusters/canary.yaml");
    std::fs::copy(canary, &path).unwrap();
    let arguments = [
        "rehearse",
        "--speed",
        "0",
        "--seed",
        "7",
        "--progress",
        "plain",
        "--fail",
        fail,
    ];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_kube-cfn"))
        .args(arguments)
        .arg(&path)
        .current_dir(directory.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn rehearsal_shows_every_cause_and_its_remedy_before_the_command() {
    for cause in boot_causes::all() {
        let (stack, group) = group_of(cause);
        let stack = stack.trim_start_matches("canary-");
        let (code, said) = rehearsed(&format!("{stack}/{group}={}", cause.code));
        assert_eq!(code, Some(3), "{said}");
        let report: Vec<&str> = said
            .lines()
            .filter(|line| line.contains(" failing "))
            .collect();
        let at = |text: &str| report.iter().position(|line| line.contains(text));
        let (why, remedy) = (at(&cause.sentence), at(&format!("try: {}", cause.remedy)));
        let then = at("then: kube-cfn apply canary");
        assert!(
            why.is_some() && why < remedy && remedy < then,
            "{report:#?}\n{said}"
        );
        assert_eq!(at("from: "), None, "{report:#?}");
    }
    let (code, said) = rehearsed("control-plane/SlotA=quota");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("try: raise quota L-1216C47A"), "{said}");
}

#[test]
fn rehearsal_refuses_causes_that_there_are_not() {
    let (code, said) = rehearsed("control-plane/SlotA=moon");
    assert_eq!(code, Some(64), "{said}");
    assert!(
        said.contains("the causes are clock, ") && said.contains("quota"),
        "{said}"
    );
    let (code, said) = rehearsed("pool-workers/Group=volume");
    assert_eq!(code, Some(64), "{said}");
    assert!(said.contains("theirs are clock, "), "{said}");
    let (code, said) = rehearsed("edge/NatGateway=image-pull");
    assert_eq!(code, Some(64), "{said}");
}
