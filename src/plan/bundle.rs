//! Reading the bundle that the machines of a stack boot from: it says what older stacks have no output for.

use super::{Survey, status};
use crate::cloud::{CloudError, LiveStack, StackStatus, Store};
use crate::stacks::{STATE_BUCKET, StackKind, versions};

/// Why a value of a stack is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub reason: String,
    /// The step that makes it known.
    pub remedy: Option<String>,
}

/// When the bundle that a template names says what the machines have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Where the template on record is certainly the one in force: an update that was rolled back may have had another
    /// value.
    InForce,
    /// Where nothing moves: no template of this tool ever changed the value.
    AtRest,
}

impl Trust {
    fn covers(self, status: &StackStatus) -> bool {
        status::template_in_force(status)
            || match self {
                Self::InForce => false,
                Self::AtRest => !status.is_in_progress(),
            }
    }
}

/// Reads what the bundle of a stack says, by `read` from its key and its bytes. `output` is what newer stacks put out in
/// its place.
///
/// # Errors
/// The store did not answer. An object that is not there, or may not be read, is [`Unknown`].
pub(super) async fn read<T>(
    survey: &Survey,
    found: &LiveStack,
    store: &impl Store,
    (output, trust): (&str, Trust),
    read: impl Fn(&str, &[u8]) -> Option<T>,
) -> Result<Result<T, Unknown>, CloudError> {
    let unknown = |reason: String, remedy: Option<String>| Ok(Err(Unknown { reason, remedy }));
    let name = &found.name;
    if !trust.covers(&found.status) {
        let watch = format!("`kube-cfn watch {}` follows it to its end", survey.cluster);
        let why = format!(
            "{name} has no output {output}, and in {} its template may not be what runs",
            found.status
        );
        return unknown(why, found.status.is_in_progress().then_some(watch));
    }
    let template = survey.templates.get(&found.id);
    let Some(key) = template.and_then(versions::bundle_key) else {
        let why = format!("{name} has no output {output}, and its template no bundle");
        return unknown(why, None);
    };
    let base = survey.named(&StackKind::Base.stack_name(&survey.cluster));
    let Some(bucket) = base.and_then(|base| base.outputs.get(STATE_BUCKET)) else {
        return unknown("the base stack names no state bucket".to_owned(), None);
    };
    let place = format!("s3://{bucket}/{key}");
    let restore = format!("restore {place}: new machines of {name} need it too");
    match store.object(bucket, key).await {
        Ok(Some(bytes)) => match read(key, &bytes) {
            Some(value) => Ok(Ok(value)),
            None => unknown(format!("{place} is no bundle of that name"), Some(restore)),
        },
        Ok(None) => unknown(format!("{place} is not there"), Some(restore)),
        Err(error @ (CloudError::Denied { .. } | CloudError::Refused { .. })) => {
            let next =
                "ask for the IAM actions s3:GetObject on it and kms:Decrypt on the cluster's key"
                    .to_owned();
            unknown(format!("{place} can't be read: {error}"), Some(next))
        }
        Err(error) => Err(error),
    }
}
