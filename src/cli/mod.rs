//! The command line: flags, the order of the stages of each command, confirmation, exit codes. One file a
//! command. Knows no SDK, no Tera, no YAML, and formats no reports.

mod access;
mod api_access;
mod api_objects;
mod apply;
mod ask;
mod cancel;
mod certs;
mod cluster;
mod completions;
mod credential;
mod delete;
mod diagnose;
mod doctor;
mod error;
mod etcd;
mod guard;
mod identity;
mod kubeconfig;
mod left;
mod list;
mod lock;
mod new;
mod objects;
mod operation;
mod out;
mod plan;
mod planning;
mod ready;
mod rehearse;
mod render;
mod roll;
mod run;
mod saved;
mod schema;
mod session;
mod signals;
mod status;
#[cfg(test)]
mod tests;
mod timeline;
mod upgrade;
mod validate;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use error::{CommandError, Exit};

/// Kubernetes clusters on AWS from a short definition, through CloudFormation.
///
/// A definition in clusters/NAME.yaml becomes a handful of CloudFormation stacks. Nothing changes
/// without a shown plan and a confirmation; if a run is interrupted, re-run the same command to finish it.
#[derive(Parser)]
#[command(
    name = "kube-cfn",
    version,
    max_term_width = 100,
    after_long_help = error::EXIT_CODES
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Where definitions are, unless something else is said.
const DEFAULT_CLUSTERS: &str = "clusters";

/// Flags that every command takes.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Directory that holds the definitions
    #[arg(
        long,
        global = true,
        default_value = DEFAULT_CLUSTERS,
        value_name = "DIR",
        env = "KUBE_CFN_CLUSTERS"
    )]
    clusters: PathBuf,
    /// AWS profile [default: the environment's]
    #[arg(long, global = true, value_name = "PROFILE")]
    profile: Option<String>,
    /// Log AWS API calls to stderr
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write a commented definition
    New(new::Args),
    /// List the definitions, and the clusters in AWS
    List(list::Args),
    /// Check definitions, without AWS
    Validate(validate::Args),
    /// Resolve the machine images into NAME.lock.yaml
    Lock(lock::Args),
    /// Write the stacks' templates, without AWS
    Render(render::Args),
    /// Show what apply would do
    Plan(plan::Args),
    /// Create or update the cluster and write a kubeconfig
    Apply(apply::Args),
    /// Replace machines: outdated ones, or a sick one
    Roll(roll::Args),
    /// Check what stands against an upgrade of Kubernetes, and show its phases
    Upgrade(upgrade::Args),
    /// Run plan and apply on a simulated AWS, without any account
    Rehearse(rehearse::Args),
    /// Follow the operations that run on the cluster's stacks
    Watch(watch::Args),
    /// Show cluster status: stacks, nodes, certificates
    Status(status::Args),
    /// Show why the last operation on a stack failed
    Diagnose(diagnose::Args),
    /// Show the last run as a chart
    Timeline(timeline::Args),
    /// Check what protects the cluster's data
    Doctor(doctor::Args),
    /// Write a kubeconfig, with a short-lived certificate or with a credential plugin
    Kubeconfig(kubeconfig::Args),
    /// Print a credential for kubectl, as its credential plugin
    Credential(credential::Args),
    /// Grant CI access: a role in one namespace and a certificate for it
    Access(access::Args),
    /// Show the certificates of the cluster
    Certs(certs::Args),
    /// Take, list and restore etcd snapshots; replace a member
    Etcd(etcd::Args),
    /// Delete the cluster
    Delete(delete::Args),
    /// Print the JSON Schema of definitions
    Schema(schema::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
}

/// Runs the program: parses, runs, prints the failure, returns the exit code.
pub fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(Cli::command).complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage_error(&error),
    };
    if cli.global.verbose {
        out::start_log();
    }
    signals::run(move || match run(&cli) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print();
            failure.exit
        }
    })
}

fn run(cli: &Cli) -> Result<Exit, CommandError> {
    let global = &cli.global;
    match &cli.command {
        Command::New(args) => new::run(global, args),
        Command::List(args) => block_on(list::run(global, args)),
        Command::Validate(args) => validate::run(global, args),
        Command::Lock(args) => block_on(lock::run(global, args)),
        Command::Render(args) => render::run(global, args),
        Command::Plan(args) => block_on(plan::run(global, args)),
        Command::Apply(args) => block_on(apply::run(global, args)),
        Command::Roll(args) => block_on(roll::run(global, args)),
        Command::Upgrade(args) => block_on(upgrade::run(global, args)),
        Command::Rehearse(args) => rehearse::run(global, args),
        Command::Status(args) => block_on(status::run(global, args)),
        Command::Watch(args) => block_on(watch::run(global, args)),
        Command::Diagnose(args) => block_on(diagnose::run(global, args)),
        Command::Timeline(args) => block_on(timeline::run(global, args)),
        Command::Doctor(args) => block_on(doctor::run(global, args)),
        Command::Kubeconfig(args) => block_on(kubeconfig::run(global, args)),
        Command::Credential(args) => block_on(credential::run(global, args)),
        Command::Access(args) => block_on(access::run(global, args)),
        Command::Certs(args) => block_on(certs::run(global, args)),
        Command::Etcd(args) => block_on(etcd::run(global, args)),
        Command::Delete(args) => block_on(delete::run(global, args)),
        Command::Schema(args) => schema::run(args),
        Command::Completions(args) => completions::run(args),
    }
}

/// Runs a command that calls AWS, on one thread. The other commands start no runtime.
fn block_on(work: impl Future<Output = Result<Exit, CommandError>>) -> Result<Exit, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| CommandError::other(format!("failed to start: {error}")))?;
    let end = runtime.block_on(work);
    // Dropping the runtime waits for its threads: a DNS lookup that hangs would delay the end of a detached run.
    runtime.shutdown_background();
    end
}

/// Help and version are an answer (exit 0); anything else is wrong usage (64).
fn usage_error(error: &clap::Error) -> ExitCode {
    // A closed pipe does not change the exit code. The colours are clap's own: text of the user that a
    // terminal would obey is shown without any.
    if out::is_given_plain() {
        let _ = error.print();
    } else if error.use_stderr() {
        out::eprint(error.render().to_string().trim_end());
    } else {
        let _ = out::text(&error.render().to_string());
    }
    if error.use_stderr() {
        Exit::Usage.into()
    } else {
        Exit::Done.into()
    }
}
