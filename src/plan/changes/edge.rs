//! Rows of the ways in and out: the API's address, and the addresses that nodes show to the internet.

use serde_json::{Value, json};

use super::{Pair, Refusal, Verdict};
use crate::catalog::resources::create_only;
use crate::plan::Code;
use crate::stacks::{API_HOST, StackKind};

const LOAD_BALANCER: &str = "AWS::ElasticLoadBalancingV2::LoadBalancer";
const RECORD: &str = "AWS::Route53::RecordSet";

/// Where an API has its address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    /// A name of its own.
    Name(String),
    /// A load balancer's own name; another value of these properties is another load balancer.
    Balancer { id: String, properties: Vec<Value> },
    /// Something else, as a template beside the definition has it.
    Other(Value),
}

pub(super) fn api_address(pair: Pair<'_>) -> Vec<Verdict> {
    if pair.stack.kind != StackKind::Edge || !pair.live.runs {
        return Vec::new();
    }
    let (was, is) = (address(pair.before), address(&pair.stack.template));
    if was == is {
        return Vec::new();
    }
    let now = pair
        .outputs
        .get(API_HOST)
        .map_or("the present one", String::as_str);
    let next = match &is {
        Address::Name(name) => name.as_str(),
        Address::Balancer { .. } => "a load balancer's own name",
        Address::Other(_) => "another one",
    };
    let (field, back) = field(pair, &was, &is);
    let cluster = pair.cluster;
    vec![Verdict::Refused(Refusal {
        code: Code::ApiAddress,
        reason: format!(
            "the API's address would change from {now} to {next}: kubelets, certificates and kubeconfigs of the running \
             cluster hold the old one, and every node would lose the API"
        ),
        field,
        was: back,
        otherwise: format!(
            "another address needs a new cluster (`kube-cfn new NAME --from {cluster}`); one that has `api.dns` from the \
             start keeps its name when `api.exposure` changes"
        ),
    })]
}

fn address(template: &Value) -> Address {
    let value = &template["Outputs"][API_HOST]["Value"];
    let leads = value["Ref"]
        .as_str()
        .or_else(|| value["Fn::GetAtt"][0].as_str());
    let Some(id) = leads else {
        return Address::Other(value.clone());
    };
    let resource = &template["Resources"][id];
    match (
        resource["Type"].as_str(),
        resource["Properties"]["Name"].as_str(),
    ) {
        (Some(RECORD), Some(name)) => Address::Name(name.trim_end_matches('.').to_owned()),
        (Some(LOAD_BALANCER), _) => {
            let fixed = create_only(LOAD_BALANCER).map_or(&[][..], |known| &known.create_only);
            let properties = fixed
                .iter()
                .map(|name| resource["Properties"][name].clone());
            Address::Balancer {
                id: id.to_owned(),
                properties: properties.collect(),
            }
        }
        _ => Address::Other(json!([value, resource])),
    }
}

/// The field that changes the address, and what it was.
fn field(pair: Pair<'_>, was: &Address, is: &Address) -> (Option<String>, Option<String>) {
    let dns = |end: &str| Some(format!("api.dns{end}"));
    match (was, is) {
        (Address::Name(was), _) => (dns(".name"), Some(was.clone())),
        (Address::Balancer { .. }, Address::Name(_)) => (dns(""), None),
        (Address::Balancer { id, .. }, Address::Balancer { .. }) => {
            let scheme = &pair.before["Resources"][id]["Properties"]["Scheme"];
            let was = match scheme.as_str() {
                Some("internal") => "internal",
                _ => "public",
            };
            (Some("api.exposure".to_owned()), Some(was.to_owned()))
        }
        (Address::Other(_), _) | (_, Address::Other(_)) => (None, None),
    }
}

pub(super) fn nat_addresses(pair: Pair<'_>) -> Vec<Verdict> {
    if pair.stack.kind != StackKind::Edge {
        return Vec::new();
    }
    let (was, is) = pair.ids("AWS::EC2::EIP");
    if was.is_subset(&is) {
        return Vec::new();
    }
    vec![Verdict::Warning(
        "the addresses that the nodes show to the internet change: lists elsewhere that allow them need the new ones, \
         and connections out of the cluster break while the gateway is replaced"
            .to_owned(),
    )]
}
