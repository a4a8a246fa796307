//! Faults between the program and AWS: throttling, lost answers, broken connections. None of them changes the
//! outcome of a run.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use kube_cfn::cloud::Cloud;
use serde_json::{Value, json};

use crate::process::Said;
use crate::tools::{creations, events, tool};
use crate::world::{World, given};

/// Talks to the proxy that makes the faults: method, address, body.
const CONTROL: &str = "
import sys, urllib.request
request = urllib.request.Request(sys.argv[2], method=sys.argv[1], data=sys.argv[3].encode() or None)
print(urllib.request.urlopen(request).read().decode())
";

fn control(method: &str, path: &str, body: &str) -> Value {
    let address = format!("{}/_microburst/{path}", given("KUBE_CFN_TEST_FAULTS"));
    let mut command = Command::new(tool("python"));
    let said = Said::of(command.args(["-c", CONTROL, method, &address, body]));
    serde_json::from_str(&said.ends(0).stdout).expect("JSON")
}

/// How often each rule struck, in their order.
fn struck() -> Vec<u64> {
    let rules = control("GET", "rules", "");
    let rules = rules.as_array().expect("rules").iter();
    rules
        .filter_map(|rule| rule["fired_count"].as_u64())
        .collect()
}

/// The proxy has one set of rules for all tests.
static RULES: Mutex<()> = Mutex::new(());

/// A refusal in mid-run, of what goes before the control plane: nothing of it is begun, so nothing is rolled back.
#[test]
fn stack_that_never_began_is_not_rolled_back() {
    let _alone = RULES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::small("denied");
    world.reached_through(&given("KUBE_CFN_TEST_FAULTS"));
    let denial = "User: arn:aws:iam::1:user/ada is not authorized to perform: ssm:PutParameter on resource: x";
    let rules = json!([{
        "service": "ssm", "operation": "PutParameter", "body": "contains(Name, '/denied/cp/')",
        "error": {"code": "AccessDeniedException", "status": 400, "message": denial}
    }]);
    control("POST", "rules", &rules.to_string());
    let said = world.apply();
    control("POST", "rules", "[]");
    said.ends(1)
        .tells("control-plane - not-begun")
        .tells("no permission to store /kube-cfn/denied/")
        .tells("nothing was started")
        .tells("a stack could not be begun, nothing of it was changed")
        .omits("rolled back");
    world.apply().ends(0);
}

#[test]
fn group_that_may_not_be_read_is_no_all_clear() {
    let _alone = RULES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::small("unread");
    world.apply().ends(0);
    world.reached_through(&given("KUBE_CFN_TEST_FAULTS"));
    let denial = "User: arn:aws:iam::1:user/ada is not authorized to perform: autoscaling:DescribeAutoScalingGroups";
    let rules = json!([{
        "service": "autoscaling", "operation": "DescribeAutoScalingGroups",
        "error": {"code": "AccessDenied", "status": 403, "message": denial}
    }]);
    control("POST", "rules", &rules.to_string());
    let said = world.cluster("plan", &["--detailed-exitcode"]);
    control("POST", "rules", "[]");
    said.ends(1)
        .prints("?? whether AZRebalance is suspended")
        .prints("Nothing to do: all 5 stacks have the defined templates.")
        .prints("CloudFormation does not compare")
        .tells("whether anything is to be done is unknown");
}

#[tokio::test]
async fn throttled_polls_and_lost_answers_do_not_change_the_verdict() {
    let mut world = World::small("burst");
    {
        let _alone = RULES.lock().unwrap_or_else(PoisonError::into_inner);
        world.reached_through(&given("KUBE_CFN_TEST_FAULTS"));
        let rules = json!([
            {"service": "cloudformation", "operation": "DescribeStackEvents",
             "body": "contains(StackName, 'burst-')", "times": 10, "sequence": {"fail": 2, "pass": 2},
             "error": {"code": "Throttling", "status": 400, "message": "Rate exceeded"}},
            {"service": "cloudformation", "operation": "CreateStack",
             "body": "StackName == 'burst-network'", "times": 1, "response": {"abort_frac": 0.0}},
            {"service": "cloudformation", "operation": "CreateStack",
             "body": "StackName == 'burst-base'", "times": 1, "reset": true}
        ]);
        control("POST", "rules", &rules.to_string());
        world.apply().ends(0);
        let struck = struck();
        assert!(struck == [10, 1, 1], "{struck:?}");
        control("POST", "rules", "[]");
    }

    let found = world
        .aws()
        .await
        .stacks(Some("burst"))
        .await
        .expect("stacks");
    let names: Vec<String> = found.iter().map(|stack| stack.name.clone()).collect();
    assert_eq!(names.len(), 5);
    for (stack, events) in found.iter().zip(events(&world, &names)) {
        assert_eq!(
            stack.status.to_string(),
            "CREATE_COMPLETE",
            "{}",
            stack.name
        );
        assert_eq!(
            creations(&stack.name, &events),
            1,
            "{} was created once",
            stack.name
        );
    }
    world.apply().ends(0).tells("Nothing to do");
}
