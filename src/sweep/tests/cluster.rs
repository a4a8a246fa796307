//! A small cluster on the simulated AWS: a network with the nodes' group, machines, and a bucket with objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::cloud::{
    ChangeSetLifetime, ChangeSetRequest, Cloud, CloudError, Comparison, Protection, StackStatus,
};
use crate::common::Clock;
use crate::common::clock::elapsed;
use crate::common::tags::{TAG_CLUSTER, TAG_STACK};
use crate::events::{Emitter, Event, SweepPart};
use crate::simulated::{
    Balancer, BalancerKind, CallFault, FaultKind, Maker, Noise, Place, Simulated, SimulationConfig,
};
use crate::sweep::{Inventory, Scope, SweepReport, Turn, Wish, look, remove};

pub struct Cluster {
    pub cloud: Simulated,
    pub place: Place,
    events: UnboundedSender<Event>,
    received: UnboundedReceiver<Event>,
}

fn templates() -> [(&'static str, Value); 3] {
    let tag = json!([{"Key": "kubernetes.io/cluster/canary", "Value": "owned"}]);
    let machine_tags = json!([{"Key": "kubernetes.io/cluster/canary", "Value": "owned"},
        {"Key": TAG_CLUSTER, "Value": "canary"}, {"Key": TAG_STACK, "Value": "pool-workers"}]);
    [
        (
            "canary-base",
            json!({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}, "Outputs": {"Bucket": {"Value": {"Ref": "Bucket"}}}}),
        ),
        (
            "canary-network",
            json!({"Resources": {
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
                "NetA": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "Tags": tag}},
                "NodeSg": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
                    "GroupDescription": "nodes", "VpcId": {"Ref": "Vpc"}, "Tags": tag}},
            }, "Outputs": {"VpcId": {"Value": {"Ref": "Vpc"}}, "NetA": {"Value": {"Ref": "NetA"}},
                "NodeSg": {"Value": {"Ref": "NodeSg"}}}}),
        ),
        (
            "canary-pool-workers",
            json!({"Parameters": {"NetA": {"Type": "String"}, "NodeSg": {"Type": "String"}}, "Resources": {
                "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {
                    "SecurityGroupIds": [{"Ref": "NodeSg"}],
                    "TagSpecifications": [
                        {"ResourceType": "instance", "Tags": machine_tags},
                        {"ResourceType": "volume", "Tags": machine_tags}]}}},
                "Group": {"Type": "AWS::AutoScaling::AutoScalingGroup", "Properties": {
                    "MinSize": "2", "MaxSize": "3", "VPCZoneIdentifier": [{"Ref": "NetA"}],
                    "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}}}}}),
        ),
    ]
}

pub fn ours() -> Maker {
    Maker::Kubernetes("canary".to_owned())
}

impl Cluster {
    pub async fn standing() -> Self {
        let cloud = Simulated::new(SimulationConfig {
            noise: Noise::None,
            ..SimulationConfig::default()
        });
        let mut outputs = BTreeMap::new();
        for (name, template) in templates() {
            let id = create(&cloud, name, &template, &outputs).await;
            settled(&cloud, &id).await;
            outputs.extend(cloud.stack(&id).await.unwrap().unwrap().outputs);
        }
        let (events, received) = unbounded_channel();
        let place = Place {
            vpc: outputs["VpcId"].clone(),
            subnets: vec![outputs["NetA"].clone()],
            node_group: Some(outputs["NodeSg"].clone()),
        };
        Self {
            cloud,
            place,
            events,
            received,
        }
    }

    pub fn balancer(&self, kind: BalancerKind, maker: Maker) -> Balancer {
        Balancer {
            kind,
            maker,
            service: "default/web".to_owned(),
            place: self.place.clone(),
            again_after: None,
            protected: false,
        }
    }

    /// Makes a network load balancer with all that belongs to it. Its ARN.
    pub fn make_balancer(&self) -> String {
        self.cloud
            .make_balancer(&self.balancer(BalancerKind::Network, ours()))
    }

    /// A stack `canary-edge` with a key.
    pub async fn add_key_stack(&self) {
        let template = json!({"Resources": {"Key": {"Type": "AWS::KMS::Key"}}});
        let id = create(&self.cloud, "canary-edge", &template, &BTreeMap::new()).await;
        settled(&self.cloud, &id).await;
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
        let all = self.cloud.stacks(Some("canary")).await.unwrap();
        let id = all.into_iter().find(|one| one.name == stack).unwrap().id;
        let token = format!("delete-{}", self.cloud.writes().len());
        self.cloud.delete(&id, &token).await.unwrap();
        settled(&self.cloud, &id).await
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

async fn create(
    cloud: &Simulated,
    name: &str,
    template: &Value,
    outputs: &BTreeMap<String, String>,
) -> String {
    let takes = template["Parameters"].as_object();
    let takes = takes.into_iter().flat_map(|all| all.keys());
    let kind = name.trim_start_matches("canary-").to_owned();
    let request = ChangeSetRequest {
        stack: name.to_owned(),
        template: template.to_string(),
        bucket: None,
        parameters: takes
            .map(|key| (key.clone(), outputs[key].clone()))
            .collect(),
        capabilities: Vec::new(),
        tags: BTreeMap::from([
            (TAG_CLUSTER.to_owned(), "canary".to_owned()),
            (TAG_STACK.to_owned(), kind),
        ]),
        token: format!("create-{name}"),
        lifetime: ChangeSetLifetime::Run,
        comparison: Comparison::Template,
    };
    let open = Protection {
        termination: false,
        policy: None,
    };
    cloud.create(&request, &open).await.unwrap()
}

/// The status of a stack when its operation is over.
async fn settled(cloud: &Simulated, id: &str) -> StackStatus {
    loop {
        let stack = cloud.stack(id).await.unwrap().unwrap();
        if !stack.status.is_in_progress() {
            return stack.status;
        }
        cloud.sleep(Duration::from_secs(5)).await;
    }
}
