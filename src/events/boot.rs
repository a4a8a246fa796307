//! A machine whose boot failed: what it said, and why that is.

use jiff::Timestamp;
use serde::Serialize;

use super::Failure;
use crate::catalog::boot_causes::{self, BootCause, BootEnd, BootState};
use crate::cloud::Console;

/// Lines that are kept: the end says what went wrong.
const TAIL: usize = 6;

/// Where it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "source", rename_all = "camelCase")]
pub enum BootSource {
    /// A log in the state bucket, which contains no value of a parameter.
    StoredLog {
        key: String,
        written: Timestamp,
    },
    Console,
}

/// The end of a boot that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootFinding {
    /// The instance's id.
    pub instance: String,
    #[serde(flatten)]
    pub source: BootSource,
    /// The code of the cause in the catalogue: `image-pull`; `None` where it is none of those.
    #[serde(rename = "code")]
    pub cause: Option<&'static BootCause>,
    /// What failed, in the machine's words.
    pub text: String,
    /// Whether it says that it failed; where not, `text` is its last line that looks like an error.
    pub has_ended: bool,
    /// The last lines before its end, oldest first, with the last one that is evidence of a cause. None is there twice.
    pub lines: Vec<String>,
}

impl BootFinding {
    /// What a machine's console says. `None` where it says nothing, or that the boot succeeded.
    pub fn from_console(console: &Console) -> Option<Self> {
        let lines = console.lines.iter().map(String::as_str);
        Self::new(
            &console.instance,
            BootSource::Console,
            lines,
            boot_causes::find,
        )
    }

    /// What a stored log says. `None` where it says nothing, or that the boot succeeded.
    pub fn from_log(instance: &str, key: &str, written: Timestamp, log: &str) -> Option<Self> {
        let source = BootSource::StoredLog {
            key: key.to_owned(),
            written,
        };
        Self::new(instance, source, log.lines(), boot_causes::find_in_log)
    }

    fn new<'a>(
        instance: &str,
        source: BootSource,
        lines: impl Iterator<Item = &'a str>,
        find: fn(&[&str]) -> Option<BootEnd>,
    ) -> Option<Self> {
        let lines: Vec<&str> = lines
            .map(strip_prefixes)
            .filter(|line| !line.is_empty())
            .collect();
        let last = || {
            let error = lines.iter().rfind(|line| looks_like_error(line));
            error.or(lines.last()).map(|line| (*line).to_owned())
        };
        let (cause, text, has_ended) = match find(&lines) {
            Some(end) => match end.state {
                BootState::Succeeded => return None,
                BootState::Failed => (end.cause, end.text, true),
                BootState::Unfinished => (end.cause, end.text, false),
            },
            None => (None, last()?, false),
        };
        Some(Self {
            instance: instance.to_owned(),
            source,
            cause,
            lines: tail(&lines, &text),
            text,
            has_ended,
        })
    }

    /// Whether a console says that the boot succeeded.
    pub fn succeeded(console: &Console) -> bool {
        let lines: Vec<&str> = console.lines.iter().map(String::as_str).collect();
        boot_causes::find(&lines).is_some_and(|end| end.state == BootState::Succeeded)
    }

    /// `i-0a: an image can't be pulled: pull ...: five attempts failed`
    pub fn reason(&self) -> String {
        let Self { instance, text, .. } = self;
        match self.cause {
            Some(cause) => format!("{instance}: {}: {text}", cause.sentence),
            None => format!("{instance}: {text}"),
        }
    }

    /// A failure of AWS with what the machine says in front, and what helps against that.
    #[must_use]
    pub fn explain(&self, failure: Failure) -> Failure {
        let aws = failure.reason.trim_end_matches('.');
        let reason = format!("{} (AWS: {aws})", self.reason());
        let remedy = self.cause.map(|cause| cause.remedy.clone());
        Failure {
            reason,
            hint: remedy.or(failure.hint),
            lines: self.lines.clone(),
            ..failure
        }
    }
}

/// A line of a console without the time since boot and the name of the unit.
fn strip_prefixes(line: &str) -> &str {
    let line = line.trim();
    let line = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => rest.trim(),
        _ => line,
    };
    match line.split_once("]: ") {
        Some((unit, rest)) if !unit.contains(' ') && unit.contains('[') => rest.trim(),
        _ => line,
    }
}

/// The lines that say more than `text`, which is shown in front of them.
fn tail(lines: &[&str], text: &str) -> Vec<String> {
    let mut kept: Vec<&str> = Vec::new();
    for line in lines.iter().rev() {
        let words = without_program(line);
        let said = boot_causes::is_end(line) || text == words || text.ends_with(line);
        if said || kept.contains(line) {
            continue;
        }
        if kept.len() < TAIL {
            kept.push(line);
        } else if boot_causes::is_evidence(line) {
            kept.push(line);
            break;
        }
    }
    kept.iter().rev().map(|line| (*line).to_owned()).collect()
}

/// A line without the name of the program in front, `boot: `.
fn without_program(line: &str) -> &str {
    match line.split_once(": ") {
        Some((program, rest)) if !program.contains(' ') => rest,
        _ => line,
    }
}

fn looks_like_error(line: &str) -> bool {
    let text = line.to_lowercase();
    [
        "error",
        "fail",
        "fatal",
        "denied",
        "timed out",
        "timeout",
        "refused",
        "not found",
        "no space",
        "panic",
    ]
    .iter()
    .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(lines: &[&str]) -> Console {
        Console {
            instance: "i-0a1b".to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn console_without_a_known_cause_shows_its_last_error() {
        let found = BootFinding::from_console(&console(&[
            "[   41.123456] cloud-init[1402]: fetching the bundle",
            "[   44.000001] cloud-init[1402]: curl: (22) The requested URL returned error: 403",
            "ip-10-20-0-12 login:",
        ]));
        let found = found.expect("an error");
        assert_eq!(
            found.reason(),
            "i-0a1b: curl: (22) The requested URL returned error: 403"
        );
        let failure = Failure::of_stack(None, "Received 0 SUCCESS signal(s) out of 1.");
        let shown = found.explain(failure);
        let reason = "error: 403 (AWS: Received 0 SUCCESS signal(s) out of 1)";
        assert!(shown.reason.ends_with(reason), "{}", shown.reason);
        // What is in the reason is not repeated.
        assert_eq!(shown.lines, ["fetching the bundle", "ip-10-20-0-12 login:"]);
    }

    #[test]
    fn console_with_a_known_cause_shows_its_remedy() {
        let found = BootFinding::from_console(&console(&[
            "[   44.5] start[90]: kube-cfn boot failed: api: wait for it: no",
            "ip-10-20-0-12 login:",
        ]));
        let found = found.expect("a cause");
        assert!(found.reason().ends_with("ready: wait for it: no"));
        let failure = Failure {
            hint: Some("look".to_owned()),
            ..Failure::of_stack(None, "Received 1 FAILURE signal(s) out of 1")
        };
        let hint = found.explain(failure).hint;
        assert_eq!(hint.as_ref(), found.cause.map(|cause| &cause.remedy));
    }

    #[test]
    fn lines_are_without_ends_and_repeats_and_with_evidence() {
        let silent = "fatal error: Unable to locate credentials";
        let mut lines = vec![silent, silent];
        let steps: Vec<String> = (0..9).map(|n| format!("step {n}")).collect();
        lines.extend(steps.iter().map(String::as_str));
        lines.extend([
            "step 8",
            "boot: read the parameter x: no",
            "boot: attempt 3 failed; the third failure is reported to the stack",
            "kube-cfn boot failed: parameter: read the parameter x: no",
        ]);
        let found = BootFinding::from_console(&console(&lines)).expect("an end");
        assert!(found.has_ended);
        let mut wanted = vec![silent];
        wanted.extend(steps[3..].iter().map(String::as_str));
        assert_eq!(found.lines, wanted);
    }

    #[test]
    fn unfinished_boot_has_not_ended() {
        let lines = ["fatal error: Unable to locate credentials"];
        let found = BootFinding::from_console(&console(&lines)).expect("evidence");
        assert!(!found.has_ended && found.cause.is_some());
    }

    #[test]
    fn booted_machine_has_no_finding() {
        let booted = [
            "boot: attempt 1 failed to pull x: five attempts failed",
            "boot: i-0a runs as pool-x with Kubernetes 1.36.4",
        ];
        assert_eq!(BootFinding::from_console(&console(&booted)), None);
        assert_eq!(BootFinding::from_console(&console(&[])), None);
    }
}
