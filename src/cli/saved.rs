//! Saved plans: `plan --out FILE` writes one, `apply FILE` executes exactly the change sets that it shows.

use std::path::{Path, PathBuf};

use super::Global;
use super::error::{CommandError, Exit};
use super::lock::{self, Refresh};
use super::objects;
use super::out;
use super::planning::{self, PlanInputs, PlanRequest, refusal};
use super::session::{self, Session};
use crate::cloud::aws::Aws;
use crate::common::files::{self, Written};
use crate::definition::lock as lock_file;
use crate::plan::{Action, Blocked, Plan, PlanOrigin, SavedPlan, preflight};
use crate::stacks::StackKind;

/// The mark of a saved plan: a definition never contains it.
const MARK: &str = "\"kube-cfn/plan\"";

/// Reads the saved plan that `name` is the path of; `None` when it names no such file.
pub fn read(name: &str) -> Result<Option<SavedPlan>, CommandError> {
    // A file that is not readable text is no saved plan: it is taken for a definition or a name.
    match files::read_text_or_stream(Path::new(name)) {
        Ok(text) if text.contains(MARK) => {
            let saved = SavedPlan::read(&text);
            saved.map(Some).map_err(|error| {
                CommandError::new(Exit::Usage, format!("{name}: failed to {error}"))
                    .help("`kube-cfn plan NAME --out FILE` writes one")
            })
        }
        _ => Ok(None),
    }
}

/// Whether a plan can be saved: a stack with an operation in progress has no change set yet.
pub fn can_be_saved(plan: &Plan) -> Result<(), CommandError> {
    let unsettled = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::Follow(_) | Action::Continue { .. }))
        .map(|step| step.stack.name.as_str());
    let names: Vec<&str> = unsettled.collect();
    if names.is_empty() {
        return Ok(());
    }
    let message = format!(
        "no plan was saved: the operation on {} has to finish first",
        names.join(", ")
    );
    let cluster = &plan.cluster;
    let help =
        format!("`kube-cfn watch {cluster}` follows it, `kube-cfn apply {cluster}` continues");
    Err(CommandError::new(Exit::NeedsAction, message).help(help))
}

/// Writes a plan into a file, whole or not at all, or into a stream.
pub fn write(
    path: &Path,
    plan: &Plan,
    session: &Session,
    request: &PlanRequest<'_>,
) -> Result<Written, CommandError> {
    let sources = PlanSources::of(session)?;
    let images = sources.images()?;
    let origin = PlanOrigin {
        running: &request.consents.running,
        ..sources.origin(session, request.run, &images)
    };
    let saved = SavedPlan::of(plan, &origin);
    let text = out::json(&saved)?;
    let failed = |error: std::io::Error| {
        CommandError::other(format!("failed to write {}: {error}", path.display()))
    };
    files::output(path, format!("{text}\n"), files::PUBLIC).map_err(failed)
}

/// Opens the definition and account that a saved plan was made for.
pub async fn open(global: &Global, saved: &SavedPlan) -> Result<Session<Aws>, CommandError> {
    let opened = session::open(global, &saved.definition).await;
    opened.map_err(|failure| {
        let was = format!("the plan was made from {}", saved.definition);
        failure.context(&was)
    })
}

/// The plan as it was saved, or every reason why it no longer holds.
pub async fn restore(saved: &SavedPlan, session: &Session) -> Result<Plan, CommandError> {
    let PlanInputs {
        survey,
        stacks,
        refused,
        running: _,
    } = planning::survey(session, &saved.running).await?;
    let refused: Vec<Blocked> = refused.into_iter().map(|(_, why)| why).collect();
    if let Some(error) = refusal(
        "the saved plan no longer holds, nothing was changed",
        &refused,
    ) {
        return Err(error);
    }
    let sources = PlanSources::of(session)?;
    // An image that is no longer locked is a reason too: nothing is written here.
    let images = lock::locked_images(session, &stacks, Refresh::Unwritten)
        .await?
        .ids();
    let origin = sources.origin(session, &saved.run, &images);
    let documents = objects::damaged_documents(session, &survey).await?;
    let plan = saved.restore(stacks, &survey, &origin, &session.cloud);
    let mut plan = plan.await.map_err(|reasons| {
        let name = &session.spec().name;
        let reasons: Vec<String> = reasons.iter().map(|why| format!("\n  - {why}")).collect();
        CommandError::refused(format!(
            "the saved plan no longer holds, nothing was changed:{}",
            reasons.concat()
        ))
        .help(format!(
            "`kube-cfn plan {name} --out FILE` makes a new one; `kube-cfn apply {name}` works \
             without a saved plan"
        ))
    })?;
    plan.note_damaged(&StackKind::ControlPlane, documents);
    // The rest was looked at when the plan was made.
    plan.checks = preflight::names(&plan, &session.cloud).await;
    Ok(plan)
}

/// The files that a plan is made from.
struct PlanSources {
    definition: String,
    definition_text: String,
    lock: PathBuf,
    lock_text: Option<String>,
}

impl PlanSources {
    fn of(session: &Session) -> Result<Self, CommandError> {
        let path = &session.defined.path;
        let lock = lock_file::path(path);
        let failed = |path: &Path, error: &std::io::Error| {
            CommandError::other(format!("failed to read {}: {error}", path.display()))
        };
        let definition_text = files::read_text(path).map_err(|error| failed(path, &error))?;
        let lock_text = match files::read_text(&lock) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&lock, &error)),
        };
        Ok(Self {
            definition: path.display().to_string(),
            definition_text,
            lock,
            lock_text,
        })
    }

    fn images(&self) -> Result<std::collections::BTreeMap<String, String>, CommandError> {
        let lock = lock_file::Lock::read(&self.lock)
            .map_err(|error| CommandError::new(Exit::Definition, error))?;
        Ok(lock.map(|lock| lock.ids()).unwrap_or_default())
    }

    fn origin<'a>(
        &'a self,
        session: &'a Session,
        run: &'a str,
        images: &'a std::collections::BTreeMap<String, String>,
    ) -> PlanOrigin<'a> {
        PlanOrigin {
            account: &session.identity.account,
            region: &session.identity.region,
            run,
            made: jiff::Timestamp::now(),
            tool: env!("CARGO_PKG_VERSION"),
            definition: &self.definition,
            definition_text: &self.definition_text,
            lock_text: self.lock_text.as_deref(),
            images,
            running: &[],
        }
    }
}
