//! Which deprecated APIs are really asked for, as each control-plane node's own API server has counted it. Must not know what
//! follows from it.

use futures::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{EtcdError, Members, Slot};
use crate::cloud::remote::{Program, Remote, RemoteCommand};

/// Requests to deprecated APIs that one API server has had: its metric `apiserver_requested_deprecated_apis` says which, not
/// how many and not whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequests {
    /// When the API server started: it knows nothing of before.
    pub since: Timestamp,
    pub deprecated: Vec<DeprecatedApi>,
}

/// An API that was asked for and is deprecated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeprecatedApi {
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    pub resource: String,
    /// The minor that does not serve it any more, `1.37`; empty where none is planned.
    pub removed_in: String,
}

impl DeprecatedApi {
    /// `GROUP/VERSION`, as manifests write it.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// What the API server of every control-plane node was asked for, or why that is not known; all are asked at the same time.
pub async fn api_requests<R: Remote>(
    members: &Members<'_, R>,
) -> Vec<(char, Result<ApiRequests, String>)> {
    let read = members
        .slots
        .iter()
        .map(async |slot| (slot.letter(), of_slot(members, slot).await));
    join_all(read).await
}

async fn of_slot<R: Remote>(members: &Members<'_, R>, slot: &Slot) -> Result<ApiRequests, String> {
    let command = RemoteCommand::new(Program::ApiRequests);
    let answer = members.run_program(slot, "read the requests to the API", &command);
    match answer.await {
        Ok(answer) => Ok(ApiRequests {
            since: answer
                .started
                .ok_or("its program does not say since when it counts")?,
            deprecated: answer.deprecated,
        }),
        Err(EtcdError::NoProgram { instance, .. }) => Err(format!(
            "{instance} has older boot files, without the program for it: apply, then roll the control plane"
        )),
        Err(EtcdError::Cloud { source, .. }) => Err(source.to_string()),
        Err(EtcdError::Refused { reason, .. }) => Err(reason),
        Err(error) => Err(error.to_string()),
    }
}
