//! How long a plan takes and what it costs, as text. Both are estimates and say so.

use crate::catalog::durations::Span;
use crate::common::text::listed_line;
use crate::forecast::cost::{CostRange, Monthly};
use crate::forecast::estimate::Estimate;
use crate::report::format::grouped;

/// `13-17m`, `40-90s`; half of all runs stay under the first, nine in ten under the second.
pub fn span(span: Span) -> String {
    const MINUTE: u32 = 60;
    let Span { from, to } = span;
    if to < 2 * MINUTE {
        return format!("{from}-{to}s");
    }
    let (from, to) = ((from + 30) / MINUTE, to.div_ceil(MINUTE));
    if from >= to {
        format!("{to}m")
    } else {
        format!("{from}-{to}m")
    }
}

/// `+$63 a month`; nothing where it is less than a dollar.
pub fn difference(range: CostRange) -> Option<String> {
    let signed = |usd: f64| {
        let sign = if usd < 0.0 { '-' } else { '+' };
        format!("{sign}${}", thousands(usd.abs()))
    };
    let (from, to) = (range.from.round(), range.to.round());
    if from.abs() < 1.0 && to.abs() < 1.0 {
        return None;
    }
    Some(if (from - to).abs() < 1.0 {
        signed(to)
    } else {
        format!("{} to {}", signed(from), signed(to))
    })
}

/// The last lines of a plan that changes something.
pub fn lines(expected: &Estimate, cost: &Monthly) -> Vec<String> {
    let mut lines = Vec::new();
    if expected.whole.to > 0 {
        let path: Vec<String> = expected.path.iter().map(ToString::to_string).collect();
        let text = format!(
            "Time: {}; longest: {}.",
            span(expected.whole),
            path.join(", then ")
        );
        lines.push(listed_line("", &text));
    }
    let Some((oldest, newest)) = &cost.dated else {
        return lines;
    };
    let before = cost.before.map_or(String::new(), |before| {
        format!(" (today {})", dollars(before))
    });
    let text = format!(
        "Cost: about {} a month{before}, an estimate by list prices of {oldest} to {newest}; excludes \
         usage-based charges (traffic, requests, NAT data, I/O).",
        dollars(cost.after)
    );
    lines.push(listed_line("", &text));
    lines
}

fn dollars(range: CostRange) -> String {
    let (from, to) = (thousands(range.from), thousands(range.to));
    if from == to {
        format!("${to}")
    } else {
        format!("${from}-{to}")
    }
}

/// Whole dollars, with a comma between thousands.
fn thousands(usd: f64) -> String {
    grouped(&format!("{usd:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_round_up() {
        let word = |from, to| span(Span { from, to });
        assert_eq!(word(40, 90), "40-90s");
        assert_eq!(word(781, 976), "13-17m");
        assert_eq!(word(118, 120), "2m");
    }

    #[test]
    fn costs_are_whole_dollars() {
        let range = |from, to| CostRange { from, to };
        assert_eq!(dollars(range(1023.4, 7840.0)), "$1,023-7,840");
        assert_eq!(dollars(range(270.3, 270.4)), "$270");
        assert_eq!(dollars(range(0.0, 1_234_567.0)), "$0-1,234,567");
        assert_eq!(difference(range(63.2, 63.2)).as_deref(), Some("+$63"));
        assert_eq!(
            difference(range(-9.0, 20.0)).as_deref(),
            Some("-$9 to +$20")
        );
        assert_eq!(difference(range(0.2, -0.3)), None);
    }
}
