//! `kube-cfn rehearse`: the real plan and the real apply on a simulated AWS, with the real screens. Asks
//! nobody, changes nothing: a newcomer's first minute, an operator's fire drill.

use jiff::Timestamp;

use super::ending::Showing;
use super::failure::{Exit, Failure};
use super::lock::Refresh;
use super::out::{self, talk};
use super::plan::{Allowed, Asking, learned, make, run_id};
use super::session::{self, Defined, Session};
use super::{Global, apply, ask, ending};
use crate::cloud::Cloud;
use crate::definition::lock::{self, Lock};
use crate::progress::Style;
use crate::report::plan::{Detail, Scales, text, view};
use crate::simulated::{Faults, Operation, ResourceFailure, Simulated, SimulationConfig};
use crate::stacks::Stack;

/// The account of a rehearsal whose definition names none.
const ACCOUNT: &str = "111122223333";

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    /// How many seconds pass in one; 0 waits for nothing
    #[arg(long, value_name = "N", default_value_t = 60)]
    speed: u32,
    /// Let this resource fail; may be repeated
    #[arg(long, value_name = "STACK/RESOURCE")]
    fail: Vec<String>,
    /// Let AWS have a bad day: throttling, lost answers, stale and late reads
    #[arg(long)]
    faults: bool,
    /// Play that very course again [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all();
    if args.speed == 0 {
        builder.start_paused(true);
    }
    let runtime = builder.build();
    let runtime = runtime.map_err(|error| Failure::other(format!("failed to start: {error}")))?;
    runtime.block_on(rehearse(global, args))
}

async fn rehearse(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let defined = session::define(global, &args.name)?;
    let stacks = session::design(&defined)?;
    let seed = args.seed.unwrap_or_else(chance);
    let world = world(&defined, &stacks, args, seed)?;
    let cloud = Simulated::new(world);
    let identity = cloud.identity().await?;
    let session = Session {
        defined,
        cloud,
        identity,
    };
    let name = session.spec().name.clone();
    talk(&format!(
        "a rehearsal of `kube-cfn apply {name}` on a simulated AWS: nothing real is asked or changed"
    ));
    let run = run_id();
    let allowed = Allowed::default();
    let asking = Asking {
        refresh: Refresh::Rehearsed,
        ..Asking::new(&allowed, &run)
    };
    let plan = make(&session, &asking).await?;
    let scales = Scales::default();
    let view = view(&plan, &session.identity, &session.defined, &scales);
    out::data(&text(&view, Detail::Short))?;
    drop(view);
    let showing = Showing {
        speed: f64::from(args.speed.max(1)),
        durations: learned(&session),
        ..Showing::plain(args.progress)
    };
    let report = apply::walk(plan, &session, &run, showing, ask::interrupted()).await;
    talk(&format!(
        "that was a rehearsal; `--seed {seed}` plays it again, `kube-cfn apply {name}` is the real thing"
    ));
    ending::exit(&report, &format!("kube-cfn apply {name}"))
}

fn world(
    defined: &Defined,
    stacks: &[Stack],
    args: &Args,
    seed: u64,
) -> Result<SimulationConfig, Failure> {
    let spec = &defined.spec;
    let locked = Lock::read(&lock::path(&defined.path)).ok().flatten();
    let account = locked.map(|lock| lock.account).or(spec.account.clone());
    let failures: Result<Vec<ResourceFailure>, Failure> =
        args.fail.iter().map(|name| failing(name, stacks)).collect();
    Ok(SimulationConfig {
        speed: f64::from(args.speed.max(1)),
        account: account.unwrap_or_else(|| ACCOUNT.to_owned()),
        region: spec.region.clone(),
        failures: failures?,
        faults: if args.faults {
            bad_day()
        } else {
            Faults::default()
        },
        seed,
        ..SimulationConfig::default()
    })
}

/// Chances of a day on which AWS answers badly.
fn bad_day() -> Faults {
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

/// A resource named as `edge/NatGatewayA`, or with the whole name of its stack.
fn failing(name: &str, stacks: &[Stack]) -> Result<ResourceFailure, Failure> {
    let found = name.split_once('/').and_then(|(of, id)| {
        let mut all = stacks.iter();
        let stack = all.find(|stack| stack.name == of || stack.kind.to_string() == of)?;
        stack.sentence(id).is_some().then(|| ResourceFailure {
            stack: stack.name.clone(),
            logical_id: id.to_owned(),
            operation: Operation::Create,
            reason: None,
            times: 1,
        })
    });
    found.ok_or_else(|| {
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
        Failure::new(
            Exit::Usage,
            format!("--fail {name}: there is no such resource"),
        )
        .help(format!("the nearest are {}", ids.join(", ")))
    })
}

/// Another seed each time, short enough to be typed.
fn chance() -> u64 {
    Timestamp::now().as_microsecond().unsigned_abs() % 100_000
}
