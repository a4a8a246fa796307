//! The flags of the command, and the command with those that decide what goes.

use crate::cli::api_access::ApiArgs;
use crate::cli::ask::ConfirmArg;
use crate::cli::cluster::{Cluster, ClusterArg};
use crate::progress::Style;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub cluster: ClusterArg,
    #[command(flatten)]
    pub confirm: ConfirmArg,
    /// Show what would be deleted and what would remain; change nothing
    #[arg(long)]
    pub plan: bool,
    /// Output format of --plan
    #[arg(short, long, value_enum, default_value_t, requires = "plan")]
    pub output: PlanFormat,
    /// Delete the volumes of claims too, with all data in them
    #[arg(long)]
    pub delete_volumes: bool,
    /// Delete although something could not be looked for, or can't be removed
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    accept: Vec<Accept>,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    pub progress: Style,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// What is accepted by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Accept {
    /// Kinds of resources that could not be looked for
    Unknown,
    /// Resources that are locked, or that the caller may not remove
    Obstacles,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum PlanFormat {
    #[default]
    Text,
    Json,
}

impl Args {
    pub fn accepts(&self, what: Accept) -> bool {
        self.accept.contains(&what)
    }

    /// The same command with the flags that decide what goes.
    pub fn command(&self, cluster: &Cluster) -> String {
        let mut command = cluster.command("delete");
        if self.delete_volumes {
            command.push_str(" --delete-volumes");
        }
        for (what, text) in [
            (Accept::Unknown, " --accept unknown"),
            (Accept::Obstacles, " --accept obstacles"),
        ] {
            if self.accepts(what) {
                command.push_str(text);
            }
        }
        if let Some(server) = self.api.server() {
            command.extend([" --server ", server]);
        }
        command
    }
}
