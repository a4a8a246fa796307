//! What a deletion has to do with outside the stacks: what is there, what Kubernetes says of its own objects, and whether
//! enough is known to begin.

use std::collections::BTreeSet;

use super::buckets::state_buckets;
use super::flags::Args;
use crate::apply::{OutsidePlan, Released, RunOutcome, RunReport};
use crate::cli::api_access::ApiArgs;
use crate::cli::api_objects;
use crate::cli::cluster::Cluster;
use crate::cli::error::CommandError;
use crate::cloud::CloudError;
use crate::cloud::outside::OutsideKind;
use crate::common::Clock;
use crate::events::Emitter;
use crate::plan::deletion::DeletePlan;
use crate::plan::status::DeleteAction;
use crate::plan::{Blocked, Code, Survey};
use crate::report::outside::StateBucket;
use crate::sweep::kinds;
use crate::sweep::kubernetes::{Objects, Volume, Wanted};
use crate::sweep::{
    self, Disposition, Found, Going, Held, Inventory, Obstacles, Owner, Scope, Seen, kubernetes,
};

/// What was found outside the stacks, before consent.
pub struct Outside {
    pub plan: OutsidePlan,
    pub seen: Seen,
    /// What would keep something from being removed.
    pub obstacles: Obstacles,
    /// State buckets that go.
    pub buckets: Vec<StateBucket>,
    /// The name of the API and how it is reached, where it has answered.
    api: Option<(String, ApiArgs)>,
    /// The address that was given for it.
    server: Option<String>,
}

impl Outside {
    /// Looks at everything; what can't be looked for is in the inventory.
    pub async fn look(
        cluster: &Cluster,
        (survey, plan): (&Survey, &DeletePlan),
        args: &Args,
    ) -> Result<Self, CommandError> {
        let (kubernetes, api) = (cluster.api(), &args.api);
        let (looked, (host, seen)) = futures::join!(
            look_at_account(cluster, survey, args.delete_volumes),
            api_objects::objects(&kubernetes, &survey.found, api, args.delete_volumes)
        );
        let mut looked = looked?;
        let shown = &mut looked.shown;
        shown.tell_past_volumes(sweep::began(&survey.found), &seen);
        let held = held(plan, &looked.scope);
        let going = Going {
            inventory: &looked.shown,
            delete_volumes: args.delete_volumes,
            kubernetes: &seen,
            held: &held,
        };
        let (obstacles, buckets) = futures::join!(
            sweep::obstacles(&cluster.cloud, going, &cluster.identity),
            state_buckets(cluster, plan, &looked.shown)
        );
        Ok(Self {
            obstacles: obstacles?,
            buckets,
            plan: looked,
            seen,
            api: host.map(|host| (host, api.clone())),
            server: api.server().map(str::to_owned),
        })
    }

    /// Whether anything of the cluster is there, removed or kept.
    pub fn has_traces(&self) -> bool {
        let found = &self.plan.shown.found;
        found
            .iter()
            .any(|found| !matches!(found.owner, Owner::Foreign | Owner::Unclear))
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
        let names: Vec<&str> = rows().map(|row| row.plural).collect();
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

    /// Why nothing may be deleted: an address was given, so Kubernetes is to do its part.
    pub fn unanswered(&self) -> Option<Blocked> {
        let (Some(server), Seen::Silent(why)) = (&self.server, &self.seen) else {
            return None;
        };
        Some(Blocked::by_guard(
            Code::NotLookedFor,
            format!("Kubernetes was not asked through --server {server}: {why}"),
            "fix the tunnel or the right; or leave --server out (KUBE_CFN_SERVER too): load balancers are then removed by \
             AWS's calls, and volumes are not protected from the cluster's own controllers"
                .to_owned(),
        ))
    }

    /// What Kubernetes does before the first stack. Without its API there is nothing that it could do. The certificate is a
    /// new one: the question may have waited for longer than one is valid.
    pub async fn release<K: Clock>(&self, cluster: &Cluster, emit: Emitter<'_, K>) -> Released {
        let (Some((host, args)), Seen::Objects(objects)) = (&self.api, &self.seen) else {
            return Ok(Vec::new());
        };
        let api = api_objects::connect(&cluster.api(), host, args)
            .await
            .map_err(|why| {
                Blocked::by_guard(
                    Code::NotLookedFor,
                    format!("Kubernetes can't be asked any more: {why}; nothing was deleted"),
                    "run the same command again: it looks again".to_owned(),
                )
            })?;
        let removed = self
            .plan
            .shown
            .becoming(Disposition::Removed, self.plan.delete_volumes);
        let by_aws = removed.filter(|one| one.resource.kind == OutsideKind::Volume);
        let wanted = Wanted {
            delete_volumes: self.plan.delete_volumes,
            by_aws: &by_aws
                .map(|one| one.resource.id.clone())
                .collect::<BTreeSet<_>>(),
            region: &cluster.identity.region,
        };
        let released = kubernetes::release(&api, objects, wanted, emit).await;
        match released.refused {
            None => Ok(released.left),
            Some(why) => Err(Blocked::by_guard(
                Code::VolumesNotKept,
                format!("{why}; no stack and no volume was deleted"),
                "remove the cause that Kubernetes names (a webhook, a missing right, a controller), or set the policy of each \
                 by hand with `kubectl patch pv NAME -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'`; then run \
                 the same command again"
                    .to_owned(),
            )),
        }
    }

    /// Adds what only Kubernetes's objects show: volumes that no tag shows, which no later look could find, and those that
    /// were to be kept and that the last look did not find.
    pub fn complete(&self, report: &mut RunReport) {
        let Seen::Objects(Objects { volumes, .. }) = &self.seen else {
            return;
        };
        if report.outcome() != RunOutcome::Done {
            return;
        }
        let shown = &self.plan.shown.found;
        let is_listed = |id: &str| shown.iter().any(|one| one.resource.id == id);
        let stays = |one: &&Volume| {
            let is_listed = one.volume_id.as_deref().is_none_or(is_listed);
            let is_deleted = self.plan.delete_volumes && one.reclaim_policy != "Retain";
            !is_listed && !is_deleted
        };
        let unlisted = volumes.iter().filter(stays).filter_map(Volume::untagged);
        let mut unknown = report.outside.unknown.iter();
        if !unknown.any(|one| one.kind == OutsideKind::Volume) {
            let is_kept = |one: &&Found| {
                one.resource.kind == OutsideKind::Volume
                    && one.owner != Owner::Unclear
                    && one.becomes(self.plan.delete_volumes) == Disposition::Kept
            };
            let seen = report.outside.kept.iter();
            let seen: BTreeSet<&str> = seen.map(|one| one.resource.id.as_str()).collect();
            for found in shown.iter().filter(is_kept) {
                let id = found.resource.id.as_str();
                if !seen.contains(id) {
                    let text = format!("volume {id} was to be kept and is gone");
                    report.unfinished.push(text);
                }
            }
        }
        report.outside.kept.extend(unlisted);
    }
}

/// What stacks have that may be locked and that goes with them. The definition's own protection is lifted with it.
fn held(plan: &DeletePlan, scope: &Scope) -> Vec<Held> {
    let is_protected = plan
        .refused
        .as_ref()
        .is_some_and(|why| why.code == Code::Protected);
    let goes = |held: &&Held| {
        let mut steps = plan
            .steps
            .iter()
            .filter(|step| step.found.name == held.stack);
        steps.any(|step| {
            let is_begun = matches!(step.action, DeleteAction::Follow | DeleteAction::Gone);
            !is_begun && !step.keeps(&held.logical_id)
        })
    };
    let all = scope.held.iter().filter(|_| !is_protected);
    all.filter(goes).cloned().collect()
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

#[cfg(test)]
mod tests;
