//! The REST protocol of S3 Control and Route 53: a method, a path and XML.

use super::{Protocol, Tries, Unsigned, ask, xml};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::ApiCall;

/// What is asked of a REST API.
#[derive(Debug, Clone, Copy)]
pub(in crate::cloud::aws) struct Rest<'a> {
    pub(in crate::cloud::aws) method: &'static str,
    /// With the query, in percent-encoding, without the slash at its beginning.
    pub(in crate::cloud::aws) path: &'a str,
    /// XML; empty for a read.
    pub(in crate::cloud::aws) body: &'a str,
}

/// Asks an API whose answers are named after its calls; the answer is XML.
pub(in crate::cloud::aws) async fn rest(
    aws: &Aws,
    tries: Tries,
    api_call: ApiCall<'_>,
    wanted: Rest<'_>,
) -> Result<String, CloudError> {
    let request = || {
        let has_body = !wanted.body.is_empty();
        let content = has_body.then(|| ("content-type", "application/xml".to_owned()));
        Unsigned {
            method: wanted.method,
            path: wanted.path.to_owned(),
            account: String::new(),
            headers: content.into_iter().collect(),
            body: wanted.body.to_owned(),
        }
    };
    let protocol = Protocol {
        refusal: xml::refusal,
        is_answer: xml::is_answer,
    };
    ask(aws, tries, api_call, request, protocol).await
}

/// Gets what lies at a path of S3 Control's API about an account; the answer is XML.
pub(in crate::cloud::aws) async fn of_account(
    aws: &Aws,
    tries: Tries,
    api_call: ApiCall<'_>,
    account: &str,
    path: &'static str,
) -> Result<String, CloudError> {
    let request = || Unsigned {
        method: "GET",
        path: path.to_owned(),
        account: account.to_owned(),
        headers: vec![("x-amz-account-id", account.to_owned())],
        body: String::new(),
    };
    let protocol = Protocol {
        refusal: xml::refusal,
        is_answer: |_, text| text.contains("<PublicAccessBlockConfiguration"),
    };
    ask(aws, tries, api_call, request, protocol).await
}
