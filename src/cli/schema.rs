//! `kube-cfn schema`: the JSON Schema of definitions, for editors and other tools.

use super::error::{CommandError, Exit};
use super::out;
use crate::definition;

#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: &Args) -> Result<Exit, CommandError> {
    let schema = definition::schema();
    out::data(&out::json(&schema)?)?;
    Ok(Exit::Done)
}
