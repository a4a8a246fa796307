//! `kube-cfn completions`: the script that makes a shell ask this program, which knows the
//! definitions' names.

use std::path::PathBuf;

use clap_complete::env::Shells;
use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::error::{CommandError, Exit};
use super::out;
use crate::common::terminal::is_obeyed;
use crate::definition;

#[derive(clap::Args)]
pub struct Args {
    /// The shell
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

pub fn run(args: &Args) -> Result<Exit, CommandError> {
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell).ok_or_else(|| {
        CommandError::new(Exit::Usage, format!("no completions for {}", args.shell))
    })?;
    let mut script = Vec::new();
    shell
        .write_registration("COMPLETE", "kube-cfn", "kube-cfn", "kube-cfn", &mut script)
        .map_err(CommandError::other)?;
    out::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Completes a NAME with the definitions that are there.
pub fn definitions() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &std::ffi::OsStr| {
        let directory = std::env::var_os("KUBE_CFN_CLUSTERS")
            .map_or_else(|| PathBuf::from("clusters"), PathBuf::from);
        let current = current.to_string_lossy();
        let found = definition::find(&directory).unwrap_or_default();
        let names = found.into_iter().map(|found| found.name);
        names
            // The shell would print it as it is.
            .filter(|name| name.starts_with(&*current) && !name.contains(is_obeyed))
            .map(CompletionCandidate::new)
            .collect()
    })
}
