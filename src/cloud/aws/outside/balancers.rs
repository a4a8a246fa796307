//! Load balancers of both APIs, and target groups. Their lists have no filters: all of the region's are read, 400 a page,
//! and those stay that lie in the VPC or that Resource Groups Tagging gives to the cluster. Their tags are then their own
//! API's, 20 resources a request.

mod answer;

use std::collections::{BTreeMap, BTreeSet};

use roxmltree::Node;

use super::answer::{List, page};
use super::tagging::{Tagged, tagged};
use super::{ec2, query, tags, unreadable};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::{ApiCall, all_pages};
use crate::cloud::limiter::Service;
use crate::cloud::outside::{OutsideResource, OutsideScope};

/// The version of the second API.
pub(super) const VERSION: &str = "2015-12-01";
/// The version of the first one.
pub(super) const CLASSIC_VERSION: &str = "2012-06-01";
/// As many resources as `DescribeTags` takes.
const TAGGED_AT_ONCE: usize = 20;
/// Type of load balancers of both APIs for Resource Groups Tagging.
const LOAD_BALANCERS: &str = "elasticloadbalancing:loadbalancer";
const TARGET_GROUPS: &str = "elasticloadbalancing:targetgroup";

/// One API and what is asked of it.
struct Api {
    service: Service,
    version: &'static str,
    list: List,
    read: fn(Node<'_, '_>) -> Result<OutsideResource, String>,
    /// Parameters of `DescribeTags` that name the resources, before their numbers.
    names: &'static str,
    /// The element that names the resource in the answer.
    named: &'static str,
}

const fn elb_list(call: &'static str, path: &'static [&'static str]) -> List {
    List {
        call,
        path,
        entry: "member",
        next: "NextMarker",
    }
}

const SECOND: Api = Api {
    service: Service::LoadBalancing,
    version: VERSION,
    list: elb_list("DescribeLoadBalancers", &["LoadBalancers"]),
    read: answer::load_balancer,
    names: "ResourceArns.member",
    named: "ResourceArn",
};
const TARGETS: Api = Api {
    list: elb_list("DescribeTargetGroups", &["TargetGroups"]),
    read: answer::target_group,
    ..SECOND
};
const CLASSIC: Api = Api {
    service: Service::ClassicLoadBalancing,
    version: CLASSIC_VERSION,
    list: elb_list("DescribeLoadBalancers", &["LoadBalancerDescriptions"]),
    read: answer::classic,
    names: "LoadBalancerNames.member",
    named: "LoadBalancerName",
};
const TAGS: List = List {
    call: "DescribeTags",
    path: &["TagDescriptions"],
    entry: "member",
    next: "NextMarker",
};

/// Network, application and gateway load balancers.
pub(super) async fn listed(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let tagged = tagged(aws, LOAD_BALANCERS, tags::OF_BALANCERS, &scope.cluster).await?;
    found(aws, &SECOND, scope, &arns(tagged)).await
}

/// One that no load balancer uses outlives its VPC. It lies in none then: no cluster can have it any more.
pub(super) async fn target_groups(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let tagged = tagged(aws, TARGET_GROUPS, tags::OF_BALANCERS, &scope.cluster).await?;
    let mut groups = found(aws, &TARGETS, scope, &arns(tagged)).await?;
    let unused = groups
        .iter()
        .filter(|group| group.uses.is_empty() && group.vpc != scope.vpc);
    let elsewhere: BTreeSet<_> = unused.filter_map(|group| group.vpc.clone()).collect();
    let there = ec2::vpcs(aws, &elsewhere).await?;
    for group in &mut groups {
        let is_gone = |vpc: &String| elsewhere.contains(vpc) && !there.contains(vpc);
        if group.uses.is_empty() && group.vpc.as_ref().is_some_and(is_gone) {
            group.vpc = None;
        }
    }
    Ok(groups)
}

pub(super) async fn classic(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let tagged = tagged(aws, LOAD_BALANCERS, tags::OF_BALANCERS, &scope.cluster).await?;
    let names = tagged.keys().filter_map(|arn| classic_name(arn));
    let names = names.map(str::to_owned).collect();
    found(aws, &CLASSIC, scope, &names).await
}

fn arns(tagged: Tagged) -> BTreeSet<String> {
    tagged.into_keys().collect()
}

/// The name in the ARN of a classic load balancer, `…:loadbalancer/NAME`; the others' go on with a kind and a number.
fn classic_name(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":loadbalancer/")?;
    (!name.contains('/')).then_some(name)
}

/// Those that exist, and are in the VPC or among `tagged`.
async fn found(
    aws: &Aws,
    api: &Api,
    scope: &OutsideScope,
    tagged: &BTreeSet<String>,
) -> Result<Vec<OutsideResource>, CloudError> {
    let mut found = every(aws, api).await?;
    found.retain(|resource| {
        let in_vpc = scope.vpc.is_some() && resource.vpc == scope.vpc;
        in_vpc || tagged.contains(&resource.id)
    });
    let mut known = BTreeMap::new();
    for some in found.chunks(TAGGED_AT_ONCE) {
        let ids: Vec<_> = some.iter().map(|resource| resource.id.as_str()).collect();
        known.extend(tags_of(aws, api, &ids).await?);
    }
    // One without tags, not even an empty set, went away in between.
    let tagged = found.into_iter().filter_map(|resource| {
        let tags = known.remove(&resource.id)?;
        Some(OutsideResource { tags, ..resource })
    });
    let mut tagged: Vec<_> = tagged.collect();
    // Those in the VPC stay, and those elsewhere whose own tags say so too.
    tagged.retain(|resource| {
        let in_vpc = scope.vpc.is_some() && resource.vpc == scope.vpc;
        in_vpc || tags::are_of(&resource.tags, tags::OF_BALANCERS, &scope.cluster)
    });
    Ok(tagged)
}

/// Every one of the region, without tags.
async fn every(aws: &Aws, api: &Api) -> Result<Vec<OutsideResource>, CloudError> {
    let api_call = ApiCall::new(api.service, api.list.call, "");
    all_pages(async |next: Option<String>| {
        let mut parameters = vec![("PageSize", "400")];
        parameters.extend(next.as_deref().map(|next| ("Marker", next)));
        let text = query(aws, (api_call, api.version), &parameters).await?;
        let page = page(&text, api.list, api.read).map_err(unreadable(api_call))?;
        Ok((Some(page.items), page.next))
    })
    .await
}

/// Tags by id; nothing for one that is gone. AWS refuses a whole request for such a one: then each is asked for by itself.
async fn tags_of(aws: &Aws, api: &Api, ids: &[&str]) -> Result<Tagged, CloudError> {
    match describe_tags(aws, api, ids).await {
        Err(CloudError::NotFound(_)) => {}
        answer => return answer,
    }
    let mut found = Tagged::new();
    for id in ids {
        let tags = describe_tags(aws, api, &[id]).await;
        found.extend(CloudError::optional(tags)?.unwrap_or_default());
    }
    Ok(found)
}

async fn describe_tags(aws: &Aws, api: &Api, ids: &[&str]) -> Result<Tagged, CloudError> {
    let about = if let [id] = ids { id } else { "" };
    let api_call = ApiCall::new(api.service, TAGS.call, about);
    let names: Vec<_> = (1..=ids.len())
        .map(|n| format!("{}.{n}", api.names))
        .collect();
    let parameters = names.iter().map(String::as_str).zip(ids.iter().copied());
    let parameters: Vec<_> = parameters.collect();
    let text = query(aws, (api_call, api.version), &parameters).await?;
    let entry = |node: Node<'_, '_>| answer::tags_of(node, api.named);
    let page = page(&text, TAGS, entry).map_err(unreadable(api_call))?;
    let mut found: Tagged = page.items.into_iter().collect();
    let tags = ids.iter().map(|id| {
        let tags = found.remove(*id).unwrap_or_default();
        ((*id).to_owned(), tags)
    });
    Ok(tags.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_balancers_have_arns_of_their_own_form() {
        let arn = |rest| format!("arn:aws:elasticloadbalancing:eu-west-1:1:{rest}");
        assert_eq!(classic_name(&arn("loadbalancer/a1b2")), Some("a1b2"));
        assert_eq!(classic_name(&arn("loadbalancer/net/a1b2/50dc")), None);
        assert_eq!(classic_name(&arn("targetgroup/k8s/50dc")), None);
    }
}
