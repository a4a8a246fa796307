//! What a plan adds to an account, read from its templates: stacks, addresses, networks, machines, databases. Of a
//! stack that exists only what its template did not have before. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cloud::StackStatus;
use crate::plan::{Action, Plan, Step};
use crate::stacks::{Source, StackKind, key_alias};

/// What a plan adds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Needs {
    /// Names of stacks that do not exist yet.
    pub stacks: Vec<String>,
    /// The kinds of those that are created.
    pub kinds: BTreeSet<StackKind>,
    /// The alias of a key.
    pub alias: Option<String>,
    /// Types of resources that are added.
    pub resource_types: BTreeSet<String>,
    pub addresses: u64,
    pub vpcs: u64,
    /// Zones of subnets and machines.
    pub zones: BTreeSet<String>,
    pub fleets: Vec<Fleet>,
    pub databases: Vec<DatabaseNeed>,
    /// Buckets that everybody may read by their policy, by the sentences of the policies.
    pub public_policies: Vec<String>,
    /// Groups that are given zones in place of subnets.
    pub groups_by_zone: bool,
}

/// Machines of one group.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fleet {
    /// The group in the words of people.
    pub what: String,
    /// The field of the definition that decides the types.
    pub field: String,
    /// What AWS may choose from.
    pub types: Vec<String>,
    /// Whether the types are new in the group.
    pub new_types: bool,
    pub zones: BTreeSet<String>,
    /// Whether it can be in no other zone than these, with no other type than its first: a control-plane node.
    pub pinned: bool,
    /// Of the image that it boots, where the template says it.
    pub architecture: Option<String>,
    /// Machines that are added for certain, on demand and spot.
    pub on_demand: u64,
    pub spot: u64,
}

/// A database that is created, or of which something changes that AWS may not offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseNeed {
    pub class: String,
    pub version: String,
    pub multi_az: bool,
    /// The engine version that it has; `None` for one that is created.
    pub before: Option<String>,
}

impl Needs {
    /// Whether there is nothing to ask about.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a plan adds.
pub fn needs(plan: &Plan) -> Needs {
    let mut needs = Needs::default();
    let network = plan.steps.iter();
    let network = network.map(|step| &step.stack);
    let network = network.filter(|stack| stack.kind == StackKind::Network);
    let subnets: BTreeMap<String, String> = network
        .flat_map(|stack| zones_by_output(&stack.template))
        .collect();
    for step in &plan.steps {
        let before = match &step.action {
            Action::Create | Action::Replace => None,
            Action::Update(_) | Action::Deferred => step.before.as_ref(),
            Action::Continue { .. } | Action::NoChange | Action::Follow(_) | Action::Blocked(_) => {
                continue;
            }
        };
        if before.is_none() {
            needs.kinds.insert(step.stack.kind.clone());
        }
        if matches!(step.action, Action::Create) {
            note_names(&mut needs, plan, step);
        }
        let adds = Adds {
            step,
            before,
            subnets: &subnets,
        };
        adds.note(&mut needs);
    }
    needs
}

/// Names are free of other stacks only where this cluster has none there.
fn note_names(needs: &mut Needs, plan: &Plan, step: &Step) {
    let gone = |status: &StackStatus| *status == StackStatus::DeleteComplete;
    if step.found.as_ref().is_none_or(|found| gone(&found.status)) {
        needs.stacks.push(step.stack.name.clone());
        if step.stack.kind == StackKind::Base {
            needs.alias = Some(key_alias(&plan.cluster));
        }
    }
}

/// The zone of each subnet, by the name of the output that names the subnet.
fn zones_by_output(template: &Value) -> BTreeMap<String, String> {
    let outputs = template["Outputs"].as_object();
    let zones = outputs.into_iter().flatten().filter_map(|(key, output)| {
        let id = output["Value"]["Ref"].as_str()?;
        let zone = template["Resources"][id]["Properties"]["AvailabilityZone"].as_str()?;
        Some((key.clone(), zone.to_owned()))
    });
    zones.collect()
}

/// One stack, and what it was.
struct Adds<'a> {
    step: &'a Step,
    before: Option<&'a Value>,
    subnets: &'a BTreeMap<String, String>,
}

impl Adds<'_> {
    fn note(&self, needs: &mut Needs) {
        let template = &self.step.stack.template;
        let resources = template["Resources"].as_object();
        for (id, body) in resources.into_iter().flatten() {
            let of_type = body["Type"].as_str().unwrap_or_default();
            let old = self.before.and_then(|before| before["Resources"].get(id));
            let is_new = old.is_none();
            if is_new {
                needs.resource_types.insert(of_type.to_owned());
            }
            let properties = &body["Properties"];
            match of_type {
                "AWS::EC2::EIP" if is_new => needs.addresses += 1,
                "AWS::EC2::VPC" if is_new => needs.vpcs += 1,
                "AWS::EC2::Subnet" if is_new => {
                    let zone = self.text(&properties["AvailabilityZone"]);
                    needs.zones.extend(zone);
                }
                "AWS::RDS::DBInstance" => {
                    let old = old.and_then(|old| self.database(&old["Properties"]));
                    let wanted = self.database(properties);
                    if is_new || old != wanted {
                        let before = old.map(|old| old.version);
                        let wanted = wanted.map(|wanted| DatabaseNeed { before, ..wanted });
                        needs.databases.extend(wanted);
                    }
                }
                "AWS::S3::BucketPolicy" if is_new && is_public(properties) => {
                    needs.public_policies.push(self.step.description(id));
                }
                "AWS::AutoScaling::AutoScalingGroup" => {
                    let old = old.map(|old| &old["Properties"]);
                    self.group(needs, id, properties, old);
                }
                _ => {}
            }
        }
    }

    /// A value that is written in the template, or given to it. `None` where it is known only when it is made.
    fn text(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Object(_) => {
                let name = value["Ref"].as_str()?;
                let given = self.step.parameters.get(name).cloned();
                let template = &self.step.stack.template;
                given.or_else(|| self.text(&template["Parameters"][name]["Default"]))
            }
            Value::Null | Value::Array(_) => None,
        }
    }

    fn number(&self, value: &Value) -> Option<u64> {
        self.text(value)?.parse().ok()
    }

    fn database(&self, properties: &Value) -> Option<DatabaseNeed> {
        Some(DatabaseNeed {
            class: self.text(&properties["DBInstanceClass"])?,
            version: self.text(&properties["EngineVersion"])?,
            multi_az: self.text(&properties["MultiAZ"]).as_deref() == Some("true"),
            before: None,
        })
    }

    fn group(&self, needs: &mut Needs, id: &str, properties: &Value, old: Option<&Value>) {
        let (on_demand, spot) = self.sizes(properties);
        let (on_demand_before, spot_before) = old.map_or((0, 0), |old| self.sizes(old));
        let template = &self.step.stack.template;
        let types = self.types(template, properties);
        let types_before = self.before.zip(old);
        let types_before = types_before.map(|(before, old)| self.types(before, old));
        let zones = self.zones(properties);
        let new_zones = old.is_none_or(|old| self.zones(old) != zones);
        let fleet = Fleet {
            what: self.step.description(id),
            field: self.field_of_types(id, properties),
            new_types: new_zones || types_before.is_none_or(|before| before != types),
            types,
            pinned: properties.get("AvailabilityZones").is_some(),
            zones,
            architecture: self.architecture(),
            on_demand: on_demand.saturating_sub(on_demand_before),
            spot: spot.saturating_sub(spot_before),
        };
        needs.groups_by_zone |= old.is_none() && properties.get("VPCZoneIdentifier").is_none();
        if fleet.new_types || fleet.on_demand + fleet.spot > 0 {
            needs.zones.extend(fleet.zones.iter().cloned());
            needs.fleets.push(fleet);
        }
    }

    /// How many machines a group has at least, on demand and spot.
    fn sizes(&self, properties: &Value) -> (u64, u64) {
        let least = self.number(&properties["MinSize"]).unwrap_or_default();
        let spread = &properties["MixedInstancesPolicy"]["InstancesDistribution"];
        let base = self
            .number(&spread["OnDemandBaseCapacity"])
            .unwrap_or_default();
        let base = base.min(least);
        let percent = self.number(&spread["OnDemandPercentageAboveBaseCapacity"]);
        // Auto Scaling rounds up in favour of on-demand machines.
        let above = ((least - base) * percent.unwrap_or(100).min(100)).div_ceil(100);
        (base + above, least - base - above)
    }

    fn types(&self, template: &Value, properties: &Value) -> Vec<String> {
        let mixed = &properties["MixedInstancesPolicy"]["LaunchTemplate"];
        let overrides = entries(&mixed["Overrides"]);
        let mut types: Vec<String> = overrides
            .filter_map(|one| self.text(&one["InstanceType"]))
            .collect();
        if types.is_empty() {
            let id = launch_template(properties).unwrap_or_default();
            let data = &template["Resources"][id]["Properties"]["LaunchTemplateData"];
            types.extend(self.text(&data["InstanceType"]));
        }
        types
    }

    fn field_of_types(&self, id: &str, properties: &Value) -> String {
        let mixed = "Properties.MixedInstancesPolicy.LaunchTemplate.Overrides";
        let single = "Properties.LaunchTemplateData.InstanceType";
        let fields = match launch_template(properties) {
            Some(template) if properties.get("MixedInstancesPolicy").is_none() => {
                self.step.stack.fields(template, Some(single))
            }
            _ => self.step.stack.fields(id, Some(mixed)),
        };
        fields
            .into_iter()
            .next()
            .unwrap_or_else(|| "the definition".to_owned())
    }

    fn zones(&self, properties: &Value) -> BTreeSet<String> {
        let named = entries(&properties["AvailabilityZones"]).filter_map(|zone| self.text(zone));
        let subnets = entries(&properties["VPCZoneIdentifier"]).filter_map(|subnet| {
            let parameter = subnet["Ref"].as_str()?;
            let mut inputs = self.step.stack.inputs.iter();
            let input = inputs.find(|input| input.parameter == parameter)?;
            match &input.source {
                Source::Output { key, .. } => self.subnets.get(key).cloned(),
                Source::Value(_) | Source::Locked { .. } => None,
            }
        });
        named.chain(subnets).collect()
    }

    /// The name of the image's parameter ends with it.
    fn architecture(&self) -> Option<String> {
        let mut inputs = self.step.stack.inputs.iter();
        inputs.find_map(|input| match &input.source {
            Source::Locked { parameter } => Some(parameter.rsplit('-').next()?.to_owned()),
            Source::Value(_) | Source::Output { .. } => None,
        })
    }
}

/// The logical id of a group's launch template.
fn launch_template(properties: &Value) -> Option<&str> {
    let mixed =
        &properties["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"];
    let single = &properties["LaunchTemplate"];
    [mixed, single]
        .into_iter()
        .find_map(|one| one["LaunchTemplateId"]["Ref"].as_str())
}

/// Whether a bucket's policy allows something to everybody.
fn is_public(properties: &Value) -> bool {
    entries(&properties["PolicyDocument"]["Statement"]).any(|statement| {
        let principal = &statement["Principal"];
        let everybody = *principal == "*" || principal["AWS"] == "*";
        statement["Effect"] == "Allow" && everybody && statement.get("Condition").is_none()
    })
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
