//! `kube-cfn render`: the stacks' templates as AWS would get them, offline.

use std::path::{Path, PathBuf};

use super::Global;
use super::failure::{Exit, Failure};
use super::out::{self, talk};
use super::session;
use crate::stacks::Stack;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    /// Only this stack: base, network, edge, database, control-plane, pool-NAME
    #[arg(long, value_name = "STACK")]
    stack: Option<String>,
    /// Write one file a stack into this directory instead of printing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Form of the templates; json is byte for byte what AWS gets, one template a line
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Form {
    #[default]
    Yaml,
    Json,
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, Failure> {
    let defined = session::define(global, &args.name)?;
    let stacks = select(session::design(&defined)?, args.stack.as_deref())?;
    match &args.out {
        Some(directory) => write(&stacks, args.output, directory)?,
        None => print(&stacks, args.output)?,
    }
    Ok(Exit::Done)
}

fn select(stacks: Vec<Stack>, wanted: Option<&str>) -> Result<Vec<Stack>, Failure> {
    let Some(wanted) = wanted else {
        return Ok(stacks);
    };
    let names: Vec<_> = stacks.iter().map(|stack| stack.kind.to_string()).collect();
    let chosen: Vec<_> = stacks
        .into_iter()
        .filter(|stack| stack.kind.to_string() == wanted)
        .collect();
    if chosen.is_empty() {
        let message = format!("this definition has no stack `{wanted}`");
        return Err(Failure::new(Exit::Usage, message).help(format!("it has {}", names.join(", "))));
    }
    Ok(chosen)
}

fn text(stack: &Stack, form: Form) -> String {
    match form {
        Form::Yaml => stack.yaml(),
        Form::Json => stack.body(),
    }
}

fn print(stacks: &[Stack], form: Form) -> Result<(), Failure> {
    let mut whole = String::new();
    for stack in stacks {
        if form == Form::Yaml && stacks.len() > 1 {
            whole.push_str("---\n");
        }
        whole.push_str(text(stack, form).trim_end());
        whole.push('\n');
    }
    out::data(&whole)
}

fn write(stacks: &[Stack], form: Form, directory: &Path) -> Result<(), Failure> {
    let failed = |path: &Path, error: std::io::Error| {
        Failure::other(format!("failed to write {}: {error}", path.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    let extension = match form {
        Form::Yaml => "yaml",
        Form::Json => "json",
    };
    for stack in stacks {
        let path = directory.join(format!("{}.{extension}", stack.name));
        std::fs::write(&path, text(stack, form)).map_err(|error| failed(&path, error))?;
        talk(&format!("wrote {}", path.display()));
    }
    Ok(())
}
