//! `kube-cfn apply`: shows the plan, asks, creates or updates all stacks, writes the kubeconfig, waits
//! for Kubernetes.

use std::path::PathBuf;
use std::time::Duration;

use super::ask::Stop;
use super::ending::Showing;
use super::failure::{Exit, Failure};
use super::out::talk;
use super::plan::{Allowed, Asking, drop_change_sets, learned, make, run_id};
use super::ready::{self, Until, Wait};
use super::session::{self, Session};
use super::{Global, ask, cancel, ending, kubeconfig, saved};
use crate::access::{self, AccessError, Ensured};
use crate::apply::{self, Outputs, Prepare, Report};
use crate::cloud::{Cloud, Store};
use crate::forecast;
use crate::plan::Plan;
use crate::progress::Style;
use crate::report::plan::{Detail, Scales, text, view};
use crate::stacks::{API_HOST, KEY_ARN, OIDC_BUCKET, OIDC_ISSUER, Stack, StackKind};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, the path of its file, or a plan saved by `plan --out`
    #[arg(add = super::completions::definitions(), value_name = "NAME|PLAN")]
    name: String,
    #[command(flatten)]
    allowed: Allowed,
    /// Do not ask: for scripts that looked at the plan before
    #[arg(short, long)]
    yes: bool,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    progress: Style,
    /// Kubeconfig to write [default: as kubectl, $KUBECONFIG or ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    #[command(flatten)]
    wait: Wait,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let saved = saved::read(&args.name)?;
    if saved.is_some() && !args.allowed.is_empty() {
        let message = "a saved plan is applied as it was shown, without further allowances";
        let help = "give them to `kube-cfn plan NAME --out FILE`";
        return Err(Failure::new(Exit::Usage, message).help(help));
    }
    let (session, run, plan) = if let Some(saved) = &saved {
        let session = saved::open(global, saved).await?;
        session.introduce();
        let plan = saved::restore(saved, &session).await?;
        (session, saved.run.clone(), plan)
    } else {
        let session = session::open(global, &args.name).await?;
        session.introduce();
        let run = run_id();
        let plan = make(&session, &Asking::new(&args.allowed, &run)).await?;
        (session, run, plan)
    };
    let scales = Scales {
        durations: learned(&session),
        ..Scales::default()
    };
    show(&plan, &session, &scales);
    if let Err(refused) = agree(&plan, &session, args) {
        // The change sets of a saved plan stay with its file.
        if saved.is_none() {
            drop_change_sets(&plan, &session).await;
        }
        return Err(refused);
    }
    let name = session.spec().name.clone();
    let showing = Showing {
        durations: scales.durations,
        ..Showing::recorded(args.progress, &run, &name, &session.identity, "apply")
    };
    let stop = Stop::default();
    let report = Box::pin(walk(plan, &session, &run, showing, stop.heard())).await;
    if stop.was_heard() {
        cancel::offer(&session.cloud, &name, &run).await;
    }
    finish(global, &session, args, &report).await
}

/// Says what the run would do.
fn show(plan: &Plan, session: &Session, scales: &Scales) {
    let view = view(plan, &session.identity, &session.defined, scales);
    talk(text(&view, Detail::Short).trim_end());
}

/// Whether the plan may be executed as shown.
fn agree(plan: &Plan, session: &Session, args: &Args) -> Result<(), Failure> {
    let name = &session.spec().name;
    if let Some(why) = plan.refused.first() {
        let message = format!("{name}: {}; nothing was changed", why.reason);
        return Err(Failure::refused(message).help(&why.next));
    }
    if plan.is_refused() {
        return Err(Failure::refused(format!(
            "the plan for {name} would lose data; nothing was changed"
        )));
    }
    if plan.blocked().next().is_some() {
        let message = format!("a stack of {name} can't be touched; nothing was changed");
        return Err(Failure::new(Exit::NeedsHand, message));
    }
    if !plan.has_changes() || args.yes {
        return Ok(());
    }
    ask::yes(&format!(
        "Change {name} in account {} now?",
        session.identity.account
    ))
}

/// Executes the plan with its progress shown beside it. The first Ctrl-C detaches.
pub async fn walk<C: Cloud + Store>(
    plan: Plan,
    session: &Session<C>,
    run: &str,
    showing: Showing,
    stop: impl Future<Output = ()>,
) -> Report {
    if !plan.has_changes() {
        return kept(&plan);
    }
    let prepare = Authorities {
        cluster: &session.spec().name,
        cloud: &session.cloud,
    };
    let expected = forecast::estimate(&plan, &showing.durations);
    let stacks: Vec<Stack> = plan.steps.iter().map(|step| step.stack.clone()).collect();
    ending::watched(showing, async |events| {
        let about = apply::Session {
            remaining: &expected.remaining,
            spans: &expected.stacks,
            explain: &|kind, id, path| session.defined.place(&stacks, kind, id, path),
            ..apply::Session::new(run, events)
        };
        apply::run(plan, &session.cloud, &prepare, &about, stop).await
    })
    .await
}

/// The report of a run that has nothing to do.
fn kept(plan: &Plan) -> Report {
    let outputs = plan.steps.iter().filter_map(|step| {
        let found = step.found.as_ref()?;
        Some((step.stack.kind.clone(), found.outputs.clone()))
    });
    Report {
        outputs: outputs.collect(),
        ..Report::default()
    }
}

/// Hands out the kubeconfig after a good end, or says how to go on after another one.
async fn finish(
    global: &Global,
    session: &Session,
    args: &Args,
    report: &Report,
) -> Result<Exit, Failure> {
    let name = &session.spec().name;
    let exit = ending::exit(report, &format!("kube-cfn apply {name}"))?;
    let edge = report.outputs.get(&StackKind::Edge);
    if let Some(host) = edge.and_then(|outputs| outputs.get(API_HOST)) {
        let handed = kubeconfig::hand_out(
            global,
            session,
            host,
            &args.wait.reach,
            args.kubeconfig.as_deref(),
        );
        // The run has taken Ctrl-C over, so it has to be heard here too.
        tokio::select! {
            handed = handed => handed.map_err(|failure| {
                failure
                    .after("the cluster is as defined, only its kubeconfig is not written")
                    .help(format!(
                        "`kube-cfn kubeconfig {name} --exec --file FILE` writes it elsewhere"
                    ))
            })?,
            () = ask::interrupted() => return Err(Failure::new(
                Exit::Interrupted,
                format!("{name} is done; interrupted before its kubeconfig was written"),
            )
            .help(format!("`kube-cfn kubeconfig {name} --exec` writes it"))),
        }
    }
    match edge.and_then(|outputs| outputs.get(API_HOST)) {
        Some(host) if args.wait.until == Until::Ready => {
            ready::wait(session, host, &args.wait, args.progress).await
        }
        _ => Ok(exit),
    }
}

/// Makes the cluster's authorities before the control plane wants to read them, and publishes what AWS
/// checks the tokens of pods by.
struct Authorities<'a, C> {
    cluster: &'a str,
    cloud: &'a C,
}

impl<C: Cloud + Store> Authorities<'_, C> {
    /// Asks again what AWS did not answer: it bears it, as no secret is ever overwritten.
    async fn patiently(
        &self,
        key: &str,
        issuer: (&String, &String),
    ) -> Result<Ensured, AccessError> {
        for seconds in [1, 2, 4, 8] {
            match self.once(key, issuer).await {
                Err(error) if error.is_transient() => {
                    self.cloud.sleep(Duration::from_secs(seconds)).await;
                }
                answer => return answer,
            }
        }
        self.once(key, issuer).await
    }

    async fn once(
        &self,
        key: &str,
        (issuer, bucket): (&String, &String),
    ) -> Result<Ensured, AccessError> {
        let now = self.cloud.now();
        let ensured = access::ensure_authorities(self.cloud, self.cluster, key, now).await?;
        access::publish_issuer(self.cloud, bucket, issuer, &ensured.service_accounts).await?;
        Ok(ensured)
    }
}

impl<C: Cloud + Store> Prepare for Authorities<'_, C> {
    async fn before(&self, stack: &StackKind, outputs: &Outputs) -> Result<Option<String>, String> {
        if *stack != StackKind::ControlPlane {
            return Ok(None);
        }
        let base = |key| outputs.get(&StackKind::Base)?.get(key);
        let key =
            base(KEY_ARN).ok_or("the base stack names no key to keep the authorities under")?;
        let issuer = base(OIDC_ISSUER).zip(base(OIDC_BUCKET));
        let issuer = issuer.ok_or("the base stack names no issuer of the pods' tokens")?;
        let ensured = self.patiently(key, issuer).await;
        let ensured = ensured.map_err(|error| error.to_string())?;
        let told = "the cluster's authorities are made, and kept under its key";
        Ok(ensured.created().then(|| told.to_owned()))
    }
}
