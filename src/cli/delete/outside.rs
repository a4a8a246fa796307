//! What a deletion has to do with outside the stacks: what is there, what Kubernetes says of its own objects, and whether
//! enough is known to begin.

use std::time::Duration;

use crate::apply::{OutsidePlan, Released};
use crate::cli::api_access::ApiArgs;
use crate::cli::cluster::Cluster;
use crate::cli::error::CommandError;
use crate::cloud::CloudError;
use crate::common::Clock;
use crate::events::Emitter;
use crate::kube::Api;
use crate::plan::{Blocked, Code, Survey};
use crate::stacks::{API_HOST, StackKind};
use crate::sweep::{self, Disposition, Inventory, Owner, Scope, Seen, kinds, kubernetes};

/// How long Kubernetes has for a first answer; without one its Services are deleted by AWS.
const API_TIMEOUT: Duration = Duration::from_secs(15);

/// What was found outside the stacks, before consent.
pub struct Outside {
    pub plan: OutsidePlan,
    pub seen: Seen,
    /// The API, while it answers.
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
        let (plan, (api, seen)) = futures::join!(
            look_at_account(cluster, survey, delete_volumes),
            look_at_kubernetes(cluster, survey, api)
        );
        Ok(Self {
            plan: plan?,
            seen,
            api,
        })
    }

    /// Whether anything of the cluster is there, removed or kept.
    pub fn has_traces(&self) -> bool {
        let found = &self.plan.shown.found;
        found.iter().any(|found| found.owner != Owner::Foreign)
    }

    /// Whether stacks have left something that this tool names and does not remove.
    pub fn has_orphans(&self) -> bool {
        let found = &self.plan.shown.found;
        found
            .iter()
            .any(|found| found.owner == Owner::Stack && found.disposition == Disposition::Untouched)
    }

    /// Whether anything is there that would be removed.
    pub fn has_work(&self) -> bool {
        let OutsidePlan {
            shown,
            delete_volumes,
            ..
        } = &self.plan;
        let mut removed = shown.becoming(Disposition::Removed, *delete_volumes);
        removed.next().is_some()
    }

    /// Why nothing may be deleted: a kind could not be looked for.
    pub fn refusal(&self, again: &str) -> Option<Blocked> {
        let Inventory { unknown, .. } = &self.plan.shown;
        let rows = || unknown.iter().map(|one| kinds::row(one.kind));
        let names: Vec<String> = rows().map(|row| row.plural()).collect();
        let network = if rows().any(|row| row.holds_network) {
            ", and may keep the network from being deleted"
        } else {
            ""
        };
        (!names.is_empty()).then(|| {
            Blocked::by_guard(
                Code::NotLookedFor,
                format!("not everything could be looked for: {}", names.join(", ")),
                format!(
                    "fix the causes; or run `{again} --accept unknown`: what was not found then stays and costs \
                     money{network}"
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

/// What Kubernetes has, where its control plane still exists.
async fn look_at_kubernetes(
    cluster: &Cluster,
    survey: &Survey,
    args: &ApiArgs,
) -> (Option<Api>, Seen) {
    let of = |kind: StackKind| {
        let kind = kind.to_string();
        survey.found.iter().find(move |found| found.kind == kind)
    };
    let host = of(StackKind::Edge).and_then(|edge| edge.outputs.get(API_HOST));
    let (Some(host), Some(_)) = (host, of(StackKind::ControlPlane)) else {
        return (None, Seen::NoApi);
    };
    let asked = async {
        let reached = cluster.api().connect(host, args).await;
        let reached = reached.map_err(|error| error.to_string())?;
        if let Some(why) = reached.no_credentials_reason {
            return Err(why);
        }
        let api = Api::connect(&reached.connection).map_err(|error| args.explain(&error))?;
        let objects = kubernetes::objects(&api).await;
        let objects = objects.map_err(|error| args.explain(&error))?;
        Ok((api, objects))
    };
    let seconds = API_TIMEOUT.as_secs();
    let late = || Err(format!("no answer within {seconds} seconds"));
    match tokio::time::timeout(API_TIMEOUT, asked)
        .await
        .unwrap_or_else(|_| late())
    {
        Ok((api, objects)) => (Some(api), Seen::Objects(objects)),
        Err(why) => (None, Seen::Silent(why)),
    }
}
