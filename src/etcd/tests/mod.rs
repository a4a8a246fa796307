//! The order of the steps, on machines that answer what a test has them say.

mod api_requests;
mod certificates;
mod hostile;

use std::cell::RefCell;
use std::time::Duration;

use super::*;
use crate::cloud::{ChangeSetLifetime, ChangeSetRequest, Cloud as _, Protection, Store as _};
use crate::common::Clock as _;
use crate::simulated::{Simulated, SimulationConfig};

/// A cloud whose machines answer what a test has them answer.
struct Machines(Simulated);

impl Machines {
    fn new() -> Self {
        Self(Simulated::new(SimulationConfig::default()))
    }

    /// Answers to `SLOT PROGRAM…`, in this order; the last one stays. An empty one stands for a shell that
    /// did not find the program.
    fn say(&self, asked: &str, answers: &[&str]) {
        let (slot, line) = asked.split_once(' ').expect("a slot and a line");
        let group = format!("group-{slot}");
        let ran = |stdout: &&str| CommandResult {
            instance: format!("i-{group}"),
            code: match *stdout {
                "" => 127,
                text => i32::from(!text.contains("\"ok\":true")),
            },
            stdout: (*stdout).to_owned(),
            stderr: "a line\nthe last line\n".to_owned(),
        };
        let answers = answers.iter().map(ran).collect();
        self.0
            .answer_command(&group, &format!("/opt/kube-cfn/bin/{line}"), answers);
    }

    /// Every command so far, as `SLOT PROGRAM…`.
    fn asked(&self) -> Vec<String> {
        let calls = self.0.calls();
        let runs = calls.all().iter().filter(|call| call.verb == "run");
        let line = |about: &str| {
            let (group, line) = about.split_once(" /opt/kube-cfn/bin/").expect("a place");
            format!("{} {line}", group.trim_start_matches("group-"))
        };
        runs.map(|call| line(&call.about)).collect()
    }
}

fn members<'a>(
    cloud: &'a Machines,
    letters: &str,
    on_step: &'a dyn Fn(&MemberStep),
) -> Members<'a, Simulated> {
    let slot = |letter| Slot {
        member: MemberName::of(letter).expect("a letter"),
        group: format!("group-{letter}"),
    };
    Members {
        cloud: &cloud.0,
        slots: letters.chars().map(slot).collect(),
        on_step,
    }
}

fn deaf(_: &MemberStep) {}

fn key() -> SnapshotKey {
    "etcd/20261123T100000Z-7.db".parse().expect("a key")
}

fn token() -> RestoreToken {
    "t1".parse().expect("a token")
}

/// A status in which these slots serve and these are learners.
fn status(serving: &str, learners: &str) -> String {
    let member = |letter: char, learner: bool| {
        format!(
            r#"{{"id":"1{letter}","slot":"{letter}","name":"cp-{letter}","started":true,"learner":{learner},"answers":true,"serves":{},"leader":false,"version":"3.6.14","revision":7,"bytes":9}}"#,
            !learner
        )
    };
    let list: Vec<_> = serving
        .chars()
        .map(|letter| member(letter, false))
        .chain(learners.chars().map(|letter| member(letter, true)))
        .collect();
    format!(
        r#"{{"program":"etcd-member","ok":true,"members":[{}],"alarms":[]}}"#,
        list.join(",")
    )
}

const STOPPED: &str = r#"{"ok":true,"state":"stopped","waiting":["b","c"]}"#;
const STARTED: &str = r#"{"ok":true,"state":"started","waiting":[]}"#;
const DONE: &str = r#"{"ok":true,"changed":true}"#;

#[test]
fn slots_are_read_from_outputs() {
    let outputs = [
        ("SlotA", "g1"),
        ("SlotB", "g2"),
        ("EtcdVolumeA", "vol"),
        ("Slots", "x"),
        ("SlotAB", "y"),
    ];
    let outputs: BTreeMap<String, String> = outputs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let found = slots(&outputs);
    let seen: Vec<_> = found
        .iter()
        .map(|slot| (slot.member.to_string(), slot.group.as_str()))
        .collect();
    assert_eq!(seen, [("cp-a".to_owned(), "g1"), ("cp-b".to_owned(), "g2")]);
}

#[tokio::test(start_paused = true)]
async fn restore_stops_every_member_before_one_starts() {
    let cloud = Machines::new();
    let line = "etcd-restore etcd/20261123T100000Z-7.db --token t1";
    cloud.say(&format!("a {line}"), &[STOPPED, STARTED]);
    cloud.say(&format!("b {line}"), &[STOPPED, STARTED]);
    cloud.say(&format!("c {line}"), &[STARTED]);
    cloud.say(
        "a etcd-member status",
        &[&status("ac", ""), &status("abc", "")],
    );
    let heard = RefCell::new(Vec::new());
    let on_step = |step: &MemberStep| {
        if let Some(came) = &step.result {
            heard.borrow_mut().push(format!("{} {came}", step.slot));
        }
    };
    restore(&members(&cloud, "abc", &on_step), &key(), &token())
        .await
        .expect("restored");
    let asked = cloud.asked();
    let order: Vec<_> = asked.iter().map(|line| &line[..1]).collect();
    assert_eq!(order, ["a", "b", "c", "a", "b", "a", "a"], "{asked:?}");
    assert_eq!(
        heard.into_inner(),
        [
            "a stopped, waits for b, c",
            "b stopped, waits for b, c",
            "c started",
            "a started",
            "b started"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn refused_restore_step_names_its_reason() {
    let cloud = Machines::new();
    let line = "etcd-restore etcd/20261123T100000Z-7.db --token t1";
    cloud.say(&format!("a {line}"), &[STOPPED]);
    cloud.say(
        &format!("b {line}"),
        &[r#"{"ok":false,"error":"verify etcd/20261123T100000Z-7.db: not those bytes"}"#],
    );
    let error = restore(&members(&cloud, "abc", &deaf), &key(), &token())
        .await
        .unwrap_err();
    assert!(
        error.to_string().ends_with(
            "on control-plane node b: verify etcd/20261123T100000Z-7.db: not those bytes"
        ),
        "{error}"
    );
    assert_eq!(cloud.asked().len(), 2, "c goes on");
}

#[tokio::test(start_paused = true)]
async fn restore_times_out_when_members_never_serve() {
    let cloud = Machines::new();
    cloud.say(
        "a etcd-restore etcd/20261123T100000Z-7.db --token t1",
        &[STARTED],
    );
    cloud.say(
        "a etcd-member status",
        &[r#"{"ok":false,"error":"none answers"}"#],
    );
    let error = restore(&members(&cloud, "a", &deaf), &key(), &token())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("timed out after 10 minutes"),
        "{error}"
    );
    assert!(error.to_string().contains("none answers"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn member_is_replaced_through_another_slot() {
    let cloud = Machines::new();
    cloud.say(
        "a etcd-member status",
        &[r#"{"ok":false,"error":"none answers"}"#],
    );
    cloud.say(
        "c etcd-member status",
        &[&status("ac", ""), &status("abc", "")],
    );
    cloud.say("c etcd-member remove cp-b", &[DONE]);
    cloud.say("c etcd-member add cp-b", &[DONE]);
    cloud.say("b etcd-member rejoin", &[DONE]);
    let early =
        r#"{"ok":true,"changed":false,"promoted":false,"reason":"it has not caught up yet"}"#;
    let promoted = r#"{"ok":true,"changed":true,"promoted":true}"#;
    cloud.say("c etcd-member promote cp-b --wait 20", &[early, promoted]);
    let replaced = replace(&members(&cloud, "abc", &deaf), "b", OnHealthyMember::Keep).await;
    assert!(replaced.expect("replaced"));
    let asked = cloud.asked();
    assert_eq!(
        asked[..7],
        [
            "a etcd-member status",
            "c etcd-member status",
            "c etcd-member remove cp-b",
            "c etcd-member add cp-b",
            "b etcd-member rejoin",
            "c etcd-member promote cp-b --wait 20",
            "c etcd-member promote cp-b --wait 20",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn slot_without_machine_joins_at_its_next_boot() {
    let cloud = Machines::new();
    cloud.say(
        "a etcd-member status",
        &[&status("ac", ""), &status("abc", "")],
    );
    for line in ["remove cp-b", "add cp-b"] {
        cloud.say(&format!("a etcd-member {line}"), &[DONE]);
    }
    let promoted = r#"{"ok":true,"changed":true,"promoted":true}"#;
    cloud.say("a etcd-member promote cp-b --wait 20", &[promoted]);
    let heard = RefCell::new(String::new());
    let on_step = |step: &MemberStep| {
        heard
            .borrow_mut()
            .push_str(step.result.as_deref().unwrap_or_default());
    };
    let replaced = replace(
        &members(&cloud, "abc", &on_step),
        "cp-b",
        OnHealthyMember::Keep,
    )
    .await;
    assert!(replaced.expect("replaced"));
    assert!(heard.into_inner().contains("the node's next boot does it"));
}

#[tokio::test(start_paused = true)]
async fn healthy_or_single_member_is_not_replaced() {
    let cloud = Machines::new();
    cloud.say("a etcd-member status", &[&status("abc", "")]);
    let three = members(&cloud, "abc", &deaf);
    assert!(
        !replace(&three, "b", OnHealthyMember::Keep)
            .await
            .expect("asked")
    );
    assert_eq!(cloud.asked().len(), 1);
    let error = replace(&three, "d", OnHealthyMember::Keep)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "find the control-plane node d: the cluster has cp-a, cp-b, cp-c"
    );
    let error = replace(&members(&cloud, "a", &deaf), "a", OnHealthyMember::Replace)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("restore a snapshot instead"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn started_member_replacement_is_resumed() {
    let cloud = Machines::new();
    cloud.say(
        "a etcd-member status",
        &[&status("ac", "b"), &status("abc", "")],
    );
    let again = r#"{"ok":true,"changed":false}"#;
    for line in ["remove cp-b", "add cp-b"] {
        cloud.say(&format!("a etcd-member {line}"), &[again]);
    }
    cloud.say("b etcd-member rejoin", &[again]);
    cloud.say(
        "a etcd-member promote cp-b --wait 20",
        &[r#"{"ok":true,"promoted":true}"#],
    );
    let replaced = replace(&members(&cloud, "abc", &deaf), "b", OnHealthyMember::Keep).await;
    assert!(replaced.expect("replaced"));
}

#[tokio::test(start_paused = true)]
async fn first_able_slot_takes_the_snapshot() {
    let cloud = Machines::new();
    cloud.say("b etcd-snapshot --now", &["{\"ok\":tr", ""]);
    let taken = r#"{"ok":true,"taken":true,"key":"etcd/20261123T103000Z-9.db","revision":9,"bytes":20,"sha256":"ab"}"#;
    cloud.say("c etcd-snapshot --now", &[taken]);
    let found = snapshot(&members(&cloud, "abc", &deaf))
        .await
        .expect("taken");
    assert_eq!(
        (found.key.as_str(), found.revision, found.bytes),
        ("etcd/20261123T103000Z-9.db", 9, 20)
    );
}

#[tokio::test(start_paused = true)]
async fn missing_program_and_unreadable_result_differ() {
    let cloud = Machines::new();
    cloud.say("b etcd-snapshot --now", &["{\"ok\":tr", ""]);
    let unreadable = snapshot(&members(&cloud, "b", &deaf)).await.unwrap_err();
    assert_eq!(
        unreadable.to_string(),
        "take a snapshot on control-plane node b: the program on i-group-b ended (exit code 1) without a readable \
         result: {\"ok\":tr"
    );
    let missing = snapshot(&members(&cloud, "b", &deaf)).await.unwrap_err();
    assert_eq!(
        missing.to_string(),
        "take a snapshot on control-plane node b: the machine i-group-b has no /opt/kube-cfn/bin/etcd-snapshot yet; \
         its boot has not installed it yet: the last line"
    );
}

#[tokio::test(start_paused = true)]
async fn snapshots_are_listed_newest_first() {
    let cloud = Simulated::new(SimulationConfig::default());
    let template = serde_json::json!({"Resources": {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "bucket"}}}});
    let base = ChangeSetRequest {
        stack: "canary-base".to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: BTreeMap::new(),
        capabilities: Vec::new(),
        tags: BTreeMap::new(),
        token: "base".to_owned(),
        lifetime: ChangeSetLifetime::Run,
        comparison: crate::cloud::Comparison::Template,
    };
    let open = Protection {
        termination: false,
        policy: None,
    };
    cloud.create(&base, &open).await.expect("begun");
    cloud.sleep(Duration::from_mins(10)).await;
    // In the order in which they are written.
    for key in [
        "etcd/20261123T100000Z-7.db.sha256",
        "etcd/20261123T100000Z-7.db",
        "etcd/20261123T103000Z-9.db",
        "etcd/restore/t1/ab/a.stopped",
        "etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db",
        "etcd/20261129T160000Z-7.db;touch${IFS}pwned;#.db.sha256",
        "other/20261123T103000Z-9.db",
    ] {
        cloud.upload("bucket", key, &[0; 10]).await.expect("kept");
        cloud.sleep(Duration::from_secs(1)).await;
    }
    let found = list(&cloud, "bucket").await.expect("listed");
    let seen: Vec<_> = found
        .found
        .iter()
        .map(|one| (one.revision, one.verifiable))
        .collect();
    assert_eq!(seen, [(9, false), (7, true)]);
    assert_eq!(found.foreign.len(), 2, "{found:?}");
}
