//! Faults between the program and AWS: throttling, lost answers, broken connections. None of them changes the
//! outcome of a run.

use std::process::Command;

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

#[tokio::test]
async fn throttled_polls_and_lost_answers_do_not_change_the_verdict() {
    let mut world = World::small("burst");
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
