//! What is refused and noted by the sizes that run.

use serde_json::json;

use super::*;
use crate::cloud::{
    AZ_REBALANCE, ChangeSet, LiveDatabase, PropertyChange, ResourceChange, ScalingGroup,
};
use crate::stacks::{Stack, StackKind};

/// An update from one template to another that changes `id` in place.
fn update(kind: StackKind, before: &Value, after: &Value, id: &str) -> Step {
    let stack = Stack {
        name: kind.stack_name("canary"),
        kind,
        template: json!({"Resources": after}),
        inputs: Vec::new(),
        capabilities: Vec::new(),
        tags: std::collections::BTreeMap::new(),
        policy: None,
        termination_protection: false,
        objects: Vec::new(),
    };
    let change = ResourceChange {
        logical_id: id.to_owned(),
        physical_id: None,
        resource_type: String::new(),
        action: ChangeAction::Modify,
        replacement: Replacement::No,
        deletion_policy: None,
        properties: vec![PropertyChange {
            path: "Properties.X".to_owned(),
            before: None,
            after: None,
            recreates: Replacement::No,
            cause: None,
        }],
    };
    let set = ChangeSet {
        id: "set".to_owned(),
        stack_id: "stack".to_owned(),
        changes: vec![change],
        warnings: Vec::new(),
    };
    Step {
        before: Some(json!({"Resources": before})),
        ..Step::new(stack, Action::Update(set))
    }
}

fn groups(bounds: &[(&str, u32, u32)], subnets: usize) -> Value {
    let subnets: Vec<_> = (0..subnets)
        .map(|n| json!({"Ref": format!("S{n}")}))
        .collect();
    let group = |(id, min, max): &(&str, u32, u32)| {
        let properties = json!({"MinSize": min.to_string(), "MaxSize": max.to_string(),
            "VPCZoneIdentifier": subnets});
        (
            (*id).to_owned(),
            json!({"Type": GROUP, "Properties": properties}),
        )
    };
    Value::Object(bounds.iter().map(group).collect())
}

fn pool(before: &Value, after: &Value) -> Step {
    update(
        StackKind::Pool("workers".to_owned()),
        before,
        after,
        "Group",
    )
}

fn running(min: u32, desired: u32) -> ScalingGroup {
    ScalingGroup {
        min,
        desired,
        zones: ["a", "b"].map(str::to_owned).into(),
        suspended: [AZ_REBALANCE.to_owned()].into(),
    }
}

fn database(storage: u32, limit: u32, version: &str, class: &str) -> Value {
    json!({"Database": {"Type": DATABASE, "Properties": {"AllocatedStorage": storage.to_string(),
        "MaxAllocatedStorage": limit, "EngineVersion": version, "DBInstanceClass": class}}})
}

fn refusal(step: &Step) -> Option<(&str, &str)> {
    match &step.action {
        Action::Blocked(why) => {
            assert!(why.by_guard && step.blocked_change_set.is_some());
            Some((why.reason.as_str(), why.remedy.as_str()))
        }
        _ => None,
    }
}

#[test]
fn maximum_below_the_running_size_is_refused_with_what_fits() {
    let mut step = pool(
        &groups(&[("Group", 1, 5)], 2),
        &groups(&[("Group", 1, 3)], 2),
    );
    assert_eq!(questions(&step).groups, ["Group"]);
    note_groups(&mut step, &[("Group".to_owned(), running(1, 3))]);
    assert_eq!(refusal(&step), None, "what runs fits");
    note_groups(&mut step, &[("Group".to_owned(), running(1, 4))]);
    let (reason, remedy) = refusal(&step).expect("refused");
    assert!(
        reason.starts_with("4 machines run in Group (Group), the definition allows 3"),
        "{reason}"
    );
    assert!(
        remedy.starts_with("write `max: 4` for the pool, or take machines out first"),
        "{remedy}"
    );
}

#[test]
fn machines_of_a_fixed_pool_go_after_its_minimum() {
    let mut step = pool(
        &groups(&[("Group", 4, 4)], 1),
        &groups(&[("Group", 3, 3)], 1),
    );
    note_groups(&mut step, &[("Group".to_owned(), running(4, 4))]);
    let (_, remedy) = refusal(&step).expect("refused");
    assert!(
        remedy.contains("lower `min` alone with an apply of its own"),
        "{remedy}"
    );
}

#[test]
fn maximum_that_fits_holds_for_every_zone() {
    let zones = |max| {
        groups(
            &[("GroupA", 1, max), ("GroupB", 1, max), ("GroupC", 1, max)],
            1,
        )
    };
    let mut step = pool(&zones(3), &zones(1));
    let found = [("GroupA", 1), ("GroupB", 3), ("GroupC", 1)];
    let found = found.map(|(id, desired)| (id.to_owned(), running(1, desired)));
    note_groups(&mut step, &found);
    let (reason, remedy) = refusal(&step).expect("refused");
    assert!(
        reason.starts_with("3 machines run in GroupB") && remedy.starts_with("write `max: 9`"),
        "{reason} {remedy}"
    );
}

#[test]
fn group_is_read_only_where_it_spans_zones_or_its_bounds_change() {
    let (one, two) = (groups(&[("Group", 1, 3)], 1), groups(&[("Group", 1, 3)], 2));
    assert!(questions(&pool(&one, &one)).is_empty());
    assert_eq!(questions(&pool(&two, &two)).groups, ["Group"]);
    assert!(
        questions(&pool(&json!({}), &two)).is_empty(),
        "it does not exist yet"
    );
    let list =
        json!({"Group": {"Type": GROUP, "Properties": {"VPCZoneIdentifier": {"Ref": "Subnets"}}}});
    assert_eq!(questions(&pool(&list, &list)).groups, ["Group"]);
    let zone = json!({"SlotA": {"Type": GROUP, "Properties": {"AvailabilityZones": ["a"]}}});
    assert!(questions(&pool(&zone, &zone)).is_empty());
}

#[test]
fn any_change_of_a_database_would_send_the_storage_of_its_template() {
    let before = database(100, 500, "18.4", "db.t4g.medium");
    let live = LiveDatabase {
        storage_gib: 120,
        engine_version: "18.4".to_owned(),
    };
    let judged = |after: &Value, live: &LiveDatabase| {
        let mut step = update(StackKind::Database, &before, after, "Database");
        assert_eq!(questions(&step).databases, ["Database"]);
        note_database(&mut step, "Database", live);
        step
    };
    let step = judged(&database(100, 500, "18.4", "db.t4g.large"), &live);
    let (reason, remedy) = refusal(&step).expect("refused");
    assert!(
        reason.starts_with("RDS grew Database (Database) to 120 GiB by itself"),
        "{reason}"
    );
    assert_eq!(remedy, "write `storageGib: 120` under `database:`");
    assert!(refusal(&judged(&database(110, 550, "18.4", "db.t4g.medium"), &live)).is_some());
    assert_eq!(
        refusal(&judged(&database(120, 600, "18.4", "db.t4g.large"), &live)),
        None
    );
    let step = judged(&database(120, 110, "18.4", "db.t4g.medium"), &live);
    let (_, remedy) = refusal(&step).expect("refused");
    assert!(remedy.contains("at least 132"), "{remedy}");
}

#[test]
fn engine_version_below_the_running_one_is_refused_only_where_it_is_sent() {
    let before = database(100, 500, "18.4", "db.t4g.medium");
    let live = LiveDatabase {
        storage_gib: 100,
        engine_version: "18.10".to_owned(),
    };
    let judged = |version: &str, class: &str| {
        let mut step = update(
            StackKind::Database,
            &before,
            &database(100, 500, version, class),
            "Database",
        );
        note_database(&mut step, "Database", &live);
        step
    };
    let step = judged("18.5", "db.t4g.medium");
    let (_, remedy) = refusal(&step).expect("refused");
    assert_eq!(remedy, "write `engineVersion: \"18.10\"` under `database:`");
    let unsent = judged("18.4", "db.t4g.large");
    assert_eq!(refusal(&unsent), None);
    assert!(
        unsent.sizes.grown[0]
            .text()
            .starts_with("RDS runs version 18.10, the template has 18.4")
    );
    assert_eq!(judged("18.10", "db.t4g.large").sizes.grown, []);
}

#[test]
fn what_rds_did_by_itself_is_no_drift() {
    let template = database(100, 500, "18.4", "db.t4g.medium");
    let mut step = update(StackKind::Database, &template, &template, "Database");
    let difference = |path: &str, expected: &str, actual: &str| Difference {
        path: format!("Properties.{path}"),
        expected: Some(expected.to_owned()),
        actual: Some(actual.to_owned()),
    };
    let mut left = |differences: &[Difference]| {
        let drift = Drift {
            logical_id: "Database".to_owned(),
            resource_type: DATABASE.to_owned(),
            deleted: false,
            differences: differences.to_vec(),
        };
        let left = take_grown(&mut step, vec![drift]);
        left.into_iter().flat_map(|drift| drift.differences).count()
    };
    let grown = difference(STORAGE, "100", "120");
    assert_eq!(left(std::slice::from_ref(&grown)), 0);
    assert_eq!(
        left(&[grown.clone(), difference("DBInstanceClass", "a", "b")]),
        1
    );
    assert_eq!(
        left(&[difference(STORAGE, "100", "501")]),
        1,
        "above its limit"
    );
    assert_eq!(left(&[difference(STORAGE, "100", "90")]), 1);
    assert_eq!(left(&[difference(VERSION, "18.4", "18.5")]), 0);
    assert_eq!(
        left(&[difference(VERSION, "17.11", "18.5")]),
        1,
        "a major is nobody's but ours"
    );
    let noted: Vec<_> = step
        .sizes
        .grown
        .iter()
        .map(|one| one.live.as_str())
        .collect();
    assert_eq!(noted, ["120", "18.5"]);
}

#[test]
fn what_could_not_be_read_says_what_it_means() {
    let mut step = pool(
        &groups(&[("Group", 1, 5)], 2),
        &groups(&[("Group", 1, 3)], 2),
    );
    note_unknown(&mut step, "Group", "the caller may not look");
    let same = groups(&[("Group", 1, 5)], 2);
    let mut unchanged = pool(&same, &same);
    note_unknown(&mut unchanged, "Group", "the caller may not look");
    assert!(
        step.sizes.unknown[0].contains("if more than 3 do"),
        "{:?}",
        step.sizes.unknown
    );
    assert!(unchanged.sizes.unknown[0].starts_with("whether AZRebalance is suspended"));
}
