//! Single values from text to exact types, with words for the mistakes that people make.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use semver::Version;

use super::Report;
use crate::catalog::{instances, kubernetes, regions};
use crate::definition::messages::cut;
use crate::spec::Architecture;
use crate::spec::rules::nearest;

/// Stands in for a value that could not be read; no rule looks at it.
const NOWHERE: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 32);

/// A range of addresses that starts where it says.
pub(super) fn range(at: &str, text: &str, report: &mut Report) -> Ipv4Net {
    if report.hides(at) {
        return NOWHERE;
    }
    let (message, help) = match text.parse::<Ipv4Net>() {
        Ok(range) if range.trunc() == range => return range,
        Ok(range) => (
            format!("{range} does not start at a network boundary"),
            format!(
                "the /{} that holds it is {}",
                range.prefix_len(),
                range.trunc()
            ),
        ),
        Err(_) => unread_range(text),
    };
    report.problem(at, message, help);
    NOWHERE
}

fn unread_range(text: &str) -> (String, String) {
    let message = format!("expected an IPv4 range, got `{}`", cut(text));
    let help = match text.split_once('/') {
        None if text.parse::<Ipv4Addr>().is_ok() => {
            format!("write the prefix too: `{text}/32` is this one address")
        }
        _ if text.contains(':') => "clusters are IPv4 only".to_owned(),
        Some((address, _)) if address.parse::<Ipv4Addr>().is_ok() => {
            "the prefix is a number from 0 to 32".to_owned()
        }
        Some(_) => "each of the four numbers is 0 to 255, without leading zeros".to_owned(),
        None => "for example `10.20.0.0/16`".to_owned(),
    };
    (message, help)
}

/// An exact Kubernetes version.
pub(super) fn version(at: &str, text: &str, report: &mut Report) -> Version {
    let nothing = Version::new(0, 0, 0);
    if report.hides(at) {
        return nothing;
    }
    if let Ok(version) = Version::parse(text)
        && version.pre.is_empty()
        && version.build.is_empty()
    {
        return version;
    }
    let bare = text.strip_prefix('v').unwrap_or(text);
    let help = if let Some(newest) = of_minor(bare) {
        format!("the patch is part of the decision: the newest of {bare} is `{newest}`")
    } else if bare != text && Version::parse(bare).is_ok() {
        format!("write it without the v: `{bare}`")
    } else if Version::parse(bare).is_ok() {
        "release candidates and builds of your own are not supported".to_owned()
    } else {
        let newest = kubernetes::newest()
            .map(ToString::to_string)
            .unwrap_or_default();
        format!("three numbers with dots, such as `{newest}`")
    };
    report.problem(
        at,
        format!("expected an exact Kubernetes version, got `{}`", cut(text)),
        help,
    );
    nothing
}

fn of_minor(text: &str) -> Option<&'static Version> {
    let (major, minor) = text.split_once('.')?;
    kubernetes::newest_patch(major.parse().ok()?, minor.parse().ok()?)
}

/// Twelve digits.
pub(super) fn account(at: &str, text: &str, report: &mut Report) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let bare = text.len() == 12 && digits.len() == 12;
    if !bare && !report.hides(at) {
        let help = if digits.len() == 12 {
            format!("write it without anything between: `{digits}`")
        } else if digits.len() == 11 {
            "a digit is missing: perhaps a zero at its start?".to_owned()
        } else {
            format!(
                "it has {} digits; `aws sts get-caller-identity` shows yours",
                digits.len()
            )
        };
        report.problem(
            at,
            format!("expected an account of twelve digits, got `{}`", cut(text)),
            help,
        );
    }
    digits
}

/// A duration in whole seconds.
pub(super) fn seconds(at: &str, text: &str, report: &mut Report) -> u64 {
    if report.hides(at) {
        return 0;
    }
    let plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"hms".contains(&byte));
    let parsed = text.parse::<jiff::SignedDuration>().ok().filter(|_| plain);
    if let Some(seconds) = parsed.and_then(|length| u64::try_from(length.as_secs()).ok()) {
        return seconds;
    }
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u64>().ok());
    let help = match days.and_then(|days| days.checked_mul(24)) {
        Some(hours) => format!("write days as hours: `{hours}h`"),
        None if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("write the unit: `{text}h`, `{text}m` or `{text}s`")
        }
        None => "for example `8h` or `1h30m`".to_owned(),
    };
    report.problem(
        at,
        format!("expected a duration, got `{}`", cut(text)),
        help,
    );
    0
}

/// A name in lower-case letters, digits and single dashes: of a cluster or a pool.
pub(super) fn name(at: &str, text: &str, longest: usize, report: &mut Report) {
    if report.hides(at) {
        return;
    }
    let length = text.chars().count();
    let better: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let better = better
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let letter_first = better.starts_with(|c: char| c.is_ascii_lowercase());
    if length > longest {
        let message = format!("a name of {length} letters, at most {longest} fit");
        let help = "names of load balancers and stacks are made from it, and AWS limits those";
        report.problem(at, message, help);
    } else if better != text || !letter_first {
        let message = format!(
            "expected lower-case letters, digits and single dashes, a letter first, got `{}`",
            cut(text)
        );
        let help = if letter_first {
            format!("`{better}` would do")
        } else {
            "AWS and Kubernetes take such names everywhere".to_owned()
        };
        report.problem(at, message, help);
    }
}

/// Reports a region outside the catalogue: it is fine only where its zones are written down.
pub(super) fn unknown_region(region: &str, report: &mut Report) {
    report.broken("zones");
    // A rule says why there can't be a cluster.
    if report.hides("region") || regions::unsupported(region).is_some() {
        return;
    }
    let zone = region.strip_suffix(|c: char| c.is_ascii_lowercase());
    let help =
        if let Some(of_zone) = zone.filter(|name| regions::names().any(|known| known == *name)) {
            format!("this is a zone: write `{of_zone}` here, and zones under `zones`")
        } else if let Some(near) = nearest(region, regions::names()) {
            format!("did you mean `{near}`?")
        } else if !region.contains('-') {
            "write its code, such as `eu-west-1` for Ireland".to_owned()
        } else {
            "if it is new, write its zones under `zones`".to_owned()
        };
    report.problem("region", format!("`{region}` is not a known region"), help);
}

/// The architecture of a type. A type without one has no instance type's form.
pub(super) fn architecture(at: &str, name: &str, report: &mut Report) -> Architecture {
    match instances::architecture(name) {
        Some("arm64") => Architecture::Arm64,
        Some(_) => Architecture::X86_64,
        None => {
            if !report.hides(at) {
                let help = match name.strip_prefix("db.") {
                    Some(bare) => format!("`db.` is for databases: write `{bare}`"),
                    None => match nearest(name, instances::names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "a family and a size, such as `m7g.large`".to_owned(),
                    },
                };
                report.problem(at, format!("expected an instance type, got `{name}`"), help);
            }
            Architecture::Arm64
        }
    }
}

/// Whether it is a class of database instances.
pub(super) fn class(class: &str, report: &mut Report) {
    let at = "database.class";
    if !class.starts_with("db.") && instances::architecture(class).is_some() && !report.hides(at) {
        let message = format!("expected a class of database instances, got `{class}`");
        report.problem(at, message, format!("write `db.{class}`"));
    }
}

/// Whether it is a version of Postgres that RDS offers.
pub(super) fn engine(version: &str, report: &mut Report) {
    let at = "database.engineVersion";
    let Ok(major) = version.split('.').next().unwrap_or_default().parse::<u32>() else {
        return;
    };
    if report.hides(at) {
        return;
    }
    if !(14..=18).contains(&major) {
        let help = "RDS offers 14 to 18 with ordinary support; 17 is the default";
        report.problem(at, format!("Postgres {major} is not supported"), help);
    } else if !version.contains('.') {
        let message = format!("expected an exact Postgres version, got `{version}`");
        report.problem(
            at,
            message,
            "write the minor too: it moves only when you say so, such as `17.11`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_hours_minutes_and_seconds() {
        let mut report = Report::default();
        assert_eq!(seconds("a", "8h", &mut report), 28_800);
        assert_eq!(seconds("b", "1h30m", &mut report), 5_400);
        assert!(report.is_clean());
        assert_eq!(seconds("c", "1d", &mut report), 0);
        assert_eq!(seconds("d", "-8h", &mut report), 0);
        assert_eq!(seconds("e", "", &mut report), 0);
        assert_eq!(report.findings.len(), 3);
    }
}
