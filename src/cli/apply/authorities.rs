//! The cluster's authorities in a run: made before the control plane reads them, copied at its end.

use std::time::Duration;

use crate::access;
use crate::access::copy::{self, COPY_KEY, KeptCopy};
use crate::apply::{Outputs, Prerequisites};
use crate::cli::ask;
use crate::cli::out::eprint;
use crate::cli::session::Session;
use crate::cloud::aws::Aws;
use crate::cloud::remote::Remote;
use crate::cloud::{Cloud, LiveStack, Store};
use crate::common::Clock as _;
use crate::common::text::listed_line;
use crate::operation::Lease;
use crate::plan::Plan;
use crate::stacks::{STATE_BUCKET, StackKind};

/// How long the copy of the authorities may take at the end of a run.
const KEEP_COPY: Duration = Duration::from_mins(2);

/// Makes the cluster's authorities before the control plane reads them.
pub(super) struct Authorities<'a, C> {
    pub cluster: &'a str,
    pub cloud: &'a C,
    /// The control-plane stack as the plan found it.
    pub control_plane: Option<LiveStack>,
}

impl<C: Cloud + Store + Remote> Prerequisites for Authorities<'_, C> {
    async fn prepare(
        &self,
        stack: &StackKind,
        outputs: &Outputs,
    ) -> Result<Option<String>, String> {
        if *stack != StackKind::ControlPlane {
            return Ok(None);
        }
        let base = outputs.get(&StackKind::Base);
        let control_plane = self.control_plane.as_ref();
        let provided =
            access::provide_authorities(self.cloud, self.cluster, base, control_plane).await;
        let provided = provided.map_err(|error| error.to_string())?;
        let made = provided.authorities.created().then_some(
            "created the cluster's certificate authorities, encrypted with its KMS key".to_owned(),
        );
        // Before the first machine: from then on data depends on them.
        let bucket = base.and_then(|outputs| outputs.get(STATE_BUCKET));
        let copied = match bucket {
            Some(bucket) => copy_note(self.cloud, self.cluster, bucket).await,
            None => None,
        };
        let said = made.into_iter().chain(provided.replaced).chain(copied);
        let said: Vec<String> = said.collect();
        Ok((!said.is_empty()).then(|| said.join("; ")))
    }
}

pub(super) fn found_control_plane(plan: &Plan) -> Option<LiveStack> {
    let mut steps = plan.steps.iter();
    let step = steps.find(|step| step.stack.kind == StackKind::ControlPlane)?;
    step.found.clone()
}

/// [`keep_copy`] as long as the lock is held, and no longer than it takes: without the lock its writes wait.
pub(super) async fn keep_copy_under(lease: &Lease<'_, Aws>, session: &Session, outputs: &Outputs) {
    let kept = keep_copy(session, outputs);
    let why = tokio::select! {
        () = lease.hold(|text| eprint(&text), kept) => return,
        () = lease.lost() => "the operation lock is lost".to_owned(),
        () = session.cloud.sleep(KEEP_COPY) => {
            format!("that took more than {} seconds", KEEP_COPY.as_secs())
        }
        () = ask::interrupted() => "interrupted".to_owned(),
    };
    let name = &session.spec().name;
    let text =
        format!("no copy of the authorities was written: {why}; `kube-cfn apply {name}` writes it");
    eprint(&listed_line("", &text));
}

/// A cluster that an earlier version made gets its copy of the authorities too.
async fn keep_copy(session: &Session, outputs: &Outputs) {
    let bucket = outputs
        .get(&StackKind::Base)
        .and_then(|outputs| outputs.get(STATE_BUCKET));
    if let Some(bucket) = bucket
        && let Some(note) = copy_note(&session.cloud, &session.spec().name, bucket).await
    {
        eprint(&listed_line("", &note));
    }
}

/// Writes the copy of the authorities unless there is one; says what came of it. A copy that can't be
/// written stops no run: `doctor` finds that it is missing.
async fn copy_note(cloud: &(impl Store + Remote), cluster: &str, bucket: &str) -> Option<String> {
    match copy::keep_copy(cloud, bucket, cluster).await {
        Ok(KeptCopy::Found) => None,
        Ok(KeptCopy::Written) => Some(format!(
            "wrote a copy of the certificate authorities and keys to s3://{bucket}/{COPY_KEY}"
        )),
        Ok(KeptCopy::Incomplete(missing)) => Some(format!(
            "no copy of the authorities was written: {} missing",
            missing.join(", ")
        )),
        Ok(KeptCopy::Mismatched(names)) => Some(format!(
            "no copy of the authorities was written: {} not of the secrets beside them",
            names.join(", ")
        )),
        Err(error) => Some(format!("no copy of the authorities was written: {error}")),
    }
}
