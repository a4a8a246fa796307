//! What a deletion has to do with outside the stacks: what is there, what Kubernetes says of its own objects, and whether
//! enough is known to begin.

use crate::apply::{OutsidePlan, Released};
use crate::cli::api_access::ApiArgs;
use crate::cli::api_objects;
use crate::cli::cluster::Cluster;
use crate::cli::error::CommandError;
use crate::cloud::CloudError;
use crate::common::Clock;
use crate::events::Emitter;
use crate::kube::Api;
use crate::plan::{Blocked, Code, DeletePlan, Survey};
use crate::report::outside::DeletionView;
use crate::sweep::kinds::{self, End};
use crate::sweep::{self, Disposition, Found, Inventory, Owner, Scope, Seen, kubernetes};

/// What was found outside the stacks, before consent.
pub struct Outside {
    pub plan: OutsidePlan,
    pub seen: Seen,
    /// The API, while it answers; without it Services are deleted by AWS.
    api: Option<Api>,
}

impl Outside {
    /// Looks at everything; what can't be looked for is in the inventory.
    pub async fn look(
        cluster: &Cluster,
        survey: &Survey,
        api: &ApiArgs,
        delete_volumes: bool,
    ) -> Result<Self, CommandError> {
        let kubernetes = cluster.api();
        let (plan, (api, seen)) = futures::join!(
            look_at_account(cluster, survey, delete_volumes),
            api_objects::objects(&kubernetes, &survey.found, api)
        );
        Ok(Self {
            plan: plan?,
            seen,
            api,
        })
    }

    /// Whether anything is there that would be removed.
    pub fn has_work(&self) -> bool {
        let OutsidePlan {
            shown,
            delete_volumes,
            ..
        } = &self.plan;
        let goes = |found: &Found| match kinds::row(found.resource.kind).end {
            End::KeptAsVolume if *delete_volumes => found.owner == Owner::Kubernetes,
            End::Removed | End::KeptAsVolume | End::Kept | End::Foreign => {
                found.disposition == Disposition::Removed
            }
        };
        shown.found.iter().any(goes)
    }

    pub fn view<'a>(&'a self, plan: &'a DeletePlan, cluster: &'a Cluster) -> DeletionView<'a> {
        DeletionView {
            plan,
            inventory: &self.plan.shown,
            kubernetes: &self.seen,
            delete_volumes: self.plan.delete_volumes,
            region: &cluster.identity.region,
        }
    }

    /// Why nothing may be deleted: a kind could not be looked for.
    pub fn refusal(&self, again: &str) -> Option<Blocked> {
        let Inventory { unknown, .. } = &self.plan.shown;
        let names: Vec<&str> = unknown
            .iter()
            .map(|one| kinds::row(one.kind).name)
            .collect();
        (!names.is_empty()).then(|| {
            Blocked::by_guard(
                Code::NotLookedFor,
                format!("not everything could be looked for: {}", names.join(", ")),
                format!(
                    "fix the causes above; or run `{again} --accept unknown`: what was not found then stays, costs, and may \
                     keep the network from being deleted"
                ),
            )
        })
    }

    /// What Kubernetes does before the first stack. Without its API there is nothing that it could do.
    pub async fn release<K: Clock>(&self, emit: Emitter<'_, K>) -> Released {
        let (Some(api), Seen::Objects(objects)) = (&self.api, &self.seen) else {
            return Ok(Vec::new());
        };
        let released = kubernetes::release(api, objects, self.plan.delete_volumes, emit).await;
        match released.refused {
            None => Ok(released.left),
            Some(why) => Err(Blocked::by_guard(
                Code::VolumesNotKept,
                format!("{why}; no stack was deleted"),
                "see why Kubernetes refuses; with `--delete-volumes` the volumes are deleted"
                    .to_owned(),
            )),
        }
    }
}

async fn look_at_account(
    cluster: &Cluster,
    survey: &Survey,
    delete_volumes: bool,
) -> Result<OutsidePlan, CloudError> {
    let scope = Scope::of(&cluster.cloud, &cluster.name, &survey.found).await?;
    let shown = sweep::look(&cluster.cloud, &scope).await?;
    Ok(OutsidePlan {
        scope,
        shown,
        delete_volumes,
    })
}
