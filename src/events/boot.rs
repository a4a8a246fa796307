//! A machine whose boot failed: what it said, and why that is.

use jiff::Timestamp;
use serde::Serialize;

use super::Failure;
use crate::catalog::boot_causes::{self, BootCause, BootState};
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
    /// The last lines, oldest first.
    pub lines: Vec<String>,
}

impl BootFinding {
    /// What a machine's console says. `None` where it says nothing, or that the boot succeeded.
    pub fn from_console(console: &Console) -> Option<Self> {
        let lines = console.lines.iter().map(String::as_str);
        Self::new(&console.instance, BootSource::Console, lines)
    }

    /// What a stored log says. `None` where it says nothing, or that the boot succeeded.
    pub fn from_log(instance: &str, key: &str, written: Timestamp, log: &str) -> Option<Self> {
        let source = BootSource::StoredLog {
            key: key.to_owned(),
            written,
        };
        Self::new(instance, source, log.lines())
    }

    fn new<'a>(
        instance: &str,
        source: BootSource,
        lines: impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        let lines: Vec<&str> = lines
            .map(strip_prefixes)
            .filter(|line| !line.is_empty())
            .collect();
        let last = || {
            let error = lines.iter().rfind(|line| looks_like_error(line));
            error.or(lines.last()).map(|line| (*line).to_owned())
        };
        let (cause, text, has_ended) = match boot_causes::find(&lines) {
            Some(end) if end.state == BootState::Succeeded => return None,
            Some(end) => (end.cause, end.text, true),
            None => (None, last()?, false),
        };
        let tail = lines.get(lines.len().saturating_sub(TAIL)..);
        let tail = tail.unwrap_or_default().iter();
        Some(Self {
            instance: instance.to_owned(),
            source,
            cause,
            text,
            has_ended,
            lines: tail.map(|line| (*line).to_owned()).collect(),
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
        let reason = format!(
            "{} (AWS: {aws}) (last lines: {})",
            self.reason(),
            self.lines.join(" | ")
        );
        let remedy = self.cause.map(|cause| cause.remedy.clone());
        Failure {
            reason,
            hint: remedy.or(failure.hint),
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
        let shown = found.explain(failure).reason;
        assert!(
            shown.ends_with(
                "error: 403 (AWS: Received 0 SUCCESS signal(s) out of 1) (last lines: fetching the \
                 bundle | curl: (22) The requested URL returned error: 403 | ip-10-20-0-12 login:)"
            ),
            "{shown}"
        );
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
    fn booted_machine_has_no_finding() {
        let booted = [
            "boot: attempt 1 failed to pull x: five attempts failed",
            "boot: i-0a runs as pool-x with Kubernetes 1.36.4",
        ];
        assert_eq!(BootFinding::from_console(&console(&booted)), None);
        assert_eq!(BootFinding::from_console(&console(&[])), None);
    }
}
