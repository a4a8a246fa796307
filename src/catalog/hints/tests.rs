//! Every hint against the real words that it is for: `cases.txt`.

use super::*;

const CREATE: Option<Operation> = Some(Operation::Create);
const DELETE: Option<Operation> = Some(Operation::Delete);

struct Case {
    cause: &'static str,
    of_type: &'static str,
    operation: Option<Operation>,
    reason: &'static str,
}

fn all() -> Vec<Case> {
    let lines = include_str!("cases.txt").lines();
    let case = |line: &'static str| {
        let mut cells = line.splitn(4, " | ");
        let mut cell = || cells.next().expect("four cells");
        Case {
            cause: cell(),
            of_type: cell(),
            operation: match cell() {
                "create" => CREATE,
                "delete" => DELETE,
                other => {
                    assert_eq!(other, "update");
                    Some(Operation::Update)
                }
            },
            reason: cell(),
        }
    };
    lines
        .filter(|line| !line.starts_with('#'))
        .map(case)
        .collect()
}

/// The text of the hint for the first case of a cause.
fn text(cause: &str) -> String {
    let first = all().into_iter().find(|one| one.cause == cause);
    let first = first.expect("a case");
    hint(first.of_type, first.operation, first.reason)
        .expect("a hint")
        .text
}

#[test]
fn hints_match_real_texts_of_aws() {
    for case in all() {
        let found = hint(case.of_type, case.operation, case.reason).map(|hint| hint.cause);
        assert_eq!(found, Some(case.cause), "{}", case.reason);
    }
}

#[test]
fn hints_of_the_table_have_a_real_text() {
    let cases = all();
    assert!(TABLE.hints.len() >= 25, "the embedded table was not read");
    for entry in &TABLE.hints {
        let tried = cases.iter().any(|case| case.cause == entry.cause);
        assert!(tried, "{}", entry.cause);
    }
}

#[test]
fn hints_fit_one_report_line() {
    for case in all() {
        let found = hint(case.of_type, case.operation, case.reason).expect("a hint");
        for text in [Some(&*found.text), found.text_on_deletion]
            .into_iter()
            .flatten()
        {
            assert!(text.len() <= 69, "{} columns: {text}", text.len());
            assert!(!text.contains('{'), "{text}");
        }
    }
}

#[test]
fn quota_hint_names_the_quota_code() {
    for entry in &TABLE.hints {
        if let Some(quota) = &entry.quota {
            assert!(entry.text.contains(&quota.code), "{}", entry.text);
        }
    }
}

#[test]
fn hint_names_the_missing_iam_action() {
    assert_eq!(
        text("accessDenied"),
        "ask for the IAM action ec2:CreateNatGateway, or use another profile"
    );
    let old = "API: ec2:RunInstances You are not authorized to perform this operation.";
    let found = hint("", CREATE, old).expect("a hint");
    assert_eq!(found.action.as_deref(), Some("ec2:RunInstances"));
    let silent = hint("", CREATE, "Access Denied").expect("a hint");
    assert!(silent.text.contains("IAM policies"), "{}", silent.text);
    assert!(text("iamLimit").contains("RolesPerAccount"));
}

#[test]
fn unknown_reason_has_no_hint() {
    assert_eq!(hint("AWS::EC2::VPC", CREATE, "the moon is full"), None);
    assert_eq!(hint("AWS::EC2::VPC", CREATE, ""), None);
    let deleted = hint("AWS::IAM::Role", DELETE, "already exists");
    assert_eq!(deleted, None, "a deletion takes no name");
}
