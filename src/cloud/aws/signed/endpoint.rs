//! Where the services without an SDK client answer, and which region their requests are signed for.

use super::super::config::Connection;
use crate::cloud::limiter::Service;

/// One service's.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// `{account}` in it stands for the account that is asked about.
    pub(super) url: String,
    /// As signatures name the service.
    pub(super) name: &'static str,
    pub(super) region: String,
}

/// Of every service that is asked here.
#[derive(Debug)]
pub(super) struct Endpoints {
    auto_scaling: Endpoint,
    classic_load_balancing: Endpoint,
    ec2: Endpoint,
    iam: Endpoint,
    kms: Endpoint,
    load_balancing: Endpoint,
    logs: Endpoint,
    quotas: Endpoint,
    rds: Endpoint,
    route53: Endpoint,
    s3_control: Endpoint,
    tagging: Endpoint,
}

impl Endpoints {
    pub(super) fn of_connection(connection: &Connection) -> Self {
        let region = connection.region.as_str();
        let endpoint = |given: &Option<String>, (url, name, region): (String, _, &str)| Endpoint {
            url: match given {
                Some(given) => format!("{}/", given.trim_end_matches('/')),
                None => url,
            },
            name,
            region: region.to_owned(),
        };
        let (url, signed_for) = iam(region);
        let (route53_url, route53_region) = route53(region);
        Self {
            classic_load_balancing: endpoint(
                &connection.classic_load_balancing_endpoint,
                regional("elasticloadbalancing", region),
            ),
            load_balancing: endpoint(
                &connection.load_balancing_endpoint,
                regional("elasticloadbalancing", region),
            ),
            logs: endpoint(&connection.logs_endpoint, regional("logs", region)),
            route53: endpoint(
                &connection.route53_endpoint,
                (route53_url.to_owned(), "route53", route53_region),
            ),
            tagging: endpoint(&connection.tagging_endpoint, regional("tagging", region)),
            auto_scaling: endpoint(
                &connection.auto_scaling_endpoint,
                regional("autoscaling", region),
            ),
            ec2: endpoint(&connection.ec2_endpoint, regional("ec2", region)),
            iam: endpoint(
                &connection.iam_endpoint,
                (url.to_owned(), "iam", signed_for),
            ),
            kms: endpoint(&connection.kms_endpoint, regional("kms", region)),
            rds: endpoint(&connection.rds_endpoint, regional("rds", region)),
            s3_control: endpoint(
                &connection.s3_control_endpoint,
                (regional("{account}.s3-control", region).0, "s3", region),
            ),
            quotas: endpoint(
                &connection.quotas_endpoint,
                regional("servicequotas", region),
            ),
        }
    }

    /// `None` for a service with an SDK client.
    pub(super) fn of(&self, service: Service) -> Option<&Endpoint> {
        match service {
            Service::AutoScaling => Some(&self.auto_scaling),
            Service::ClassicLoadBalancing => Some(&self.classic_load_balancing),
            Service::LoadBalancing => Some(&self.load_balancing),
            Service::Logs => Some(&self.logs),
            Service::Route53 => Some(&self.route53),
            Service::Tagging => Some(&self.tagging),
            Service::Ec2 => Some(&self.ec2),
            Service::Iam => Some(&self.iam),
            Service::Kms => Some(&self.kms),
            Service::Rds => Some(&self.rds),
            Service::S3Control => Some(&self.s3_control),
            Service::Quotas => Some(&self.quotas),
            Service::CloudFormation
            | Service::Pricing
            | Service::S3
            | Service::Ssm
            | Service::Sts => None,
        }
    }
}

/// In the commercial, the Chinese and the US government partition.
fn regional<'a>(name: &'static str, region: &'a str) -> (String, &'static str, &'a str) {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    let url = format!("https://{name}.{region}.amazonaws.com{china}/");
    (url, name, region)
}

/// IAM has one endpoint for each partition.
fn iam(region: &str) -> (&'static str, &'static str) {
    match region.split('-').next() {
        Some("cn") => ("https://iam.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
        _ if region.starts_with("us-gov-") => {
            ("https://iam.us-gov.amazonaws.com/", "us-gov-west-1")
        }
        _ => ("https://iam.amazonaws.com/", "us-east-1"),
    }
}

/// So has Route 53, with regions of its own to sign for.
fn route53(region: &str) -> (&'static str, &'static str) {
    match region.split('-').next() {
        Some("cn") => ("https://route53.amazonaws.com.cn/", "cn-northwest-1"),
        _ if region.starts_with("us-gov-") => {
            ("https://route53.us-gov.amazonaws.com/", "us-gov-west-1")
        }
        _ => ("https://route53.amazonaws.com/", "us-east-1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_follow_region_and_partition() {
        for (region, ec2, iam_url, signed_for) in [
            (
                "eu-west-1",
                "eu-west-1.amazonaws.com",
                "iam.amazonaws.com",
                "us-east-1",
            ),
            (
                "cn-north-1",
                "cn-north-1.amazonaws.com.cn",
                "iam.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
            (
                "us-gov-east-1",
                "us-gov-east-1.amazonaws.com",
                "iam.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
        ] {
            assert_eq!(regional("ec2", region).0, format!("https://ec2.{ec2}/"));
            let auto_scaling = format!("https://autoscaling.{ec2}/");
            assert_eq!(regional("autoscaling", region).0, auto_scaling);
            assert_eq!(regional("kms", region).0, format!("https://kms.{ec2}/"));
            let tagging = regional("tagging", region).0;
            assert_eq!(tagging, format!("https://tagging.{ec2}/"));
            let of_account = regional("{account}.s3-control", region).0;
            assert_eq!(of_account, format!("https://{{account}}.s3-control.{ec2}/"));
            let expected = (format!("https://{iam_url}/"), signed_for);
            let (url, region) = iam(region);
            assert_eq!((url.to_owned(), region), expected);
        }
    }

    #[test]
    fn route53_has_one_endpoint_and_one_region_a_partition() {
        for (region, url, signed_for) in [
            ("ap-south-1", "https://route53.amazonaws.com/", "us-east-1"),
            (
                "cn-north-1",
                "https://route53.amazonaws.com.cn/",
                "cn-northwest-1",
            ),
            (
                "us-gov-east-1",
                "https://route53.us-gov.amazonaws.com/",
                "us-gov-west-1",
            ),
        ] {
            assert_eq!(route53(region), (url, signed_for));
        }
    }
}
