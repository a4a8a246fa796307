//! What stands of a cluster, and the stacks that its definition wants beside it: each with machines at the
//! Kubernetes version that it may have.

use std::collections::BTreeMap;

use semver::Version;

use super::failure::Failure;
use super::session::{self, Session};
use crate::cloud::{Cloud, Store};
use crate::plan::versions::{self, Wanted};
use crate::plan::{self, Blocked, Survey};
use crate::stacks::{Stack, StackKind};

/// What stands, and the stacks that are wanted beside it, each at the Kubernetes version that it may have.
pub struct Standing {
    pub survey: Survey,
    pub stacks: Vec<Stack>,
    /// What the rule of versions refuses.
    pub refused: BTreeMap<StackKind, Blocked>,
}

/// Reads what stands and what runs there. `stated` is somebody's word for versions that can't be read.
pub async fn standing<C: Cloud + Store>(
    session: &Session<C>,
    stated: &[(StackKind, Version)],
) -> Result<Standing, Failure> {
    let spec = session.spec();
    let survey = plan::survey(&session.cloud, &spec.name).await?;
    let mut running = plan::running::running(&survey, &session.cloud).await?;
    versions::accept_stated(&mut running, stated)?;
    let pools: Vec<&str> = spec.pools.iter().map(|pool| pool.name.as_str()).collect();
    let wanted = Wanted {
        cluster: &spec.name,
        kubernetes: &spec.kubernetes,
        pools: &pools,
        place: &session.defined.line("kubernetes"),
    };
    let decided = versions::decide(wanted, &running);
    Ok(Standing {
        stacks: session::design_at(&session.defined, &decided.versions)?,
        survey,
        refused: decided.refused,
    })
}
