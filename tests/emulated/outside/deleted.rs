//! Everything of the cluster goes, its data stays and is named, everything of others stays as it was.

use std::collections::BTreeSet;

use serde_json::json;

use super::made::{self, Listing, Made};
use crate::process::Said;
use crate::world::World;

/// Kinds that are kept with their data.
const DATA: [&str; 3] = ["volume", "snapshot", "dbsnapshot"];

/// A cluster with everything, beside what others have.
struct Full {
    world: World,
    /// What was in the account before the cluster was.
    empty: Listing,
    ours: Made,
    others: Made,
    before: Listing,
}

impl Full {
    fn of(world: World) -> Self {
        let empty = made::list(&world);
        world.apply().ends(0);
        let ours = made::ours(&world);
        let others = made::beside(&world);
        let before = made::list(&world);
        let missing: Vec<_> = (ours.keys().into_iter().chain(others.keys()))
            .filter(|key| !before.has(key))
            .collect();
        assert!(missing.is_empty(), "not listed: {missing:?}");
        Self {
            world,
            empty,
            ours,
            others,
            before,
        }
    }

    fn delete(&self, arguments: &[&str]) -> Said {
        let confirmed = ["--confirm", &self.world.name];
        self.world
            .cluster("delete", &[&confirmed[..], arguments].concat())
    }

    /// Others have what they had, and of the cluster there is only what `kept` has and what its stacks keep.
    #[track_caller]
    fn leaves(&self, kept: &BTreeSet<String>) -> Listing {
        let after = made::list(&self.world);
        let mut gone = self.ours.keys();
        gone.retain(|key| !kept.contains(key));
        after.has_none_of(&gone);
        after.has_unchanged(&self.before, &self.others.keys());
        let etcd = self.come(&after, "snapshot");
        assert!(etcd.len() <= 1, "the last one of etcd: {etcd:?}");
        for key in &etcd {
            let volume = after.facts(key)["VolumeId"].as_str().expect("a volume");
            let tags = self.before.facts(&format!("volume {volume}"))["Tags"].to_string();
            assert!(tags.contains("control-plane"), "{key}: {tags}");
        }
        let last = self.come(&after, "dbsnapshot");
        let name = format!("dbsnapshot {}-database-snapshot-database-", self.world.name);
        assert!(last.len() <= 1, "the last one of the database: {last:?}");
        assert!(last.iter().all(|key| key.starts_with(&name)), "{last:?}");
        // The records with which Route 53 begins a zone.
        let mut zone = self.before.of("record");
        zone.retain(|key| key.ends_with(" NS") || key.ends_with(" SOA"));
        let theirs = self.others.keys();
        let data = self.of_database();
        let missing: Vec<_> = data.iter().filter(|key| !after.has(key)).collect();
        assert!(missing.is_empty(), "lost: {missing:?}");
        // Others' VPCs have groups, tables and interfaces that nobody made by name.
        let vpcs: BTreeSet<_> = self.foreign_vpc_resources();
        after.has_only(&[
            &self.empty.keys(),
            &theirs,
            kept,
            &etcd,
            &last,
            &zone,
            &data,
            &vpcs,
        ]);
        after
    }

    /// What has come of a kind since the cluster was deleted.
    fn come(&self, after: &Listing, kind: &str) -> BTreeSet<String> {
        let before = self.before.of(kind);
        after.of(kind).difference(&before).cloned().collect()
    }

    /// The log groups and backups of the cluster's database.
    fn of_database(&self) -> BTreeSet<String> {
        let name = format!("{}-database-database-", self.world.name);
        let logs = format!("logs /aws/rds/instance/{name}");
        let is_of = |key: &String| {
            let database = self.before.facts(key)["DBInstanceIdentifier"].as_str();
            database.is_some_and(|id| id.starts_with(&name))
        };
        let groups = self.before.of("logs").into_iter();
        let backups = self.before.of("backup").into_iter().filter(is_of);
        let groups = groups.filter(|key| key.starts_with(&logs));
        groups.chain(backups).collect()
    }

    /// What lies in the VPCs of others.
    fn foreign_vpc_resources(&self) -> BTreeSet<String> {
        let own = self.own_vpc();
        let vpc = |key: &String| {
            let facts = self.before.facts(key);
            facts["VpcId"]
                .as_str()
                .or(facts["VPCId"].as_str())
                .map(str::to_owned)
        };
        let mut found: BTreeSet<_> = self
            .before
            .keys()
            .into_iter()
            .filter(|key| vpc(key).is_some_and(|id| id != own))
            .collect();
        let groups: BTreeSet<_> = found
            .iter()
            .filter_map(|key| key.strip_prefix("group "))
            .map(str::to_owned)
            .collect();
        let of_group = |key: &String| {
            let group = self.before.facts(key)["GroupId"].as_str();
            group.is_some_and(|id| groups.contains(id))
        };
        let rules = self.before.of("rule").into_iter().filter(of_group);
        let machines: BTreeSet<_> = self.others.of("machine").iter().collect();
        let roots = self.before.of("volume").into_iter().filter(|key| {
            let attached = self.before.facts(key)["Attachments"][0]["InstanceId"].as_str();
            attached.is_some_and(|id| machines.iter().any(|one| *one == id))
        });
        let rules: Vec<_> = rules.chain(roots).collect();
        found.extend(rules);
        found
    }

    fn own_vpc(&self) -> String {
        let group = &self.ours.of("group")[0];
        let facts = self.before.facts(&format!("group {group}"));
        facts["VpcId"].as_str().expect("a VPC").to_owned()
    }
}

#[test]
fn everything_of_a_cluster_goes_and_its_data_stays() {
    let full = Full::of(World::with_database("outside"));
    let said = full.delete(&[]);
    said.ends(0);
    let kept: BTreeSet<_> = (full.ours.keys().into_iter())
        .filter(|key| DATA.iter().any(|kind| key.starts_with(kind)))
        .collect();
    let after = full.leaves(&kept);
    for id in DATA.iter().flat_map(|kind| full.ours.of(kind)) {
        said.tells(id);
        remains(&said, id);
    }
    for key in full.ours.of("volume") {
        let key = format!("volume {key}");
        let state = &after.facts(&key)["State"];
        assert_eq!(state, "available", "{key} is free");
    }
    said.tells("default/data-db-0")
        .tells("default/uploads")
        .tells("20 GiB")
        .tells("7 GiB");
    let logs = after.of("logs");
    let own = |key: &&String| key.contains("/outside-database-database-");
    assert_eq!(logs.iter().filter(own).count(), 2, "{logs:?}");
    for group in logs.iter().filter(own) {
        remains(&said, group.strip_prefix("logs ").expect("a log group"));
    }
    let last = full.come(&after, "dbsnapshot");
    let [last] = &last.into_iter().collect::<Vec<_>>()[..] else {
        panic!("a last snapshot of the database")
    };
    let last = last.strip_prefix("dbsnapshot ").expect("a snapshot");
    remains(&said, last);
    let words = said.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let announced = words.contains("its name begins with");
    assert!(!announced, "it is named once, with its id:\n{said}");
    assert_eq!(after.of("backup").len(), 1, "the one of the database");
    for backup in after.of("backup") {
        let arn = backup.strip_prefix("backup ").expect("a backup");
        let id = arn.rsplit(':').next().expect("an id");
        let name = after.facts(&backup)["DBInstanceIdentifier"].clone();
        let named =
            said.stderr.contains(id) || said.stderr.contains(name.as_str().expect("a name"));
        assert!(named, "no {id} in:\n{said}");
    }
    for id in full.others.keys() {
        let id = id.split_once(' ').expect("a key").1.to_owned();
        let is_id = ["vol-", "snap-", "i-", "eni-", "sg-"]
            .iter()
            .any(|prefix| id.starts_with(prefix));
        assert!(!is_id || !said.stderr.contains(&id), "{id} in:\n{said}");
    }
    let again = full.delete(&[]);
    again.ends(0).tells("nothing to delete").tells(last);
    made::list(&full.world).is(&after);
}

/// A line that says what remains names it. A line may be folded.
#[track_caller]
fn remains(said: &Said, id: &str) {
    let after = said.stderr.split("remains:").skip(1);
    let named = after.into_iter().any(|text| text.contains(id));
    assert!(named, "no `remains:` with {id} in:\n{said}");
}

#[test]
fn volumes_go_where_that_is_wanted() {
    let full = Full::of(World::small("unwanted"));
    let said = full.delete(&["--delete-volumes"]);
    said.ends(0);
    let kept: BTreeSet<_> = (full.ours.keys().into_iter())
        .filter(|key| key.starts_with("snapshot"))
        .collect();
    let after = full.leaves(&kept);
    for id in full.ours.of("volume") {
        assert!(!after.has(&format!("volume {id}")), "{id}");
        said.tells(id);
    }
    for id in full.ours.of("snapshot") {
        remains(&said, id);
    }
}

#[test]
fn plan_of_a_deletion_names_everything_and_changes_nothing() {
    let full = Full::of(World::small("planned"));
    for flags in [&["--plan"][..], &["--plan", "--delete-volumes"]] {
        let said = full.world.cluster("delete", flags);
        said.ends(0);
        for kind in ["machine", "volume", "snapshot", "group"] {
            for id in full.ours.of(kind) {
                said.prints(id);
            }
        }
        // The other one is with a machine of a stack until that is gone.
        said.prints(&full.ours.of("interface")[0]);
        for kind in ["balancer", "classic", "targets"] {
            for name in full.ours.names(kind) {
                said.prints(name);
            }
        }
        said.prints("web.example.org").prints("default/data-db-0");
        made::list(&full.world).is(&full.before);
    }
    let said = full.world.cluster("delete", &["--plan", "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&said.ends(0).stdout).expect("JSON");
    let text = plan.to_string();
    for key in full.ours.keys_without(&["record", "interface"]) {
        let id = key.split_once(' ').expect("a key").1.to_owned();
        assert!(text.contains(&id), "no {id} in {plan:#}");
    }
    made::list(&full.world).is(&full.before);
}

/// Interfaces of load balancers stay for minutes, tagging lists what is gone, machines take their time to end.
#[test]
fn what_aws_releases_late_is_waited_for() {
    let full = Full::of(World::small("late"));
    let facts = json!({"interfacesStay": 6, "tagsStay": 9, "terminating": 3});
    full.world.account_facts(&facts);
    let said = full.delete(&[]);
    said.ends(0).tells("late is deleted");
    let kept: BTreeSet<_> = (full.ours.keys().into_iter())
        .filter(|key| DATA.iter().any(|kind| key.starts_with(kind)))
        .collect();
    full.leaves(&kept);
}
