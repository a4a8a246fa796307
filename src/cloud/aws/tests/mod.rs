//! What no emulator shows, from a scripted server on loopback: throttles, lost answers, many pages,
//! early validation, answers that are not AWS's.

mod account;
mod change_set_names;
mod change_sets;
mod commands;
mod ec2_and_prices;
mod foreign;
mod inspecting;
mod machines;
mod operations;
mod outside;
mod scaling;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use http::Response;

use self::server::{Request, connection, listen};
use super::*;
use crate::cloud::Store;
use crate::cloud::limiter::CallKind;

#[path = "../../../../tests/support/server.rs"]
mod server;

/// What the server does with a request.
enum Answer {
    Xml(u16, String),
    /// Answers in the place of AWS, as a proxy does.
    Foreign(u16, String),
    /// Does what was asked and hangs up.
    Silence,
}

/// Serves a script until the test ends; every request's form body can be read from the receiver.
async fn serve(script: impl FnMut(&str) -> Answer + Send + 'static) -> (Aws, Receiver<String>) {
    serve_by(|_, _| String::new(), script).await
}

/// As [`serve`], for requests that say what they want by their method and path: both go before the body, on a line.
async fn serve_paths(
    script: impl FnMut(&str) -> Answer + Send + 'static,
) -> (Aws, Receiver<String>) {
    serve_by(|method, path| format!("{method} {path}\n"), script).await
}

async fn serve_by(
    line: fn(&str, &str) -> String,
    script: impl FnMut(&str) -> Answer + Send + 'static,
) -> (Aws, Receiver<String>) {
    let (sent, asked) = channel();
    let script = Arc::new(Mutex::new(script));
    let address = listen(move |stream| {
        let (script, sent) = (script.clone(), sent.clone());
        connection(stream, async move |request: Request| {
            let line = line(request.method().as_str(), &request.uri().to_string());
            let body = String::from_utf8(request.into_body()).expect("a form");
            let body = line + &body;
            let mut script = script.lock().expect("no test panics in a script");
            let answer = script(&body);
            sent.send(body).ok();
            match answer {
                Answer::Xml(status, body) => {
                    let answer = Response::builder().status(status);
                    let answer = answer.header("x-amzn-requestid", "1");
                    Some(answer.body(server::whole(body)).expect("an answer"))
                }
                Answer::Foreign(status, body) => {
                    let answer = Response::builder().status(status);
                    Some(answer.body(server::whole(body)).expect("an answer"))
                }
                Answer::Silence => None,
            }
        })
    });
    let endpoint = format!("http://{address}");
    let credentials = Credentials::new("AKIAEXAMPLE", "test", None, None, "test");
    let settings = Settings {
        profile: None,
        region: Some("eu-west-1".to_owned()),
    };
    let aws = Aws::connect_to(&endpoint, credentials, &settings).await;
    (aws.expect("everything is given"), asked)
}

/// Sends each request to Systems Manager once: a test waits for no backoff of the SDK.
fn without_retries(mut aws: Aws) -> Aws {
    let once = RetryConfig::disabled();
    let config = aws.ssm.config().to_builder().retry_config(once);
    aws.ssm = aws_sdk_ssm::Client::from_conf(config.build());
    aws
}

fn ok(call: &str, inside: &str) -> Answer {
    let body = format!("<{call}Response><{call}Result>{inside}</{call}Result></{call}Response>");
    Answer::Xml(200, body)
}

/// EC2 puts no result around what it answers.
fn ec2(call: &str, inside: &str) -> Answer {
    Answer::Xml(200, format!("<{call}Response>{inside}</{call}Response>"))
}

fn refusal(code: &str, message: &str) -> Answer {
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::Xml(400, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

fn proposal() -> ChangeSetRequest {
    ChangeSetRequest {
        stack: "canary-network".to_owned(),
        template: "{}".to_owned(),
        bucket: None,
        parameters: [].into(),
        capabilities: Vec::new(),
        tags: [].into(),
        token: "run-1".to_owned(),
        lifetime: crate::cloud::ChangeSetLifetime::Run,
        comparison: crate::cloud::Comparison::Template,
    }
}

const OPEN: Protection = Protection {
    termination: false,
    policy: None,
};

fn stack(name: &str, cluster: &str) -> String {
    format!(
        "<member><StackName>{name}</StackName><StackId>arn:{name}</StackId>\
         <StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
         <Tags><member><Key>kube-cfn/cluster</Key><Value>{cluster}</Value></member></Tags></member>"
    )
}

#[tokio::test]
async fn stacks_of_all_pages_are_filtered_by_cluster() {
    let (aws, _asked) = serve(|asked| {
        let (page, next) = if asked.contains("NextToken=two") {
            (stack("canary-network", "canary"), "")
        } else {
            let page = stack("canary-base", "canary") + &stack("production-base", "production");
            (page, "<NextToken>two</NextToken>")
        };
        ok("DescribeStacks", &format!("<Stacks>{page}</Stacks>{next}"))
    })
    .await;
    let found = aws.stacks(Some("canary")).await.expect("listed");
    let names: Vec<_> = found.iter().map(|stack| stack.name.as_str()).collect();
    assert_eq!(names, ["canary-base", "canary-network"]);
    assert_eq!(aws.stacks(None).await.map(|found| found.len()), Ok(3));
}

/// A server that throttles the first request and answers the others.
async fn throttled_once(call: &'static str, inside: &'static str) -> (Aws, Receiver<String>) {
    let mut calls = 0;
    serve(move |_| {
        calls += 1;
        if calls == 1 {
            refusal("Throttling", "Rate exceeded")
        } else {
            ok(call, inside)
        }
    })
    .await
}

#[tokio::test]
async fn throttle_inside_the_sdk_slows_the_limiter() {
    let (aws, _asked) = throttled_once("DescribeStacks", "<Stacks></Stacks>").await;
    assert!(
        !aws.limiter
            .is_slowed(Service::CloudFormation, CallKind::Read)
    );
    assert_eq!(aws.stacks(None).await, Ok(Vec::new()));
    assert!(
        aws.limiter
            .is_slowed(Service::CloudFormation, CallKind::Read)
    );
}

#[tokio::test]
async fn a_throttled_write_slows_writes_alone() {
    let (aws, _asked) = throttled_once("DeleteStack", "").await;
    assert_eq!(aws.delete("arn:canary-network", "token").await, Ok(()));
    assert!(
        aws.limiter
            .is_slowed(Service::CloudFormation, CallKind::Write)
    );
    assert!(
        !aws.limiter
            .is_slowed(Service::CloudFormation, CallKind::Read)
    );
}

#[tokio::test]
async fn create_with_a_lost_answer_is_found_by_token() {
    let mut created = false;
    let (aws, _asked) = serve(move |asked| {
        if asked.contains("Action=CreateStack") && !created {
            created = true;
            Answer::Silence
        } else if asked.contains("Action=CreateStack") {
            refusal(
                "AlreadyExistsException",
                "Stack [canary-network] already exists",
            )
        } else if asked.contains("Action=DescribeStackEvents") {
            ok(
                "DescribeStackEvents",
                "<StackEvents><member><EventId>1</EventId><StackId>arn:canary-network</StackId>\
                 <PhysicalResourceId>arn:canary-network</PhysicalResourceId>\
                 <ResourceType>AWS::CloudFormation::Stack</ResourceType>\
                 <ResourceStatus>CREATE_IN_PROGRESS</ResourceStatus>\
                 <Timestamp>2026-01-01T00:00:00Z</Timestamp>\
                 <ClientRequestToken>run-1</ClientRequestToken></member></StackEvents>",
            )
        } else {
            let found = stack("canary-network", "canary");
            ok("DescribeStacks", &format!("<Stacks>{found}</Stacks>"))
        }
    })
    .await;
    let id = aws.create(&proposal(), &OPEN).await;
    assert_eq!(id.as_deref(), Ok("arn:canary-network"));
    let mut other = proposal();
    other.token = "run-2".to_owned();
    let error = aws.create(&other, &OPEN).await;
    assert!(matches!(error, Err(CloudError::Conflict(_))), "{error:?}");
}

#[tokio::test]
async fn unreadable_answer_with_a_secret_is_not_quoted() {
    let torn = r#"{"Parameter":{"Value":"hunter2","#;
    let (aws, _asked) = serve(move |_| Answer::Xml(200, torn.to_owned())).await;
    let aws = without_retries(aws);
    let error = aws.secret("/kube-cfn/canary/cp/ca.key").await;
    let error = error.expect_err("not an answer");
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
}

#[tokio::test]
async fn proxy_page_is_shown_short() {
    let page = format!("<html>{}</html>", "Access blocked. ".repeat(200));
    let (aws, _asked) = serve(move |_| Answer::Foreign(400, page.clone())).await;
    let text = aws
        .stacks(None)
        .await
        .expect_err("not an answer")
        .to_string();
    assert!(
        text.contains("HTTP 400 with an answer that AWS would not give: <html>Access blocked."),
        "{text}"
    );
    assert!(text.chars().count() < 260, "{text}");
    assert!(!text.contains("Response {"), "{text}");
}
