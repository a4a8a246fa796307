//! How calls reach a fleet: through the same ways, with the same faults, as all calls to the simulated cloud.

use super::{Fleet, FleetConfig};
use crate::cloud::{CloudError, NodesError};
use crate::simulated::Simulated;
use crate::simulated::state::State;

impl State {
    /// The fleet; one without apps begins with the first question about machines.
    pub(super) fn fleet_mut(&mut self) -> &mut Fleet {
        if self.fleet.is_none() {
            let now = self.now;
            let (seed, noise) = (self.env.setting.seed, self.env.noise);
            let fleet = Fleet::new(FleetConfig::default(), seed, noise, now);
            self.fleet = Some(Box::new(fleet));
            self.advance_fleet(now);
        }
        let now = self.now;
        let (seed, noise) = (self.env.setting.seed, self.env.noise);
        self.fleet
            .get_or_insert_with(|| Box::new(Fleet::new(FleetConfig::default(), seed, noise, now)))
    }
}

impl Simulated {
    /// A read of the Kubernetes API.
    pub(super) async fn kube_read<T>(
        &self,
        verb: &'static str,
        about: &str,
        work: impl FnOnce(&Fleet) -> T,
    ) -> Result<T, NodesError> {
        let answer = self.read(verb, about, |state| {
            Ok(answered(state).map(|fleet| work(fleet)))
        });
        answer.await.unwrap_or_else(|error| Err(lost(&error)))
    }

    /// A write to the Kubernetes API.
    pub(super) async fn kube_write<T>(
        &self,
        verb: &'static str,
        about: &str,
        work: impl FnOnce(&mut Fleet) -> T,
    ) -> Result<T, NodesError> {
        let answer = self.write(verb, about, |state| Ok(answered(state).map(work)));
        answer.await.unwrap_or_else(|error| Err(lost(&error)))
    }
}

fn answered(state: &mut State) -> Result<&mut Fleet, NodesError> {
    let fleet = state.fleet_mut();
    if fleet.api_answers() {
        Ok(fleet)
    } else {
        Err(NodesError::Away("connection refused".to_owned()))
    }
}

fn lost(error: &CloudError) -> NodesError {
    if error.is_transient() {
        NodesError::Away(error.to_string())
    } else {
        NodesError::Refused(error.to_string())
    }
}
