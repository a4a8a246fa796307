//! What the stacks of a simulated account have, as the calls of its services list it: with the tags that CloudFormation,
//! launch templates and Auto Scaling set, and with the interfaces and disks that AWS makes for it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::simulated::inspected::{now, texts};
use crate::simulated::names::{Setting, arn, attribute};
use crate::simulated::rng::{hex, stream};
use crate::simulated::stack::{Resource, Stack};
use crate::simulated::state::State;
use crate::templates::evaluate::text;

/// Something as a listing has it.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) resource: OutsideResource,
    pub(super) subnet: Option<String>,
    /// Name and logical id where it is itself a resource of a stack.
    pub(super) of: Option<(String, String)>,
    /// The group that has a rule.
    pub(super) holder: Option<String>,
}

/// A resource of a stack with its properties.
pub(super) struct Live<'a> {
    pub(super) stack: &'a Stack,
    pub(super) resource: &'a Resource,
    pub(super) id: String,
    pub(super) properties: Value,
}

/// Bytes.
pub(super) const GIB: u64 = 1 << 30;

/// The kind of a type of resource that is listed as it is.
fn kind(resource_type: &str) -> Option<OutsideKind> {
    Some(match resource_type {
        "AWS::EC2::Instance" => OutsideKind::Machine,
        "AWS::ElasticLoadBalancingV2::LoadBalancer" => OutsideKind::LoadBalancer,
        "AWS::ElasticLoadBalancing::LoadBalancer" => OutsideKind::ClassicLoadBalancer,
        "AWS::ElasticLoadBalancingV2::TargetGroup" => OutsideKind::TargetGroup,
        "AWS::EC2::SecurityGroupIngress" => OutsideKind::GroupRule,
        "AWS::EC2::SecurityGroup" => OutsideKind::SecurityGroup,
        "AWS::EC2::NetworkInterface" => OutsideKind::Interface,
        "AWS::EC2::Volume" => OutsideKind::Volume,
        "AWS::S3::Bucket" => OutsideKind::Bucket,
        "AWS::KMS::Key" => OutsideKind::Key,
        "AWS::EC2::Subnet" => OutsideKind::Subnet,
        "AWS::EC2::RouteTable" => OutsideKind::RouteTable,
        "AWS::EC2::VPCEndpoint" => OutsideKind::Endpoint,
        "AWS::EC2::VPCPeeringConnection" => OutsideKind::Peering,
        "AWS::EC2::NetworkAcl" => OutsideKind::NetworkAcl,
        "AWS::EC2::NatGateway" => OutsideKind::NatGateway,
        "AWS::EC2::EIP" => OutsideKind::Address,
        "AWS::EC2::InternetGateway" | "AWS::EC2::EgressOnlyInternetGateway" => {
            OutsideKind::InternetGateway
        }
        "AWS::EC2::VPC" => OutsideKind::Vpc,
        "AWS::RDS::DBInstance" => OutsideKind::Database,
        _ => return None,
    })
}

/// A resource of a stack as its service lists it. `None` for a kind that is not looked for.
pub(in crate::simulated) fn listed(
    setting: &Setting,
    stack: &Stack,
    resource: &Resource,
) -> Option<OutsideResource> {
    let kind = kind(&resource.kind)?;
    let live = Live {
        stack,
        resource,
        id: resource.physical_id.clone()?,
        properties: now(setting, stack, resource),
    };
    let properties = &live.properties;
    let id = match kind {
        OutsideKind::Key => attribute(setting, &resource.kind, &live.id, "Arn", 1),
        OutsideKind::Address => attribute(setting, &resource.kind, &live.id, "AllocationId", 1),
        _ => live.id.clone(),
    };
    let mut found = OutsideResource::new(kind, id);
    // A rule has no tags of CloudFormation.
    if kind != OutsideKind::GroupRule {
        found.tags = live.tags();
    }
    found.created = Some(stack.live.created);
    let named = |key: &str| properties.get(key).map(text);
    found.vpc = named("VpcId");
    found.description = named("GroupDescription").or_else(|| named("Description"));
    match kind {
        OutsideKind::Volume => {
            found.bytes = gib(&properties["Size"]).map(|gib| gib * GIB);
            found.state = Some("in-use".to_owned());
        }
        OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer => {
            found.uses = texts(&properties["SecurityGroups"]);
            found.state = Some("active".to_owned());
            found.description = Some(attribute(setting, &resource.kind, &live.id, "DNSName", 1));
        }
        OutsideKind::GroupRule => {
            let groups = ["GroupId", "SourceSecurityGroupId"];
            found.uses = groups.into_iter().filter_map(named).collect();
            found.body = named("GroupId").unwrap_or_default();
        }
        OutsideKind::Interface => {
            found.uses = texts(&properties["GroupSet"]);
            found.state = Some("available".to_owned());
        }
        OutsideKind::NatGateway => {
            found.uses = named("AllocationId").into_iter().collect();
            found.state = Some("available".to_owned());
        }
        OutsideKind::Address => found.description = Some(live.id.clone()),
        OutsideKind::Vpc => found.vpc = Some(live.id.clone()),
        OutsideKind::InternetGateway => {
            found.vpc = attached_to(setting, stack, &live.id).or(found.vpc);
        }
        OutsideKind::Database => {
            found.uses = texts(&properties["VPCSecurityGroups"]);
            let group = named("DBSubnetGroupName").unwrap_or_default();
            found.uses.extend(database_subnets(setting, stack, &group));
            found.state = Some("available".to_owned());
            found.bytes = gib(&properties["AllocatedStorage"]).map(|gib| gib * GIB);
        }
        OutsideKind::Key => found.state = Some("Enabled".to_owned()),
        _ => {}
    }
    Some(found)
}

/// The VPC that an internet gateway is attached to, by its stack.
fn attached_to(setting: &Setting, stack: &Stack, gateway: &str) -> Option<String> {
    let all = stack.resources.iter();
    let mut attachments =
        all.filter(|one| one.kind == "AWS::EC2::VPCGatewayAttachment" && one.exists());
    attachments.find_map(|one| {
        let properties = now(setting, stack, one);
        let is_of = properties.get("InternetGatewayId").map(text).as_deref() == Some(gateway);
        is_of.then(|| properties.get("VpcId").map(text)).flatten()
    })
}

/// The VPC of a security group, by its stack.
pub(super) fn vpc_of_group(setting: &Setting, stack: &Stack, group: &str) -> Option<String> {
    let mut all = stack.resources.iter();
    let group = all.find(|one| one.physical_id.as_deref() == Some(group))?;
    now(setting, stack, group).get("VpcId").map(text)
}

/// The subnets of a database, by its stack.
pub(super) fn database_subnets(setting: &Setting, stack: &Stack, group: &str) -> Vec<String> {
    let mut all = stack.resources.iter();
    let group = all.find(|one| one.physical_id.as_deref() == Some(group));
    group.map_or_else(Vec::new, |one| {
        texts(&now(setting, stack, one)["SubnetIds"])
            .into_iter()
            .collect()
    })
}

/// Whether a stack has a resource and the account too.
fn is_there(resource: &Resource) -> bool {
    resource.exists() && !resource.deleted_externally && resource.status != "DELETE_SKIPPED"
}

pub(super) fn gib(value: &Value) -> Option<u64> {
    text(value).parse().ok()
}

/// Tags as templates list them.
pub(super) fn tags_of(list: &Value) -> impl Iterator<Item = (String, String)> {
    let all = list.as_array().into_iter().flatten();
    all.map(|tag| (text(&tag["Key"]), text(&tag["Value"])))
}

impl Live<'_> {
    fn tags(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<_, _> = tags_of(&self.properties["Tags"]).collect();
        let stack = &self.stack.live;
        all.extend(stack.tags.clone());
        all.extend(self.own_tags());
        all
    }

    /// The tags that CloudFormation itself sets. It sets none on keys: `cloudFormationSystemTags` of their schema is false.
    pub(super) fn own_tags(&self) -> BTreeMap<String, String> {
        if self.resource.kind == "AWS::KMS::Key" {
            return BTreeMap::new();
        }
        let stack = &self.stack.live;
        let tag = |key: &str, value: &str| (format!("aws:cloudformation:{key}"), value.to_owned());
        BTreeMap::from([
            tag("stack-id", &stack.id),
            tag("stack-name", &stack.name),
            tag("logical-id", &self.resource.logical_id),
        ])
    }
}

impl State {
    /// The resources of a type that exist.
    pub(super) fn live(&self, of_type: &str) -> Vec<Live<'_>> {
        let setting = &self.env.setting;
        let stacks = self.stacks.iter().filter(|stack| !stack.is_deleted());
        let all = stacks.flat_map(|stack| stack.resources.iter().map(move |one| (stack, one)));
        let there = all.filter(|(_, one)| one.kind == of_type && is_there(one));
        let live = there.filter_map(|(stack, resource)| {
            Some(Live {
                stack,
                resource,
                id: resource.physical_id.clone()?,
                properties: now(setting, stack, resource),
            })
        });
        live.collect()
    }

    /// Everything of a kind that stacks have.
    pub(super) fn of_stacks(&self, wanted: OutsideKind) -> Vec<Listed> {
        let setting = &self.env.setting;
        let stacks = self.stacks.iter().filter(|stack| !stack.is_deleted());
        let all = stacks.flat_map(|stack| stack.resources.iter().map(move |one| (stack, one)));
        let there = all.filter(|(_, one)| kind(&one.kind) == Some(wanted) && is_there(one));
        let mut all: Vec<Listed> = there
            .filter_map(|(stack, one)| {
                let properties = now(setting, stack, one);
                Some(Listed {
                    resource: listed(setting, stack, one)?,
                    subnet: properties.get("SubnetId").map(text),
                    of: Some((stack.live.name.clone(), one.logical_id.clone())),
                    holder: properties.get("GroupId").map(text),
                })
            })
            .collect();
        match wanted {
            OutsideKind::Machine => {
                all.extend(self.group_machines().into_iter().map(|one| one.listed));
            }
            OutsideKind::Volume => all.extend(self.root_disks()),
            OutsideKind::Interface => self.add_interfaces(&mut all),
            OutsideKind::SecurityGroup => all.extend(self.of_vpc(wanted, "sg")),
            OutsideKind::RouteTable => all.extend(self.of_vpc(wanted, "rtb")),
            OutsideKind::LogGroup => all.extend(self.log_groups()),
            // Rules that name no other group are not looked for.
            OutsideKind::GroupRule => all.retain(|one| one.resource.uses.len() > 1),
            OutsideKind::LoadBalancer
            | OutsideKind::ClassicLoadBalancer
            | OutsideKind::TargetGroup
            | OutsideKind::Snapshot
            | OutsideKind::DnsRecord
            | OutsideKind::Backup
            | OutsideKind::DatabaseSnapshot
            | OutsideKind::Bucket
            | OutsideKind::Key
            | OutsideKind::Subnet
            | OutsideKind::Endpoint
            | OutsideKind::Peering
            | OutsideKind::NetworkAcl
            | OutsideKind::VpnGateway
            | OutsideKind::NatGateway
            | OutsideKind::Address
            | OutsideKind::Database
            | OutsideKind::InternetGateway
            | OutsideKind::Vpc => {}
        }
        for one in &mut all {
            let place = one.subnet.as_deref();
            if one.resource.vpc.is_none() {
                one.resource.vpc = match wanted {
                    OutsideKind::GroupRule => {
                        one.holder.as_deref().and_then(|id| self.vpc_of_group(id))
                    }
                    OutsideKind::LoadBalancer | OutsideKind::ClassicLoadBalancer => {
                        self.vpc_of_balancer(&one.resource.id)
                    }
                    OutsideKind::Database => {
                        let mut uses = one.resource.uses.iter();
                        uses.find_map(|id| self.vpc_of(id))
                    }
                    _ => place.and_then(|place| self.vpc_of(place)),
                };
            }
        }
        all
    }

    /// The VPC of a subnet. Small templates may name the VPC in a subnet's place.
    pub(super) fn vpc_of(&self, subnet: &str) -> Option<String> {
        if subnet.starts_with("vpc-") {
            return Some(subnet.to_owned());
        }
        let found = self.found("AWS::EC2::Subnet", subnet);
        let own = found.map(|found| text(&found.properties["VpcId"]));
        own.or_else(|| {
            let thing = self
                .env
                .outside
                .find(OutsideKind::Subnet, subnet, self.now)?;
            thing.resource.vpc.clone()
        })
    }

    fn vpc_of_group(&self, group: &str) -> Option<String> {
        let found = self.found("AWS::EC2::SecurityGroup", group);
        found.map(|found| text(&found.properties["VpcId"]))
    }

    fn vpc_of_balancer(&self, arn: &str) -> Option<String> {
        let found = self.found("AWS::ElasticLoadBalancingV2::LoadBalancer", arn)?;
        let subnets = balancer_subnets(&found.properties);
        subnets.first().and_then(|subnet| self.vpc_of(subnet))
    }

    /// What AWS makes with each VPC: its default group, its main route table.
    fn of_vpc(&self, kind: OutsideKind, prefix: &str) -> Vec<Listed> {
        let made = |vpc: Live<'_>| {
            let mut found =
                OutsideResource::new(kind, made_for(self.env.setting.seed, prefix, &vpc.id, 0));
            found.description = match kind {
                OutsideKind::SecurityGroup => Some("default VPC security group".to_owned()),
                _ => None,
            };
            found.vpc = Some(vpc.id);
            found.by_aws = true;
            Listed::of_aws(found)
        };
        let vpcs = self.live("AWS::EC2::VPC").into_iter();
        vpcs.map(made).collect()
    }

    /// The log groups of databases: RDS makes them, no stack has them.
    fn log_groups(&self) -> Vec<Listed> {
        let databases = self.live("AWS::RDS::DBInstance").into_iter();
        let groups = databases.flat_map(|one| log_groups(&one.id, &one.properties));
        groups.map(Listed::of_aws).collect()
    }
}

pub(super) fn balancer_subnets(properties: &Value) -> Vec<String> {
    let mapped = properties["SubnetMappings"]
        .as_array()
        .into_iter()
        .flatten();
    let mapped = mapped.map(|one| text(&one["SubnetId"]));
    texts(&properties["Subnets"])
        .into_iter()
        .chain(mapped)
        .collect()
}

/// An id of something that AWS makes for a resource.
pub(super) fn made_for(seed: u64, prefix: &str, of: &str, number: u64) -> String {
    let rng = &mut stream(seed, &["made for", prefix, of], number);
    format!("{prefix}-0{}", hex(rng, 16))
}

/// The log groups of a database by what it exports.
pub(super) fn log_groups(database: &str, properties: &Value) -> Vec<OutsideResource> {
    let exports = texts(&properties["EnableCloudwatchLogsExports"]);
    let group = |log: String| {
        let name = format!("/aws/rds/instance/{database}/{log}");
        OutsideResource {
            bytes: Some(name.len() as u64 * 4096),
            ..OutsideResource::new(OutsideKind::LogGroup, name)
        }
    };
    exports.into_iter().map(group).collect()
}

/// The automated backups that stay of a deleted database, if any do.
pub(super) fn backup(
    setting: &Setting,
    stack: &Stack,
    resource: &Resource,
) -> Option<OutsideResource> {
    let live = Live {
        stack,
        resource,
        id: resource.physical_id.clone()?,
        properties: now(setting, stack, resource),
    };
    let removed = |value: &Value| value.as_bool() != Some(false) && text(value) != "false";
    if removed(&live.properties["DeleteAutomatedBackups"]) {
        return None;
    }
    let rng = &mut stream(setting.seed, &["backup", &live.id], resource.generation);
    let arn = arn(setting, "rds", &format!("auto-backup:ab-{}", hex(rng, 26)));
    Some(OutsideResource {
        tags: live.tags(),
        state: Some("retained".to_owned()),
        bytes: gib(&live.properties["AllocatedStorage"]).map(|gib| gib * GIB),
        description: Some(live.id),
        ..OutsideResource::new(OutsideKind::Backup, arn)
    })
}

/// The snapshot that CloudFormation takes of a database before it deletes it.
pub(super) fn last_snapshot(
    setting: &Setting,
    stack: &Stack,
    resource: &Resource,
) -> Option<OutsideResource> {
    let database = resource.physical_id.clone()?;
    let properties = now(setting, stack, resource);
    let of = format!("{}-snapshot-{}-", stack.live.name, resource.logical_id);
    let rng = &mut stream(setting.seed, &["snapshot", &database], resource.generation);
    let id = format!("{}{}", of.to_lowercase(), hex(rng, 12));
    Some(OutsideResource {
        state: Some("available".to_owned()),
        bytes: gib(&properties["AllocatedStorage"]).map(|gib| gib * GIB),
        uses: [database.clone()].into(),
        description: Some(database),
        ..OutsideResource::new(OutsideKind::DatabaseSnapshot, id)
    })
}

impl Listed {
    /// Something that AWS made for a resource of a stack.
    pub(super) fn of_aws(resource: OutsideResource) -> Self {
        Self {
            resource,
            subnet: None,
            of: None,
            holder: None,
        }
    }
}
