//! A large cluster: what is shown stays short, and says how much there is.

use super::*;

#[test]
fn five_hundred_volumes_and_two_hundred_services_stay_readable() {
    let id = |at: u64| format!("vol-{at:017x}");
    let claim = |at: u64| format!("team-{}/data-{at}", at % 7);
    let found = (0..500).map(|at| volume(&id(at), 1 + at, "in-use", &claim(at)));
    let balancers = (0..200).map(|at| {
        let arn = arn(
            "elasticloadbalancing",
            &format!("loadbalancer/net/a{at:031}/50dc"),
        );
        made(
            Kind::LoadBalancer,
            arn,
            Some(service(&format!("shop/web-{at}"))),
        )
    });
    let mut case = Case::of(balancers.chain(found).collect());
    case.plan = bare();
    case.seen = Seen::Objects(Objects {
        services: (0..200)
            .map(|at| Service {
                namespace: "shop".to_owned(),
                name: format!("web-{at}"),
                address: None,
            })
            .collect(),
        volumes: (0..500)
            .map(|at| Volume {
                name: format!("pvc-{at}"),
                volume_id: Some(id(at)),
                source: VolumeSource::Ebs,
                claim: Some(claim(at)),
                gib: Some(1 + at),
                reclaim_policy: "Delete".to_owned(),
            })
            .collect(),
        ..Objects::default()
    });
    let text = case.text();
    fits(&text);
    let lines = text.lines().count();
    assert!(lines < 60, "{lines} lines:\n{text}");
    for head in [
        "200 Services of type LoadBalancer",
        "200 load balancers",
        "500 volumes, 125,250 GiB",
    ] {
        assert!(text.contains(head), "{head}:\n{text}");
    }
    assert_eq!(
        text.matches("and 190 more: `--plan -o json` lists all")
            .count(),
        2,
        "{text}"
    );
    assert_eq!(text.matches("and 490 more").count(), 1, "{text}");
    let json = case.json();
    let number = |all: &Value| all.as_array().unwrap().len();
    assert_eq!(number(&json["keptVolumes"]), 500);
    assert_eq!(number(&json["outside"]), 200);
    assert_eq!(number(&json["kubernetes"]["services"]), 200);
}
