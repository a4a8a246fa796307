//! Change sets are named by what is in them: an existing one is used, or deleted first.

use super::change_sets::{CREATED, change, change_set};
use super::*;
use crate::cloud::ChangeSetLifetime;

/// A server on which the name is taken by a change set of that status and execution status; one in
/// progress is ready at the second look.
async fn taken(status: &'static str, execution: &'static str) -> (Aws, Receiver<String>) {
    let mut there = (status, execution);
    serve(move |asked| {
        let gone = there.0.is_empty();
        if asked.contains("Action=CreateChangeSet") && gone {
            there = ("CREATE_COMPLETE", "AVAILABLE");
            ok("CreateChangeSet", CREATED)
        } else if asked.contains("Action=CreateChangeSet") {
            refusal("AlreadyExistsException", "ChangeSet already exists")
        } else if asked.contains("Action=DeleteChangeSet") {
            there = ("", "");
            ok("DeleteChangeSet", "")
        } else if asked.contains("Action=DescribeEvents") {
            ok("DescribeEvents", "<OperationEvents></OperationEvents>")
        } else {
            let changes = format!("<Changes>{}</Changes>", change("Add", "Vpc", ""));
            let answer = change_set(there.0, there.1, &changes);
            if there.0 == "CREATE_IN_PROGRESS" {
                there.0 = "CREATE_COMPLETE";
            }
            answer
        }
    })
    .await
}

#[tokio::test]
async fn change_set_of_a_killed_run_is_used() {
    for status in ["CREATE_COMPLETE", "CREATE_IN_PROGRESS"] {
        let (aws, asked) = taken(status, "AVAILABLE").await;
        let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
        assert_eq!(proposed.changes.len(), 1, "{status}");
        let asked: Vec<_> = asked.try_iter().collect();
        let calls = |action: &str| asked.iter().filter(|body| body.contains(action)).count();
        assert_eq!(calls("Action=DeleteChangeSet"), 0, "{status}");
        assert_eq!(calls("Action=CreateChangeSet"), 1, "{status}");
    }
}

#[tokio::test]
async fn executed_change_set_of_the_same_name_is_deleted_first() {
    for (status, execution) in [
        ("FAILED", "UNAVAILABLE"),
        ("CREATE_COMPLETE", "OBSOLETE"),
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE"),
    ] {
        let (aws, asked) = taken(status, execution).await;
        let proposed = aws.create_change_set(&proposal()).await.expect("proposed");
        assert_eq!(proposed.changes.len(), 1, "{status} {execution}");
        let tokens: Vec<_> = asked
            .try_iter()
            .filter(|body| body.contains("Action=CreateChangeSet"))
            .map(|body| body.contains("ClientToken=run-1-again"))
            .collect();
        assert_eq!(tokens, [false, true], "{status} {execution}");
    }
}

#[tokio::test]
async fn change_set_of_a_saved_plan_has_its_own_name() {
    let (aws, asked) = taken("", "").await;
    let mut wanted = proposal();
    wanted.lifetime = ChangeSetLifetime::Persistent;
    aws.create_change_set(&wanted).await.expect("proposed");
    let create = asked.recv().expect("the first request");
    assert!(create.contains("ChangeSetName=kube-cfn-saved-"), "{create}");
}

#[tokio::test]
async fn change_set_can_be_reread_until_executed() {
    for (status, execution) in [
        ("FAILED", "UNAVAILABLE"),
        ("CREATE_COMPLETE", "OBSOLETE"),
        ("CREATE_COMPLETE", "EXECUTE_COMPLETE"),
        ("DELETE_COMPLETE", "UNAVAILABLE"),
    ] {
        let (aws, _asked) = taken(status, execution).await;
        let read = aws.change_set("arn:set", "arn:canary-network").await;
        assert_eq!(read, Ok(None), "{status} {execution}");
    }
    let (aws, _asked) = taken("CREATE_COMPLETE", "AVAILABLE").await;
    let read = aws.change_set("arn:set", "arn:canary-network").await;
    let read = read.expect("an answer").expect("still there");
    assert_eq!(read.changes.len(), 1);
    for message in [
        "ChangeSet [arn:set] does not exist",
        "Stack [canary-network] does not exist",
    ] {
        let code = ["ValidationError", "ChangeSetNotFound"];
        for code in code {
            let (aws, _asked) = serve(move |_| refusal(code, message)).await;
            let read = aws.change_set("arn:set", "arn:canary-network").await;
            assert_eq!(read, Ok(None), "{code} {message}");
        }
    }
}
