//! What a simulated account has and may do: as much as anybody asks for, unless [`Simulated::set_account`] says
//! otherwise. Addresses and VPCs are counted from the stacks.

use std::collections::{BTreeMap, BTreeSet};

use super::Simulated;
use super::names::partition_of;
use super::state::State;
use crate::cloud::account::{
    Account, DatabaseOffer, Decision, Effect, MachineType, Quota, RightsQuestion, RunningMachine,
    Vpcs,
};
use crate::cloud::{CloudError, KeyState};

/// More than any plan takes.
const PLENTY: u64 = 100_000;

/// The letters of the zones that every simulated region has.
const LETTERS: &str = "abcdef";

/// What an account has that differs from the usual.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SimulatedAccount {
    /// Quotas by their codes in Service Quotas; the others leave room for everything.
    pub quotas: BTreeMap<&'static str, u64>,
    /// Addresses and VPCs beside those of the simulated stacks.
    pub other_addresses: u64,
    pub other_vpcs: u64,
    pub running: Vec<RunningMachine>,
    /// The zones that there are; `None` is `a` to `f` of the region.
    pub zones: Option<BTreeSet<String>>,
    /// Zones in which a machine type is not offered; without any it is not offered at all.
    pub not_offered: BTreeMap<String, BTreeSet<String>>,
    /// What EC2 says of machine types.
    pub machine_types: BTreeMap<String, MachineType>,
    /// How databases can be ordered; `None` is with every version that is named, in every zone.
    pub database_offers: Option<Vec<DatabaseOffer>>,
    /// The parts of the account's public access block that are on.
    pub access_block: BTreeSet<String>,
    pub lacks_default_vpc: bool,
    /// Actions that no policy allows, or that one denies.
    pub not_allowed: BTreeMap<String, Effect>,
    /// ARNs to which that is confined; none is everything.
    pub not_allowed_on: BTreeSet<String>,
    /// A key behind every alias that is asked about.
    pub alias_is_taken: bool,
}

impl Simulated {
    /// Sets what the account has from now on.
    pub fn set_account(&self, account: SimulatedAccount) {
        self.with_now(|state| state.account = account);
    }
}

impl State {
    fn region_zones(&self) -> BTreeSet<String> {
        let region = &self.env.setting.region;
        let letters = LETTERS.chars();
        let usual = || letters.map(|letter| format!("{region}{letter}")).collect();
        self.account.zones.clone().unwrap_or_else(usual)
    }

    /// The key behind an alias, where somebody has taken it.
    pub(super) fn foreign_alias(&self, key: &str) -> Option<KeyState> {
        let taken = self.account.alias_is_taken && key.starts_with("alias/");
        taken.then_some(KeyState::Enabled)
    }
}

impl SimulatedAccount {
    /// Whether `not_allowed` is about a resource.
    fn decides_on(&self, resource: Option<&String>) -> bool {
        let on = &self.not_allowed_on;
        on.is_empty() || resource.is_some_and(|resource| on.contains(resource))
    }
}

impl Account for Simulated {
    async fn quota(&self, quota: Quota) -> Result<u64, CloudError> {
        let (_, code) = quota.codes();
        self.read("quota", code, |state| {
            let set = state.account.quotas.get(code).copied();
            Ok(set.unwrap_or(PLENTY))
        })
        .await
    }

    async fn addresses(&self) -> Result<u64, CloudError> {
        self.read("addresses", "", |state| {
            let own = state.all("AWS::EC2::EIP").count() as u64;
            Ok(own + state.account.other_addresses)
        })
        .await
    }

    async fn vpcs(&self) -> Result<Vpcs, CloudError> {
        self.read("vpcs", "", |state| {
            let own = state.all("AWS::EC2::VPC").count() as u64;
            let has_default = !state.account.lacks_default_vpc;
            Ok(Vpcs {
                number: own + state.account.other_vpcs + u64::from(has_default),
                has_default,
            })
        })
        .await
    }

    async fn running_machines(&self) -> Result<Vec<RunningMachine>, CloudError> {
        self.read("running_machines", "", |state| {
            Ok(state.account.running.clone())
        })
        .await
    }

    async fn zones(&self) -> Result<BTreeSet<String>, CloudError> {
        self.read("zones", "", |state| Ok(state.region_zones()))
            .await
    }

    async fn offerings(
        &self,
        types: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, CloudError> {
        self.read("offerings", "", |state| {
            let offered = |name: &String| {
                let zones = state.region_zones();
                let zones = match state.account.not_offered.get(name) {
                    None => zones,
                    Some(not_in) if not_in.is_empty() => return None,
                    Some(not_in) => zones.difference(not_in).cloned().collect(),
                };
                Some((name.clone(), zones))
            };
            Ok(types.iter().filter_map(offered).collect())
        })
        .await
    }

    async fn machine_types(
        &self,
        types: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, MachineType>, CloudError> {
        self.read("machine_types", "", |state| {
            let mut known = state.account.machine_types.clone();
            known.retain(|name, _| types.contains(name));
            Ok(known)
        })
        .await
    }

    async fn database_offers(
        &self,
        class: &str,
        version: Option<&str>,
    ) -> Result<Vec<DatabaseOffer>, CloudError> {
        self.read("database_offers", class, |state| {
            let Some(mut offers) = state.account.database_offers.clone() else {
                let version = version.unwrap_or("18.4").to_owned();
                let zones = state.region_zones();
                return Ok(vec![DatabaseOffer { version, zones }]);
            };
            offers.retain(|offer| version.is_none_or(|version| offer.version == version));
            Ok(offers)
        })
        .await
    }

    async fn account_access_block(&self, account: &str) -> Result<BTreeSet<String>, CloudError> {
        self.read("account_access_block", account, |state| {
            Ok(state.account.access_block.clone())
        })
        .await
    }

    async fn role_arn(&self, name: &str) -> Result<Option<String>, CloudError> {
        self.read("role_arn", name, |state| {
            let setting = &state.env.setting;
            let (partition, account) = (partition_of(setting), &setting.account);
            Ok(Some(format!("arn:{partition}:iam::{account}:role/{name}")))
        })
        .await
    }

    async fn decisions(&self, question: &RightsQuestion) -> Result<Vec<Decision>, CloudError> {
        self.read("decisions", &question.principal, |state| {
            let account = &state.account;
            let decide = |action: &String, resource: Option<&String>| Decision {
                action: action.clone(),
                resource: resource.cloned(),
                effect: match account.not_allowed.get(action) {
                    Some(effect) if account.decides_on(resource) => *effect,
                    Some(_) | None => Effect::Allowed,
                },
                lacks_context: false,
            };
            let actions = question.actions.iter();
            Ok(actions
                .flat_map(|action| {
                    let of = question.resources.iter();
                    let of = of.map(|resource| decide(action, Some(resource)));
                    let any = question.resources.is_empty().then(|| decide(action, None));
                    of.chain(any).collect::<Vec<_>>()
                })
                .collect())
        })
        .await
    }
}
