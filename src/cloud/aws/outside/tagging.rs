//! Resource Groups Tagging: which resources have a tag. It lags, and still lists what was deleted: whether one exists is
//! for its own service to say.

use std::collections::BTreeMap;

use serde_json::{Value, json as object};

use super::tags::Tagger;
use super::{json, unreadable};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::{ApiCall, each_page};
use crate::cloud::limiter::Service;

/// The API's name in `X-Amz-Target`.
const TARGET: &str = "ResourceGroupsTaggingAPI_20170126";
/// The most that one page has.
const PAGE: u32 = 100;

/// ARNs of resources, with all of their tags.
pub(super) type Tagged = BTreeMap<String, BTreeMap<String, String>>;

/// Everything of a type, such as `elasticloadbalancing:loadbalancer`, that one of these tags gives to a cluster.
pub(super) async fn tagged(
    aws: &Aws,
    resource_type: &str,
    taggers: &[Tagger],
    cluster: &str,
) -> Result<Tagged, CloudError> {
    let api_call = ApiCall::new(Service::Tagging, "GetResources", resource_type);
    let mut found = Tagged::new();
    // Several filters in one request would be combined by "and".
    for tagger in taggers {
        let (key, value) = tagger.tag(cluster);
        each_page(async |next: Option<String>| {
            let body = object!({
                "TagFilters": [{"Key": key, "Values": [value]}],
                "ResourceTypeFilters": [resource_type],
                "ResourcesPerPage": PAGE,
                "PaginationToken": next.unwrap_or_default(),
            });
            let answer = json(aws, (api_call, TARGET), &body).await?;
            let (page, next) = page(&answer).map_err(unreadable(api_call))?;
            let named = page
                .into_iter()
                .filter(|(_, tags)| tags.get(&key) == Some(&value));
            found.extend(named);
            Ok(next)
        })
        .await?;
    }
    Ok(found)
}

/// One page, and where the next one begins.
fn page(answer: &Value) -> Result<(Tagged, Option<String>), String> {
    let list = answer["ResourceTagMappingList"].as_array();
    let list = list.ok_or("an answer without ResourceTagMappingList")?;
    let mut page = Tagged::new();
    for entry in list {
        let arn = entry["ResourceARN"].as_str();
        let arn = arn.ok_or("an answer with an entry without ResourceARN")?;
        let tags = entry["Tags"].as_array().into_iter().flatten();
        let tag = |tag: &Value| {
            let value = tag["Value"].as_str().unwrap_or_default();
            Some((tag["Key"].as_str()?.to_owned(), value.to_owned()))
        };
        page.insert(arn.to_owned(), tags.filter_map(tag).collect());
    }
    let next = answer["PaginationToken"].as_str().unwrap_or_default();
    Ok((page, (!next.is_empty()).then(|| next.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_has_arns_with_tags_and_the_next_token() {
        let answer = object!({
            "PaginationToken": "two",
            "ResourceTagMappingList": [
                {"ResourceARN": "arn:aws:s3:::a", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "empty"}]},
                {"ResourceARN": "arn:aws:s3:::b"},
            ],
        });
        let (found, next) = page(&answer).expect("an answer");
        assert_eq!(next.as_deref(), Some("two"));
        assert_eq!(found["arn:aws:s3:::a"]["k"], "v");
        assert_eq!(found["arn:aws:s3:::a"]["empty"], "");
        assert!(found["arn:aws:s3:::b"].is_empty());
        let last = object!({"PaginationToken": "", "ResourceTagMappingList": []});
        assert_eq!(page(&last), Ok((Tagged::new(), None)));
    }

    #[test]
    fn answer_without_its_list_or_an_arn_is_none() {
        for answer in [
            object!({}),
            object!({"ResourceTagMappingList": null}),
            object!({"ResourceTagMappingList": [{"Tags": []}]}),
            object!({"ResourceTagMappingList": [{"Resourcearn": "arn:aws:s3:::a"}]}),
        ] {
            assert!(page(&answer).is_err(), "{answer}");
        }
    }
}
