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
/// How the last line of a log begins that an even earlier boot file stored.
const FAILED_LOG: &str = "failed to ";
/// What an attempt that failed says before its last line.
const ATTEMPT: &str = "boot: attempt ";
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
    /// Which machines can have it; all where there is none.
    #[serde(default)]
    machines: Option<Machines>,
}

/// Machines of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Machines {
    ControlPlane,
    Pool,
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
    /// It has no end, and has said why it does not come to one.
    Unfinished,
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
    /// Codes of failures that may have another cause behind them.
    general: Vec<String>,
    /// What a boot says whose steps succeed.
    progress: Vec<String>,
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
    Some(failed(code, text, attempt_before(lines, at)))
}

/// The end of an attempt that failed, with what it says before.
fn failed(code: Option<&str>, text: &str, attempt: &[&str]) -> BootEnd {
    let own = code
        .and_then(by_code)
        .or_else(|| all().find(|cause| cause.has_words(text)));
    let cause = match own {
        Some(own) if !TABLE.general.contains(&own.code) => Some(own),
        general => evidence(attempt).map(|(cause, _)| cause).or(general),
    };
    BootEnd {
        state: BootState::Failed,
        text: with_line_above(text, attempt),
        cause,
    }
}

/// The same of a stored log, whose last line may be that of boot files before those that are recognised anywhere.
pub fn find_in_log(lines: &[&str]) -> Option<BootEnd> {
    let old = lines
        .split_last()
        .and_then(|(last, attempt)| Some(failed(None, last.strip_prefix(FAILED_LOG)?, attempt)));
    old.or_else(|| find(lines))
}

/// Whether a line is the end of a boot, or says that one comes: no reader needs it beside what failed.
pub fn is_end(line: &str) -> bool {
    line.contains(ATTEMPT) || end(line).is_some()
}

/// Whether the line is evidence of a cause.
pub fn is_evidence(line: &str) -> bool {
    all().any(|cause| cause.has_evidence(line))
}

/// The lines of the attempt whose end is at `at`.
fn attempt_before<'a, 'l>(lines: &'a [&'l str], at: usize) -> &'a [&'l str] {
    let before = lines.get(..at).unwrap_or_default();
    let first = before.iter().rposition(|line| end(line).is_some());
    before
        .get(first.map_or(0, |first| first + 1)..)
        .unwrap_or_default()
}

/// The last line that is evidence of a cause, unless the boot has come further since.
fn evidence<'l>(attempt: &[&'l str]) -> Option<(&'static BootCause, &'l str)> {
    attempt
        .iter()
        .rev()
        .take_while(|line| !is_progress(line))
        .find_map(|line| Some((all().find(|cause| cause.has_evidence(line))?, *line)))
}

fn is_progress(line: &str) -> bool {
    let line = line.to_lowercase();
    TABLE.progress.iter().any(|words| line.contains(words))
}

/// A boot without an end, which may have said why it does not come to one.
fn unfinished(lines: &[&str]) -> Option<BootEnd> {
    let (cause, line) = evidence(lines)?;
    Some(BootEnd {
        state: BootState::Unfinished,
        text: line.to_owned(),
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

/// The text with the line that it refers to: the nearest one that says something before the text was said first. Steps run at
/// the same time, so what others said since then may stand before the end of the attempt.
fn with_line_above(text: &str, attempt: &[&str]) -> String {
    let said = attempt.iter().position(|line| line.contains(text));
    let attempt = &attempt[..said.unwrap_or(attempt.len())];
    let says = |line: &&&str| {
        !line.trim().is_empty() && !line.contains(ATTEMPT) && !line.contains(ELSEWHERE)
    };
    match attempt.iter().rev().find(says) {
        Some(line) => text.replace(ELSEWHERE, line.trim()),
        None => text.to_owned(),
    }
}

impl BootCause {
    /// Whether a machine of a stack can have it: of a control plane, or else of a pool.
    pub fn befalls(&self, control_plane: bool) -> bool {
        match self.machines {
            None => true,
            Some(Machines::ControlPlane) => control_plane,
            Some(Machines::Pool) => !control_plane,
        }
    }

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
    fn evidence_that_was_overcome_is_no_cause() {
        let silent = "Unable to locate credentials";
        let pull = "kube-cfn boot failed: image-pull: pull x: five attempts failed";
        assert_eq!(code(&[silent, pull]), Some("image-pull"));
        let parameter = "kube-cfn boot failed: parameter: read the parameter x: it is missing";
        assert_eq!(code(&[silent, parameter]), Some("instance-profile"));
        let later = "boot: install etcd from https://x";
        assert_eq!(code(&[silent, later, parameter]), Some("parameter"));
        assert_eq!(
            code(&[silent, "kube-cfn boot failed: other: x: no"]),
            Some("instance-profile")
        );
        assert_eq!(find(&[silent, later]), None);
    }

    #[test]
    fn boot_without_an_end_is_unfinished() {
        let end = find(&["Unable to locate credentials"]).expect("evidence");
        assert_eq!(end.state, BootState::Unfinished);
    }

    #[test]
    fn last_line_of_an_old_log_is_an_end() {
        let last = "failed to read the parameter cp/ca.key: it is missing or denied";
        let end = find_in_log(&["x", last]).expect("an end");
        assert_eq!(end.cause, by_code("parameter"));
        assert_eq!(
            end.text,
            "read the parameter cp/ca.key: it is missing or denied"
        );
        assert_eq!(
            find(&["x", last]),
            None,
            "a console says more than its boot"
        );
        assert_eq!(find_in_log(&["failed to x", "y"]), None);
    }

    #[test]
    fn line_above_of_a_recorded_boot_is_shown() {
        let log = include_str!("../simulated/boots/volume/log.txt");
        let end = find_in_log(&log.lines().collect::<Vec<_>>()).expect("an end");
        assert!(end.text.contains("its tags say"), "{}", end.text);
        assert!(!end.text.contains("the lines above"), "{}", end.text);
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
