//! A small cluster on the simulated AWS: a network with the nodes' group, machines, and a bucket with objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::cloud::{Cloud, CloudError, StackStatus};
use crate::common::Clock;
use crate::common::clock::elapsed;
use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use crate::events::{Emitter, Event, SweepPart};
pub use crate::simulated::small_cluster::ours;
use crate::simulated::{
    Balancer, BalancerKind, CallFault, FaultKind, Maker, Noise, Place, Simulated, SimulationConfig,
    small_cluster,
};
use crate::sweep::{Inventory, Scope, SweepReport, Turn, Wish, look, remove};

pub struct Cluster {
    pub cloud: Simulated,
    pub place: Place,
    events: UnboundedSender<Event>,
    received: UnboundedReceiver<Event>,
}

fn templates() -> [(&'static str, Value); 3] {
    let bucket = json!({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}}});
    let tags = small_cluster::owned(&[(TAG_CLUSTER, "canary"), (TAG_STACK, "pool-workers")]);
    [
        ("canary-base", bucket),
        ("canary-network", small_cluster::network()),
        ("canary-pool-workers", small_cluster::machines(&tags, 2)),
    ]
}

impl Cluster {
    pub async fn standing() -> Self {
        let cloud = Simulated::new(SimulationConfig {
            noise: Noise::None,
            ..SimulationConfig::default()
        });
        let place = small_cluster::create(&cloud, &templates()).await;
        let (events, received) = unbounded_channel();
        Self {
            cloud,
            place,
            events,
            received,
        }
    }

    pub fn balancer(&self, kind: BalancerKind, maker: Maker) -> Balancer {
        small_cluster::balancer(&self.place, kind, maker)
    }

    /// Makes a network load balancer with all that belongs to it. Its ARN.
    pub fn make_balancer(&self) -> String {
        self.cloud
            .make_balancer(&self.balancer(BalancerKind::Network, ours()))
    }

    /// A stack `canary-edge` with a key.
    pub async fn add_key_stack(&self) {
        let template = json!({"Resources": {"Key": {"Type": "AWS::KMS::Key"}}});
        small_cluster::add(&self.cloud, "canary-edge", &template, &BTreeMap::new()).await;
    }

    /// A stack `canary-database` with a database in the subnet and the group of the network.
    pub async fn add_database_stack(&self) {
        let [subnet, group] = [self.place.subnets.first(), self.place.node_group.as_ref()];
        let template = json!({"Resources": {
            "Subnets": {"Type": "AWS::RDS::DBSubnetGroup", "Properties": {"SubnetIds": [subnet]}},
            "Database": {"Type": "AWS::RDS::DBInstance", "Properties": {
                "DBSubnetGroupName": {"Ref": "Subnets"}, "VPCSecurityGroups": [group],
                "AllocatedStorage": "20", "DeleteAutomatedBackups": false}}}});
        let none = BTreeMap::new();
        small_cluster::add(&self.cloud, "canary-database", &template, &none).await;
    }

    pub async fn scope(&self) -> Scope {
        let stacks = self.cloud.stacks(Some("canary")).await.unwrap();
        Scope::of(&self.cloud, "canary", &stacks).await.unwrap()
    }

    /// What a deletion would show, a minute later: tagging does not know new ones at once.
    pub async fn look(&self) -> Inventory {
        self.cloud.sleep(Duration::from_mins(1)).await;
        look(&self.cloud, &self.scope().await).await.unwrap()
    }

    /// Deletes the stack of machines, as a deletion does before it removes what lies outside.
    pub async fn delete_pool(&self) {
        let status = self.delete("canary-pool-workers").await;
        assert_eq!(status, StackStatus::DeleteComplete);
    }

    pub async fn delete(&self, stack: &str) -> StackStatus {
        small_cluster::delete(&self.cloud, stack).await.status
    }

    pub async fn try_remove(
        &self,
        shown: &Inventory,
        delete_volumes: bool,
        is_last: bool,
    ) -> Result<SweepReport, CloudError> {
        let wish = Wish {
            delete_volumes,
            shown,
        };
        let turn = self.turn(is_last);
        remove(&self.cloud, self.emit(), &self.scope().await, wish, turn).await
    }

    fn turn(&self, is_last: bool) -> Turn<'static> {
        Turn {
            is_last,
            since: self.cloud.now(),
            earlier: SweepReport::default(),
            network: &|_| {},
        }
    }

    /// The last call after another one. Also how long it took.
    pub async fn remove_last(
        &self,
        shown: &Inventory,
        earlier: SweepReport,
    ) -> (SweepReport, Duration) {
        let began = self.cloud.now();
        let wish = Wish {
            delete_volumes: true,
            shown,
        };
        let turn = Turn {
            earlier,
            ..self.turn(true)
        };
        let scope = self.scope().await;
        let report = remove(&self.cloud, self.emit(), &scope, wish, turn).await;
        (report.unwrap(), self.since(began))
    }

    fn emit(&self) -> Emitter<'_, Simulated> {
        Emitter {
            events: &self.events,
            clock: &self.cloud,
        }
    }

    /// Removes what goes before the network in a scope that is known.
    pub async fn remove_in(&self, scope: &Scope, shown: &Inventory) -> SweepReport {
        let wish = Wish {
            delete_volumes: false,
            shown,
        };
        let report = remove(&self.cloud, self.emit(), scope, wish, self.turn(false)).await;
        report.unwrap()
    }

    /// Removes what goes before the network; also how long that took.
    pub async fn remove(&self, shown: &Inventory, delete_volumes: bool) -> (SweepReport, Duration) {
        let began = self.cloud.now();
        let report = self.try_remove(shown, delete_volumes, false).await.unwrap();
        (report, self.since(began))
    }

    pub fn since(&self, began: Timestamp) -> Duration {
        elapsed(began, self.cloud.now())
    }

    /// Every progress of the removals so far.
    pub fn progress(&mut self) -> Vec<Vec<SweepPart>> {
        let mut all = Vec::new();
        while let Ok(event) = self.received.try_recv() {
            if let Event::Sweep { parts, .. } = event {
                all.push(parts);
            }
        }
        all
    }

    /// Ids of what is outside the stacks, of all but interfaces and disks that go with others.
    pub fn there(&self) -> BTreeSet<String> {
        let things = self.cloud.outside_things().into_iter();
        things.map(|thing| thing.id).collect()
    }

    pub fn thing(&self, kind: OutsideKind) -> Option<OutsideResource> {
        let mut things = self.cloud.outside_things().into_iter();
        things.find(|thing| thing.kind == kind)
    }

    /// Lets a call fail: `times` calls of this method about this.
    pub fn fail(&self, verb: &'static str, about: &str, times: u32, error: CloudError) {
        let fault = CallFault {
            verb: Some(verb),
            about: Some(about.to_owned()),
            after: 0,
            times,
            kind: FaultKind::Refused(error),
        };
        self.cloud.change_faults(|faults| faults.calls.push(fault));
    }
}

pub fn denied(action: &str) -> CloudError {
    CloudError::Denied {
        caller_may_not: "the caller may not do that".to_owned(),
        action: Some(action.to_owned()),
    }
}
