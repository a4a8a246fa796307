//! `kube-cfn render`: writes the stacks' templates as AWS gets them, and the files of a machine. Offline.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Global;
use super::error::{CommandError, Exit};
use super::out::{self, eprint};
use super::session;
use crate::common::files;
use crate::definition::Defined;
use crate::stacks::{self, Stack, StackKind};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    #[arg(long, value_name = "STACK", help = stack_help())]
    stack: Option<String>,
    /// Write the files of this machine into --out instead: control-plane/a, or the name of a pool
    #[arg(long, value_name = "NODE", requires = "out", conflicts_with_all = ["stack", "output"])]
    node: Option<String>,
    /// Write one file per stack into this directory instead of printing; `-` prints
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Output format; json is byte for byte what AWS gets, one template per line
    #[arg(short, long, value_enum, default_value_t)]
    output: TemplateFormat,
}

/// Lists every kind of stack.
fn stack_help() -> String {
    let names: Vec<_> = StackKind::examples().map(|kind| kind.to_string()).collect();
    format!("Only this stack: {}", names.join(", "))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum TemplateFormat {
    #[default]
    Yaml,
    Json,
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let defined = session::load_definition(global, &args.name)?;
    if let (Some(node), Some(directory)) = (&args.node, &args.out) {
        write_tree(&defined, node, directory)?;
        return Ok(Exit::Done);
    }
    let stacks = select(session::design(&defined)?, args.stack.as_deref())?;
    match args.out.as_deref().filter(|out| *out != Path::new("-")) {
        Some(directory) => write(&stacks, args.output, directory)?,
        None => print(&stacks, args.output)?,
    }
    Ok(Exit::Done)
}

fn select(stacks: Vec<Stack>, wanted: Option<&str>) -> Result<Vec<Stack>, CommandError> {
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
        return Err(
            CommandError::new(Exit::Usage, message).help(format!("it has {}", names.join(", ")))
        );
    }
    Ok(chosen)
}

fn text(stack: &Stack, format: TemplateFormat) -> String {
    match format {
        TemplateFormat::Yaml => stack.yaml(),
        TemplateFormat::Json => stack.body(),
    }
}

fn print(stacks: &[Stack], format: TemplateFormat) -> Result<(), CommandError> {
    let mut whole = String::new();
    for stack in stacks {
        if format == TemplateFormat::Yaml && stacks.len() > 1 {
            whole.push_str("---\n");
        }
        whole.push_str(text(stack, format).trim_end());
        whole.push('\n');
    }
    out::data(&whole)
}

/// Writes the files of the bundle, and `host.env`, which user data writes on the machine.
fn write_tree(defined: &Defined, node: &str, directory: &Path) -> Result<(), CommandError> {
    let templates = session::templates(defined)?;
    let files = stacks::machine(&defined.spec, node, &templates).map_err(session::design_error)?;
    let Some(files) = files else {
        let message = format!("this definition has no machine `{node}`");
        let known = stacks::machines(&defined.spec).join(", ");
        return Err(CommandError::new(Exit::Usage, message).help(format!("it has {known}")));
    };
    for file in &files {
        let path = directory.join(file.path.as_ref());
        place(&path, &file.text, file.mode).map_err(|error| failed(&path, &error))?;
    }
    eprint(&format!(
        "wrote {} files of {node} below {}",
        files.len(),
        directory.display()
    ));
    Ok(())
}

fn place(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // As on the machine, whatever the umask here.
    files::write_with(path, text, mode, |file| {
        file.set_permissions(Permissions::from_mode(mode))
    })
}

fn failed(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::other(format!("failed to write {}: {error}", path.display()))
}

fn write(stacks: &[Stack], format: TemplateFormat, directory: &Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let extension = match format {
        TemplateFormat::Yaml => "yaml",
        TemplateFormat::Json => "json",
    };
    for stack in stacks {
        let path = directory.join(format!("{}.{extension}", stack.name));
        files::write(&path, text(stack, format), files::PUBLIC)
            .map_err(|error| failed(&path, &error))?;
        eprint(&format!("wrote {}", path.display()));
    }
    Ok(())
}
