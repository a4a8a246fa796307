//! What has been found so far, by path: so that one mistake is reported once, and what follows
//! from it is not reported at all.

use crate::definition::tree::{Place, SyntaxError};
use crate::spec::rules::Violation;

/// Where to point at.
#[derive(Debug, Clone)]
pub(in crate::definition) enum Location {
    /// The value at a path.
    Value,
    /// The key of a path.
    Key,
    /// A place in the text.
    Text(Place),
}

/// A problem without its line yet.
#[derive(Debug, Clone)]
pub(in crate::definition) struct Finding {
    pub(in crate::definition) at: String,
    pub(in crate::definition) location: Location,
    pub(in crate::definition) message: String,
    pub(in crate::definition) help: String,
}

/// All findings of one definition.
#[derive(Debug, Default)]
pub(in crate::definition) struct Report {
    pub(in crate::definition) findings: Vec<Finding>,
    /// Findings that hold only if nothing better is said about their path.
    weak: Vec<Finding>,
    /// Paths whose value is not the one that was meant.
    broken: Vec<String>,
}

impl Report {
    pub(in crate::definition) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// A problem with the value at `at`, which is not checked further.
    pub(in crate::definition) fn problem(
        &mut self,
        at: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.broken.push(at.to_owned());
        self.findings
            .push(finding(at, Location::Value, message, help));
    }

    /// A problem with the key at `at`.
    pub(in crate::definition) fn key(
        &mut self,
        at: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.findings
            .push(finding(at, Location::Key, message, help));
    }

    /// A problem with the text, outside of any value.
    pub(in crate::definition) fn text(&mut self, error: &SyntaxError) {
        let location = Location::Text(error.place.clone());
        self.findings
            .push(finding("", location, &error.message, &error.help));
    }

    /// A problem that is reported only where no better one is.
    pub(in crate::definition) fn weak(&mut self, at: &str, message: String, help: String) {
        self.weak.push(finding(at, Location::Value, message, help));
    }

    /// Reports the weak problems that have no better one at their path.
    pub(super) fn finish(&mut self) {
        for weak in std::mem::take(&mut self.weak) {
            if !self.findings.iter().any(|better| better.at == weak.at) {
                self.broken.push(weak.at.clone());
                self.findings.push(weak);
            }
        }
    }

    /// The value at `at` is not the one that was meant, and that has been said elsewhere.
    pub(in crate::definition) fn broken(&mut self, at: impl Into<String>) {
        self.broken.push(at.into());
    }

    /// Whether the value at `at` is, or is part of, a broken one.
    pub(in crate::definition) fn hides(&self, at: &str) -> bool {
        self.broken.iter().any(|broken| covers(broken, at))
    }

    /// A broken rule, unless a field that takes part is broken itself.
    pub(in crate::definition) fn violation(&mut self, found: Violation) {
        let part = |at: &String| {
            self.broken
                .iter()
                .any(|broken| covers(broken, at) || covers(at, broken))
        };
        if self.hides(&found.at) || found.with.iter().any(part) {
            return;
        }
        let location = if found.on_key {
            Location::Key
        } else {
            Location::Value
        };
        self.findings
            .push(finding(&found.at, location, found.what, found.help));
    }
}

fn finding(
    at: &str,
    location: Location,
    message: impl Into<String>,
    help: impl Into<String>,
) -> Finding {
    Finding {
        at: at.to_owned(),
        location,
        message: message.into(),
        help: help.into(),
    }
}

/// Whether `inner` is the path `outer` or is below it.
fn covers(outer: &str, inner: &str) -> bool {
    if outer.is_empty() {
        return inner.is_empty();
    }
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_covers_its_descendants() {
        assert!(covers("pools[1]", "pools[1].min"));
        assert!(covers("network", "network.cidr"));
        assert!(!covers("pools[1]", "pools[10].min"));
        assert!(!covers("network.cidr", "network.cidrs"));
    }

    #[test]
    fn report_hides_consequential_errors() {
        let mut report = Report::default();
        report.problem("network.cidr", "no range", "write one");
        report.violation(Violation {
            at: "network.podCidr".to_owned(),
            on_key: false,
            with: vec!["network.cidr".to_owned()],
            what: "overlaps".to_owned(),
            help: String::new(),
        });
        assert_eq!(report.findings.len(), 1);
    }
}
