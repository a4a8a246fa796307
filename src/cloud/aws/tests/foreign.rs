//! Answers that are not AWS's: a proxy's page, or nothing, under any status. None of them is a verdict.

use super::*;

const PAGE: &str = "<html><body>sign in first</body></html>";

/// A server before which a proxy answers the first request.
async fn intercepted_once(
    (status, page): (u16, &'static str),
    answer: impl Fn() -> Answer + Send + 'static,
) -> (Aws, Receiver<String>) {
    let mut calls = 0;
    serve(move |_| {
        calls += 1;
        if calls == 1 {
            Answer::Foreign(status, page.to_owned())
        } else {
            answer()
        }
    })
    .await
}

#[tokio::test]
async fn read_is_repeated_after_a_foreign_answer() {
    for first in [(200, PAGE), (200, "")] {
        let stacks = || ok("DescribeStacks", "<Stacks></Stacks>");
        let (aws, asked) = intercepted_once(first, stacks).await;
        assert_eq!(aws.stacks(None).await, Ok(Vec::new()), "{first:?}");
        assert_eq!(asked.try_iter().count(), 2);
    }
}

/// The SDK does not read the answer to this call at all: it would take the page for a success.
#[tokio::test]
async fn write_without_a_result_is_repeated_after_a_foreign_answer() {
    for first in [(200, PAGE), (200, ""), (204, "")] {
        let (aws, asked) = intercepted_once(first, || ok("DeleteStack", "")).await;
        assert_eq!(aws.delete("arn:s", "token").await, Ok(()), "{first:?}");
        let sent: Vec<String> = asked.try_iter().collect();
        assert_eq!(sent.len(), 2);
        assert!(
            sent.iter()
                .all(|one| one.contains("ClientRequestToken=token"))
        );
    }
}

#[tokio::test]
async fn missing_parameter_needs_the_word_of_aws() {
    let answers = [
        Answer::Foreign(404, PAGE.to_owned()),
        Answer::Foreign(200, String::new()),
        Answer::Foreign(200, "{}".to_owned()),
        Answer::Xml(200, String::new()),
        Answer::Xml(200, "{}".to_owned()),
    ];
    for answer in answers {
        let mut answer = Some(answer);
        let (aws, _asked) = serve(move |_| answer.take().unwrap_or(Answer::Silence)).await;
        let aws = without_retries(aws);
        let error = aws.parameter("/kube-cfn/canary/cp/ca.crt").await;
        let error = error.expect_err("nobody knows whether it is there");
        assert!(error.is_transient(), "{error:?}");
    }
}

#[tokio::test]
async fn missing_object_needs_the_word_of_aws() {
    let (aws, _asked) = serve(|_| Answer::Foreign(404, PAGE.to_owned())).await;
    let error = aws.object("bucket", "key").await;
    assert!(error.expect_err("nobody knows").is_transient());
}
