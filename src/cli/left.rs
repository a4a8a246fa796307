//! What is left of a cluster without any stack, as `status` and `doctor` look at it: resources that stacks and Kubernetes
//! left, what was kept, parameters.

use std::collections::BTreeSet;

use super::error::{CommandError, Exit};
use crate::cloud::aws::Aws;
use crate::cloud::{Identity, Store as _};
use crate::common::Clock as _;
use crate::common::text::count;
use crate::forecast::prices::Prices;
use crate::operation;
use crate::report::protection::{self, Leftover, LeftoverFacts, LeftoverState, number_in};
use crate::stacks::parameter_path;
use crate::sweep::{self, Scope, Seen};

/// A cluster that has no stack.
pub struct Gone<'a> {
    pub cloud: &'a Aws,
    pub name: &'a str,
    pub identity: &'a Identity,
    /// As it is named to a command.
    pub argument: &'a str,
}

impl Gone<'_> {
    /// Looks for every kind; what can't be looked for is among the answers.
    pub async fn look(&self) -> Result<Vec<Leftover>, CommandError> {
        let Self {
            cloud,
            name,
            identity,
            argument,
        } = *self;
        let scope = Scope::of(cloud, name, &[]).await?;
        let path = parameter_path(name) + "/";
        let (inventory, operation, parameters) = futures::join!(
            sweep::look(cloud, &scope),
            operation::read(cloud, name),
            cloud.parameters_under(&path),
        );
        let mut inventory = inventory?;
        inventory.tell_past_volumes(None, &Seen::NoApi);
        let operation = operation.map(|held| held.map(|run| run.to_string()));
        let parameters = parameters.map(|all| all.len());
        Ok(protection::leftovers(&LeftoverFacts {
            cluster: name,
            argument,
            region: &identity.region,
            inventory: &inventory,
            kubernetes: &Seen::NoApi,
            is_tunnelled: false,
            used_groups: &Ok(BTreeSet::new()),
            operation: &operation.map_err(|error| error.to_string()),
            is_network_stuck: false,
            parameters_left: Some(&parameters.map_err(|error| error.to_string())),
            prices: &Prices::table(),
            now: cloud.now(),
        }))
    }

    /// What was found, as an exit code; `missing` where nothing is left but what is kept on purpose: it is not there to be
    /// looked at.
    pub fn verdict(&self, left: &[Leftover], missing: CommandError) -> Result<Exit, CommandError> {
        let Self { name, argument, .. } = self;
        let number = number_in(left, LeftoverState::Orphaned);
        if number > 0 {
            let text = format!(
                "{name} has no stacks, and {} left over",
                count(number, "resource")
            );
            let help = format!(
                "see `next` above; `kube-cfn delete {argument} --plan` shows what a deletion does with all of it"
            );
            return Err(CommandError::new(Exit::NeedsAction, text).help(help));
        }
        if number_in(left, LeftoverState::Unknown) > 0 {
            let text = format!(
                "{name} has no stacks, and not all that they may have left could be looked at"
            );
            return Err(CommandError::other(text).help("see the reasons above"));
        }
        if number_in(left, LeftoverState::Kept) == 0 {
            return Err(missing);
        }
        let Identity {
            account, region, ..
        } = self.identity;
        let text = format!(
            "{name} has no stacks in account {account}, region {region}; all that is there was kept on purpose"
        );
        let help = format!("`kube-cfn delete {argument} --plan` has the commands for it");
        Err(CommandError::other(text).help(help))
    }
}
