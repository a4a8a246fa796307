//! `kube-cfn validate`: checks definitions and what they render to, without AWS.

use serde::Serialize;

use super::Global;
use super::error::{CommandError, Exit};
use super::out::{self, Format, FormatArg, eprint};
use super::session;
use crate::common::text::listed_line;
use crate::definition::{self, Defined, DefinitionError, Problem, Warning};

#[derive(clap::Args)]
pub struct Args {
    /// Names of definitions, or paths of their files; `-` is standard input [default: all of them]
    #[arg(add = super::completions::definitions())]
    names: Vec<String>,
    #[command(flatten)]
    output: FormatArg,
}

/// The result for one definition, for `-o json|yaml`.
#[derive(Serialize)]
struct ValidationView {
    definition: String,
    valid: bool,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let names = if args.names.is_empty() {
        all_names(global)?
    } else {
        args.names.clone()
    };
    let mut views = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        match check(global, &name, args.output.output) {
            Ok((problems, warnings)) => views.push(ValidationView {
                valid: problems.is_empty(),
                definition: name,
                problems,
                warnings,
            }),
            Err(failure) => errors.push(failure),
        }
    }
    let valid = views.iter().all(|view| view.valid);
    if args.output.output != Format::Table {
        args.output.print(&views, String::new)?;
    }
    // A definition that can't be read does not hide the others.
    if let Some(last) = errors.pop() {
        errors.iter().for_each(CommandError::print);
        return Err(last);
    }
    Ok(if valid { Exit::Done } else { Exit::Definition })
}

fn all_names(global: &Global) -> Result<Vec<String>, CommandError> {
    session::require_clusters(global)?;
    let found = definition::find(&global.clusters)?;
    if found.is_empty() {
        let nothing = format!("no definition in {}", global.clusters.display());
        return Err(
            CommandError::other(nothing).help(if global.clusters.is_dir() {
                "write one with `kube-cfn new NAME`"
            } else {
                "the directory does not exist: change to the one that contains it, or give it with --clusters"
            }),
        );
    }
    Ok(found.into_iter().map(|found| found.name).collect())
}

/// The problems of one definition, or what to know about a valid one; printed at once in the form for people.
fn check(
    global: &Global,
    name: &str,
    output: Format,
) -> Result<(Vec<Problem>, Vec<Warning>), CommandError> {
    let path = definition::resolve(name, &global.clusters)?;
    let shown = output == Format::Table;
    match Defined::load(path) {
        Ok(defined) => {
            let stacks = session::design(&defined)?;
            let warnings = defined.warnings();
            if shown {
                let path = defined.path.display();
                eprint(&format!("ok {path}: {} stacks", stacks.len()));
                for warning in &warnings {
                    eprint(&listed_line("warning: ", &warning.text()));
                }
            }
            Ok((Vec::new(), warnings))
        }
        Err(DefinitionError::Wrong(problems)) => {
            if shown {
                out::problems(&problems);
            }
            Ok((problems.iter().cloned().collect(), Vec::new()))
        }
        Err(other) => Err(other.into()),
    }
}
