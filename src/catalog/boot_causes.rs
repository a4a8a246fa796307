//! Why a machine does not boot, by the words of its boot programs. Data and look-up: nothing is decided here.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize, Serializer};

use super::hints::matches;

/// How the last line of a failed boot begins; its code and text follow.
const FAILED: &str = "kube-cfn boot failed: ";
/// How the stored log of a boot ends that succeeds after a failure.
const SUCCEEDED: &str = "kube-cfn boot succeeded: ";
/// How failures begin in boot files without codes.
const FAILED_BEFORE: [&str; 2] = ["boot: attempt ", "kube-cfn: failed to "];
/// Between the number of an attempt and the failure, in those boot files.
const FAILED_TO: &str = " failed to ";
/// The end of such a line before the third attempt.
const THIRD: &str = "; the third failure is reported to the stack";
const ELSEWHERE: &str = "see the lines above";
/// The last line of a boot that succeeds, on the console: `boot: i-0a runs as pool-x with Kubernetes 1.36.4`.
const RUNS_AS: &str = " runs as ";
const WITH_KUBERNETES: &str = " with Kubernetes";

/// A cause for which machines don't boot.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct BootCause {
    /// Names the cause: `image-pull`. Stable, for programs.
    pub code: String,
    /// In a short sentence: `an image can't be pulled`.
    pub sentence: String,
    /// What helps, in plain words on one line.
    pub remedy: String,
    any: Vec<String>,
    #[serde(default)]
    evidence: Vec<String>,
}

/// As its code.
impl Serialize for BootCause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.code)
    }
}

/// How a boot ended, from what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootState {
    Failed,
    Succeeded,
}

/// The end of a boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootEnd {
    pub state: BootState,
    /// What failed, in the boot's words, without prefix and code.
    pub text: String,
    /// `None` where the cause is none of the catalogue, and for a success.
    pub cause: Option<&'static BootCause>,
}

#[derive(Deserialize)]
struct Table {
    causes: Vec<BootCause>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| super::table("boot-causes.json", include_str!("data/boot-causes.json")));

/// Every cause of the catalogue.
pub fn all() -> impl Iterator<Item = &'static BootCause> {
    TABLE.causes.iter()
}

/// The cause of this code.
pub fn by_code(code: &str) -> Option<&'static BootCause> {
    all().find(|cause| cause.code == code)
}

/// How the boot ended whose lines these are, oldest first; several attempts may be among them. `None` where
/// they hold neither an end nor a known cause: it still runs, or said nothing.
pub fn find(lines: &[&str]) -> Option<BootEnd> {
    let ended = lines
        .iter()
        .enumerate()
        .rev()
        .find_map(|(at, line)| Some((at, end(line)?)));
    let Some((at, (state, code, text))) = ended else {
        return unfinished(lines);
    };
    if state == BootState::Succeeded {
        return Some(BootEnd {
            state,
            text: text.to_owned(),
            cause: None,
        });
    }
    let before = lines.get(..at).unwrap_or_default();
    let first = before.iter().rposition(|line| end(line).is_some());
    let attempt = before.get(first.map_or(0, |first| first + 1)..);
    let attempt = attempt.unwrap_or_default();
    let behind = all().find(|cause| attempt.iter().any(|line| cause.has_evidence(line)));
    let cause = behind
        .or_else(|| code.and_then(by_code))
        .or_else(|| all().find(|cause| cause.has_words(text)));
    Some(BootEnd {
        state,
        text: with_line_above(text, attempt),
        cause,
    })
}

/// A boot without an end, which may have said why it does not come to one.
fn unfinished(lines: &[&str]) -> Option<BootEnd> {
    let (cause, line) = lines.iter().rev().find_map(|line| {
        let cause = all().find(|cause| cause.has_evidence(line))?;
        Some((cause, line))
    })?;
    Some(BootEnd {
        state: BootState::Failed,
        text: (*line).to_owned(),
        cause: Some(cause),
    })
}

/// State, code and text of a line that is the end of a boot.
fn end(line: &str) -> Option<(BootState, Option<&str>, &str)> {
    if let Some((_, rest)) = line.split_once(FAILED) {
        let (code, text) = rest.split_once(": ").unwrap_or(("", rest));
        return Some((BootState::Failed, Some(code), text));
    }
    if let Some((_, text)) = line.split_once(SUCCEEDED) {
        return Some((BootState::Succeeded, None, text));
    }
    if line.contains(RUNS_AS) && line.contains(WITH_KUBERNETES) {
        return Some((BootState::Succeeded, None, line));
    }
    let old = FAILED_BEFORE.iter().any(|lead| line.contains(lead));
    let (_, text) = line.split_once(FAILED_TO).filter(|_| old)?;
    let text = text.strip_suffix(THIRD).unwrap_or(text);
    Some((BootState::Failed, None, text))
}

/// The text with the line that it refers to: the nearest one before it that says something.
fn with_line_above(text: &str, attempt: &[&str]) -> String {
    let says = |line: &&&str| !line.trim().is_empty() && !line.contains("boot: attempt ");
    match attempt.iter().rev().find(says) {
        Some(line) => text.replace(ELSEWHERE, line.trim()),
        None => text.to_owned(),
    }
}

impl BootCause {
    fn has_evidence(&self, line: &str) -> bool {
        let line = line.to_lowercase();
        self.evidence.iter().any(|pattern| matches(pattern, &line))
    }

    fn has_words(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.any.iter().any(|pattern| matches(pattern, &text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(lines: &[&str]) -> Option<&'static str> {
        find(lines)?.cause.map(|cause| cause.code.as_str())
    }

    #[test]
    fn boot_cause_is_named_by_its_code() {
        let end = find(&["x", "kube-cfn boot failed: api: wait for it: no"]).expect("an end");
        assert_eq!(end.text, "wait for it: no");
        assert_eq!(end.cause, by_code("api"));
        assert_eq!(code(&["kube-cfn boot failed: other: use it: no"]), None);
    }

    #[test]
    fn boot_cause_is_found_without_codes() {
        for (line, wanted) in [
            (
                "boot: attempt 3 failed to pull x/y:1: five attempts failed; can this machine reach the registry?",
                Some("image-pull"),
            ),
            (
                "boot: attempt 2 failed to read the parameter worker/bootstrap-token: none after twenty minutes; is a control-plane node up?; the third failure is reported to the stack",
                Some("join"),
            ),
            (
                "boot: attempt 1 failed to read the parameter cp/ca.key: it is missing or denied",
                Some("parameter"),
            ),
            (
                "kube-cfn: failed to fetch s3://b/k (exit code 1, see journalctl -u kube-cfn-boot)",
                Some("download"),
            ),
            ("boot: attempt 1 failed to use this bundle: no", None),
        ] {
            let end = find(&[line]).expect("an end");
            assert_eq!(end.cause.map(|cause| cause.code.as_str()), wanted);
            assert!(!end.text.contains("third failure"), "{}", end.text);
            assert!(!end.text.contains("attempt "), "{}", end.text);
        }
    }

    #[test]
    fn evidence_of_the_last_attempt_outranks_its_code() {
        let refused = "An error occurred (InvalidSignatureException): Signature expired: 2020";
        let failed = "kube-cfn boot failed: parameter: read the parameter x: it is missing";
        assert_eq!(code(&[refused, failed]), Some("clock"));
        assert_eq!(code(&[refused, failed, "again", failed]), Some("parameter"));
        assert_eq!(
            code(&["Unable to locate credentials"]),
            Some("instance-profile")
        );
        assert_eq!(find(&["all is well"]), None);
    }

    #[test]
    fn line_above_takes_the_place_of_the_reference_to_it() {
        let lines = [
            "ec2: refuse vol-1: its tags say 'b'",
            "boot: attempt 3 failed; the third failure is reported to the stack",
            "kube-cfn boot failed: volume: attach it: see the lines above",
        ];
        let end = find(&lines).expect("an end");
        assert_eq!(end.text, "attach it: ec2: refuse vol-1: its tags say 'b'");
    }

    #[test]
    fn success_after_a_failure_is_no_failure() {
        let lines = [
            "kube-cfn boot failed: api: no",
            "kube-cfn boot succeeded: booted as pool-x",
        ];
        assert_eq!(
            find(&lines).map(|end| end.state),
            Some(BootState::Succeeded)
        );
    }

    #[test]
    fn boot_remedies_fit_one_report_line() {
        assert!(all().count() >= 10, "the embedded table was not read");
        for cause in all() {
            assert!(cause.remedy.len() <= 69, "{}", cause.remedy);
        }
    }
}
