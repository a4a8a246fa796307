//! Whether the caller may remove what is to go: EC2 says it to a dry run, for the rest there is IAM's policy simulator,
//! which counts service control policies, and sees no policies of resources.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::{Answer, Cause, Going, Obstacle, Unchecked};
use crate::cloud::account::{Decision, Effect, Principal, RightsQuestion};
use crate::cloud::outside::OutsideKind;
use crate::cloud::{Account, CloudError, DryRun, Identity, RemovalChecks};
use crate::common::Clock;
use crate::sweep::inventory::Found;
use crate::sweep::listing::{ask, reason};

/// What IAM is asked about something without a dry run.
struct Simulation<'a> {
    found: &'a Found,
    action: &'static str,
    /// Its ARN.
    resource: String,
    /// Whether a policy of the resource may allow what the caller's policies do not.
    has_policy: bool,
}

/// EC2 is asked about one of each kind: a dry run of several would not say which is denied. IAM is asked about everything,
/// once an action.
pub(super) async fn rights<C: Clock + RemovalChecks + Account>(
    cloud: &C,
    going: Going<'_>,
    identity: &Identity,
) -> Vec<Answer> {
    let kinds: Vec<Vec<&Found>> = going.of_aws().collect();
    let (dry, simulated) = futures::join!(
        dry_runs(cloud, &kinds),
        simulations(cloud, &kinds, identity)
    );
    dry.into_iter().chain(simulated).collect()
}

async fn dry_runs<C: Clock + RemovalChecks>(cloud: &C, kinds: &[Vec<&Found>]) -> Vec<Answer> {
    let questions = kinds.iter().filter_map(|of_kind| {
        let first = of_kind.first()?;
        Some(async move {
            match ask(cloud, async || cloud.dry_run(&first.resource).await).await {
                Ok(DryRun::Allowed | DryRun::NotOffered) => Answer::Found(Vec::new()),
                Err(error @ CloudError::Denied { .. }) => {
                    let action = match &error {
                        CloudError::Denied { action, .. } => action.clone(),
                        _ => None,
                    };
                    let right = (action.unwrap_or_default(), reason(&error));
                    Answer::Found(obstacle(of_kind, right).into_iter().collect())
                }
                Err(error) => failed(first, error),
            }
        })
    });
    join_all(questions).await
}

async fn simulations<C: Account>(
    cloud: &C,
    kinds: &[Vec<&Found>],
    identity: &Identity,
) -> Vec<Answer> {
    let asked = kinds.iter().flatten();
    let asked = asked.filter_map(|found| simulation(found, identity));
    let mut actions: BTreeMap<&str, Vec<Simulation<'_>>> = BTreeMap::new();
    for one in asked {
        actions.entry(one.action).or_default().push(one);
    }
    let Some(first) = actions.values().flatten().next() else {
        return Vec::new();
    };
    let principal = match caller(cloud, identity).await {
        Ok(Caller::Arn(arn)) => arn,
        Ok(Caller::NotAsked) => return Vec::new(),
        Ok(Caller::Unknown(who)) => {
            let why = format!("the caller is {who}, whose rights IAM does not simulate");
            let firsts = actions.values().filter_map(|all| all.first());
            return firsts.map(|one| unchecked(one, &why)).collect();
        }
        Err(error) => return vec![failed(first.found, error)],
    };
    let all = actions.values().map(|all| simulate(cloud, &principal, all));
    join_all(all).await.into_iter().flatten().collect()
}

/// Whose policies are asked about.
enum Caller {
    /// Nothing has to be asked, or the caller may do everything.
    NotAsked,
    Arn(String),
    /// Nobody can ask about it; what it is, in words.
    Unknown(String),
}

async fn caller<C: Account>(cloud: &C, identity: &Identity) -> Result<Caller, CloudError> {
    Ok(match Principal::of(&identity.caller) {
        Principal::User(arn) => Caller::Arn(arn),
        Principal::Role(name) => match cloud.role_arn(&name).await? {
            Some(arn) => Caller::Arn(arn),
            None => Caller::Unknown(format!(
                "a session of the role {name}, which IAM does not find"
            )),
        },
        Principal::Other(Principal::ROOT) => Caller::NotAsked,
        Principal::Other(who) => Caller::Unknown(who.to_owned()),
    })
}

/// Asks about all that one action is to remove.
async fn simulate<C: Account>(cloud: &C, principal: &str, all: &[Simulation<'_>]) -> Vec<Answer> {
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let asked = RightsQuestion {
        principal: principal.to_owned(),
        resources: all.iter().map(|one| one.resource.clone()).collect(),
        actions: BTreeSet::from([first.action.to_owned()]),
    };
    let decisions = match cloud.decisions(&asked).await {
        Ok(decisions) => decisions,
        Err(error) => return vec![failed(first.found, error)],
    };
    let mut denied: BTreeMap<OutsideKind, Vec<&Found>> = BTreeMap::new();
    let mut answers = Vec::new();
    for one in all {
        let of = |decision: &&Decision| decision.resource.as_ref() == Some(&one.resource);
        match decisions.iter().find(of) {
            None => answers.push(unchecked(
                one,
                "IAM's policy simulator did not answer about it",
            )),
            Some(decision) if is_denied(decision, one.has_policy) => {
                let kind = one.found.resource.kind;
                denied.entry(kind).or_default().push(one.found);
            }
            Some(_) => {}
        }
    }
    let why = format!("as far as IAM's policy simulator sees it, {principal} may not");
    let denied = denied.values();
    let found =
        denied.filter_map(|of_kind| obstacle(of_kind, (first.action.to_owned(), why.clone())));
    answers.push(Answer::Found(found.collect()));
    answers
}

/// Whether it is certain. The condition of a statement may be about a tag, which the simulation lacks.
fn is_denied(decision: &Decision, has_policy: bool) -> bool {
    match decision.effect {
        _ if decision.lacks_context => false,
        Effect::Allowed => false,
        Effect::Denied => true,
        Effect::NotAllowed => !has_policy,
    }
}

fn simulation<'a>(found: &'a Found, identity: &Identity) -> Option<Simulation<'a>> {
    use OutsideKind as K;
    let resource = &found.resource;
    let partition = identity.caller.split(':').nth(1).unwrap_or("aws");
    let id = &resource.id;
    let (action, resource, has_policy) = match resource.kind {
        K::LoadBalancer => ("elasticloadbalancing:DeleteLoadBalancer", id.clone(), false),
        K::ClassicLoadBalancer => {
            let Identity {
                account, region, ..
            } = identity;
            let arn = format!(
                "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{id}"
            );
            ("elasticloadbalancing:DeleteLoadBalancer", arn, false)
        }
        K::TargetGroup => ("elasticloadbalancing:DeleteTargetGroup", id.clone(), false),
        K::DnsRecord => {
            let zone = id.split(' ').next().unwrap_or_default();
            let arn = format!("arn:{partition}:route53:::hostedzone/{zone}");
            ("route53:ChangeResourceRecordSets", arn, false)
        }
        K::Bucket => (
            "s3:DeleteBucket",
            format!("arn:{partition}:s3:::{id}"),
            true,
        ),
        K::Key => ("kms:ScheduleKeyDeletion", id.clone(), true),
        // EC2's are checked by EC2, and the rest is never removed.
        K::Machine
        | K::GroupRule
        | K::SecurityGroup
        | K::Interface
        | K::Volume
        | K::Snapshot
        | K::LogGroup
        | K::Backup
        | K::DatabaseSnapshot
        | K::Database
        | K::NatGateway
        | K::Address
        | K::InternetGateway
        | K::Vpc
        | K::Subnet
        | K::RouteTable
        | K::Endpoint
        | K::Peering
        | K::NetworkAcl
        | K::VpnGateway => return None,
    };
    Some(Simulation {
        found,
        action,
        resource,
        has_policy,
    })
}

/// Of those of a kind that may not be removed; `None` for none.
fn obstacle(all: &[&Found], (action, why): (String, String)) -> Option<Obstacle> {
    let first = all.first()?;
    Some(Obstacle {
        kind: first.resource.kind,
        id: first.resource.id.clone(),
        stack: None,
        cause: Cause::Right {
            action,
            why,
            ids: all.iter().map(|one| one.resource.id.clone()).collect(),
        },
        blocks: first.row().holds_network,
    })
}

fn unchecked(one: &Simulation<'_>, why: &str) -> Answer {
    Answer::Unchecked(Unchecked {
        kind: one.found.resource.kind,
        id: one.found.resource.id.clone(),
        why: why.to_owned(),
    })
}

fn failed(found: &Found, error: CloudError) -> Answer {
    Answer::Failed(found.resource.kind, found.resource.id.clone(), error)
}
