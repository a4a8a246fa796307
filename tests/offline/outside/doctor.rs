//! `doctor`: what nothing uses any more, with the command that ends it; what is not known is never shown as missing.

use std::collections::BTreeSet;

use kube_cfn::cloud::OutsideKind::{
    self, Backup, Bucket, DnsRecord, Interface, Key, LoadBalancer, LogGroup, Machine, Snapshot,
    Volume,
};
use kube_cfn::forecast::prices::Prices;
use kube_cfn::report::cluster::view;
use kube_cfn::report::protection::{
    Findings, Leftover, LeftoverFacts, LeftoverState, asks_kubernetes, leftovers, not_looked_for,
    text,
};
use kube_cfn::sweep::kubernetes::{
    Claim, Ingress, Objects, Service, Volume as PersistentVolume, VolumeSource,
};
use kube_cfn::sweep::{Disposition, Found, Inventory, Owner, Past, Seen};

use super::found::{
    balancer, classic, foreign, group, in_group, inventory, left, machine, now, of_ingress, record,
    rule, service, stated, target_group, unknown, usual, volume,
};
use crate::support::golden;

/// A look at a cluster of which Kubernetes says what it has.
struct Look {
    kubernetes: Seen,
    is_tunnelled: bool,
    used_groups: Result<BTreeSet<String>, String>,
    operation: Result<Option<String>, String>,
    is_network_stuck: bool,
    parameters_left: Option<Result<usize, String>>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            kubernetes: Seen::Objects(objects()),
            is_tunnelled: false,
            used_groups: Ok(BTreeSet::from(["sg-0a1".to_owned()])),
            operation: Ok(None),
            is_network_stuck: false,
            parameters_left: None,
        }
    }
}

impl Look {
    fn at(&self, inventory: &Inventory) -> Vec<Leftover> {
        leftovers(&LeftoverFacts {
            cluster: "canary",
            argument: "canary",
            region: "eu-west-1",
            inventory,
            kubernetes: &self.kubernetes,
            is_tunnelled: self.is_tunnelled,
            used_groups: &self.used_groups,
            operation: &self.operation,
            is_network_stuck: self.is_network_stuck,
            parameters_left: self.parameters_left.as_ref(),
            prices: &Prices::table(),
            now: now(),
        })
    }

    fn at_one(&self, found: Found) -> Option<Leftover> {
        let mut all = self.at(&inventory(vec![found]));
        assert!(all.len() <= 1, "{all:#?}");
        all.pop()
    }
}

/// What a cluster with everything of [`usual`] has: two Services, three claims.
fn objects() -> Objects {
    let of_default = |name: &str| Service {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        address: None,
    };
    let claim = |name: &str| Claim {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
    };
    let volume = |id: &str, claim: &str| PersistentVolume {
        name: format!("pvc-{id}"),
        volume_id: Some(id.to_owned()),
        source: VolumeSource::Ebs,
        claim: Some(format!("default/{claim}")),
        gib: Some(20),
        reclaim_policy: "Delete".to_owned(),
    };
    Objects {
        services: vec![of_default("web"), of_default("api")],
        ingresses: Vec::new(),
        volumes: vec![
            volume("vol-0a1", "data-0"),
            volume("vol-0a2", "data-1"),
            volume("vol-0a3", "data-2"),
        ],
        claims: vec![claim("data-0"), claim("data-1"), claim("data-2")],
        workloads: Vec::new(),
    }
}

fn silent() -> Look {
    Look {
        kubernetes: Seen::Silent("no answer within 15 seconds".to_owned()),
        ..Look::default()
    }
}

fn findings(leftovers: Vec<Leftover>) -> Findings {
    Findings {
        cluster: "canary".to_owned(),
        layers: Vec::new(),
        stacks: Vec::new(),
        half_deleted: false,
        gone: false,
        leftovers,
    }
}

fn screen(name: &str, leftovers: Vec<Leftover>) {
    golden::check(
        &format!("outside/{name}.txt"),
        &(text(&findings(leftovers)) + "\n"),
    );
}

fn state(leftover: Option<Leftover>) -> Option<LeftoverState> {
    leftover.map(|one| one.state)
}

#[test]
fn cluster_in_use_has_nothing_left_over() {
    let mut usual = usual();
    usual.found.retain(|one| one.resource.kind != DnsRecord);
    let all = Look::default().at(&usual);
    assert_eq!(all, Vec::new());
    let found = findings(all);
    assert_eq!((found.orphaned(), found.not_judged()), (0, 0));
    assert_eq!(text(&found), "ok outside        nothing is left over there");
}

/// What was not held against anything is no all-clear, and nothing wrong.
#[test]
fn what_is_not_compared_is_said() {
    let all = Look::default().at(&inventory(vec![
        made_for_nothing("k8s-odd"),
        record("Z1 web.example.org. A", "default/web"),
    ]));
    let found = findings(all.clone());
    assert_eq!((found.orphaned(), found.not_judged()), (0, 0));
    screen("doctor-not-compared", all);
}

fn made_for_nothing(name: &str) -> Found {
    Found {
        purpose: None,
        ..balancer(name, "default/web")
    }
}

#[test]
fn everything_left_over_has_its_command() {
    let inventory = inventory(vec![
        machine("i-0a1", "running"),
        balancer("k8s-old", "default/old"),
        classic("c0ffee", "shop/old"),
        target_group("k8s-old-80", &[]),
        in_group(rule("sgr-0b2", &["sg-0b2", "sg-nodes"]), "sg-nodes"),
        group("sg-0b2", "default/old"),
        stated(
            super::found::found(Interface, "eni-0b2", Owner::Kubernetes, None),
            "available",
        ),
        volume("vol-0b1", 50, Some("default/gone"), "available"),
        volume("vol-0b2", 8, None, "available"),
        stated(left(Volume, "vol-0c1", "control-plane"), "available"),
        left(Bucket, "canary-base-state-1a2b", "base"),
        left(Key, "arn:aws:kms:eu-west-1:123456789012:key/1a2b", "base"),
    ]);
    let all = Look::default().at(&inventory);
    // All but the rule, which is named with its group.
    assert_eq!(all.len(), inventory.found.len() - 1);
    for one in &all {
        assert_eq!(one.state, LeftoverState::Orphaned, "{one:?}");
        let next = one.next.as_deref().unwrap();
        assert!(
            next.contains("`aws ") && next.contains("--region eu-west-1"),
            "{next}"
        );
        assert!(next.contains(one.id.as_deref().unwrap()), "{next}");
    }
    screen("doctor", all);
}

#[test]
fn what_kubernetes_does_not_say_is_unknown_and_not_missing() {
    let all = silent().at(&usual());
    assert!(
        all.iter().all(|one| one.state == LeftoverState::Unknown
            || one.kind == Some(DnsRecord) && one.state == LeftoverState::NotCompared),
        "{all:#?}"
    );
    assert_eq!(findings(all.clone()).orphaned(), 0);
    screen("doctor-silent", all);
    // A volume that a machine has is in use, whatever Kubernetes says.
    let used = volume("vol-0a1", 20, Some("default/data-0"), "in-use");
    assert_eq!(silent().at_one(used), None);
}

#[test]
fn kubernetes_is_asked_only_where_it_decides() {
    assert!(asks_kubernetes(&usual()));
    let not_asked = inventory(vec![
        machine("i-0a1", "running"),
        group("sg-0a1", "default/web"),
        foreign(LoadBalancer, "arn:x"),
        left(Volume, "vol-0c1", "control-plane"),
    ]);
    assert!(!asks_kubernetes(&not_asked));
}

#[test]
fn volumes_in_use_are_no_reason_to_ask() {
    let volumes = |state| inventory(vec![volume("vol-0a1", 20, Some("default/data-0"), state)]);
    assert!(!asks_kubernetes(&volumes("in-use")));
    assert!(asks_kubernetes(&volumes("available")));
    assert_eq!(silent().at(&volumes("in-use")), Vec::new());
}

/// The tag of the AWS Load Balancer Controller names an Ingress, or a group of them by one word.
#[test]
fn load_balancer_is_left_over_without_its_ingress() {
    let ingress = |name: &str, stacks: &[&str]| Ingress {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        stacks: stacks.iter().map(ToString::to_string).collect(),
    };
    let look = Look {
        kubernetes: Seen::Objects(Objects {
            ingresses: vec![
                ingress("shop", &["shop/shop"]),
                ingress("blog", &["edge", "old"]),
            ],
            ..objects()
        }),
        ..Look::default()
    };
    for used in ["shop/shop", "edge", "old"] {
        assert_eq!(look.at_one(of_ingress("k8s-a", used)), None, "{used}");
    }
    for (gone, words) in [
        ("shop/blog", "Ingress shop/blog"),
        ("shop/old", "Ingress shop/old"),
        ("blog", "Ingress group blog"),
    ] {
        let one = look.at_one(of_ingress("k8s-a", gone)).unwrap();
        assert_eq!(one.state, LeftoverState::Orphaned);
        let text = format!("has no Ingress any more: {words}");
        assert!(one.text.contains(&text), "{}", one.text);
    }
    let of_group = inventory(vec![of_ingress("k8s-a", "edge")]);
    assert!(asks_kubernetes(&of_group));
    let unknown = silent().at(&of_group);
    assert_eq!(unknown[0].state, LeftoverState::Unknown, "{unknown:?}");
}

/// Its group is still used, as its load balancer is there: the rule is not needed any more, and is named on its own.
#[test]
fn rule_is_left_over_without_the_service_of_the_group_that_it_names() {
    let named_by = |rule: Found, of: &str| {
        let look = Look {
            used_groups: Ok(BTreeSet::from(["sg-0b2".to_owned()])),
            ..Look::default()
        };
        let rule = Found {
            purpose: Some(service(of)),
            ..rule
        };
        look.at(&inventory(vec![rule, group("sg-0b2", of)]))
    };
    let of_nodes = || in_group(rule("sgr-0b2", &["sg-0b2", "sg-nodes"]), "sg-nodes");
    assert_eq!(named_by(of_nodes(), "default/web"), Vec::new());
    let all = named_by(of_nodes(), "default/old");
    assert_eq!(all.len(), 1, "{all:#?}");
    assert_eq!(all[0].state, LeftoverState::Orphaned);
    assert_eq!(all[0].id.as_deref(), Some("sgr-0b2"));
    let text = "in sg-nodes names sg-0b2, which has no Service of type LoadBalancer any more";
    assert!(all[0].text.contains(text), "{}", all[0].text);
    let revoke = "`aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-nodes \
                  --security-group-rule-ids sgr-0b2`";
    assert_eq!(all[0].next.as_deref(), Some(revoke));
    // One in the group itself goes with it.
    let own = in_group(rule("sgr-0b3", &["sg-0b2", "sg-nodes"]), "sg-0b2");
    assert_eq!(named_by(own, "default/old"), Vec::new());
}

#[test]
fn what_looks_closer_is_advised_unless_it_was_tried() {
    let found = findings(silent().at(&usual()));
    let kinds = "whether these are in use outside the stacks: load balancers, \
                 rules of security groups, volumes";
    assert_eq!(found.not_judged_kinds().as_deref(), Some(kinds));
    let next = found.looks_closer().unwrap();
    assert!(
        next.starts_with("`kube-cfn doctor canary --server https://"),
        "{next}"
    );
    let tried = Look {
        is_tunnelled: true,
        ..silent()
    };
    assert_eq!(findings(tried.at(&usual())).looks_closer(), None);
    let found = findings(vec![not_looked_for("no network")]);
    assert_eq!(
        found.not_judged_kinds().unwrap(),
        "what lies outside the stacks"
    );
    assert_eq!(findings(Vec::new()).not_judged_kinds(), None);
}

/// Everything that a deletion would remove, whatever it is for.
fn of_kubernetes() -> Vec<Found> {
    let mut all = usual().found;
    all.push(of_ingress("k8s-shop", "shop/shop"));
    all.push(made_for_nothing("k8s-odd"));
    all.retain(|one| one.disposition == Disposition::Removed && one.owner == Owner::Kubernetes);
    all
}

#[test]
fn without_kubernetes_everything_that_it_made_is_left_over() {
    let look = Look {
        kubernetes: Seen::NoApi,
        ..Look::default()
    };
    let all = of_kubernetes();
    let leftovers = look.at(&inventory(all.clone()));
    assert_eq!(leftovers.len(), all.len());
    for (one, found) in leftovers.iter().zip(&all) {
        assert_eq!(one.state, LeftoverState::Orphaned, "{one:?}");
        assert_eq!(one.id.as_deref(), Some(&*found.resource.id));
        let next = one.next.as_deref().unwrap();
        assert!(next.contains("`kube-cfn delete canary`"), "{next}");
    }
    screen("doctor-no-api", leftovers);
    let running = Look {
        operation: Ok(Some("`delete` by ann".to_owned())),
        ..look
    };
    for one in running.at(&inventory(all)) {
        assert_eq!(one.state, LeftoverState::Ending, "{one:?}");
    }
    let free = volume("vol-0a1", 20, Some("default/data-0"), "available");
    let look = Look {
        operation: Ok(None),
        ..running
    };
    assert_eq!(state(look.at_one(free)), Some(LeftoverState::Orphaned));
}

/// AWS refuses to delete a volume that a machine has.
#[test]
fn deletion_of_an_attached_volume_is_not_advised() {
    let look = Look {
        kubernetes: Seen::NoApi,
        ..Look::default()
    };
    let mut used = volume("vol-0a1", 20, Some("default/data-0"), "in-use");
    used.resource.uses.insert("i-0a1".to_owned());
    let next = look.at_one(used).unwrap().next.unwrap();
    assert!(!next.contains("delete-volume"), "{next}");
    assert!(next.contains("while i-0a1 has it"), "{next}");
}

/// What others have in the network is named, and nothing but a deletion is advised.
#[test]
fn half_deleted_cluster_names_what_holds_its_network() {
    let look = Look {
        kubernetes: Seen::NoApi,
        is_network_stuck: true,
        ..Look::default()
    };
    let all = look.at(&inventory(vec![
        machine("i-0a1", "running"),
        balancer("k8s-old", "default/old"),
        foreign(Machine, "i-0ff"),
        foreign(Interface, "eni-0ff"),
        foreign(Volume, "vol-0ff"),
    ]));
    let holding: Vec<_> = all
        .iter()
        .filter(|one| one.state == LeftoverState::Holding)
        .filter_map(|one| one.id.as_deref())
        .collect();
    assert_eq!(holding, ["i-0ff", "eni-0ff"]);
    let found = Findings {
        half_deleted: true,
        ..findings(all)
    };
    let shown = text(&found);
    assert!(!shown.contains("`aws "), "{shown}");
    golden::check("outside/doctor-half-deleted.txt", &(shown + "\n"));
}

#[test]
fn volume_is_left_over_without_its_claim() {
    let look = Look::default();
    let of = |id: &str, state: &str| look.at_one(volume(id, 20, Some("default/data-0"), state));
    assert_eq!(
        of("vol-0a1", "available"),
        None,
        "a claim may wait for its pod"
    );
    assert_eq!(
        state(of("vol-0b1", "available")),
        Some(LeftoverState::Orphaned)
    );
    assert_eq!(of("vol-0b1", "in-use"), None, "a machine has it");
    let mut kept = objects();
    kept.claims.remove(0);
    let look = Look {
        kubernetes: Seen::Objects(kept),
        ..Look::default()
    };
    let one = look
        .at_one(volume("vol-0a1", 20, Some("default/data-0"), "available"))
        .unwrap();
    assert!(
        one.text
            .contains("PersistentVolume pvc-vol-0a1, whose claim is gone"),
        "{}",
        one.text
    );
    assert_eq!(one.bytes, Some(20 << 30));
    let monthly = one.monthly_usd.unwrap();
    assert!((1.0..3.0).contains(&monthly), "{monthly}");
    let cents = monthly * 100.0;
    assert!((cents - cents.round()).abs() < 1e-9, "{monthly}");
    // Not volumes alone cost something.
    let idle = look.at_one(balancer("k8s-old", "default/old")).unwrap();
    assert!(idle.monthly_usd.unwrap() > 1.0, "{idle:?}");
    assert!(idle.text.contains(" a month"), "{idle:?}");
}

#[test]
fn machine_is_left_over_unless_a_run_ends_it() {
    let of = |operation: Result<Option<String>, String>, at: &str| {
        let look = Look {
            operation,
            ..Look::default()
        };
        look.at_one(machine("i-0a1", at))
    };
    let one = of(Ok(None), "running").unwrap();
    assert_eq!(one.state, LeftoverState::Orphaned);
    assert!(
        one.text.contains(
            "i-0a1 of canary-pool-web is in no Auto Scaling group any more (running, launched 3d ago)"
        ),
        "{}",
        one.text
    );
    assert_eq!(
        one.next.as_deref(),
        Some("`aws ec2 terminate-instances --region eu-west-1 --instance-ids i-0a1`")
    );
    let run = "`apply` by ann".to_owned();
    let one = of(Ok(Some(run)), "running").unwrap();
    assert_eq!(one.state, LeftoverState::Ending);
    assert!(
        one.next.is_none() && one.text.contains("`apply` by ann"),
        "{one:?}"
    );
    let one = of(Err("denied".to_owned()), "running").unwrap();
    assert_eq!(one.state, LeftoverState::Unknown);
    assert_eq!(of(Ok(None), "shutting-down"), None);
}

#[test]
fn group_is_left_over_without_an_interface() {
    let of = |used_groups: Result<BTreeSet<String>, String>| {
        let look = Look {
            used_groups,
            ..Look::default()
        };
        look.at(&inventory(vec![
            in_group(rule("sgr-0a1", &["sg-0a1", "sg-nodes"]), "sg-nodes"),
            in_group(rule("sgr-0a2", &["sg-0a1"]), "sg-0a1"),
            group("sg-0a1", "default/web"),
        ]))
    };
    assert_eq!(of(Ok(BTreeSet::from(["sg-0a1".to_owned()]))), Vec::new());
    let unused = of(Ok(BTreeSet::from(["sg-nodes".to_owned()])));
    assert_eq!(unused.len(), 1);
    let next = unused[0].next.as_deref().unwrap();
    assert!(
        next.starts_with(
            "`aws ec2 revoke-security-group-ingress --region eu-west-1 --group-id sg-nodes"
        ) && next.contains("sgr-0a1`, then `aws ec2 delete-security-group"),
        "{next}"
    );
    let unknown = of(Err("denied".to_owned()));
    assert_eq!(unknown.len(), 1);
    assert_eq!(unknown[0].state, LeftoverState::Unknown);
}

#[test]
fn what_is_kept_or_somebody_elses_is_not_left_over() {
    for kind in OutsideKind::ALL {
        let one = Look::default().at_one(foreign(kind, "odd-1"));
        assert_eq!(one, None, "{kind:?}");
    }
    for kind in [Snapshot, LogGroup, Backup] {
        assert_eq!(
            Look::default().at_one(left(kind, "odd-1", "base")),
            None,
            "{kind:?}"
        );
    }
}

#[test]
fn what_could_not_be_looked_for_is_no_all_clear() {
    let not_all = Inventory {
        unknown: vec![unknown(LoadBalancer)],
        ..Inventory::default()
    };
    let found = findings(Look::default().at(&not_all));
    assert_eq!((found.orphaned(), found.not_judged()), (0, 1));
    let shown = text(&found);
    assert!(
        shown.starts_with("?? outside        load balancer: could not be"),
        "{shown}"
    );
    let found = findings(vec![not_looked_for("no network")]);
    assert_eq!(found.not_judged(), 1);
    assert!(text(&found).starts_with("?? outside        nothing could be looked for: no network"));
}

#[test]
fn many_of_a_kind_are_counted() {
    let machines = (0..25)
        .map(|n| machine(&format!("i-{n}"), "running"))
        .collect();
    let all = Look::default().at(&inventory(machines));
    assert_eq!(all.len(), 25);
    let shown = text(&findings(all));
    assert_eq!(
        shown.matches("in no Auto Scaling group").count(),
        10,
        "{shown}"
    );
    assert!(
        shown.ends_with("!! outside        and 15 more machines; -o json lists all"),
        "{shown}"
    );
}

/// What others have does not hide what is the cluster's, and the rest is counted below its own kind.
#[test]
fn many_of_others_do_not_hide_the_clusters_own() {
    let look = Look {
        kubernetes: Seen::NoApi,
        is_network_stuck: true,
        ..Look::default()
    };
    let mut found: Vec<_> = (10..22)
        .map(|n| foreign(Machine, &format!("i-{n}")))
        .collect();
    found.push(machine("i-own", "running"));
    found.push(balancer("k8s-old", "default/old"));
    let shown = text(&findings(look.at(&inventory(found))));
    assert!(
        shown.contains("machine i-own of canary-pool-web"),
        "{shown}"
    );
    let more = shown.find("and 2 more machines; -o json lists all");
    assert!(more.unwrap() < shown.find("k8s-old").unwrap(), "{shown}");
}

/// What deletions of a cluster leave, with and without this program.
fn remains() -> Vec<Found> {
    let mut key = left(Key, "arn:aws:kms:eu-west-1:1:key/k-1", "base");
    key.resource.state = Some("PendingDeletion".to_owned());
    key.resource.ends = Some("2026-12-20T10:00:00Z".parse().unwrap());
    key.disposition = Disposition::Kept;
    let mut old = volume("vol-0e1", 8, Some("shop/data"), "available");
    old.owner = Owner::Past(Past::ThisOrEarlier);
    vec![
        balancer("k8s-web", "default/web"),
        key,
        old,
        left(Bucket, "canary-state-1", "base"),
    ]
}

fn without_stacks(parameters: Result<usize, String>) -> Look {
    Look {
        kubernetes: Seen::NoApi,
        parameters_left: Some(parameters),
        ..Look::default()
    }
}

#[test]
fn cluster_without_stacks_shows_what_is_left_and_what_is_kept() {
    let all = without_stacks(Ok(3)).at(&inventory(remains()));
    let states = |state| -> Vec<Option<OutsideKind>> {
        let of = all.iter().filter(|one| one.state == state);
        of.map(|one| one.kind).collect()
    };
    assert_eq!(
        states(LeftoverState::Orphaned),
        [Some(LoadBalancer), Some(Bucket), None]
    );
    assert_eq!(states(LeftoverState::Kept), [Some(Key), Some(Volume)]);
    let found = Findings {
        gone: true,
        ..findings(all.clone())
    };
    golden::check("outside/doctor-gone.txt", &(text(&found) + "\n"));
    // The same lines.
    let mut view = view("canary", ("123456789012", "eu-west-1"), &[], &[]);
    view.left = Some(all);
    let screen = kube_cfn::report::cluster::text(&view, now());
    let lines: Vec<&str> = screen.lines().skip(1).collect();
    let shown = text(&found);
    let same: Vec<&str> = shown.lines().skip(1).collect();
    assert!(lines.ends_with(&same), "{screen}");
    let fits = |line: &str| line.len() <= 80 || line.contains('`') || line.contains("arn:");
    assert!(screen.lines().all(fits), "{screen}");
}

#[test]
fn cluster_without_stacks_whose_parameters_are_not_listed_is_unknown() {
    let mut all = without_stacks(Err("denied".to_owned())).at(&inventory(Vec::new()));
    let one = all.pop().unwrap();
    assert_eq!((one.state, all.len()), (LeftoverState::Unknown, 0));
    assert!(
        one.text
            .contains("/kube-cfn/canary/: could not be listed: denied")
    );
    assert_eq!(without_stacks(Ok(0)).at(&inventory(Vec::new())), []);
    let busy = Look {
        operation: Ok(Some("`apply` by jane".to_owned())),
        ..without_stacks(Ok(1))
    };
    assert_eq!(
        busy.at(&inventory(Vec::new()))[0].state,
        LeftoverState::Ending
    );
}

#[test]
fn volume_of_an_earlier_cluster_is_left_over_whatever_kubernetes_says() {
    let mut old = volume("vol-0e1", 8, Some("shop/data"), "available");
    old.owner = Owner::Past(Past::Earlier);
    for look in [Look::default(), silent()] {
        let one = look.at_one(old.clone()).unwrap();
        assert_eq!(one.state, LeftoverState::Orphaned);
        assert!(
            one.text
                .contains("is of an earlier cluster, made on 2026-11-27, before this cluster"),
            "{}",
            one.text
        );
        assert!(one.next.unwrap().contains("create-snapshot"));
    }
    let used = stated(old, "in-use");
    assert_eq!(silent().at_one(used), None);
}
