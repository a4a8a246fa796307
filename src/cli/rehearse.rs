//! `kube-cfn rehearse`: the real plan and the real apply on a simulated AWS, with the real screens, to try
//! the tool and to practise an incident. Asks no questions and changes nothing.

use jiff::Timestamp;

use super::error::{CommandError, Exit};
use super::lock::Refresh;
use super::out::{self, eprint};
use super::planning::{ConsentArgs, PlanRequest, make_plan};
use super::run::{self, ProgressOptions, learned_durations, run_id};
use super::session::{self, Session};
use super::{Global, apply, ask};
use crate::catalog::boot_causes;
use crate::cloud::{Cloud, Limited};
use crate::common::text::listed_line;
use crate::definition::Defined;
use crate::definition::lock::{self, Lock};
use crate::progress::Style;
use crate::report::plan::{ForecastInputs, PlanDetail, text, view};
use crate::simulated::{self, Faults, Operation, ResourceFailure, Simulated, SimulationConfig};
use crate::stacks::{Stack, StackKind};

/// The account of a rehearsal whose definition names none.
const ACCOUNT: &str = "111122223333";

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    /// Simulated seconds per real second; 0 does not wait at all
    #[arg(long, value_name = "N", default_value_t = 60)]
    speed: u32,
    /// Make this resource fail; may be repeated. A group of machines fails to boot for the cause that is named
    /// (`control-plane/SlotA=image-pull`), or to launch for `=quota`
    #[arg(long, value_name = "STACK/RESOURCE[=CAUSE]")]
    fail: Vec<String>,
    /// Inject throttling, lost and stale answers
    #[arg(long)]
    faults: bool,
    /// Repeat the run with this seed [default: a new one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if args.speed == 0 {
        builder.start_paused(true);
    }
    let runtime = builder.build();
    let runtime =
        runtime.map_err(|error| CommandError::other(format!("failed to start: {error}")))?;
    runtime.block_on(rehearse(global, args))
}

async fn rehearse(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let defined = session::load_definition(global, &args.name)?;
    let stacks = session::design(&defined)?;
    let seed = args.seed.unwrap_or_else(random_seed);
    let config = simulation_config(&defined, &stacks, args, seed)?;
    let cloud = Limited::new(Simulated::new(config));
    let identity = cloud.identity().await?;
    let session = Session {
        defined,
        cloud,
        identity,
    };
    let name = session.spec().name.clone();
    let about = format!(
        "rehearsal of `kube-cfn apply {name}` on a simulated AWS: nothing real is read or changed"
    );
    eprint(&listed_line("", &about));
    let run = run_id();
    let consents = ConsentArgs::default();
    let request = PlanRequest {
        images: Refresh::Unwritten,
        ..PlanRequest::new(&consents, &run)
    };
    let plan = make_plan(&session, &request).await?;
    let inputs = ForecastInputs::default();
    let view = view(&plan, &session.identity, &session.defined, &inputs);
    out::text(&text(&view, PlanDetail::Short))?;
    drop(view);
    let options = ProgressOptions {
        speed: f64::from(args.speed.max(1)),
        durations: learned_durations(&session, &plan),
        ..ProgressOptions::plain(args.progress)
    };
    let report = apply::execute_plan(plan, &session, &run, options, None, ask::interrupted()).await;
    let next = format!(
        "this was a rehearsal; `--seed {seed}` repeats it, `kube-cfn apply {name}` is the real run"
    );
    eprint(&listed_line("", &next));
    run::exit(&report, &format!("kube-cfn apply {name}"))
}

fn simulation_config(
    defined: &Defined,
    stacks: &[Stack],
    args: &Args,
    seed: u64,
) -> Result<SimulationConfig, CommandError> {
    let spec = &defined.spec;
    let locked = Lock::read(&lock::path(&defined.path)).ok().flatten();
    let account = locked.map(|lock| lock.account).or(spec.account.clone());
    let failures: Result<Vec<ResourceFailure>, CommandError> = args
        .fail
        .iter()
        .map(|name| resource_failure(name, stacks))
        .collect();
    Ok(SimulationConfig {
        speed: f64::from(args.speed.max(1)),
        account: account.unwrap_or_else(|| ACCOUNT.to_owned()),
        region: spec.region.clone(),
        failures: failures?,
        faults: if args.faults {
            injected_faults()
        } else {
            Faults::default()
        },
        seed,
        ..SimulationConfig::default()
    })
}

/// The chances of `--faults`.
fn injected_faults() -> Faults {
    Faults {
        throttle: 0.1,
        lost_answer: 0.05,
        unreachable: 0.05,
        stale_read: 0.2,
        late_events: 0.2,
        duplicate_pages: 0.1,
        reorder: 0.1,
        ..Faults::default()
    }
}

/// A resource named as `edge/NatGatewayA`, or with the whole name of its stack; behind `=` a cause.
fn resource_failure(name: &str, stacks: &[Stack]) -> Result<ResourceFailure, CommandError> {
    let (name, cause) = match name.split_once('=') {
        Some((name, cause)) => (name, Some(cause)),
        None => (name, None),
    };
    let found = name.split_once('/').and_then(|(of, id)| {
        let mut all = stacks.iter();
        let stack = all.find(|stack| stack.name == of || stack.kind.to_string() == of)?;
        stack.description(id).is_some().then_some((stack, id))
    });
    if let Some((stack, id)) = found {
        let cause = cause.map(|cause| boot_cause(name, cause, stack, id));
        return Ok(ResourceFailure {
            stack: stack.name.clone(),
            logical_id: id.to_owned(),
            operation: Operation::Create,
            reason: None,
            boot: cause.transpose()?,
            times: 1,
        });
    }
    Err(no_such_resource(name, stacks))
}

/// The code of a cause that the machines of a group can fail for.
fn boot_cause(
    name: &str,
    cause: &str,
    stack: &Stack,
    id: &str,
) -> Result<&'static str, CommandError> {
    let group = &stack.template["Resources"][id];
    let signals = group["CreationPolicy"]["ResourceSignal"].is_object();
    let refused = |text: String, help: String| {
        Err(CommandError::new(Exit::Usage, format!("--fail {name}={cause}: {text}")).help(help))
    };
    if !signals {
        return refused(
            "only groups of machines that signal their boot have causes".to_owned(),
            format!("`--fail {name}` makes it fail as this type of resource usually does"),
        );
    }
    let codes = || {
        let codes = boot_causes::all().map(|cause| cause.code.as_str());
        codes.chain([simulated::QUOTA])
    };
    let control_plane = stack.kind == StackKind::ControlPlane;
    let befalls =
        |code: &str| boot_causes::by_code(code).is_none_or(|cause| cause.befalls(control_plane));
    match codes().find(|code| *code == cause) {
        Some(code) if befalls(code) => Ok(code),
        Some(_) => refused(
            "these machines can't have this cause".to_owned(),
            format!(
                "theirs are {}",
                codes()
                    .filter(|code| befalls(code))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        ),
        None => refused(
            "there is no such cause".to_owned(),
            format!("the causes are {}", codes().collect::<Vec<_>>().join(", ")),
        ),
    }
}

fn no_such_resource(name: &str, stacks: &[Stack]) -> CommandError {
    let ids = stacks.iter().flat_map(|stack| {
        let kind = &stack.kind;
        stack.resources().map(move |(id, _)| format!("{kind}/{id}"))
    });
    let mut ids: Vec<String> = ids.collect();
    ids.sort_by(|a, b| {
        let likeness = |one: &str| strsim::jaro_winkler(one, name);
        likeness(b).total_cmp(&likeness(a))
    });
    ids.truncate(3);
    CommandError::new(
        Exit::Usage,
        format!("--fail {name}: there is no such resource"),
    )
    .help(format!("the nearest are {}", ids.join(", ")))
}

/// A new seed each time, short enough to type.
fn random_seed() -> u64 {
    Timestamp::now().as_microsecond().unsigned_abs() % 100_000
}
