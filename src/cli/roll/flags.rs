//! The flags of the command, and the command with those that decide what is replaced and how.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::SignedDuration;

use crate::cli::api_access::{ApiArgs, parse_duration};
use crate::cli::ask::YesArg;
use crate::cli::cluster::{Cluster, ClusterArg};
use crate::cli::error::{CommandError, Exit};
use crate::cli::out::TextFormat;
use crate::progress::Style;
use crate::roll::{RollScope, Surge};

/// Of `--surge` and `--drain-timeout` where they are not given.
const SURGE: &str = "10%";
const DRAIN_TIMEOUT: &str = "15m";

#[derive(clap::Args)]
#[command(after_long_help = "\
A machine is outdated when it was launched from another version of its launch template than its group has now: after an \
`apply` that changed the machine image, the machine type or the user data. Node pools are replaced with machines to spare: \
one machine alone first, then as many at once as --surge says. Each is taken out of its group, which launches another one; \
once that is Ready the old one is cordoned, drained within its PodDisruptionBudgets, and terminated. Control-plane nodes are \
replaced one at a time, etcd's leader last. Interrupted or stopped, the same command goes on.")]
pub struct Args {
    #[command(flatten)]
    pub cluster: ClusterArg,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Machines more than it wants that a pool may have meanwhile: a number or a percentage; 0: one machine fewer instead
    #[arg(long, value_name = "N|P%", default_value = SURGE)]
    pub surge: Surge,
    /// How long the pods of one machine may take to leave it
    #[arg(long, value_name = "TIME", default_value = DRAIN_TIMEOUT, value_parser = parse_duration)]
    pub drain_timeout: SignedDuration,
    /// Also machines that were launched longer ago than this, such as 30d
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "node")]
    pub older_than: Option<SignedDuration>,
    /// A pod without a controller that may be lost; may be repeated
    #[arg(long = "lose-pod", value_name = "NAMESPACE/POD", value_parser = named)]
    pub lose_pods: Vec<(String, String)>,
    /// A `PodDisruptionBudget` whose pods are deleted where it allows no eviction; may be repeated
    #[arg(long, value_name = "NAMESPACE/BUDGET", value_parser = named)]
    pub evict_anyway: Vec<(String, String)>,
    /// Show what would be replaced and what would block; change nothing
    #[arg(long)]
    pub plan: bool,
    /// Output format of --plan
    #[arg(short, long, value_enum, default_value_t, requires = "plan")]
    pub output: TextFormat,
    /// How to show progress
    #[arg(long, value_enum, default_value_t)]
    pub progress: Style,
    #[command(flatten)]
    pub yes: YesArg,
    #[command(flatten)]
    pub api: ApiArgs,
}

/// Which machines are looked at; without any, those of all pools.
#[derive(clap::Args)]
#[group(multiple = false)]
struct ScopeArgs {
    /// Only outdated machines of this pool; may be repeated
    #[arg(long = "pool", value_name = "POOL")]
    pools: Vec<String>,
    /// Only outdated control-plane nodes
    #[arg(long)]
    control_plane: bool,
    /// Outdated control-plane nodes, then those of all pools
    #[arg(long)]
    all: bool,
    /// This machine, whatever its version
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
}

impl Args {
    pub fn scope(&self) -> RollScope {
        let scope = &self.scope;
        if let Some(node) = &scope.node {
            RollScope::Node(node.clone())
        } else if scope.all {
            RollScope::All
        } else if scope.control_plane {
            RollScope::ControlPlane
        } else if scope.pools.is_empty() {
            RollScope::Pools
        } else {
            RollScope::Named(scope.pools.iter().cloned().collect())
        }
    }

    /// Refuses a pool that there is none of; `stacks` are the tags of those that there are.
    pub fn check_pools(&self, cluster: &str, stacks: &BTreeSet<&str>) -> Result<(), CommandError> {
        let known: Vec<&str> = stacks
            .iter()
            .filter_map(|tag| tag.strip_prefix("pool-"))
            .collect();
        let unknown = self
            .scope
            .pools
            .iter()
            .find(|name| !known.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| {
            let message = format!("{cluster} has no node pool {name}");
            Err(CommandError::new(Exit::Usage, message)
                .help(format!("its pools are: {}", known.join(", "))))
        })
    }

    /// The same command with the flags that decide what is replaced and how.
    pub fn command(&self, cluster: &Cluster) -> String {
        let mut command = cluster.command("roll");
        // Writing to a String can't fail.
        for pool in &self.scope.pools {
            let _ = write!(command, " --pool {pool}");
        }
        if self.scope.control_plane {
            command.push_str(" --control-plane");
        }
        if self.scope.all {
            command.push_str(" --all");
        }
        if let Some(node) = &self.scope.node {
            let _ = write!(command, " --node {node}");
        }
        let surge = match self.surge {
            Surge::Percent(percent) => format!("{percent}%"),
            Surge::Count(count) => count.to_string(),
        };
        if surge != SURGE {
            let _ = write!(command, " --surge {surge}");
        }
        if parse_duration(DRAIN_TIMEOUT) != Ok(self.drain_timeout) {
            let _ = write!(command, " --drain-timeout {:#}", self.drain_timeout);
        }
        if let Some(age) = self.older_than {
            let _ = write!(command, " --older-than {age:#}");
        }
        for (namespace, name) in &self.lose_pods {
            let _ = write!(command, " --lose-pod {namespace}/{name}");
        }
        for (namespace, name) in &self.evict_anyway {
            let _ = write!(command, " --evict-anyway {namespace}/{name}");
        }
        if let Some(server) = self.api.server() {
            command.extend([" --server ", server]);
        }
        command
    }
}

fn named(text: &str) -> Result<(String, String), String> {
    let (namespace, name) = text.split_once('/').unwrap_or_default();
    if namespace.is_empty() || name.is_empty() || name.contains('/') {
        return Err("expected NAMESPACE/NAME".to_owned());
    }
    Ok((namespace.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_namespace() {
        assert_eq!(named("shop/web"), Ok(("shop".to_owned(), "web".to_owned())));
        for wrong in ["web", "/web", "shop/", "a/b/c", ""] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
