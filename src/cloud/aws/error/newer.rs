//! Calls that AWS has and an endpoint may lack, as emulators do.

use std::error::Error;

use aws_sdk_cloudformation::config::http::HttpResponse;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};

use super::super::calls::ApiCall;
use super::{explain, refused};
use crate::cloud::CloudError;

/// Message of the `Refused` that stands for a call which the endpoint does not have.
const NO_SUCH_CALL: &str = "this endpoint does not know the call";

/// As [`explain`], for calls that an endpoint may lack: then it is a `Refused` whose message is
/// [`NO_SUCH_CALL`], whatever status it answers with. Asking again never helps.
pub(in super::super) fn explain_newer<E>(
    api_call: ApiCall<'_>,
    error: &SdkError<E, HttpResponse>,
) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if lacks_call(error) {
        refused(api_call, NO_SUCH_CALL.to_owned())
    } else {
        explain(api_call, error)
    }
}

/// Whether AWS does not know the call or one of its members, as emulators say of newer ones; they
/// also break on them.
pub(in super::super) fn is_unknown_call<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> bool {
    let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
    lacks_call(error)
        || error.code() == Some("InternalFailure")
        || (status >= 500 && error.code().is_none())
}

fn lacks_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
    matches!(
        error.code(),
        Some("InvalidAction" | "UnknownOperationException" | "NotImplemented")
    ) || status == 501
}
