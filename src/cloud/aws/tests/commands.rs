//! Run Command while answers are lost: `SendCommand` has no token, so a second request would run the command
//! again.

use serde_json::{Value, json};

use super::*;
use crate::cloud::remote::{CommandResult, Program, Remote, RemoteCommand};

/// What becomes of the first `SendCommand`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// It runs, and the connection is cut.
    Cut,
    /// It runs, and the answer is this one.
    RunsBut(u16, &'static str),
    /// It does not run, and the connection is cut.
    NeverArrives,
    /// It does not run, and AWS says so.
    Throttled,
    /// It runs, the connection is cut, and nobody may list commands.
    CutAndDenied,
}

/// A machine that runs commands, and the comments of those that it ran.
async fn machine(first: First) -> (Aws, Arc<Mutex<Vec<Value>>>, Receiver<String>) {
    let ran = Arc::new(Mutex::new(Vec::new()));
    let (running, mut sent) = (ran.clone(), 0);
    let (aws, asked) = serve(move |asked| {
        if asked.contains("Action=DescribeInstances") {
            return instances();
        }
        let request: Value = serde_json::from_str(asked).expect("JSON");
        let mut ran = running.lock().expect("no panic");
        if request.get("DocumentName").is_none() {
            return about(&request, &ran, first);
        }
        sent += 1;
        match (sent, first) {
            (1, First::NeverArrives) => return Answer::Silence,
            (1, First::Throttled) => return json_refusal("ThrottlingException"),
            _ => ran.push(request["Comment"].clone()),
        }
        match (sent, first) {
            (1, First::Cut | First::CutAndDenied) => Answer::Silence,
            (1, First::RunsBut(status, body)) => Answer::Foreign(status, body.to_owned()),
            _ => json_answer(&json!({"Command": {"CommandId": id(ran.len())}})),
        }
    })
    .await;
    (aws, ran, asked)
}

/// The answers to questions about commands.
fn about(request: &Value, ran: &[Value], first: First) -> Answer {
    if request.get("CommandId").is_some() {
        return json_answer(&json!({"Status": "Success", "ResponseCode": 0,
            "StandardOutputContent": "out", "StandardErrorContent": ""}));
    }
    if first == First::CutAndDenied {
        return json_refusal("AccessDeniedException");
    }
    let command = |(at, comment)| json!({"CommandId": id(at + 1), "Comment": comment});
    let other = json!({"CommandId": "other", "Comment": "kube-cfn etcd-member 1-1"});
    let commands: Vec<_> = ran.iter().enumerate().map(command).chain([other]).collect();
    json_answer(&json!({"Commands": commands}))
}

fn id(number: usize) -> String {
    format!("command-{number}")
}

fn json_answer(body: &Value) -> Answer {
    Answer::Xml(200, body.to_string())
}

fn json_refusal(code: &str) -> Answer {
    Answer::Xml(400, json!({"__type": code, "message": "no"}).to_string())
}

fn instances() -> Answer {
    let body = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>\
        <instanceId>i-0123</instanceId><launchTime>2026-11-23T10:00:00.000Z</launchTime>\
        </item></instancesSet></item></reservationSet></DescribeInstancesResponse>";
    Answer::Xml(200, body.to_owned())
}

async fn run(aws: &Aws) -> Result<CommandResult, CloudError> {
    let command = RemoteCommand::new(Program::EtcdMember).word("rejoin");
    aws.run("group", &command).await
}

#[tokio::test]
async fn command_with_a_lost_answer_runs_once() {
    for first in [
        First::Cut,
        First::RunsBut(500, ""),
        First::RunsBut(200, "<html>sign in first</html>"),
        First::RunsBut(200, ""),
    ] {
        let (aws, ran, _asked) = machine(first).await;
        let result = run(&aws).await;
        assert_eq!(
            result.map(|one| one.stdout).as_deref(),
            Ok("out"),
            "{first:?}"
        );
        let ran = ran.lock().expect("no panic");
        assert_eq!(ran.len(), 1, "{first:?}: {ran:?}");
    }
}

#[tokio::test]
async fn command_that_never_arrived_is_sent_again() {
    let (aws, ran, asked) = machine(First::NeverArrives).await;
    assert!(run(&aws).await.is_ok());
    assert_eq!(ran.lock().expect("no panic").len(), 1);
    let sent: Vec<String> = asked.try_iter().collect();
    let comments: BTreeSet<String> = sent
        .iter()
        .filter_map(|one| {
            serde_json::from_str::<Value>(one).ok()?["Comment"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(comments.len(), 1, "one command, one comment: {comments:?}");
    let comment = comments.first().expect("one");
    assert!(
        comment.starts_with("kube-cfn etcd-member ") && comment.len() <= 100,
        "{comment}"
    );
}

#[tokio::test]
async fn throttled_command_is_sent_again_without_a_look() {
    let (aws, ran, asked) = machine(First::Throttled).await;
    assert!(run(&aws).await.is_ok());
    assert_eq!(ran.lock().expect("no panic").len(), 1);
    assert!(asked.try_iter().all(|one| !one.contains("InvokedAfter")));
}

#[tokio::test]
async fn command_that_cannot_be_looked_for_is_not_sent_again() {
    let (aws, ran, _asked) = machine(First::CutAndDenied).await;
    let error = run(&aws).await.expect_err("nobody knows");
    assert!(matches!(error, CloudError::Unreachable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("whether the command runs there is not known"),
        "{text}"
    );
    assert_eq!(ran.lock().expect("no panic").len(), 1);
}

#[tokio::test]
async fn commands_of_two_runs_have_different_comments() {
    let (aws, ran, _asked) = machine(First::Throttled).await;
    for _ in 0..2 {
        assert!(run(&aws).await.is_ok());
    }
    let ran = ran.lock().expect("no panic");
    assert!(ran.len() == 2 && ran[0] != ran[1], "{ran:?}");
}
