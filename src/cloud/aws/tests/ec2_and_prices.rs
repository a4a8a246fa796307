//! EC2's consoles and AWS's price list.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn machine(id: &str, time: &str) -> String {
    format!(
        "<item><instancesSet><item><instanceId>{id}</instanceId><launchTime>{time}</launchTime></item>\
         </instancesSet></item>"
    )
}

fn machines(inside: &str) -> Answer {
    let body = format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">{inside}\
         </DescribeInstancesResponse>"
    );
    Answer::Xml(200, body)
}

fn said(text: &str) -> Answer {
    let output = STANDARD.encode(text);
    let body =
        format!("<GetConsoleOutputResponse><output>{output}</output></GetConsoleOutputResponse>");
    Answer::Xml(200, body)
}

fn not_nitro() -> Answer {
    let error = "<Code>UnsupportedOperation</Code><Message>not on this instance type</Message>";
    let body = format!("<Response><Errors><Error>{error}</Error></Errors></Response>");
    Answer::Xml(400, body)
}

#[tokio::test]
async fn console_falls_back_when_the_latest_output_is_unavailable() {
    let (aws, asked) = serve(|asked| {
        if asked.contains("Action=DescribeInstances") && asked.contains("NextToken=two") {
            let set = machine("i-old", "2026-11-23T09:00:00Z");
            machines(&format!("<reservationSet>{set}</reservationSet>"))
        } else if asked.contains("Action=DescribeInstances") {
            let set = machine("i-new", "2026-11-23T10:00:00Z");
            machines(&format!(
                "<reservationSet>{set}</reservationSet><nextToken>two</nextToken>"
            ))
        } else if asked.contains("Latest=true") {
            not_nitro()
        } else {
            said("\x1b[1mcloud-init\x1b[0m: 403 pulling the image\r\n\r\nlogin: ")
        }
    })
    .await;
    let console = aws.console("canary-workers").await.expect("read");
    let console = console.expect("it said something");
    assert_eq!(console.instance, "i-new");
    assert_eq!(
        console.lines,
        ["cloud-init: 403 pulling the image", "login:"]
    );
    let request = asked.recv().expect("a request");
    assert!(
        request.contains("Filter.1.Name=tag%3Aaws%3Aautoscaling%3AgroupName")
            && request.contains("Filter.1.Value.1=canary-workers"),
        "{request}"
    );
}

#[tokio::test]
async fn console_is_none_without_instance_or_output() {
    let (aws, _asked) = serve(|asked| {
        if asked.contains("Action=GetConsoleOutput") {
            said("")
        } else if asked.contains("Value.1=empty") {
            machines("<reservationSet/>")
        } else {
            let set = machine("i-1", "2026-11-23T09:00:00Z");
            machines(&format!("<reservationSet>{set}</reservationSet>"))
        }
    })
    .await;
    assert_eq!(aws.console("empty").await, Ok(None));
    assert_eq!(aws.console("silent").await, Ok(None));
}

#[tokio::test]
async fn console_is_requested_at_most_twice() {
    let (aws, asked) = serve(|_| Answer::Xml(503, "busy".to_owned())).await;
    let error = aws.console("group").await.expect_err("no answer");
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(asked.try_iter().count(), 2);
}

#[tokio::test]
async fn price_is_the_lowest_of_all_pages() {
    let product = |price: &str| {
        serde_json::json!({"terms": {"OnDemand": {"X": {"priceDimensions": {"Y": {
            "unit": "Hrs", "pricePerUnit": {"USD": price}}}}}}})
        .to_string()
    };
    let (aws, asked) = serve(move |asked| {
        let answer = if asked.contains("nowhere") {
            serde_json::json!({"PriceList": []})
        } else if asked.contains("two") {
            serde_json::json!({"PriceList": [product("0.0376"), product("0.0000")]})
        } else {
            serde_json::json!({"PriceList": [product("0.0500")], "NextToken": "two"})
        };
        Answer::Xml(200, answer.to_string())
    })
    .await;
    let filters = [("instanceType", "t4g.medium"), ("regionCode", "eu-west-1")];
    let price = aws.price("AmazonEC2", &filters).await.expect("answered");
    assert_eq!(price.map(|usd| (usd * 10_000.0).round()), Some(376.0));
    let request: serde_json::Value =
        serde_json::from_str(&asked.recv().expect("a request")).expect("JSON");
    assert_eq!(
        request["Filters"][0],
        serde_json::json!({"Type": "TERM_MATCH", "Field": "instanceType", "Value": "t4g.medium"})
    );
    let none = aws.price("AmazonEC2", &[("regionCode", "nowhere")]).await;
    assert_eq!(none, Ok(None));
}
