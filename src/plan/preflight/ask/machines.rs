//! What is asked about machines: where their types are offered, what EC2 knows of them, and the quotas of vCPUs.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::super::needs::Fleet;
use super::super::{Check, CheckCode, offers, quotas};
use super::Asker;
use crate::catalog::instances;
use crate::cloud::{Account, Cloud, CloudError, Inspect, Quota};

impl<C: Cloud + Inspect + Account> Asker<'_, C> {
    /// Types and quotas of machines: what EC2 says of types that the catalogue does not know serves both.
    pub(super) async fn machines(&self) -> Vec<Check> {
        let fleets = &self.needs.fleets;
        let types = fleets.iter().flat_map(|fleet| fleet.types.iter().cloned());
        let types: BTreeSet<String> = types.collect();
        if types.is_empty() {
            return Vec::new();
        }
        let is_known = |name: &&String| instances::find(name).is_some_and(|one| one.vcpu.is_some());
        let others = types.iter().filter(|name| !is_known(name)).cloned();
        let others: BTreeSet<String> = others.collect();
        let facts = async {
            if others.is_empty() {
                return Ok(BTreeMap::new());
            }
            self.cloud.machine_types(&others).await
        };
        let (facts, offered) = futures::join!(facts, self.offered(fleets));
        let (facts, mut checks) = match facts {
            Ok(facts) => (facts, Vec::new()),
            Err(error) => {
                let check = Check::unanswered(CheckCode::MachineType, &error);
                (BTreeMap::new(), vec![check])
            }
        };
        match offered {
            Ok(None) => checks = vec![Check::skipped(CheckCode::MachineType)],
            Ok(Some(offered)) => {
                let new = fleets.iter().filter(|fleet| fleet.new_types);
                checks.extend(new.flat_map(|fleet| {
                    offers::machine_types(fleet, &offered, &facts, &self.identity.region)
                }));
            }
            Err(error) => checks.push(Check::unanswered(CheckCode::MachineType, &error)),
        }
        checks.extend(self.vcpus(&facts).await);
        checks
    }

    /// Where the types of fleets are offered that are new; `None` where nobody wants to know.
    async fn offered(&self, fleets: &[Fleet]) -> Result<Option<offers::Offerings>, CloudError> {
        let new = fleets.iter().filter(|fleet| fleet.new_types);
        let new: BTreeSet<String> = new.flat_map(|fleet| fleet.types.iter().cloned()).collect();
        if new.is_empty() {
            return Ok(Some(BTreeMap::new()));
        }
        if self.skip.contains(&CheckCode::MachineType) {
            return Ok(None);
        }
        self.cloud.offerings(&new).await.map(Some)
    }

    async fn vcpus(&self, facts: &offers::MachineTypes) -> Vec<Check> {
        let vcpus = quotas::vcpus(&self.needs.fleets, facts);
        let code = |quota: &Quota| match quota {
            Quota::Spot(_) => CheckCode::QuotaSpotVcpus,
            Quota::OnDemand(_) | Quota::ElasticIps | Quota::Vpcs => CheckCode::QuotaVcpus,
        };
        let mut checks: Vec<Check> = vcpus.unknown;
        checks.retain(|check| !self.skip.contains(&check.code));
        let wanted: BTreeSet<CheckCode> = vcpus.added.keys().map(code).collect();
        let skipped = wanted.intersection(self.skip);
        checks.extend(skipped.map(|code| Check::skipped(*code)));
        let asked = vcpus.added.iter();
        let asked: Vec<_> = asked
            .filter(|(quota, _)| !self.skip.contains(&code(quota)))
            .collect();
        if asked.is_empty() {
            return checks;
        }
        let limits = asked.iter().map(|(quota, _)| self.cloud.quota(**quota));
        let (running, limits) = futures::join!(self.cloud.running_machines(), join_all(limits));
        for ((quota, added), limit) in asked.into_iter().zip(limits) {
            let used = match &running {
                Ok(machines) => Ok(quotas::used(machines, *quota)),
                Err(error) => Err(error.clone()),
            };
            let (of, region) = ((code(quota), *quota), &self.identity.region);
            checks.push(quotas::check(of, *added, (used, limit), region));
        }
        checks
    }
}
