//! From a definition to a plan, in stages: survey, Kubernetes versions, stacks, images, comparison, change
//! sets.

use std::collections::BTreeSet;

use semver::Version;

use super::ask;
use super::error::{CommandError, Exit};
use super::lock::{self, Refresh};
use super::objects;
use super::out::eprint;
use super::session::{self, Session};
use crate::access::{self, AccessError, ClusterStacks, Inventory};
use crate::cloud::remote::Remote;
use crate::cloud::{Account, ChangeSetLifetime, Cloud, CloudError, Inspect, LiveStack, Store};
use crate::plan::protection::account;
use crate::plan::versions::{self, RunningVersions, WantedVersions};
use crate::plan::{
    self, Blocked, CheckCode, DriftDetection, Plan, PlanError, PlanOptions, Survey, preflight,
};
use crate::spec::rules;
use crate::stacks::{KEY_ARN, STATE_BUCKET, Stack, StackKind};

/// What is allowed by name, and what is stated because AWS can't tell.
#[derive(clap::Args, Default)]
pub struct ConsentArgs {
    /// Allow this loss, by the name that the plan gives it: a resource that is replaced or deleted with its data, or
    /// STACK/RESOURCE.PROPERTY; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    allow_data_loss: Vec<String>,
    /// When a rollback failed, continue it without this resource; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    skip_resource: Vec<String>,
    /// Set back what was changed outside kube-cfn, and create again what was deleted
    #[arg(long)]
    revert_drift: bool,
    /// State the Kubernetes version of a stack, where the plan says that it is not known; may be repeated
    #[arg(long, value_name = "STACK=VERSION", value_parser = running)]
    pub running: Vec<(StackKind, Version)>,
    /// Skip this check before the first stack, where AWS accepts what it refuses; may be repeated
    #[arg(long, value_name = "CHECK")]
    skip_check: Vec<CheckCode>,
}

impl ConsentArgs {
    pub fn is_empty(&self) -> bool {
        let Self {
            allow_data_loss,
            skip_resource,
            revert_drift,
            running,
            skip_check,
        } = self;
        allow_data_loss.is_empty()
            && skip_resource.is_empty()
            && !revert_drift
            && running.is_empty()
            && skip_check.is_empty()
    }
}

/// `control-plane=1.36.4`.
fn running(text: &str) -> Result<(StackKind, Version), String> {
    let (stack, version) = text.split_once('=').ok_or("expected STACK=VERSION")?;
    let kind = StackKind::parse(stack).filter(StackKind::has_machines);
    let kind = kind.ok_or_else(|| {
        let known = StackKind::examples().filter(StackKind::has_machines);
        let names: Vec<_> = known.map(|kind| kind.to_string()).collect();
        format!("the stacks with machines are {}", names.join(" and "))
    })?;
    let version = version
        .parse()
        .map_err(|_| format!("{version} is not a version such as 1.36.4"))?;
    Ok((kind, version))
}

/// How a plan is made.
pub struct PlanRequest<'a> {
    pub consents: &'a ConsentArgs,
    /// Names the run.
    pub run: &'a str,
    pub images: Refresh,
    pub lifetime: ChangeSetLifetime,
    pub drift: DriftDetection,
}

impl<'a> PlanRequest<'a> {
    /// For a run that follows at once: it looks for drift only in stacks that it would change.
    pub fn new(consents: &'a ConsentArgs, run: &'a str) -> Self {
        Self {
            consents,
            run,
            images: Refresh::Missing,
            lifetime: ChangeSetLifetime::Run,
            drift: if consents.revert_drift {
                DriftDetection::Revert
            } else {
                DriftDetection::ChangedOnly
            },
        }
    }
}

/// Makes a plan with its change sets. The caller executes or discards them; after Ctrl-C they are
/// discarded here.
pub async fn make_plan<C: Cloud + Store + Inspect + Remote + Account>(
    session: &Session<C>,
    request: &PlanRequest<'_>,
) -> Result<Plan, CommandError> {
    let mut work = std::pin::pin!(stages(session, request));
    tokio::select! {
        plan = &mut work => return plan,
        () = ask::interrupted() => {}
    }
    eprint(
        "interrupted: deleting the change sets of this plan; \
         press Ctrl-C again to leave them, they do no harm",
    );
    tokio::select! {
        plan = work => if let Ok(plan) = plan {
            discard_change_sets(&plan, session).await;
        },
        () = ask::interrupted() => {}
    }
    let message = "interrupted; nothing was changed";
    Err(CommandError::new(Exit::Interrupted, message))
}

async fn stages<C: Cloud + Store + Inspect + Remote + Account>(
    session: &Session<C>,
    request: &PlanRequest<'_>,
) -> Result<Plan, CommandError> {
    let consents = request.consents;
    let PlanInputs {
        survey,
        stacks,
        refused,
        running: _,
    } = survey(session, &consents.running).await?;
    // A plan that is refused writes no lock file and looks for no drift.
    let (refresh, detection) = if refused.is_empty() {
        (request.images, request.drift)
    } else {
        (Refresh::Unwritten, DriftDetection::Off)
    };
    let images = lock::locked_images(session, &stacks, refresh).await?;
    let draft = plan::draft(stacks, &survey, &images.ids()).refuse(refused);
    let allow: BTreeSet<String> = consents.allow_data_loss.iter().cloned().collect();
    let skip: BTreeSet<String> = consents.skip_resource.iter().cloned().collect();
    let terms = PlanOptions {
        lifetime: request.lifetime,
        drift: detection,
        ..PlanOptions::new(request.run, &allow, &skip)
    };
    let documents = objects::damaged_documents(session, &survey).await?;
    let mut plan = plan::resolve(draft, &session.cloud, &terms).await?;
    plan.note_damaged(&StackKind::ControlPlane, documents);
    let skip: BTreeSet<CheckCode> = consents.skip_check.iter().copied().collect();
    plan.checks = preflight::preflight(&plan, &session.cloud, &session.identity, &skip).await;
    Ok(plan)
}

/// What exists of a cluster, and the stacks that are wanted, each at the Kubernetes version that it may have.
pub struct PlanInputs {
    pub survey: Survey,
    pub stacks: Vec<Stack>,
    /// What is refused before AWS is asked for change sets: lost authorities, other versions, changes that can't work,
    /// retired engine versions.
    pub refused: Vec<(StackKind, Blocked)>,
    /// What the machines of each stack boot next.
    pub running: RunningVersions,
}

/// Reads what exists and what runs there. `stated` are versions that can't be read.
pub async fn survey<C: Cloud + Store + Inspect + Remote>(
    session: &Session<C>,
    stated: &[(StackKind, Version)],
) -> Result<PlanInputs, CommandError> {
    let spec = session.spec();
    let survey = plan::survey(&session.cloud, &spec.name).await?;
    let listed = list_authorities(&session.cloud, &spec.name, &survey.found).await?;
    let mut running = plan::running::running(&survey, &session.cloud).await?;
    versions::accept_stated(&mut running, stated)?;
    let pools: Vec<&str> = spec.pools.iter().map(|pool| pool.name.as_str()).collect();
    let wanted = WantedVersions {
        cluster: &spec.name,
        region: &spec.region,
        kubernetes: &spec.kubernetes,
        pools: &pools,
        place: &session.defined.line("kubernetes"),
    };
    let decided = versions::decide(wanted, &running);
    // Nothing else counts before this: it comes first.
    let refusal = match listed.refusal() {
        None => match unusable_key(&session.cloud, listed.key.as_deref()).await {
            // A caller who may not look at it plans all the same: `doctor` says that it could not be checked.
            Err(CloudError::Denied { .. }) => None,
            found => found?,
        },
        refusal => refusal,
    };
    let stacks = session::design_at(&session.defined, &decided.versions)?;
    let ranges = plan::ranges::live_ranges(&survey, &stacks, &session.cloud).await?;
    let place = |field: &str| session.defined.line(field);
    let known = plan::changes::LiveValues {
        ranges,
        engines: plan::live::engines(&survey, &stacks, &session.cloud).await?,
    };
    let changed = plan::changes::refusals(&stacks, &survey, &known, &place);
    let retired = plan::engines::refused(&stacks, &survey, &place("database.engineVersion"));
    let added = rules::additions(spec);
    let added = plan::additions::refused(&added, &stacks, &survey, &place);
    let refusal = refusal.map(|why| (StackKind::Base, why));
    Ok(PlanInputs {
        refused: refusal
            .into_iter()
            .chain(decided.refused)
            .chain(changed)
            .chain(retired)
            .chain(added)
            .collect(),
        stacks,
        survey,
        running,
    })
}

/// Why the cluster's key keeps everything from being read.
pub async fn unusable_key(
    cloud: &impl Inspect,
    key: Option<&str>,
) -> Result<Option<Blocked>, CloudError> {
    let Some(key) = key else {
        return Ok(None);
    };
    let state = cloud.key(key).await?;
    Ok(account::unusable_key(key, state))
}

/// The parameters of a cluster's authorities, compared with the stacks that depend on them.
pub async fn list_authorities(
    cloud: &(impl Store + Remote),
    cluster: &str,
    stacks: &[LiveStack],
) -> Result<Inventory, AccessError> {
    let stack = |kind: StackKind| {
        stacks
            .iter()
            .find(move |found| found.kind == kind.to_string())
    };
    let base = stack(StackKind::Base);
    let output = |key| {
        base.and_then(|base| base.outputs.get(key))
            .map(String::as_str)
    };
    let stacks = ClusterStacks {
        cluster,
        key: output(KEY_ARN),
        bucket: output(STATE_BUCKET),
        control_plane: stack(StackKind::ControlPlane),
    };
    access::inventory(cloud, stacks).await
}

/// Deletes change sets that will not be executed. One that stays does no harm: it is only reported.
pub async fn discard_change_sets<C: Cloud>(plan: &Plan, session: &Session<C>) {
    for error in plan::discard(plan, &session.cloud).await {
        eprint(&format!(
            "a change set could not be deleted, it will never be executed: {error}"
        ));
    }
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Cloud(error) => error.into(),
            unknown @ (PlanError::UnknownResource { .. }
            | PlanError::NotStuck { .. }
            | PlanError::VersionNotAsked { .. }) => Self::new(Exit::Usage, unknown),
        }
    }
}

/// All that is refused as one error, with the next step of each; `None` where nothing is.
pub fn refusal(what: &str, refused: &[Blocked]) -> Option<CommandError> {
    let (first, more) = refused.split_first()?;
    if more.is_empty() {
        let message = format!("{what}: {}", first.reason);
        return Some(CommandError::refused(message).help(&first.remedy));
    }
    let line = |why: &Blocked| {
        let Blocked {
            code,
            reason,
            remedy,
            by_guard: _,
        } = why;
        format!("\n  - {code}: {reason}\n    next: {remedy}")
    };
    let lines: String = refused.iter().map(line).collect();
    let count = refused.len();
    Some(CommandError::refused(format!(
        "{what}, for {count} reasons:{lines}"
    )))
}
