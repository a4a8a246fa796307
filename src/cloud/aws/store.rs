//! Parameters and secrets in SSM, and the door to the buckets. No value of a secret leaves this file
//! but inside a `SecretString`, and no error quotes one.

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::operation::get_parameter::GetParameterError;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use secrecy::{ExposeSecret, SecretString};

use super::error::{Asked, explain, explain_secretly};
use super::{Aws, bucket, ec2};
use crate::cloud::{CloudError, Console, Kept, Store};

/// What one `DeleteParameters` takes.
const BATCH: usize = 10;
/// The longest value of a parameter of the standard tier, in bytes.
const LARGEST: usize = 4096;

impl Store for Aws {
    async fn parameter(&self, name: &str) -> Result<Option<String>, CloudError> {
        read(self, name, Reading::Plain).await
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretString>, CloudError> {
        let value = read(self, name, Reading::Decrypted).await?;
        Ok(value.map(SecretString::from))
    }

    async fn keep_secret(
        &self,
        name: &str,
        secret: &SecretString,
        key: &str,
    ) -> Result<Kept, CloudError> {
        keep(self, name, secret, Some(key)).await
    }

    async fn keep_parameter(&self, name: &str, value: &str) -> Result<Kept, CloudError> {
        keep(self, name, &SecretString::from(value), None).await
    }

    async fn forget_parameters(&self, path: &str) -> Result<Vec<String>, CloudError> {
        let names = names_under(self, path).await?;
        for batch in names.chunks(BATCH) {
            let asked = Asked {
                call: "DeleteParameters",
                of: path,
            };
            let request = self.ssm.delete_parameters();
            let answer = request.set_names(Some(batch.to_vec())).send().await;
            // Names that AWS calls invalid are gone already.
            answer.map_err(|error| explain(asked, &error))?;
        }
        Ok(names)
    }

    async fn upload(&self, bucket: &str, key: &str, bytes: &[u8]) -> Result<(), CloudError> {
        bucket::upload(self, bucket, key, bytes).await
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
enum Reading {
    Plain,
    Decrypted,
}

async fn read(aws: &Aws, name: &str, reading: Reading) -> Result<Option<String>, CloudError> {
    let asked = Asked {
        call: "GetParameter",
        of: name,
    };
    let answer = aws
        .ssm
        .get_parameter()
        .name(name)
        .with_decryption(reading == Reading::Decrypted)
        .send()
        .await;
    match answer {
        Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
        Err(error) => match explain_read(asked, reading, &error) {
            CloudError::NotFound(_) => Ok(None),
            error => Err(error),
        },
    }
}

/// Only an answer that should have been a good one can hold the value: a refusal's words stay.
fn explain_read(
    asked: Asked<'_>,
    reading: Reading,
    error: &SdkError<GetParameterError, HttpResponse>,
) -> CloudError {
    match (reading, error) {
        (Reading::Decrypted, SdkError::ResponseError(_)) => explain_secretly(asked, error),
        _ => explain(asked, error),
    }
}

/// Puts a value unless there is one; under a key it is a `SecureString`.
async fn keep(
    aws: &Aws,
    name: &str,
    value: &SecretString,
    key: Option<&str>,
) -> Result<Kept, CloudError> {
    let asked = Asked {
        call: "PutParameter",
        of: name,
    };
    let size = value.expose_secret().len();
    if size > LARGEST {
        return Err(CloudError::Refused {
            operation: asked.to_string(),
            message: format!("the value has {size} bytes, a standard parameter takes {LARGEST}"),
        });
    }
    let kind = match key {
        Some(_) => ParameterType::SecureString,
        None => ParameterType::String,
    };
    let answer = aws
        .ssm
        .put_parameter()
        .name(name)
        .value(value.expose_secret())
        .r#type(kind)
        .set_key_id(key.map(str::to_owned))
        .tier(ParameterTier::Standard)
        .overwrite(false)
        .send()
        .await;
    match answer {
        Ok(_) => Ok(Kept::Stored),
        Err(error) => match explain_secretly(asked, &error) {
            // Also when an earlier attempt of ours came through and its answer did not: the reader
            // finds our own value then.
            CloudError::Conflict(_) => Ok(Kept::AlreadyThere),
            error => Err(error),
        },
    }
}

/// Sorted. All names are gathered first: deleting between two pages would make pages skip.
async fn names_under(aws: &Aws, path: &str) -> Result<Vec<String>, CloudError> {
    let asked = Asked {
        call: "GetParametersByPath",
        of: path,
    };
    let mut names = Vec::new();
    let mut next = None;
    loop {
        let answer = aws
            .ssm
            .get_parameters_by_path()
            .path(path)
            .recursive(true)
            .with_decryption(false)
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| explain(asked, &error))?;
        let page = answer.parameters.unwrap_or_default();
        names.extend(page.into_iter().filter_map(|parameter| parameter.name));
        next = answer.next_token;
        if next.is_none() {
            names.sort();
            return Ok(names);
        }
    }
}
