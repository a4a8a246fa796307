//! What a resource is for.

use super::*;
use crate::sweep::Purpose;
use OutsideKind as K;

fn purpose_of(resource: OutsideResource) -> Option<Purpose> {
    classified(vec![resource]).pop().unwrap().purpose
}

#[test]
fn tags_name_service_ingress_claim_and_stack() {
    let group = |tags: &[(&str, &str)]| here(K::SecurityGroup, "sg-1", tags);
    let service = Purpose::Service("default/web".to_owned());
    let claim = [
        OWNED,
        ("kubernetes.io/created-for/pvc/namespace", "shop"),
        ("kubernetes.io/created-for/pvc/name", "data-db-0"),
        ("kubernetes.io/created-for/pv/name", "pvc-1"),
        ("CSIVolumeName", "pvc-1"),
    ];
    let named = described(
        group(&[OWNED]),
        "Security group for Kubernetes ELB a1b2 (default/web)",
    );
    let cases = [
        (
            group(&[OWNED, ("kubernetes.io/service-name", "default/web")]),
            service.clone(),
        ),
        (
            group(&[OWNED, ("service.k8s.aws/stack", "default/web")]),
            service.clone(),
        ),
        (named, service),
        (
            group(&[OWNED, ("ingress.k8s.aws/stack", "shop")]),
            Purpose::Ingress("shop".to_owned()),
        ),
        (
            resource(K::Volume, "vol-1", &claim),
            Purpose::Claim("shop/data-db-0".to_owned()),
        ),
        (
            resource(
                K::Volume,
                "vol-1",
                &claim[3..]
                    .iter()
                    .copied()
                    .chain([OWNED])
                    .collect::<Vec<_>>(),
            ),
            Purpose::Volume("pvc-1".to_owned()),
        ),
        (group(&OF_STACK), Purpose::Stack("edge".to_owned())),
        (
            described(group(&[]), " my own "),
            Purpose::Text("my own".to_owned()),
        ),
    ];
    for (resource, expected) in cases {
        assert_eq!(purpose_of(resource.clone()), Some(expected), "{resource:?}");
    }
    assert_eq!(purpose_of(group(&[])), None);
}

#[test]
fn records_logs_and_backups_say_what_they_are_of() {
    let text = "\"heritage=external-dns,external-dns/owner=canary,external-dns/resource=service/default/web\"";
    let record = || resource(K::DnsRecord, "Z1 web.example.com A", &[]);
    let service = Some(Purpose::Service("default/web".to_owned()));
    assert_eq!(purpose_of(described(record(), text)), service);
    let of_ingress = text.replace("service/", "ingress/");
    let ingress = Some(Purpose::Ingress("default/web".to_owned()));
    assert_eq!(purpose_of(described(record(), &of_ingress)), ingress);
    let database = Some(Purpose::Database("canary-database-database-x".to_owned()));
    let logs = resource(
        K::LogGroup,
        "/aws/rds/instance/canary-database-database-x/upgrade",
        &[],
    );
    assert_eq!(purpose_of(logs), database);
    let backup = resource(K::Backup, "arn:aws:rds:eu-west-1:1:auto-backup:ab-1", &[]);
    assert_eq!(
        purpose_of(described(backup, "canary-database-database-x")),
        database
    );
}

#[test]
fn interface_and_rule_are_for_what_they_were_made_for() {
    let named = [OWNED, ("kubernetes.io/service-name", "default/web")];
    let found = classified(vec![
        here(K::SecurityGroup, NODES, &OF_STACK),
        here(K::SecurityGroup, "sg-elb", &named),
        here(K::LoadBalancer, "arn:x:loadbalancer/net/a1/50", &named),
        rule("sgr-1", NODES, "sg-elb"),
        interface("eni-1", "ELB net/a1/50", &["sg-elb"]),
    ]);
    let service = Some(Purpose::Service("default/web".to_owned()));
    assert_eq!(found.len(), 4);
    for found in found {
        assert_eq!(found.purpose, service, "{found:?}");
    }
}
