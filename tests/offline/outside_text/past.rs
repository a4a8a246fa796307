//! Volumes with the cluster's tags that it does not use, and state buckets that stacks left.

use super::*;
use kube_cfn::etcd::Snapshot;
use kube_cfn::report::outside::{BucketContents, state_bucket};
use kube_cfn::sweep::Past;

fn past(id: &str, owner: Owner) -> Found {
    let mut found = volume(id, 20, "available", "shop/data-db-0");
    found.resource.created = Some("2026-06-01T08:00:00Z".parse().unwrap());
    found.owner = owner;
    found
}

fn case() -> Case {
    let mut found = usual();
    found.retain(|one| one.resource.kind == Kind::Volume);
    found.push(past("vol-0eeeeeeeeeeeeeeee", Owner::Past(Past::Earlier)));
    found.push(past("vol-0ffffffffffffffff", Owner::Past(Past::Released)));
    let mut case = Case::of(found);
    case.plan = bare();
    case
}

#[test]
fn past_volumes_are_listed_apart_and_never_lost() {
    let mut case = case();
    check("past-kept", &case.text());
    case.delete_volumes = true;
    check("past", &case.text());
    let json = case.json();
    let ids = |key: &str| -> Vec<(Value, Value)> {
        let all = json[key].as_array().unwrap().iter();
        all.map(|disk| (disk["id"].clone(), disk["owner"].clone()))
            .collect()
    };
    assert_eq!(
        ids("keptVolumes"),
        [
            (json!("vol-0eeeeeeeeeeeeeeee"), json!("earlier")),
            (json!("vol-0ffffffffffffffff"), json!("released"))
        ]
    );
    assert_eq!(ids("lostVolumes").len(), 3);
}

#[test]
fn volumes_are_listed_apart_where_nothing_says_which_cluster_made_them() {
    let mut case = Case::of(vec![past(
        "vol-0eeeeeeeeeeeeeeee",
        Owner::Past(Past::ThisOrEarlier),
    )]);
    case.plan = bare();
    case.seen = Seen::NoApi;
    case.delete_volumes = true;
    check("past-unknown", &case.text());
    let json = case.json();
    assert_eq!(json["keptVolumes"][0]["owner"], "thisOrEarlier");
    assert_eq!(json["lostVolumes"], json!([]));
}

#[test]
fn end_lists_volumes_of_an_earlier_cluster_apart() {
    let report = SweepReport {
        kept: vec![
            past("vol-0eeeeeeeeeeeeeeee", Owner::Past(Past::Earlier)),
            volume("vol-0aaaaaaaaaaaaaaaa", 8, "available", "shop/data"),
        ],
        ..SweepReport::default()
    };
    let lines = outside::remains(&report, &[], REGION);
    let [own, old, _] = lines.as_slice() else {
        panic!("{lines:#?}")
    };
    let deletes = |text: &str, id: &str| text.contains(&format!("--volume-id {id}"));
    assert!(deletes(own, "vol-0aaaaaaaaaaaaaaaa") && !own.contains("vol-0eeeeeeeeeeeeeeee"));
    assert!(deletes(old, "vol-0eeeeeeeeeeeeeeee") && !old.contains("vol-0aaaaaaaaaaaaaaaa"));
    assert!(old.contains("before this cluster"), "{old}");
}

fn bucket(contents: Result<BucketContents, String>) -> StateBucket {
    StateBucket {
        name: "canary-base-statebucket-1a2b".to_owned(),
        is_left: true,
        contents,
    }
}

fn snapshot(key: &str, written: &str) -> Snapshot {
    let key: kube_cfn::etcd::SnapshotKey = key.parse().unwrap();
    Snapshot {
        revision: key.revision(),
        key,
        bytes: 1 << 20,
        written: written.parse().unwrap(),
        verifiable: true,
    }
}

#[test]
fn state_bucket_that_stacks_left_says_what_goes_with_it() {
    let now = "2026-12-01T08:00:00Z".parse().unwrap();
    let snapshots = vec![
        snapshot("etcd/20261130T080000Z-90.db", "2026-11-30T08:00:00Z"),
        snapshot("etcd/20261129T080000Z-17.db", "2026-11-29T08:00:00Z"),
    ];
    let full = bucket(Ok(BucketContents {
        snapshots,
        objects: 41,
    }));
    let text = state_bucket(&full, REGION, now);
    let text: Vec<&str> = text.split_whitespace().collect();
    let text = text.join(" ");
    for part in [
        "2 etcd snapshots in canary-base-statebucket-1a2b, deleted with it (41 objects in all)",
        "s3 cp --region eu-west-1 s3://canary-base-statebucket-1a2b/etcd/20261130T080000Z-90.db .",
        "1d old",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut case = Case::of(Vec::new());
    case.buckets = vec![full, bucket(Err("denied".to_owned()))];
    let json = &case.json()["stateBuckets"];
    assert_eq!(
        (&json[0]["objects"], &json[0]["snapshots"]),
        (&json!(41), &json!(2))
    );
    assert_eq!(json[0]["newest"]["key"], "etcd/20261130T080000Z-90.db");
    assert_eq!(json[0]["save"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&json[1]["why"], &json[1]["snapshots"]),
        (&json!("denied"), &Value::Null)
    );
    let empty = bucket(Ok(BucketContents::default()));
    assert!(
        state_bucket(&empty, REGION, now).contains("holds no etcd snapshot (0 objects in all)")
    );
}
