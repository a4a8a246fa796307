//! `kube-cfn lock`: resolves the machine images once, into the file beside the definition.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{Timestamp, Unit};

use super::Global;
use super::error::{CommandError, Exit};
use super::guard;
use super::out::{FormatArg, eprint};
use super::session::{self, Session};
use crate::cloud::Store;
use crate::common::files;
use crate::definition::lock::{self, Image, Lock};
use crate::report::images;
use crate::stacks::{Source, Stack};

#[derive(clap::Args)]
pub struct Args {
    /// Name of the definition, or the path of its file
    #[arg(add = super::completions::definitions())]
    name: String,
    /// Resolve every image again, to the newest one, and drop unused ones; without this flag only
    /// missing images are resolved
    #[arg(long)]
    update: bool,
    #[command(flatten)]
    output: FormatArg,
}

/// Which images to ask AWS for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Those that the lock file lacks.
    Missing,
    All,
    /// Those that the lock file lacks, without writing them: the images of a rehearsal are not real.
    Unwritten,
}

pub async fn run(global: &Global, args: &Args) -> Result<Exit, CommandError> {
    let session = session::open(global, &args.name).await?;
    let stacks = session::design(&session.defined)?;
    let refresh = if args.update {
        Refresh::All
    } else {
        Refresh::Missing
    };
    let lock = locked_images(&session, &stacks, refresh).await?;
    args.output.print(&lock, || images::table(&lock))?;
    Ok(Exit::Done)
}

/// The locked images of a definition. Writes the lock file where something is new, and says so.
pub async fn locked_images<C: Store>(
    session: &Session<C>,
    stacks: &[Stack],
    refresh: Refresh,
) -> Result<Lock, CommandError> {
    let file = lock::path(&session.defined.path);
    let known = read(session, &file)?;
    let mut lock = match refresh {
        // Unused images stay: a definition that is reverted gets the same image again.
        Refresh::Missing | Refresh::Unwritten => known.clone(),
        Refresh::All => Lock::empty(&session.identity.account, &session.spec().region),
    };
    for parameter in locked_parameters(stacks) {
        let image = match known.images.get(parameter) {
            Some(image) if refresh != Refresh::All => image.clone(),
            before => resolve(session, parameter, before).await?,
        };
        lock.images.insert(parameter.to_owned(), image);
    }
    if lock != known && refresh != Refresh::Unwritten {
        if files::is_inherited(&session.defined.path) {
            let message = "the definition is a stream: there is no place beside it for the lock file of its \
                           machine images; nothing was changed";
            return Err(CommandError::new(Exit::Usage, message)
                .help("write the definition into a file and name that"));
        }
        lock.write(&file, &session.spec().name)
            .map_err(CommandError::other)?;
        let changes = images::changes(&known, &lock);
        if !changes.is_empty() {
            eprint(&changes);
        }
        let file = file.display();
        eprint(&format!("wrote {file}: commit it beside the definition"));
    }
    Ok(lock)
}

/// The lock file; refused when it belongs to another account or region, as for a rehearsal no session was.
fn read<C>(session: &Session<C>, file: &Path) -> Result<Lock, CommandError> {
    let account = &session.identity.account;
    let region = &session.spec().region;
    match guard::read_lock(file.to_owned())? {
        Some((file, lock)) => {
            guard::check_lock(&file, &lock, account, region)?;
            Ok(lock)
        }
        None => Ok(Lock::empty(account, region)),
    }
}

fn locked_parameters(stacks: &[Stack]) -> BTreeSet<&str> {
    let inputs = stacks.iter().flat_map(|stack| &stack.inputs);
    let locked = inputs.filter_map(|input| match &input.source {
        Source::Locked { parameter } => Some(parameter.as_str()),
        Source::Value(_) | Source::Output { .. } => None,
    });
    locked.collect()
}

async fn resolve<C: Store>(
    session: &Session<C>,
    parameter: &str,
    before: Option<&Image>,
) -> Result<Image, CommandError> {
    let found = session.cloud.parameter(parameter).await?;
    let Some(id) = found.filter(|id| id.starts_with("ami-")) else {
        return Err(CommandError::other(format!(
            "AWS has no image at {parameter}"
        )));
    };
    Ok(match before {
        Some(same) if same.id == id => same.clone(),
        _ => Image {
            id,
            resolved_at: now(),
        },
    })
}

/// To the second.
fn now() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now)
}
