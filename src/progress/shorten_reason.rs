//! Shortens reasons of AWS for a line of a screen without losing the cause. The full text stays in the
//! events.

use crate::common::text::clean;

/// A reason on one line: without the wrapping of resource handlers, ids of requests, lines of a console
/// beyond the one that matters, and what AWS says twice.
pub(super) fn shorten_reason(reason: &str) -> String {
    let text = cause_first(reason);
    let text = signals(&text).unwrap_or(text);
    let text = hooks(&text).unwrap_or(text);
    let text = denial(&text).unwrap_or(text);
    let text = capacity(&text).unwrap_or(text);
    let text = combination(&text).unwrap_or(text);
    let bare = without_groups(&text);
    let bare = bare.trim().trim_end_matches(';').trim_end();
    if bare.is_empty() {
        text
    } else {
        bare.to_owned()
    }
}

/// Without the bracketed groups that only carry ids and codes.
fn without_groups(text: &str) -> String {
    const IDS: [&str; 4] = [
        "(Service: ",
        "(RequestToken: ",
        "(HandlerErrorCode: ",
        "(AWS: ",
    ];
    let mut text = text.to_owned();
    for lead in IDS {
        while let Some(start) = text.find(lead) {
            let end = closing(&text[start..]).map_or(text.len(), |end| start + end);
            text.replace_range(start..end, "");
        }
    }
    if let Some((plain, _)) = text.split_once("Encoded authorization failure message:") {
        text = plain.to_owned();
    }
    clean(&text)
}

/// Behind the bracket that closes the one in front.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(at + character.len_utf8());
        }
    }
    None
}

/// `0 of 1 machines reported`, `1 of 3 machines reported a failure`; what a machine itself says stands in front of AWS's
/// words, and says more.
fn signals(text: &str) -> Option<String> {
    let (before, after) = text.split_once(" signal(s) out of ")?;
    let (before, signal) = before.rsplit_once(' ')?;
    let reported = match signal {
        "SUCCESS" => "reported",
        "FAILURE" => "reported a failure",
        _ => return None,
    };
    let came = before.strip_prefix("Received ")?;
    let end = after
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(after.len());
    Some(format!(
        "{came} of {} machines {reported}",
        after.get(..end)?
    ))
}

/// `no m7g.large in eu-west-1a at the moment`
fn capacity(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("do not have sufficient ")?;
    let (machine, rest) = rest.split_once(" capacity in the Availability Zone you requested (")?;
    let (zone, _) = rest.split_once(')')?;
    Some(format!("AWS has no {machine} left in {zone} at the moment"))
}

/// `RDS has no such combination: DBInstanceClass=…`
fn combination(text: &str) -> Option<String> {
    let lead = "RDS does not support creating a DB instance with the following combination: ";
    let (_, rest) = text.split_once(lead)?;
    let (values, _) = rest.split_once(", LicenseModel").unwrap_or((rest, ""));
    Some(format!("RDS has no {values}"))
}

/// How AWS begins what a hook found.
const HOOK_LEADS: [&str; 2] = [
    "Hook failed with message:",
    "Template failed validation, the following rule(s) failed:",
];

/// `hook Guard: what it found`
fn hooks(text: &str) -> Option<String> {
    let rest = text
        .strip_prefix("The following hook(s) failed:")?
        .trim_start();
    let (name, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let name = name.rsplit("::").next().unwrap_or(name);
    let rest = HOOK_LEADS
        .iter()
        .fold(rest.trim_start_matches([' ', ':']), |rest, lead| {
            rest.trim().strip_prefix(lead).unwrap_or(rest)
        });
    let rest = rest.trim();
    Some(if rest.is_empty() {
        format!("hook {name} refused it")
    } else {
        format!("hook {name}: {rest}")
    })
}

/// `ci/x is not authorized to perform: ec2:CreateNatGateway …`: the caller without the ARN around it.
fn denial(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("User: ")?;
    let (arn, rest) = rest.split_once(' ')?;
    let caller = arn.rsplit(':').next()?;
    let caller = caller.strip_prefix("assumed-role/").unwrap_or(caller);
    rest.starts_with("is not authorized")
        .then(|| format!("{caller} {rest}"))
}

/// A reason of AWS with its cause in front: the wrapping that resource handlers put around it
/// goes, request ids stay behind.
pub(super) fn cause_first(reason: &str) -> String {
    const WRAPPING: &str = "Resource handler returned message: ";
    let reason = clean(reason);
    let Some(rest) = reason.strip_prefix(WRAPPING) else {
        return reason;
    };
    let unquoted = rest
        .strip_prefix('"')
        .and_then(|rest| rest.rsplit_once('"'))
        .map(|(cause, rest)| format!("{} {}", cause.trim(), rest.trim()));
    unquoted.map_or_else(|| rest.to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_reason_keeps_the_cause_without_ids() {
        for (reason, short) in [
            (
                "Resource handler returned message: \"The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400, Request ID: 5f0c)\" (RequestToken: 0f1e, HandlerErrorCode: ServiceLimitExceeded)",
                "The maximum number of addresses has been reached.",
            ),
            (
                "Quota (of Ec2) reached. (Service: AmazonEC2; Status Code: 400; Error Code: X (y); Proxy: null)",
                "Quota (of Ec2) reached.",
            ),
            (
                "(Service: Ec2, Status Code: 400)",
                "(Service: Ec2, Status Code: 400)",
            ),
            ("cut off (Service: Ec2, Sta", "cut off"),
            (
                "Received 0 SUCCESS signal(s) out of 3.  Unable to satisfy 100% requirement",
                "0 of 3 machines reported",
            ),
            (
                "Received 1 FAILURE signal(s) out of 3.  Unable to satisfy 100% requirement",
                "1 of 3 machines reported a failure",
            ),
            (
                "i-0a: curl: (22) error 403 (AWS: Received 0 SUCCESS signal(s) out of 1.  Unable to satisfy 100%)",
                "i-0a: curl: (22) error 403",
            ),
            (
                "The following hook(s) failed: [Our::Guard]: Hook failed with message: encrypt it",
                "hook Guard: encrypt it",
            ),
            (
                "The following hook(s) failed: [Our::Guard]",
                "hook Guard refused it",
            ),
            (
                "You are not authorized to perform this operation. User: arn:aws:sts::1:assumed-role/ci/x is not authorized to perform: ec2:CreateVpc on resource: arn. Encoded authorization failure message: AbC",
                "ci/x is not authorized to perform: ec2:CreateVpc on resource: arn.",
            ),
            (
                "We currently do not have sufficient m7g.large capacity in the Availability Zone you requested (eu-west-1a). Our system will be working on it.",
                "AWS has no m7g.large left in eu-west-1a at the moment",
            ),
            (
                "RDS does not support creating a DB instance with the following combination: DBInstanceClass=db.t3.small, Engine=postgres, EngineVersion=17.11, LicenseModel=postgresql-license. For more, see",
                "RDS has no DBInstanceClass=db.t3.small, Engine=postgres, EngineVersion=17.11",
            ),
            ("", ""),
        ] {
            assert_eq!(shorten_reason(reason), short);
        }
    }

    #[test]
    fn cause_comes_before_request_ids() {
        let reason = "Resource handler returned message: \"The maximum number of addresses has \
            been reached. (Service: Ec2, Status Code: 400)\" (RequestToken: 1f, \
            HandlerErrorCode: ServiceLimitExceeded)";
        assert_eq!(
            cause_first(reason),
            "The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400) \
             (RequestToken: 1f, HandlerErrorCode: ServiceLimitExceeded)"
        );
        assert_eq!(cause_first("Quota \"x\" is full"), "Quota \"x\" is full");
    }
}
