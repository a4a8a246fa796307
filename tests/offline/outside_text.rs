//! What `delete` says of what lies outside the stacks, before and after. The stacks are those of `clusters/canary.yaml`.

mod large;
mod obstacles;
mod past;

use std::collections::BTreeMap;

use kube_cfn::cloud::outside::{OutsideKind as Kind, OutsideResource};
use kube_cfn::cloud::{LiveStack, StackStatus};
use kube_cfn::events::Retained;
use kube_cfn::plan::deletion::DeleteStep;
use kube_cfn::plan::status::DeleteAction;
use kube_cfn::plan::{Blocked, Code, DeletePlan};
use kube_cfn::report::deletion::{self as stacks_text, Stream};
use kube_cfn::report::outside::{self, DeletionView, StateBucket};
use kube_cfn::stacks::StackKind;
use kube_cfn::sweep::kubernetes::{
    Claim, Ingress, Objects, Service, Volume, VolumeSource, Workload,
};
use kube_cfn::sweep::{
    Disposition, Found, Inventory, Obstacles, Orphan, Owner, Purpose, Seen, SweepReport,
    UnknownKind,
};
use serde_json::{Value, json};

use super::estimate::{cluster, creation};
use crate::support::golden;

const REGION: &str = "eu-west-1";
const DATABASE: &str = "canary-database-database-1x2y3z4a5b6c";
const GIB: u64 = 1 << 30;

fn arn(service: &str, rest: &str) -> String {
    format!("arn:aws:{service}:{REGION}:111122223333:{rest}")
}

/// A resource that Kubernetes made and that is removed.
fn made(kind: Kind, id: impl Into<String>, purpose: Option<Purpose>) -> Found {
    Found {
        resource: OutsideResource::new(kind, id),
        owner: Owner::Kubernetes,
        purpose,
        disposition: Disposition::Removed,
    }
}

fn service(name: &str) -> Purpose {
    Purpose::Service(name.to_owned())
}

fn kept(kind: Kind, id: impl Into<String>, bytes: u64, purpose: Purpose) -> Found {
    let mut found = made(kind, id, Some(purpose));
    found.resource.bytes = Some(bytes);
    found.disposition = Disposition::Kept;
    found
}

fn volume(id: &str, gib: u64, state: &str, claim: &str) -> Found {
    let mut found = kept(
        Kind::Volume,
        id,
        gib * GIB,
        Purpose::Claim(claim.to_owned()),
    );
    found.resource.state = Some(state.to_owned());
    found
}

fn foreign(kind: Kind, id: &str, name: Option<&str>, description: Option<&str>) -> Found {
    let mut found = made(kind, id, None);
    found.owner = Owner::Foreign;
    found.disposition = Disposition::Untouched;
    let tags = &mut found.resource.tags;
    tags.extend(name.map(|name| ("Name".to_owned(), name.to_owned())));
    found.resource.description = description.map(str::to_owned);
    found
}

fn balancer_arn() -> String {
    arn(
        "elasticloadbalancing",
        "loadbalancer/net/a4f5c6d7e8f90123456789abcdef0123/50dc6c495c0c9188",
    )
}

fn backup_arn() -> String {
    arn("rds", "auto-backup:ab-4xmzqf2kq7o5cw6v3e7e")
}

/// What a cluster with two Services, three claims and a database usually has.
fn usual() -> Vec<Found> {
    let mut detached = made(
        Kind::Machine,
        "i-0a1b2c3d4e5f60718",
        Some(Purpose::Stack("pool-workers".to_owned())),
    );
    detached.owner = Owner::Stack;
    let mut interface = made(
        Kind::Interface,
        "eni-0f9e8d7c6b5a40312",
        Some(service("shop/web")),
    );
    interface.resource.by_aws = true;
    let group = arn(
        "elasticloadbalancing",
        "targetgroup/k8s-shop-web-0f1e2d3c4b/73e2d6bc24d8a067",
    );
    let logs = |log: &str, bytes| {
        let name = format!("/aws/rds/instance/{DATABASE}/{log}");
        kept(
            Kind::LogGroup,
            name,
            bytes,
            Purpose::Database(DATABASE.to_owned()),
        )
    };
    vec![
        detached,
        made(
            Kind::LoadBalancer,
            balancer_arn(),
            Some(service("shop/web")),
        ),
        made(
            Kind::ClassicLoadBalancer,
            "a9f8e7d6c5b4a39281706f5e4d3c2b1a",
            Some(service("legacy/web")),
        ),
        made(Kind::TargetGroup, group, Some(service("shop/web"))),
        made(
            Kind::GroupRule,
            "sgr-0123456789abcdef0",
            Some(Purpose::Text(
                "from the load balancer of legacy/web".to_owned(),
            )),
        ),
        made(
            Kind::SecurityGroup,
            "sg-0aa11bb22cc33dd44",
            Some(service("legacy/web")),
        ),
        made(Kind::SecurityGroup, "sg-0bb22cc33dd44ee55", None),
        interface,
        volume("vol-0a1b2c3d4e5f60718", 50, "in-use", "shop/data-db-0"),
        volume("vol-0b2c3d4e5f6071829", 50, "in-use", "shop/data-db-1"),
        volume(
            "vol-0c3d4e5f607182930",
            8,
            "available",
            "monitoring/prometheus",
        ),
        kept(
            Kind::Snapshot,
            "snap-0d4e5f60718293041",
            50 * GIB,
            Purpose::Text("VolumeSnapshot shop/before-migration".to_owned()),
        ),
        made(
            Kind::DnsRecord,
            "Z0123456789ABCDEFGHIJ shop.example.com. A",
            Some(service("shop/web")),
        ),
        made(
            Kind::DnsRecord,
            "Z0123456789ABCDEFGHIJ a-shop.example.com. TXT",
            Some(service("shop/web")),
        ),
        logs("postgresql", 3 * GIB / 2),
        logs("upgrade", 12 << 20),
    ]
}

fn objects() -> Objects {
    let service = |namespace: &str, name: &str, address: Option<&str>| Service {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        address: address.map(str::to_owned),
    };
    let of_volume = |id: &str, claim: &str, gib| Volume {
        name: format!("pvc-{id}"),
        volume_id: Some(id.to_owned()),
        source: VolumeSource::Ebs,
        claim: Some(claim.to_owned()),
        gib: Some(gib),
        reclaim_policy: "Delete".to_owned(),
    };
    let claim = |namespace: &str, name: &str| Claim {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
    };
    let workload = |kind: &str, namespace: &str, name: &str, replicas| Workload {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        replicas,
        operator: None,
    };
    let address = "a4f5c6d7e8f90123456789abcdef0123-50dc6c495c0c9188.elb.eu-west-1.amazonaws.com";
    Objects {
        services: vec![
            service("legacy", "web", None),
            service("shop", "web", Some(address)),
        ],
        ingresses: vec![Ingress {
            namespace: "shop".to_owned(),
            name: "front".to_owned(),
            stacks: vec!["edge".to_owned()],
        }],
        volumes: vec![
            of_volume("vol-0a1b2c3d4e5f60718", "shop/data-db-0", 50),
            of_volume("vol-0b2c3d4e5f6071829", "shop/data-db-1", 50),
            of_volume("vol-0c3d4e5f607182930", "monitoring/prometheus", 8),
        ],
        claims: vec![
            claim("shop", "data-db-0"),
            claim("shop", "data-db-1"),
            claim("monitoring", "prometheus"),
        ],
        workloads: vec![
            workload("StatefulSet", "shop", "db", Some(2)),
            workload("Deployment", "monitoring", "prometheus", Some(1)),
        ],
    }
}

/// The deletion of the canary, whose stacks are all there.
fn plan() -> DeletePlan {
    let spec = cluster("canary");
    let steps = creation(&spec).steps.into_iter().map(|step| {
        let kind = step.stack.kind;
        let template = step.stack.template;
        let name = format!("canary-{kind}");
        let outputs = template["Outputs"].as_object().into_iter().flatten();
        let database = outputs.filter(|(_, output)| output["Value"]["Ref"] == "Database");
        let outputs = database.map(|(key, _)| (key.clone(), DATABASE.to_owned()));
        let created = "2026-09-01T08:00:00Z".parse().unwrap();
        DeleteStep {
            found: LiveStack {
                id: arn("cloudformation", &format!("stack/{name}/1")),
                name,
                cluster: "canary".to_owned(),
                kind: kind.to_string(),
                status: StackStatus::CreateComplete,
                reason: None,
                parameters: BTreeMap::new(),
                outputs: outputs.collect(),
                tags: BTreeMap::new(),
                termination_protection: false,
                created,
                updated: None,
            },
            template: Some(template),
            action: DeleteAction::Delete,
            after: Vec::new(),
            kind,
        }
    });
    let mut steps: Vec<DeleteStep> = steps.collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.kind.clone()));
    DeletePlan {
        cluster: "canary".to_owned(),
        steps,
        refused: None,
    }
}

/// One whose stacks with data are gone.
fn bare() -> DeletePlan {
    let mut plan = plan();
    plan.steps.retain(|step| step.kind == StackKind::Network);
    plan
}

struct Case {
    plan: DeletePlan,
    inventory: Inventory,
    seen: Seen,
    delete_volumes: bool,
    accepts_unknown: bool,
    accepts_obstacles: bool,
    obstacles: Obstacles,
    buckets: Vec<StateBucket>,
    refused: Option<Blocked>,
}

impl Case {
    fn of(found: Vec<Found>) -> Self {
        Self {
            plan: plan(),
            inventory: Inventory {
                found,
                unknown: Vec::new(),
            },
            seen: Seen::Objects(objects()),
            delete_volumes: false,
            accepts_unknown: false,
            accepts_obstacles: false,
            obstacles: Obstacles::default(),
            buckets: Vec::new(),
            refused: None,
        }
    }

    fn view(&self) -> DeletionView<'_> {
        DeletionView {
            plan: &self.plan,
            inventory: &self.inventory,
            kubernetes: &self.seen,
            delete_volumes: self.delete_volumes,
            account: "111122223333",
            region: REGION,
            refused: self.refused.as_ref(),
            accepts_unknown: self.accepts_unknown,
            accepts_obstacles: self.accepts_obstacles,
            obstacles: &self.obstacles,
            buckets: &self.buckets,
            stream: Stream::Stderr,
        }
    }

    fn text(&self) -> String {
        outside::deletion(&self.view())
    }

    fn json(&self) -> Value {
        serde_json::to_value(outside::json(&self.view())).unwrap()
    }
}

/// Only what can't be broken is wider than 80 columns: ids, names and addresses of others.
fn fits(text: &str) {
    for line in text.lines().filter(|line| line.chars().count() > 80) {
        let words = line.split_whitespace().count();
        assert!(words <= 3, "{} columns: {line}", line.chars().count());
    }
}

fn check(name: &str, text: &str) {
    fits(text);
    golden::check(&format!("outside/{name}.txt"), text);
}

#[test]
fn nothing_outside_is_said_with_what_was_looked_for() {
    let mut case = Case::of(Vec::new());
    case.plan = bare();
    case.seen = Seen::NoApi;
    check("nothing", &case.text());
}

#[test]
fn usual_cluster_keeps_its_volumes() {
    let case = Case::of(usual());
    let stacks = stacks_text::text(&case.plan, Stream::Stderr);
    check("usual", &format!("{stacks}{}", case.text()));
}

#[test]
fn volumes_are_lost_with_delete_volumes() {
    let mut case = Case::of(usual());
    case.delete_volumes = true;
    check("delete-volumes", &case.text());
}

#[test]
fn foreign_resources_are_named_with_what_to_do() {
    let mut found = vec![
        foreign(Kind::Machine, "i-0ffffeeee11112222", Some("bastion"), None),
        foreign(
            Kind::Interface,
            "eni-0aaaabbbbccccdddd",
            None,
            Some("AWS Lambda VPC ENI-reports"),
        ),
        foreign(
            Kind::Peering,
            "pcx-0123456789abcdef0",
            Some("to-office"),
            None,
        ),
        foreign(
            Kind::TargetGroup,
            &arn("elasticloadbalancing", "targetgroup/reports/1"),
            None,
            None,
        ),
    ];
    found[1].resource.by_aws = true;
    let mut subnet = foreign(Kind::Subnet, "subnet-0123456789abcdef0", None, None);
    subnet.owner = Owner::Stack;
    subnet.purpose = Some(Purpose::Stack("network".to_owned()));
    found.push(subnet);
    let mut case = Case::of(found);
    case.plan = bare();
    case.seen = Seen::NoApi;
    check("foreign", &case.text());
}

#[test]
fn unknown_kinds_name_the_missing_rights() {
    let why = "AccessDenied: User: arn:aws:iam::111122223333:user/jane is not authorized to perform: \
               tag:GetResources";
    let unknown = |kind, why: &str| UnknownKind {
        kind,
        why: why.to_owned(),
    };
    let mut case = Case::of(vec![volume(
        "vol-0a1b2c3d4e5f60718",
        50,
        "in-use",
        "shop/data-db-0",
    )]);
    case.inventory.unknown = vec![
        unknown(Kind::LoadBalancer, why),
        unknown(Kind::ClassicLoadBalancer, why),
        unknown(Kind::TargetGroup, why),
        unknown(Kind::LogGroup, "logs did not answer for 30s"),
    ];
    check("unknown", &case.text());
}

#[test]
fn silent_api_says_what_is_not_known() {
    let mut case = Case::of(usual());
    case.plan = bare();
    case.seen = Seen::Silent("connection to 10.21.0.10:6443 timed out after 15s".to_owned());
    check("silent", &case.text());
    case.delete_volumes = true;
    let text = case.text();
    assert!(text.contains("nothing is shut down in order"), "{text}");
}

/// Three hundred claims in several namespaces.
fn many() -> Case {
    let one = |at: u64| {
        let claim = format!("team-{}/data-{at}", at % 7);
        volume(&format!("vol-{at:017x}"), 1 + at, "in-use", &claim)
    };
    let mut case = Case::of((0..300).map(one).collect());
    case.plan = bare();
    case.seen = Seen::Objects(Objects::default());
    case
}

#[test]
fn many_volumes_are_counted_and_summed() {
    let case = many();
    let text = case.text();
    check("many", &text);
    assert_eq!(text.matches("vol-").count(), 10);
    assert_eq!(case.json()["keptVolumes"].as_array().unwrap().len(), 300);
}

#[test]
fn every_lost_volume_is_named() {
    let mut case = many();
    case.delete_volumes = true;
    let text = case.text();
    for at in 0..300 {
        assert!(
            text.contains(&format!("vol-{at:017x}  ")),
            "{at} is missing"
        );
    }
}

/// What Kubernetes deletes with a claim although no tag says that the volume is the cluster's.
#[test]
fn untagged_volumes_are_lost_with_their_claims() {
    let of = |name: &str, volume_id: Option<&str>, reclaim_policy: &str| Volume {
        name: name.to_owned(),
        volume_id: volume_id.map(str::to_owned),
        source: match volume_id {
            Some(_) => VolumeSource::Ebs,
            None if name == "files" => VolumeSource::Other("efs.csi.aws.com".to_owned()),
            None => VolumeSource::Machine,
        },
        claim: Some(format!("shop/{name}")),
        gib: Some(5),
        reclaim_policy: reclaim_policy.to_owned(),
    };
    let mut case = Case::of(Vec::new());
    case.plan = bare();
    case.seen = Seen::Objects(Objects {
        volumes: vec![
            of("static", Some("vol-0eeeeeeeeeeeeeeee"), "Delete"),
            of("files", None, "Delete"),
            of("scratch", None, "Retain"),
            of("imported", Some("vol-0dddddddddddddddd"), "Retain"),
        ],
        ..Objects::default()
    });
    let ids = |json: &Value, key: &str| -> Vec<String> {
        let all = json[key].as_array().unwrap().iter();
        all.map(|disk| disk["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let json = case.json();
    assert_eq!(
        ids(&json, "lostVolumes"),
        ["scratch"],
        "on a machine's disk"
    );
    assert_eq!(ids(&json, "keptVolumes").len(), 3);
    let text = case.text();
    assert!(
        text.contains("1 PersistentVolume gets the reclaim policy Retain"),
        "{text}"
    );
    assert!(
        text.contains("!! 1 volume, 5 GiB lost with its machine"),
        "{text}"
    );
    case.delete_volumes = true;
    let json = case.json();
    assert_eq!(
        ids(&json, "lostVolumes"),
        ["vol-0eeeeeeeeeeeeeeee", "scratch"]
    );
    assert_eq!(
        ids(&json, "keptVolumes"),
        ["files", "vol-0dddddddddddddddd"]
    );
    check("untagged", &case.text());
}

#[test]
fn volume_of_a_stack_stays_with_delete_volumes() {
    let mut etcd = volume("vol-0e7cd000000000000", 10, "available", "none/none");
    etcd.owner = Owner::Stack;
    etcd.purpose = Some(Purpose::Stack("control-plane".to_owned()));
    let mut case = Case::of(vec![etcd]);
    case.seen = Seen::Objects(Objects::default());
    case.delete_volumes = true;
    assert_eq!(case.json()["lostVolumes"], json!([]));
    assert_eq!(case.json()["keptVolumes"][0]["owner"], "stack");
}

#[test]
fn unknown_prices_are_said_and_not_summed() {
    let mut unsized_one = volume("vol-0a1b2c3d4e5f60718", 1, "in-use", "shop/data");
    unsized_one.resource.bytes = None;
    let mut case = Case::of(vec![
        unsized_one,
        volume("vol-0b2c3d4e5f6071829", 10, "in-use", "shop/other"),
    ]);
    case.plan = bare();
    case.seen = Seen::NoApi;
    let text = case.text();
    assert!(text.contains("price unknown"), "{text}");
    assert!(
        text.contains("$0.88 a month, 1 of unknown price not counted"),
        "{text}"
    );
    let json = case.json();
    assert_eq!(json["keptVolumes"][0]["monthlyUsd"], Value::Null);
    assert_eq!(json["keptMonthly"]["usd"], 0.88);
    assert_eq!(json["keptMonthly"]["unpriced"], 1);
}

#[test]
fn log_groups_are_said_as_found_and_never_twice() {
    let case = Case::of(usual());
    let text = case.text();
    let name = format!("{DATABASE}/postgresql");
    assert_eq!(text.matches(&name).count(), 1, "{text}");
    let mut missing = Case::of(Vec::new());
    assert!(!missing.text().contains(&name), "not there");
    missing.inventory.unknown = vec![UnknownKind {
        kind: Kind::LogGroup,
        why: "denied".to_owned(),
    }];
    assert!(missing.text().contains(&name), "not looked for");
}

#[test]
fn json_of_a_deletion_has_everything() {
    let case = Case::of(usual());
    let text = serde_json::to_string_pretty(&case.json()).unwrap();
    golden::check("outside/usual.json", &(text + "\n"));
}

/// What is left on purpose after the usual deletion.
fn report() -> SweepReport {
    let kept = usual()
        .into_iter()
        .filter(|found| found.disposition == Disposition::Kept)
        .chain([kept(
            Kind::Backup,
            backup_arn(),
            20 * GIB,
            Purpose::Database(DATABASE.to_owned()),
        )]);
    SweepReport {
        kept: kept.collect(),
        ..SweepReport::default()
    }
}

fn retained() -> [Retained; 3] {
    [
        Retained::Snapshot {
            stack: StackKind::Database,
            description: "PostgreSQL 17.11".to_owned(),
            of: Some(DATABASE.to_owned()),
            name: None,
            begins_with: Some("canary-database-snapshot-database-".to_owned()),
        },
        Retained::LogGroups {
            stack: StackKind::Database,
            names: vec![format!("/aws/rds/instance/{DATABASE}/postgresql")],
        },
        Retained::Backups {
            stack: StackKind::Database,
            database: Some(DATABASE.to_owned()),
            days: 7,
        },
    ]
}

#[test]
fn remaining_things_have_ids_costs_and_commands() {
    let lines = outside::remains(&report(), &retained(), REGION);
    assert!(lines.iter().all(|line| line.starts_with("remains: ")));
    let text = lines.join("\n") + "\n";
    assert_eq!(text.matches("automated backups of").count(), 1, "{text}");
    check("remains", &text);
}

#[test]
fn announced_backups_are_said_until_they_are_found() {
    let backups = |report: &SweepReport| {
        let text = outside::remains(report, &retained(), REGION).join("\n");
        (
            text.contains("for 7 days"),
            text.contains(&format!("{DATABASE}/postgresql")),
        )
    };
    // A run that ended before it looked.
    assert_eq!(backups(&SweepReport::default()), (true, true));
    let mut report = report();
    assert_eq!(backups(&report), (false, true));
    report
        .kept
        .retain(|found| found.resource.kind == Kind::Volume);
    assert_eq!(backups(&report), (true, false));
}

/// Of the same database as well: one of an earlier cluster of the same name is another one.
#[test]
fn last_snapshot_of_a_database_is_said_once_with_its_id() {
    let snapshot = |database: &str| {
        let id = "canary-database-snapshot-database-x1y2z3";
        let of = Purpose::Database(database.to_owned());
        let mut found = kept(Kind::DatabaseSnapshot, id, 20 * GIB, of);
        found.resource.uses = [database.to_owned()].into();
        let report = SweepReport {
            kept: vec![found],
            ..SweepReport::default()
        };
        let text = outside::remains(&report, &retained(), REGION).join("\n");
        let is_announced = text.contains("its name begins with");
        assert_eq!(
            text.matches(&format!("snapshot {id},")).count(),
            1,
            "{text}"
        );
        (is_announced, text)
    };
    assert!(snapshot("canary-database-database-old").0);
    let (is_announced, text) = snapshot(DATABASE);
    assert!(!is_announced, "{text}");
    check("remains-snapshot", &(text + "\n"));
}

#[test]
fn orphans_name_their_blocker_and_the_way_out() {
    let orphan = |found: Found, why: &str| Orphan {
        found,
        why: why.to_owned(),
    };
    let mut rule = made(Kind::GroupRule, "sgr-0123456789abcdef0", None);
    rule.resource.body = "sg-0cc33dd44ee55ff66".to_owned();
    rule.resource.state = Some("egress".to_owned());
    let mut interface = made(
        Kind::Interface,
        "eni-0f9e8d7c6b5a40312",
        Some(service("shop/web")),
    );
    interface.resource.by_aws = true;
    let report = SweepReport {
        left: vec![
            orphan(
                made(
                    Kind::LoadBalancer,
                    balancer_arn(),
                    Some(service("shop/web")),
                ),
                "AWS: Load balancer cannot be deleted because deletion protection is enabled",
            ),
            orphan(
                made(
                    Kind::SecurityGroup,
                    "sg-0aa11bb22cc33dd44",
                    Some(service("legacy/web")),
                ),
                "used by interface eni-0aaaabbbbccccdddd (AWS Lambda VPC ENI-reports); AWS: resource \
                 sg-0aa11bb22cc33dd44 has a dependent object",
            ),
            orphan(rule, "you are not allowed to perform this operation"),
            orphan(interface, "AWS has not released it"),
            orphan(
                made(
                    Kind::DnsRecord,
                    "Z0123456789ABCDEFGHIJ shop.example.com. A",
                    Some(service("shop/web")),
                ),
                "it has changed since it was shown",
            ),
        ],
        foreign: vec![foreign(
            Kind::Machine,
            "i-0ffffeeee11112222",
            Some("bastion"),
            None,
        )],
        unknown: vec![UnknownKind {
            kind: Kind::Snapshot,
            why: "AccessDenied".to_owned(),
        }],
        ..SweepReport::default()
    };
    let lines = outside::orphans(&report, REGION);
    assert_eq!(lines.len(), 7);
    assert!(lines.iter().all(|line| line.starts_with("!! ")));
    let text = lines.join("\n") + "\n";
    assert!(text.contains("revoke-security-group-egress"), "{text}");
    assert!(text.contains("--group-id sg-0cc33dd44ee55ff66"), "{text}");
    check("orphans", &text);
}

#[test]
fn texts_of_others_can_not_move_the_cursor() {
    let name = "\u{1b}[2Jgone\nremains: nothing";
    let found = foreign(
        Kind::Machine,
        "i-0ffffeeee11112222",
        Some(name),
        Some("\u{7}x"),
    );
    let mut report = SweepReport::default();
    report.foreign.push(found.clone());
    let case = Case::of(vec![found]);
    for text in [case.text(), outside::orphans(&report, REGION).join("\n")] {
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text:?}");
        assert!(!text.contains("\nremains: nothing"), "{text:?}");
    }
}

/// The commands of a text, each on one line.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace(" \\\n", " ");
    let lines = joined.lines().map(str::trim);
    let commands = lines.filter(|line| line.starts_with("aws "));
    commands
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What others have in the VPC, each kind in the way of another one.
fn in_the_way() -> Vec<Found> {
    let mut rule = foreign(Kind::GroupRule, "sgr-0123456789abcdef0", None, None);
    "sg-0cc33dd44ee55ff66".clone_into(&mut rule.resource.body);
    rule.resource.state = Some("egress".to_owned());
    let interface = |id: &str, state: &str| {
        let mut found = foreign(Kind::Interface, id, None, None);
        found.resource.state = Some(state.to_owned());
        found
    };
    let group = arn("elasticloadbalancing", "targetgroup/reports/1");
    let mut found = vec![
        foreign(Kind::Machine, "i-0ffffeeee11112222", None, None),
        foreign(Kind::LoadBalancer, &balancer_arn(), None, None),
        foreign(Kind::TargetGroup, &group, None, Some("reports")),
        rule,
        foreign(Kind::SecurityGroup, "sg-0cc33dd44ee55ff66", None, None),
        interface("eni-0aaaabbbbccccdddd", "in-use"),
        interface("eni-0bbbbccccddddeeee", "available"),
    ];
    let subnet = |at: u8| {
        let id = format!("subnet-{at:017x}");
        foreign(Kind::Subnet, &id, None, None)
    };
    found.extend((0..12).map(subnet));
    found.push(foreign(
        Kind::RouteTable,
        "rtb-0123456789abcdef0",
        None,
        None,
    ));
    found.push(foreign(
        Kind::Endpoint,
        "vpce-0123456789abcdef0",
        None,
        None,
    ));
    found
}

#[test]
fn commands_for_foreign_resources_work_as_printed_and_in_order() {
    let mut case = Case::of(in_the_way());
    case.plan = bare();
    case.seen = Seen::NoApi;
    let text = case.text();
    let commands = commands(&text);
    let names: Vec<&str> = commands
        .iter()
        .map(|command| command.split(' ').nth(2).unwrap())
        .collect();
    let mut wanted = vec![
        "terminate-instances",
        "delete-load-balancer",
        "revoke-security-group-egress",
        "delete-vpc-endpoints",
        "delete-network-interface",
        "delete-security-group",
    ];
    wanted.extend(["delete-subnet"; 10]);
    wanted.push("delete-route-table");
    assert_eq!(names, wanted, "{text}");
    for command in &commands {
        let words: Vec<&str> = command.split(' ').collect();
        let placeholders = ["ID", "GROUP_ID", "ARN"];
        assert!(
            !words.iter().any(|word| placeholders.contains(word)),
            "{command}"
        );
    }
    assert!(text.contains("and 2 more"), "{text}");
    // Its name stands once.
    assert!(text.contains("target group reports\n"), "{text}");
    check("foreign-many", &text);
}

#[test]
fn attached_interface_is_never_advised_to_be_deleted() {
    let report = SweepReport {
        foreign: in_the_way(),
        ..SweepReport::default()
    };
    let text = outside::orphans(&report, REGION).join("\n");
    let wrong = "--network-interface-id eni-0aaaabbbbccccdddd";
    assert!(
        !commands(&text).iter().any(|line| line.contains(wrong)),
        "{text}"
    );
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("no {words}"));
    assert!(at("terminate-instances") < at("delete-security-group"));
    assert!(at("revoke-security-group-egress") < at("delete-security-group"));
    // Sentences have names, commands have ARNs.
    let sentences = text.lines().filter(|line| line.starts_with("!! "));
    assert!(
        sentences.clone().all(|line| !line.contains("arn:")),
        "{text}"
    );
}

#[test]
fn interface_of_what_is_named_has_no_line_and_another_says_that_it_goes_along() {
    let interface = |id: &str, uses: &str, description: &str| {
        let mut found = foreign(Kind::Interface, id, None, Some(description));
        found.resource.state = Some("in-use".to_owned());
        found.resource.uses = ["sg-1".to_owned(), uses.to_owned()].into();
        found
    };
    let balancer = "ELB net/a4f5c6d7e8f90123456789abcdef0123/50dc6c495c0c9188";
    let report = SweepReport {
        foreign: vec![
            interface("eni-1", "i-0ffffeeee11112222", ""),
            interface("eni-2", "sg-2", balancer),
            interface("eni-3", "sg-2", "VPC Endpoint Interface vpce-1"),
            interface("eni-4", "i-other", "AWS Lambda VPC ENI-reports"),
            foreign(Kind::Machine, "i-0ffffeeee11112222", None, None),
            foreign(Kind::LoadBalancer, &balancer_arn(), None, None),
            foreign(Kind::Endpoint, "vpce-1", None, None),
            foreign(Kind::SecurityGroup, "sg-1", None, None),
        ],
        ..SweepReport::default()
    };
    let lines = outside::orphans(&report, REGION);
    let of_interfaces = lines.iter().filter(|line| line.contains("eni-"));
    let [line] = of_interfaces.collect::<Vec<_>>()[..] else {
        panic!("{lines:#?}")
    };
    assert_eq!(lines.len(), 5);
    assert!(line.starts_with("!! network interface eni-4 "), "{line}");
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("Ask its owner; it is attached, and goes with that"),
        "{line}"
    );
    assert!(!words.contains("where nobody needs it"), "{line}");
}

#[test]
fn what_waits_for_the_last_stack_is_named_without_commands() {
    let report = SweepReport {
        waiting: vec![made(Kind::Bucket, "canary-state", None)],
        ..SweepReport::default()
    };
    let lines = outside::orphans(&report, REGION);
    let [line] = &lines[..] else {
        panic!("{lines:#?}")
    };
    let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.starts_with("!! bucket canary-state is still there"),
        "{line}"
    );
    assert!(
        words.ends_with(": waits for the last stack; the same command deletes it after that"),
        "{line}"
    );
}

#[test]
fn commands_for_what_remains_have_ids() {
    let text = outside::remains(&report(), &retained(), REGION).join("\n");
    let commands = commands(&text);
    for id in ["vol-0a1b2c3d4e5f60718", "vol-0c3d4e5f607182930"] {
        let wanted = format!("aws ec2 delete-volume --region {REGION} --volume-id {id}");
        assert!(commands.contains(&wanted), "{text}");
    }
    for log in ["postgresql", "upgrade"] {
        let wanted = format!(
            "aws logs delete-log-group --region {REGION} --log-group-name /aws/rds/instance/{DATABASE}/{log}"
        );
        assert!(commands.contains(&wanted), "{text}");
    }
    assert!(!text.contains(" ID"), "{text}");
}

#[test]
fn last_snapshot_of_etcd_is_one_line_and_names_its_key() {
    let volume = "vol-0e7cd000000000000";
    let stack = Purpose::Stack("control-plane".to_owned());
    let mut snapshot = kept(Kind::Snapshot, "snap-0e7cd000000000001", 20 * GIB, stack);
    snapshot.owner = Owner::Stack;
    snapshot.resource.uses.insert(volume.to_owned());
    let mut retained = vec![
        Retained::Snapshot {
            stack: StackKind::ControlPlane,
            description: "etcd volume of control-plane node a".to_owned(),
            of: Some(volume.to_owned()),
            name: None,
            begins_with: None,
        },
        Retained::Key {
            stack: StackKind::Base,
            physical_id: Some("0a1b2c3d-0000-4000-8000-000000000000".to_owned()),
            days: 30,
        },
    ];
    let report = SweepReport {
        kept: vec![snapshot],
        ..SweepReport::default()
    };
    let said = |report: &SweepReport, retained: &[Retained]| {
        let text = outside::remains(report, retained, REGION).join("\n");
        fits(&text);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = said(&report, &retained);
    assert_eq!(text.matches("last snapshot of etcd").count(), 1, "{text}");
    assert_eq!(text.matches("remains: snapshot").count(), 1, "{text}");
    let key = "once key 0a1b2c3d-0000-4000-8000-000000000000 is deleted";
    assert!(text.contains(key), "{text}");
    // Where it was not found, what the stack said is all that is known.
    let none = SweepReport::default();
    let text = said(&none, &retained);
    assert_eq!(text.matches("last snapshot of etcd").count(), 1, "{text}");
    // A later run does not know the key.
    retained.clear();
    let text = said(&report, &retained);
    assert!(text.contains("can't be read any more"), "{text}");
}

#[test]
fn refusal_is_in_the_json() {
    let mut case = Case::of(usual());
    assert_eq!(case.json()["refused"], Value::Null);
    case.refused = Some(Blocked::by_guard(
        Code::NotLookedFor,
        "not everything could be looked for: volumes",
        "fix the causes",
    ));
    let json = case.json();
    assert_eq!(json["refused"]["code"], json!(Code::NotLookedFor));
    assert_eq!(json["refused"]["next"], "fix the causes");
    assert_eq!(json["account"], "111122223333");
    assert_eq!(json["region"], REGION);
}

#[test]
fn volume_stands_once_in_the_json() {
    let text = Case::of(usual()).json().to_string();
    let id = "\"id\":\"vol-0a1b2c3d4e5f60718\"";
    assert_eq!(text.matches(id).count(), 1);
}

#[test]
fn accepted_unknown_kinds_are_not_said_to_stop_the_deletion() {
    let mut case = Case::of(Vec::new());
    case.plan = bare();
    case.inventory.unknown = vec![UnknownKind {
        kind: Kind::DnsRecord,
        why: "denied".to_owned(),
    }];
    assert!(case.text().contains("--accept unknown"));
    case.accepts_unknown = true;
    let text = case.text();
    assert!(!text.contains("--accept unknown"), "{text}");
    assert!(!text.contains("may keep"), "{text}");
    case.inventory.unknown[0].kind = Kind::Interface;
    let text = case.text();
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains("may keep canary-network"), "{text}");
}

#[test]
fn stack_without_resources_leaves_nothing() {
    let mut case = Case::of(Vec::new());
    let steps = case.plan.steps.iter_mut();
    for step in steps.filter(|step| step.kind == StackKind::Database) {
        step.found.status = StackStatus::RollbackComplete;
    }
    let text = case.text();
    assert!(!text.contains("of Database"), "{text}");
    assert!(!text.contains("automated backups of"), "{text}");
    let stacks = stacks_text::text(&case.plan, Stream::Stderr);
    assert!(!stacks.contains("PostgreSQL"), "{stacks}");
    assert!(stacks.contains("canary-database"), "{stacks}");
}

/// A key that waits for its deletion, and what is encrypted under it.
fn key(ends: &str) -> Found {
    let mut key = made(
        Kind::Key,
        arn("kms", "key/1a2b3c4d"),
        Some(Purpose::Stack("base".to_owned())),
    );
    key.owner = Owner::Stack;
    key.disposition = Disposition::Kept;
    key.resource.state = Some("PendingDeletion".to_owned());
    key.resource.ends = ends.parse().ok();
    key
}

fn snapshot_under(key: &Found) -> Found {
    let purpose = Purpose::Stack("control-plane".to_owned());
    let mut snapshot = kept(Kind::Snapshot, "snap-0d4e5f60718293041", 10 * GIB, purpose);
    snapshot.owner = Owner::Stack;
    snapshot.resource.key = Some(key.resource.id.clone());
    snapshot
}

#[test]
fn waiting_key_has_its_date_and_the_commands_that_keep_it() {
    let key = key("2026-12-29T10:00:00Z");
    let mut case = Case::of(vec![snapshot_under(&key), key.clone()]);
    case.plan = bare();
    case.seen = Seen::NoApi;
    let text = case.text();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for wanted in [
        "deleted for good on 2026-12-29",
        "can't be read after 2026-12-29",
    ] {
        assert!(words.contains(wanted), "{text}");
    }
    let id = &key.resource.id;
    for call in ["cancel-key-deletion", "enable-key"] {
        let wanted = format!("aws kms {call} --region {REGION} --key-id {id}");
        assert!(commands(&text).contains(&wanted), "{text}");
    }
    check("key-waits", &text);
    let json = case.json();
    let of = |id: &str| {
        let all = json["outside"].as_array().unwrap().iter();
        all.clone().find(|one| one["id"] == id).unwrap().clone()
    };
    assert_eq!(of(id)["ends"], "2026-12-29T10:00:00Z");
    assert_eq!(of(id)["disposition"], "kept");
    assert_eq!(of("snap-0d4e5f60718293041")["key"], *id);

    // The line of its stack says no date: the one with it stands alone.
    let report = SweepReport {
        kept: vec![snapshot_under(&key), key],
        ..SweepReport::default()
    };
    let announced = Retained::Key {
        stack: StackKind::Base,
        physical_id: Some("1a2b3c4d".to_owned()),
        days: 30,
    };
    let text = outside::remains(&report, &[announced], REGION).join("\n");
    assert_eq!(text.matches("key 1a2b3c4d").count(), 1, "{text}");
    assert!(text.contains("2026-12-29"), "{text}");
}

#[test]
fn key_that_goes_names_what_can_not_be_read_after_it() {
    let mut key = key("2026-12-29T10:00:00Z");
    key.disposition = Disposition::Removed;
    key.resource.state = Some("Enabled".to_owned());
    key.resource.ends = None;
    key.resource.left_by =
        Some("arn:aws:cloudformation:eu-west-1:1:stack/canary-base/7".to_owned());
    let mut case = Case::of(vec![snapshot_under(&key), key]);
    case.plan = bare();
    case.seen = Seen::NoApi;
    let text = case.text();
    assert!(text.contains("deleted for good in 30 days"), "{text}");
    let after = text.split("not to be read after that").nth(1);
    assert!(
        after.is_some_and(|text| text.contains("snap-0d4e5f60718293041")),
        "{text}"
    );
    check("key-goes", &text);
}

#[test]
fn database_that_a_stack_left_is_named_with_its_commands_before_consent() {
    let mut database = made(
        Kind::Database,
        DATABASE,
        Some(Purpose::Stack("database".to_owned())),
    );
    database.owner = Owner::Stack;
    database.disposition = Disposition::Untouched;
    database.resource.bytes = Some(20 * GIB);
    let case = Case::of(vec![database.clone()]);
    let text = case.text();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("canary-network can't be deleted while"),
        "{text}"
    );
    let wanted = [
        format!(
            "aws rds modify-db-instance --region {REGION} --db-instance-identifier {DATABASE} --no-deletion-protection --apply-immediately"
        ),
        format!(
            "aws rds delete-db-instance --region {REGION} --db-instance-identifier {DATABASE} \
             --final-db-snapshot-identifier {DATABASE}-final"
        ),
    ];
    let all = commands(&text);
    let places = wanted
        .each_ref()
        .map(|one| all.iter().position(|command| command == one));
    assert!(places[0].is_some() && places[0] < places[1], "{text}");
    assert_eq!(case.json()["foreign"][0]["holdsNetwork"], true);
    check("database-left", &text);
    let report = SweepReport {
        left: vec![Orphan {
            found: database,
            why: "the stack that made it is gone".to_owned(),
        }],
        ..SweepReport::default()
    };
    let text = outside::orphans(&report, REGION).join("\n");
    assert!(
        text.starts_with("!! ") && commands(&text) == wanted,
        "{text}"
    );
}

/// What others have in the VPC, of the kinds that are in each other's way there.
#[test]
fn gateways_of_others_are_detached_and_then_deleted() {
    let mut gateway = foreign(Kind::InternetGateway, "igw-0123456789abcdef0", None, None);
    gateway.resource.vpc = Some("vpc-0a".to_owned());
    let nat = foreign(Kind::NatGateway, "nat-0123456789abcdef0", None, None);
    let mut case = Case::of(vec![gateway, nat]);
    case.plan = bare();
    case.seen = Seen::NoApi;
    let text = case.text();
    let names: Vec<String> = commands(&text)
        .iter()
        .map(|command| command.split(' ').nth(2).unwrap().to_owned())
        .collect();
    let wanted = [
        "delete-nat-gateway",
        "detach-internet-gateway",
        "delete-internet-gateway",
    ];
    assert_eq!(names, wanted, "{text}");
    assert!(text.contains("--vpc-id vpc-0a"), "{text}");
}
