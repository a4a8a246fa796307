//! Parameters and secrets in SSM, and the way to the buckets. No value of a secret leaves this file
//! but inside a `SecretString`, and no error quotes one.

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_sdk_ssm::types::{ParameterStringFilter, ParameterTier, ParameterType};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::calls::{ApiCall, all_pages};
use super::error::{explain, explain_secretly, unanswered};
use super::{Aws, bucket, ec2};
use crate::cloud::limiter::Service;
use crate::cloud::{
    CloudError, Console, ParameterSummary, PutResult, Store, StoredContent, UploadedObject,
};

/// What one `DeleteParameters` takes.
const BATCH: usize = 10;
/// The longest value of a parameter of the standard tier, in bytes.
const LARGEST: usize = 4096;
/// AWS's own key for parameters.
const DEFAULT_KEY: &str = "alias/aws/ssm";

impl Store for Aws {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        read(self, name, ValueKind::Plain).await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        let value = read(self, name, ValueKind::Decrypted).await?;
        Ok(value.map(SecretString::from))
    }

    async fn put_secret_if_absent(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<PutResult, CloudError> {
        put_if_absent(self, name, secret, Some(key)).await
    }

    async fn put_parameter_if_absent(
        &self,
        name: &str,
        value: &str,
    ) -> Result<PutResult, CloudError> {
        put_if_absent(self, name, &SecretString::from(value), None).await
    }

    async fn parameters_under(&self, path: &str) -> Result<Vec<ParameterSummary>, CloudError> {
        summaries_under(self, path).await
    }

    async fn delete_parameters_under(
        &self,
        path: &str,
        except: Option<&str>,
    ) -> Result<Vec<String>, CloudError> {
        let mut names = names_under(self, path).await?;
        names.retain(|name| Some(name.as_str()) != except);
        for batch in names.chunks(BATCH) {
            let api_call = ApiCall::new(Service::Ssm, "DeleteParameters", path);
            let request = self.ssm.delete_parameters();
            let request = request.set_names(Some(batch.to_vec()));
            // Names that AWS calls invalid are gone already.
            self.ask(api_call, request.send()).await?;
        }
        Ok(names)
    }

    async fn upload(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<UploadedObject, CloudError> {
        bucket::upload(self, bucket, key, bytes).await
    }

    async fn compare_object(
        &self,
        bucket: &str,
        key: &str,
        bytes: &[u8],
    ) -> Result<StoredContent, CloudError> {
        bucket::compare(self, bucket, key, bytes).await
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        bucket::read(self, bucket, key).await
    }

    async fn empty_bucket(&self, bucket: &str) -> Result<usize, CloudError> {
        bucket::empty(self, bucket).await
    }

    async fn console(&self, group: &str) -> Result<Option<Console>, CloudError> {
        ec2::console(self, group).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueKind {
    Plain,
    Decrypted,
}

async fn read(aws: &Aws, name: &str, kind: ValueKind) -> Result<Option<String>, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "GetParameter", name);
    let request = aws.ssm.get_parameter().name(name);
    let request = request.with_decryption(kind == ValueKind::Decrypted);
    match aws.send(api_call, request.send()).await {
        Ok(answer) => match answer.parameter.and_then(|parameter| parameter.value) {
            Some(value) => Ok(Some(value)),
            // AWS says in so many words that there is none.
            None => Err(unanswered(api_call, "the answer holds no parameter")),
        },
        Err(error) => match explain_read(api_call, kind, &error) {
            CloudError::NotFound(_) => Ok(None),
            error => Err(error),
        },
    }
}

/// Only an answer that should have been a good one can hold the value: a refusal's words stay.
fn explain_read(
    api_call: ApiCall<'_>,
    kind: ValueKind,
    error: &SdkError<GetParameterError, HttpResponse>,
) -> CloudError {
    match (kind, error) {
        (ValueKind::Decrypted, SdkError::ResponseError(_)) => explain_secretly(api_call, error),
        _ => explain(api_call, error),
    }
}

/// Puts a value unless there is one; under a key it is a `SecureString`.
async fn put_if_absent(
    aws: &Aws,
    name: &str,
    value: &SecretString,
    key: Option<&str>,
) -> Result<PutResult, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "PutParameter", name);
    let size = value.expose_secret().len();
    if size > LARGEST {
        return Err(CloudError::Refused {
            operation: api_call.to_string(),
            message: format!("the value has {size} bytes, a standard parameter takes {LARGEST}"),
        });
    }
    let kind = match key {
        Some(_) => ParameterType::SecureString,
        None => ParameterType::String,
    };
    let request = aws
        .ssm
        .put_parameter()
        .name(name)
        .value(value.expose_secret())
        .r#type(kind)
        .set_key_id(key.map(str::to_owned))
        .tier(ParameterTier::Standard)
        .overwrite(false);
    match aws.send(api_call, request.send()).await {
        Ok(_) => Ok(PutResult::Stored),
        Err(error) => match explain_secretly(api_call, &error) {
            // Also when an earlier attempt of ours came through and its answer did not: the reader
            // finds our own value then.
            CloudError::Conflict(_) => Ok(PutResult::AlreadyThere),
            error => Err(error),
        },
    }
}

/// Sorted. All names are gathered first: deleting between two pages would make pages skip.
async fn names_under(aws: &Aws, path: &str) -> Result<Vec<String>, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "GetParametersByPath", path);
    let all = all_pages(async |next| {
        let request = aws.ssm.get_parameters_by_path().path(path);
        let request = request
            .recursive(true)
            .with_decryption(false)
            .set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        if page.parameters.is_none() {
            return Err(unanswered(api_call, "the answer holds no list"));
        }
        Ok((page.parameters, page.next_token))
    })
    .await?;
    let names = all.into_iter().filter_map(|parameter| parameter.name);
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}

/// Sorted. Only `DescribeParameters` says which key a secret is under.
async fn summaries_under(aws: &Aws, path: &str) -> Result<Vec<ParameterSummary>, CloudError> {
    let api_call = ApiCall::new(Service::Ssm, "DescribeParameters", path);
    let below = ParameterStringFilter::builder()
        .key("Path")
        .option("Recursive")
        .values(path.trim_end_matches('/'))
        .build()
        .map_err(|error| CloudError::Refused {
            operation: api_call.to_string(),
            message: error.to_string(),
        })?;
    let all = all_pages(async |next| {
        let request = aws.ssm.describe_parameters();
        let request = request
            .parameter_filters(below.clone())
            .set_next_token(next);
        let page = aws.ask(api_call, request.send()).await?;
        Ok((page.parameters, page.next_token))
    })
    .await?;
    let summary = |found: aws_sdk_ssm::types::ParameterMetadata| {
        let secret = found.r#type == Some(ParameterType::SecureString);
        let key = found.key_id.filter(|_| secret);
        Some(ParameterSummary {
            name: found.name?,
            // A secret that names no key is under AWS's own.
            key: key.or_else(|| secret.then(|| DEFAULT_KEY.to_owned())),
            written: Timestamp::from_second(found.last_modified_date?.secs()).ok()?,
        })
    };
    let mut found: Vec<_> = all.into_iter().filter_map(summary).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
