//! Histories as CloudFormation serves them, newest first, and what is picked out of them.

use super::picker::SEARCHED;
use super::*;
use jiff::Timestamp;

fn event(id: &str, second: i64, token: Option<&str>) -> StackEvent {
    StackEvent {
        id: id.to_owned(),
        at: Timestamp::from_second(second).expect("a small number"),
        logical_id: "Vpc".to_owned(),
        physical_id: None,
        resource_type: "AWS::EC2::VPC".to_owned(),
        status: ResourceStatus::new("CREATE_IN_PROGRESS"),
        reason: None,
        token: token.map(str::to_owned),
        stack_status: None,
    }
}

fn stack(id: &str, second: i64, token: Option<&str>, status: &str) -> StackEvent {
    StackEvent {
        stack_status: Some(StackStatus::from(status)),
        status: ResourceStatus::new(status),
        ..event(id, second, token)
    }
}

fn pick(token: Option<&str>, seen: &[&str], pages: Vec<Vec<StackEvent>>) -> (Vec<String>, usize) {
    let operation = StackOperation {
        stack_id: "arn".to_owned(),
        token: token.map(str::to_owned),
    };
    let seen = seen.iter().map(|id| (*id).to_owned()).collect();
    let mut picker = Picker::new(&operation, &seen);
    let mut read = 0;
    for page in pages {
        read += 1;
        if picker.feed(page) == Page::Enough {
            break;
        }
    }
    let ids = picker.finish().into_iter().map(|event| event.id).collect();
    (ids, read)
}

const A: Option<&str> = Some("token-a");
const B: Option<&str> = Some("token-b");

#[test]
fn events_of_a_finished_stack_are_complete_and_ordered() {
    let page = vec![
        stack("4", 3, A, "CREATE_COMPLETE"),
        event("3", 2, A),
        event("2", 1, A),
        stack("1", 1, A, "CREATE_IN_PROGRESS"),
    ];
    assert_eq!(pick(A, &[], vec![page]).0, ["1", "2", "3", "4"]);
}

#[test]
fn events_of_earlier_operations_are_not_read() {
    let pages = vec![
        vec![event("9", 9, B), event("8", 8, B)],
        vec![
            stack("7", 7, B, "UPDATE_IN_PROGRESS"),
            stack("6", 3, A, "CREATE_COMPLETE"),
            event("5", 2, A),
        ],
        vec![stack("1", 1, A, "CREATE_IN_PROGRESS")],
    ];
    assert_eq!(
        pick(B, &[], pages),
        (["7", "8", "9"].map(String::from).into(), 2)
    );
}

#[test]
fn events_of_a_later_operation_are_left_out() {
    let page = vec![
        event("9", 9, B),
        stack("8", 8, B, "DELETE_IN_PROGRESS"),
        stack("3", 3, A, "CREATE_COMPLETE"),
        event("2", 2, A),
        stack("1", 1, A, "CREATE_IN_PROGRESS"),
    ];
    assert_eq!(pick(A, &[], vec![page]).0, ["1", "2", "3"]);
}

#[test]
fn rollback_events_belong_to_their_operation() {
    let page = vec![
        stack("6", 6, A, "UPDATE_ROLLBACK_COMPLETE"),
        stack("5", 5, A, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        stack("4", 4, A, "UPDATE_ROLLBACK_IN_PROGRESS"),
        event("3", 3, A),
        stack("2", 2, A, "UPDATE_IN_PROGRESS"),
        stack("1", 1, B, "CREATE_COMPLETE"),
    ];
    assert_eq!(
        pick(A, &[], vec![page.clone()]).0,
        ["2", "3", "4", "5", "6"]
    );
    assert_eq!(pick(None, &[], vec![page]).0, ["2", "3", "4", "5", "6"]);
}

#[test]
fn known_events_are_left_out_and_end_paging() {
    let pages = vec![
        vec![event("5", 5, A), event("4", 4, A), event("3", 3, A)],
        vec![event("2", 2, A), stack("1", 1, A, "CREATE_IN_PROGRESS")],
    ];
    let (ids, read) = pick(A, &["1", "2", "3"], pages);
    assert_eq!(ids, ["4", "5"]);
    assert_eq!(read, 1);
}

#[test]
fn late_event_below_a_known_one_is_reported() {
    let page = vec![
        event("4", 4, A),
        event("3", 3, A),
        event("late", 3, A),
        event("2", 2, A),
    ];
    assert_eq!(pick(A, &["2", "3"], vec![page]).0, ["late", "4"]);
}

#[test]
fn events_of_the_same_time_as_the_start_are_reported() {
    let page = vec![
        event("3", 1, A),
        stack("1", 1, A, "CREATE_IN_PROGRESS"),
        event("2", 1, A),
        stack("0", 1, A, "REVIEW_IN_PROGRESS"),
        event("old", 0, A),
    ];
    assert_eq!(pick(A, &[], vec![page]).0, ["1", "0", "2", "3"]);
}

#[test]
fn event_on_two_pages_is_reported_once() {
    let pages = vec![
        vec![event("4", 4, A), event("3", 3, A)],
        vec![event("3", 3, A), event("2", 2, A)],
        vec![event("2", 2, A), stack("1", 1, A, "UPDATE_IN_PROGRESS")],
    ];
    assert_eq!(pick(A, &[], pages).0, ["1", "2", "3", "4"]);
}

#[test]
fn invisible_operation_has_no_events_and_bounded_paging() {
    let history = (0..50_i64)
        .map(|n| vec![event(&format!("x{n}"), 1000 - n, B)])
        .collect();
    assert_eq!(pick(A, &[], history), (Vec::new(), SEARCHED));
}

#[test]
fn long_operation_is_read_to_its_start() {
    let mut pages: Vec<_> = (0..30_i64)
        .map(|n| vec![event(&format!("e{n}"), 1000 - n, A)])
        .collect();
    pages.push(vec![stack("start", 1, A, "CREATE_IN_PROGRESS")]);
    let (ids, read) = pick(A, &[], pages);
    assert_eq!((ids.len(), read), (31, 31));
}

#[test]
fn newest_operation_is_followed_without_a_token() {
    let page = vec![
        event("5", 5, None),
        stack("4", 4, B, "UPDATE_IN_PROGRESS"),
        stack("3", 3, A, "CREATE_COMPLETE"),
        stack("1", 1, A, "CREATE_IN_PROGRESS"),
    ];
    assert_eq!(pick(None, &[], vec![page]).0, ["4", "5"]);
}

#[test]
fn event_without_a_token_belongs_to_the_surrounding_operation() {
    let page = vec![
        event("5", 5, None),
        stack("4", 4, B, "UPDATE_IN_PROGRESS"),
        stack("3", 3, None, "CREATE_COMPLETE"),
        event("2", 2, A),
        stack("1", 1, A, "CREATE_IN_PROGRESS"),
    ];
    assert_eq!(pick(A, &[], vec![page]).0, ["1", "2", "3"]);
}

#[test]
fn stack_status_is_on_events_of_the_stack_only() {
    let of = |physical: &str| {
        types::StackEvent::builder()
            .event_id("1")
            .stack_id("arn:stack")
            .physical_resource_id(physical)
            .resource_type("AWS::CloudFormation::Stack")
            .resource_status(types::ResourceStatus::CreateComplete)
            .build()
    };
    let own = ours(of("arn:stack"));
    assert_eq!(own.stack_status, Some(StackStatus::CreateComplete));
    assert_eq!(ours(of("arn:nested")).stack_status, None);
}

#[test]
fn unknown_status_is_kept() {
    let event = types::StackEvent::builder()
        .resource_status(types::ResourceStatus::from("CREATE_PONDERING"))
        .build();
    assert_eq!(ours(event).status.as_str(), "CREATE_PONDERING");
}

const C: Option<&str> = Some("token-c");

#[test]
fn rollback_of_a_cancelled_update_belongs_to_the_update() {
    let history = vec![
        stack("6", 6, C, "UPDATE_ROLLBACK_COMPLETE"),
        event("5", 5, C),
        stack("4", 4, C, "UPDATE_ROLLBACK_IN_PROGRESS"),
        event("3", 3, A),
        stack("2", 2, A, "UPDATE_IN_PROGRESS"),
        stack("1", 1, B, "CREATE_COMPLETE"),
    ];
    assert_eq!(
        pick(A, &[], vec![history.clone()]).0,
        ["2", "3", "4", "5", "6"]
    );
    assert_eq!(pick(C, &[], vec![history.clone()]).0, ["4", "5", "6"]);
    let known = ["2", "3", "4"];
    assert_eq!(pick(A, &known, vec![history.clone()]).0, ["5", "6"]);
    let newest = history.get(..2).unwrap_or_default().to_vec();
    assert_eq!(pick(A, &["2", "5"], vec![newest]).0, ["6"]);
}

#[test]
fn continue_rollback_is_a_separate_operation() {
    let history = vec![
        stack("5", 5, C, "UPDATE_ROLLBACK_COMPLETE"),
        stack("4", 4, C, "UPDATE_ROLLBACK_IN_PROGRESS"),
        stack("3", 3, A, "UPDATE_ROLLBACK_FAILED"),
        stack("2", 2, A, "UPDATE_ROLLBACK_IN_PROGRESS"),
        stack("1", 1, A, "UPDATE_IN_PROGRESS"),
    ];
    assert_eq!(pick(A, &[], vec![history.clone()]).0, ["1", "2", "3"]);
    let (ids, read) = pick(C, &[], vec![history, vec![event("0", 0, B)]]);
    assert_eq!(ids, ["4", "5"]);
    assert_eq!(read, 1, "nothing below the operation before is read");
}
