//! Asks the cloud for what the checks need, all questions side by side. Decides nothing.

mod machines;

use std::collections::BTreeSet;

use futures::future::join_all;

use super::needs::{DatabaseNeed, Fleet, Needs, needs};
use super::rights::Group;
use super::{Check, CheckCode, offers, quotas, rights, taken};
use crate::cloud::account::{Principal, RightsQuestion};
use crate::cloud::{Account, Cloud, CloudError, Identity, Inspect, Quota};
use crate::plan::Plan;

/// Looks at everything that the plan adds, apart from what is skipped. Nothing where it adds nothing, and where it is
/// refused as a whole.
pub async fn preflight(
    plan: &Plan,
    cloud: &(impl Cloud + Inspect + Account),
    identity: &Identity,
    skip: &BTreeSet<CheckCode>,
) -> Vec<Check> {
    let needs = needs(plan);
    if needs.is_empty() || !plan.refused.is_empty() {
        return Vec::new();
    }
    let asker = Asker {
        cloud,
        identity,
        skip,
        needs: &needs,
    };
    let (names, alias, zones, machines, databases, networks, block, rights) = futures::join!(
        names_of(&needs, &plan.cluster, cloud),
        asker.alias(),
        asker.zones(),
        asker.machines(),
        asker.databases(),
        asker.networks(),
        asker.access_block(),
        asker.rights(&plan.cluster),
    );
    let mut all = [
        names, alias, zones, machines, databases, networks, block, rights,
    ]
    .concat();
    all.sort_by_key(|check| check.code);
    all
}

/// Looks whether the quotas have room for machines beside those that run.
pub async fn extra_machines(
    fleets: Vec<Fleet>,
    cloud: &(impl Cloud + Inspect + Account),
    identity: &Identity,
) -> Vec<Check> {
    let needs = Needs {
        fleets,
        ..Needs::default()
    };
    let asker = Asker {
        cloud,
        identity,
        skip: &BTreeSet::new(),
        needs: &needs,
    };
    asker.machines().await
}

/// Looks again whether the names of new stacks are free.
pub async fn names(plan: &Plan, cloud: &impl Cloud) -> Vec<Check> {
    names_of(&needs(plan), &plan.cluster, cloud).await
}

async fn names_of(needs: &Needs, cluster: &str, cloud: &impl Cloud) -> Vec<Check> {
    let code = CheckCode::StackName;
    if needs.stacks.is_empty() {
        return Vec::new();
    }
    let look = |name: &String| {
        let name = name.clone();
        async move {
            match cloud.stack(&name).await {
                Ok(found) => taken::stack(cluster, &name, found.as_ref()),
                Err(error) => Some(Check::unanswered(code, &error)),
            }
        }
    };
    let found = join_all(needs.stacks.iter().map(look)).await;
    let mut found: Vec<Check> = found.into_iter().flatten().collect();
    // One reason why nobody answers is said once.
    found.dedup();
    if found.is_empty() {
        found.push(Check::ok(
            code,
            format!("{} are free", needs.stacks.join(", ")),
        ));
    }
    found
}

/// One preflight.
struct Asker<'a, C> {
    cloud: &'a C,
    identity: &'a Identity,
    skip: &'a BTreeSet<CheckCode>,
    needs: &'a Needs,
}

impl<C: Cloud + Inspect + Account> Asker<'_, C> {
    /// The check of a code, unless it is skipped.
    async fn unless_skipped(
        &self,
        code: CheckCode,
        check: impl Future<Output = Vec<Check>>,
    ) -> Vec<Check> {
        if self.skip.contains(&code) {
            return vec![Check::skipped(code)];
        }
        check.await
    }

    async fn alias(&self) -> Vec<Check> {
        let Some(alias) = &self.needs.alias else {
            return Vec::new();
        };
        let code = CheckCode::KeyAlias;
        self.unless_skipped(code, async {
            let found = self.cloud.key(alias).await;
            vec![match found {
                Ok(found) => taken::alias(alias, found.as_ref(), &self.identity.region),
                Err(error) => Check::unanswered(code, &error),
            }]
        })
        .await
    }

    async fn zones(&self) -> Vec<Check> {
        let code = CheckCode::Zone;
        let wanted = &self.needs.zones;
        if wanted.is_empty() {
            return Vec::new();
        }
        self.unless_skipped(code, async {
            vec![match self.cloud.zones().await {
                Ok(there) => offers::zones(wanted, &there, &self.identity.region),
                Err(error) => Check::unanswered(code, &error),
            }]
        })
        .await
    }

    async fn databases(&self) -> Vec<Check> {
        if self.needs.databases.is_empty() {
            return Vec::new();
        }
        let code = CheckCode::Database;
        self.unless_skipped(code, async {
            let look = |wanted: &DatabaseNeed| {
                let wanted = wanted.clone();
                async move { self.database(&wanted).await }
            };
            join_all(self.needs.databases.iter().map(look)).await
        })
        .await
    }

    /// All versions of a class are several pages: they are asked for only where the wanted one is not there.
    async fn database(&self, wanted: &DatabaseNeed) -> Check {
        let exact = Some(wanted.version.as_str()).filter(|version| version.contains('.'));
        let mut offers = self.cloud.database_offers(&wanted.class, exact).await;
        if exact.is_some() && offers.as_ref().is_ok_and(Vec::is_empty) {
            offers = self.cloud.database_offers(&wanted.class, None).await;
        }
        match offers {
            Ok(offers) => {
                offers::database(wanted, &self.needs.zones, &offers, &self.identity.region)
            }
            Err(error) => Check::unanswered(CheckCode::Database, &error),
        }
    }

    /// Addresses, VPCs, and whether there is a default one.
    async fn networks(&self) -> Vec<Check> {
        let Needs {
            addresses,
            vpcs,
            groups_by_zone,
            ..
        } = self.needs;
        let of_addresses = async {
            if *addresses == 0 {
                return Vec::new();
            }
            let code = CheckCode::QuotaAddresses;
            self.unless_skipped(code, async {
                let limit = self.cloud.quota(Quota::ElasticIps);
                let (used, limit) = futures::join!(self.cloud.addresses(), limit);
                let (of, region) = ((code, Quota::ElasticIps), &self.identity.region);
                vec![quotas::check(
                    of,
                    *addresses,
                    (used.map(Some), limit),
                    region,
                )]
            })
            .await
        };
        let of_vpcs = async {
            let (count, find) = (
                *vpcs > 0 && !self.skip.contains(&CheckCode::QuotaVpcs),
                *groups_by_zone && !self.skip.contains(&CheckCode::DefaultVpc),
            );
            if count || find {
                self.vpcs(count, find).await
            } else {
                Vec::new()
            }
        };
        let (mut checks, of_vpcs) = futures::join!(of_addresses, of_vpcs);
        checks.extend(of_vpcs);
        for (code, wanted) in [
            (CheckCode::QuotaVpcs, *vpcs > 0),
            (CheckCode::DefaultVpc, *groups_by_zone),
        ] {
            if wanted && self.skip.contains(&code) {
                checks.push(Check::skipped(code));
            }
        }
        checks
    }

    async fn vpcs(&self, count: bool, find: bool) -> Vec<Check> {
        let region = &self.identity.region;
        let limit = async {
            if count {
                Some(self.cloud.quota(Quota::Vpcs).await)
            } else {
                None
            }
        };
        let (found, limit) = futures::join!(self.cloud.vpcs(), limit);
        let mut checks = Vec::new();
        if let Some(limit) = limit {
            let used = match &found {
                Ok(vpcs) => Ok(Some(vpcs.number)),
                Err(error) => Err(error.clone()),
            };
            let of = (CheckCode::QuotaVpcs, Quota::Vpcs);
            checks.push(quotas::check(of, self.needs.vpcs, (used, limit), region));
        }
        if find {
            checks.push(match found {
                Ok(vpcs) => taken::default_vpc(vpcs, region),
                Err(error) => Check::unanswered(CheckCode::DefaultVpc, &error),
            });
        }
        checks
    }

    async fn access_block(&self) -> Vec<Check> {
        let policies = &self.needs.public_policies;
        if policies.is_empty() {
            return Vec::new();
        }
        let code = CheckCode::PublicAccessBlock;
        let account = &self.identity.account;
        self.unless_skipped(code, async {
            vec![match self.cloud.account_access_block(account).await {
                Ok(on) => taken::access_block(self.identity, policies, &on),
                Err(error) => Check::unanswered(code, &error),
            }]
        })
        .await
    }

    async fn rights(&self, cluster: &str) -> Vec<Check> {
        let groups = rights::groups(self.needs, cluster, self.identity);
        if groups.is_empty() {
            return Vec::new();
        }
        let code = CheckCode::Rights;
        self.unless_skipped(code, async {
            let check = self.simulate(groups).await;
            vec![check.unwrap_or_else(|error| Check::unanswered(code, &error))]
        })
        .await
    }

    async fn simulate(&self, groups: Vec<Group>) -> Result<Check, CloudError> {
        let principal = match Principal::of(&self.identity.caller) {
            Principal::User(arn) => arn,
            Principal::Role(name) => match self.cloud.role_arn(&name).await? {
                Some(arn) => arn,
                None => return Ok(rights::no_role(&name)),
            },
            Principal::Other(who) => return Ok(rights::not_simulated(who)),
        };
        let questions: Vec<RightsQuestion> = groups
            .iter()
            .map(|group| RightsQuestion {
                principal: principal.clone(),
                resources: group.resource.iter().cloned().collect(),
                actions: group.actions.clone(),
            })
            .collect();
        let answers = join_all(questions.iter().map(|one| self.cloud.decisions(one))).await;
        let mut decided = Vec::new();
        for (group, answer) in groups.into_iter().zip(answers) {
            decided.push((group, answer?));
        }
        Ok(rights::check(&principal, &decided))
    }
}
