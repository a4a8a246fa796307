//! `kube-cfn new`: writes a commented definition, from scratch or as a copy.

use std::path::Path;

use semver::Version;

use super::Global;
use super::error::{CommandError, Exit};
use super::out::eprint;
use crate::common::files;
use crate::common::text::listed_line;
use crate::definition::{self, DefinitionError, NewCluster, NewDatabase};
use crate::spec::ClusterSpec;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the new cluster
    name: String,
    /// Copy this definition, with a network range of its own and a small unprotected database
    #[arg(long, value_name = "NAME", add = super::completions::definitions())]
    from: Option<String>,
    /// Kubernetes version [default: as the copied one, else the newest]
    #[arg(long, value_name = "VERSION", value_parser = exact)]
    kubernetes: Option<Version>,
    /// Region [default: as the copied one, else as the other definitions]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Snapshot that the database starts from, by name or ARN
    #[arg(long, value_name = "SNAPSHOT")]
    restore_from: Option<String>,
    /// Keep the database's size, and the protection, as the copied definition has them
    #[arg(long, requires = "from")]
    same_database: bool,
}

pub fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let source = args
        .from
        .as_deref()
        .map(|from| source(global, from))
        .transpose()?;
    let others = others(&global.clusters)?;
    let new = definition::scaffold(&NewCluster {
        name: &args.name,
        from: source.as_deref(),
        others: &others,
        kubernetes: args.kubernetes.as_ref(),
        region: args.region.as_deref(),
        restore_from: args.restore_from.as_deref(),
        database: if args.same_database {
            NewDatabase::Same
        } else {
            NewDatabase::Small
        },
    })?;
    let path = global.clusters.join(format!("{}.yaml", args.name));
    write(&path, &new.text)?;
    eprint(&format!("wrote {}", path.display()));
    if !new.left_out.is_empty() {
        let what = new.left_out.join(", ");
        eprint(&listed_line(
            "",
            &format!("left out, for it says what the copied cluster is: {what}"),
        ));
    }
    eprint(&format!(
        "next: read it, then `kube-cfn plan {}`",
        args.name
    ));
    Ok(Exit::Done)
}

/// A version down to its patch.
fn exact(text: &str) -> Result<Version, String> {
    text.parse()
        .map_err(|_| "expected an exact version such as 1.36.4".to_owned())
}

fn source(global: &Global, from: &str) -> Result<String, DefinitionError> {
    definition::read(&definition::resolve(from, &global.clusters)?)
}

/// The other definitions: the new network range must not overlap theirs. An invalid one is ignored.
fn others(directory: &Path) -> Result<Vec<(String, ClusterSpec)>, CommandError> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut others = Vec::new();
    for found in definition::find(directory)? {
        match definition::load(&found.path) {
            Ok(spec) => others.push((found.name, spec)),
            Err(_) => eprint(&format!(
                "{} is invalid, so its CIDR was ignored when choosing one",
                found.path.display()
            )),
        }
    }
    Ok(others)
}

/// Writes a new file, whole or not at all; never overwrites an existing one.
fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::other(format!("failed to write {}: {error}", path.display()))
    };
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let place = files::regular(path).map_err(failed)?;
    files::create(&place, text, files::PUBLIC).map_err(failed)
}
