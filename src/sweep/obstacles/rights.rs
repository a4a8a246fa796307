//! Whether the caller may remove what is to go: EC2 says it to a dry run, for the rest there is IAM's policy simulator,
//! which sees neither policies of resources nor those of the organization.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{Answer, Cause, Going, Obstacle, Unchecked};
use crate::cloud::account::{Effect, Principal, RightsQuestion};
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::cloud::{Account, CloudError, DryRun, Identity, RemovalChecks};
use crate::common::Clock;
use crate::sweep::inventory::Found;
use crate::sweep::listing::{ask, reason};

/// What IAM is asked about a resource of a kind without a dry run.
struct Simulation {
    action: &'static str,
    /// Its ARN.
    resource: String,
    /// Whether a policy of the resource may allow what the caller's policies do not.
    has_policy: bool,
}

/// One question for each kind.
pub(super) async fn rights<C: Clock + RemovalChecks + Account>(
    cloud: &C,
    going: Going<'_>,
    identity: &Identity,
) -> Vec<Answer> {
    let firsts: Vec<(&Found, usize)> = going.first_of_kinds().collect();
    let is_simulated = |found: &Found| simulation(&found.resource, identity).is_some();
    let caller = match firsts.iter().find(|(found, _)| is_simulated(found)) {
        None => Caller::NotAsked,
        Some((found, _)) => match caller(cloud, identity).await {
            Ok(caller) => caller,
            Err(error) => {
                let failed = failed(found, error);
                let mut all = dry_runs(cloud, &firsts).await;
                all.push(failed);
                return all;
            }
        },
    };
    let simulated = firsts.iter().map(async |(found, number)| {
        let question = simulation(&found.resource, identity)?;
        match &caller {
            Caller::NotAsked => None,
            Caller::Unknown(who) => Some(Answer::Unchecked(Unchecked {
                kind: found.resource.kind,
                id: found.resource.id.clone(),
                why: format!("the caller is {who}, whose rights IAM does not simulate"),
            })),
            Caller::Arn(arn) => Some(simulate(cloud, arn, &question, (found, *number)).await),
        }
    });
    let (dry, simulated) = futures::join!(dry_runs(cloud, &firsts), join_all(simulated));
    dry.into_iter()
        .chain(simulated.into_iter().flatten())
        .collect()
}

async fn dry_runs<C: Clock + RemovalChecks>(cloud: &C, firsts: &[(&Found, usize)]) -> Vec<Answer> {
    let questions = firsts.iter().map(async |(found, number)| {
        let resource = &found.resource;
        match ask(cloud, async || cloud.dry_run(resource).await).await {
            Ok(DryRun::Allowed | DryRun::NotOffered) => Answer::Found(Vec::new()),
            Err(error @ CloudError::Denied { .. }) => {
                let action = match &error {
                    CloudError::Denied { action, .. } => action.clone(),
                    _ => None,
                };
                let right = (action.unwrap_or_default(), reason(&error));
                Answer::Found(vec![obstacle(found, *number, right)])
            }
            Err(error) => failed(found, error),
        }
    });
    join_all(questions).await
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

async fn simulate<C: Account>(
    cloud: &C,
    principal: &str,
    question: &Simulation,
    (found, number): (&Found, usize),
) -> Answer {
    let asked = RightsQuestion {
        principal: principal.to_owned(),
        resource: Some(question.resource.clone()),
        actions: BTreeSet::from([question.action.to_owned()]),
    };
    let decisions = match cloud.decisions(&asked).await {
        Ok(decisions) => decisions,
        Err(error) => return failed(found, error),
    };
    let is_certain = decisions.iter().any(|decision| match decision.effect {
        // The condition of a statement may be about a tag, which the simulation lacks.
        _ if decision.lacks_context => false,
        Effect::Allowed => false,
        Effect::Denied => true,
        Effect::NotAllowed => !question.has_policy,
    });
    if !is_certain {
        return Answer::Found(Vec::new());
    }
    let why = format!("as far as IAM's policy simulator sees it, {principal} may not");
    let right = (question.action.to_owned(), why);
    Answer::Found(vec![obstacle(found, number, right)])
}

fn simulation(resource: &OutsideResource, identity: &Identity) -> Option<Simulation> {
    use OutsideKind as K;
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
        action,
        resource,
        has_policy,
    })
}

fn obstacle(found: &Found, number: usize, (action, why): (String, String)) -> Obstacle {
    Obstacle {
        kind: found.resource.kind,
        id: found.resource.id.clone(),
        stack: None,
        cause: Cause::Right {
            action,
            why,
            number,
        },
        blocks: found.row().holds_network,
    }
}

fn failed(found: &Found, error: CloudError) -> Answer {
    Answer::Failed(found.resource.kind, found.resource.id.clone(), error)
}
