//! What is left over outside the stacks: what was found there, held against what Kubernetes has.

use std::collections::BTreeSet;

use crate::cli::api_access::ApiArgs;
use crate::cli::api_objects;
use crate::cli::session::Session;
use crate::cloud::outside::{OutsideKind, OutsideScope};
use crate::cloud::{CloudError, Outside as _};
use crate::common::Clock as _;
use crate::forecast::prices::Prices;
use crate::operation;
use crate::plan::Survey;
use crate::report::cluster::is_network_stuck;
use crate::report::protection::{self, Leftover, LeftoverFacts};
use crate::sweep::{self, Inventory, Owner, Scope, Seen};

/// What is left over. Kubernetes is asked only where something depends on its answer.
pub async fn leftovers(session: &Session, survey: &Survey, api: &ApiArgs) -> Vec<Leftover> {
    let (cloud, name) = (&session.cloud, &session.spec().name);
    let looked = async {
        let scope = Scope::of(cloud, name, &survey.found).await?;
        let inventory = sweep::look(cloud, &scope).await?;
        Ok::<_, CloudError>((scope, inventory))
    };
    let (scope, mut inventory) = match looked.await {
        Ok(looked) => looked,
        Err(error) => return vec![protection::not_looked_for(&error.to_string())],
    };
    let (kubernetes, used_groups, operation) = futures::join!(
        objects(session, survey, &inventory, api),
        used_groups(session, &scope.asked, &inventory),
        operation::read(cloud, name),
    );
    inventory.tell_past_volumes(sweep::began(&survey.found), &kubernetes);
    let operation = operation.map(|held| held.map(|run| run.to_string()));
    protection::leftovers(&LeftoverFacts {
        cluster: name,
        argument: name,
        region: &session.identity.region,
        inventory: &inventory,
        kubernetes: &kubernetes,
        is_tunnelled: api.server().is_some(),
        used_groups: &used_groups,
        operation: &operation.map_err(|error| error.to_string()),
        is_network_stuck: is_network_stuck(&survey.found),
        parameters_left: None,
        prices: &Prices::table(),
        now: cloud.now(),
    })
}

/// What Kubernetes has, where that decides anything.
async fn objects(
    session: &Session,
    survey: &Survey,
    inventory: &Inventory,
    args: &ApiArgs,
) -> Seen {
    if api_objects::host(&survey.found).is_some() && !protection::asks_kubernetes(inventory) {
        return Seen::Silent("it was not asked".to_owned());
    }
    let (_, seen) = api_objects::objects(&session.api(), &survey.found, args, false).await;
    seen
}

/// The security groups that any network interface has, those of stacks included: a group that their machines use is used.
async fn used_groups(
    session: &Session,
    scope: &OutsideScope,
    inventory: &Inventory,
) -> Result<BTreeSet<String>, String> {
    let is_group = |kind| kind == OutsideKind::SecurityGroup;
    let mut own = inventory
        .found
        .iter()
        .filter(|one| one.owner != Owner::Foreign);
    if !own.any(|one| is_group(one.resource.kind)) {
        return Ok(BTreeSet::new());
    }
    let interfaces = session.cloud.outside(OutsideKind::Interface, scope).await;
    let interfaces = interfaces.map_err(|error| error.to_string())?;
    Ok(interfaces.into_iter().flat_map(|one| one.uses).collect())
}
