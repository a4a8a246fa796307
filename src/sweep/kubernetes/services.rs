//! Services of type LoadBalancer are deleted, and their ends waited for: the controller of each removes its load balancer,
//! target groups, security group and rules first, and then the finalizer that holds it.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::Clock;
use crate::common::text::count;
use crate::kube::{KubeError, ServiceObject};

use super::Objects;
use super::rounds::{Movement, Run, some};

const PART: &str = "Service of type LoadBalancer";

/// What is known of them from round to round.
struct Services {
    movement: Movement,
    /// The last one seen under each name.
    uids: BTreeMap<String, String>,
    /// Names under which another one was made.
    again: BTreeSet<String>,
    wanted: usize,
    left: Vec<ServiceObject>,
}

/// Deletes them. Whether the API still answers.
pub async fn delete<K: Clock>(run: &Run<'_, K>, objects: &Objects, left: &mut Vec<String>) -> bool {
    let mut services = Services {
        movement: run.movement(),
        uids: BTreeMap::new(),
        again: BTreeSet::new(),
        wanted: objects.services.len(),
        left: Vec::new(),
    };
    match services.rounds(run).await {
        Ok(()) => {
            left.extend(services.left.iter().map(|one| services.line(one)));
            true
        }
        Err(error) => {
            let known = services.left.iter().map(|one| one.object.path());
            let mut known: Vec<String> = known.collect();
            if services.uids.is_empty() {
                let shown = objects.services.iter();
                known = shown
                    .map(|one| format!("{}/{}", one.namespace, one.name))
                    .collect();
            }
            let names = match known.as_slice() {
                [] => String::new(),
                names => format!(" ({})", some(names)),
            };
            left.push(format!(
                "Services of type LoadBalancer{names} not deleted through Kubernetes: the API {}",
                error.brief().trim_start_matches("the API ")
            ));
            !error.is_transient()
        }
    }
}

impl Services {
    async fn rounds<K: Clock>(&mut self, run: &Run<'_, K>) -> Result<(), KubeError> {
        loop {
            self.left = run
                .ask(async || run.api.load_balancer_services().await)
                .await?;
            self.remember();
            self.wanted = self.wanted.max(self.left.len());
            let done = self.wanted - self.left.len();
            run.show(PART, done, self.wanted, self.state());
            if self.left.is_empty() || run.is_stalled(&mut self.movement, self.left.len()) {
                return Ok(());
            }
            let standing = self.left.iter().filter(|one| !one.object.is_ending);
            run.each(standing, async |one: &ServiceObject| {
                run.remove(async || run.api.delete_service(&one.object).await)
                    .await
            })
            .await?;
            run.pause().await;
        }
    }

    fn remember(&mut self) {
        for one in &self.left {
            let (path, uid) = (one.object.path(), one.object.uid.clone());
            let before = self.uids.insert(path.clone(), uid.clone());
            if before.is_some_and(|before| before != uid) {
                self.again.insert(path);
            }
        }
    }

    fn state(&self) -> String {
        let ending = self.left.iter().filter(|one| one.object.is_ending).count();
        match ending {
            0 => String::new(),
            ending => format!(
                "{} to be removed by their controller",
                count(ending, "load balancer")
            ),
        }
    }

    /// Why one is left.
    fn line(&self, one: &ServiceObject) -> String {
        let path = one.object.path();
        let address = one
            .address
            .as_ref()
            .map_or(String::new(), |address| format!(" ({address})"));
        let why = if self.again.contains(&path) {
            "it is made again after each deletion: something else in the cluster wants it"
                .to_owned()
        } else if one.object.finalizers.is_empty() {
            "it was deleted, and is still there".to_owned()
        } else {
            let held = some(&one.object.finalizers);
            format!("its controller has not removed {held}")
        };
        format!("Service {path}{address}: {why}")
    }
}
