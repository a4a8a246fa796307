//! The small change of both charts: spans of time, harmless text, the marks of an axis.

use console::{measure_text_width, truncate_str};
use jiff::SignedDuration;

use super::Timeline;
use crate::events::Verb;

/// A span for people: `41s`, `4m12s`, `1h02m`. A negative one (two clocks) is `0s`.
pub fn elapsed(span: SignedDuration) -> String {
    let seconds = whole(span);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{:02}s", seconds % 60),
        _ => format!("{hours}h{minutes:02}m"),
    }
}

/// Seconds, rounded; none is negative.
pub(super) fn whole(span: SignedDuration) -> i64 {
    let half = SignedDuration::from_millis(500);
    span.saturating_add(half).as_secs().max(0)
}

/// Text on one line, without anything that a terminal would obey or a page could not hold.
pub(super) fn clean(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(harmless).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Filled with blanks to `width` columns; cut with `..` if longer.
pub(super) fn pad(text: &str, width: usize) -> String {
    let text = if measure_text_width(text) > width {
        truncate_str(text, width, if width >= 4 { ".." } else { "" }).into_owned()
    } else {
        text.to_owned()
    };
    let missing = width.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(missing)
}

/// Marks of a time axis that is `whole` long, with room for `most` of them: seconds and label.
pub(super) fn ticks(whole: SignedDuration, most: usize) -> Vec<(i64, String)> {
    const STEPS: &[i64] = &[
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400,
    ];
    let seconds = whole.as_secs().max(1);
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let fits = |step: &&i64| seconds / **step <= most;
    let step = *STEPS.iter().find(fits).unwrap_or(&seconds);
    let label = |second: i64| match second {
        0 => "0".to_owned(),
        _ if second % 3600 == 0 => format!("{}h", second / 3600),
        _ if second % 60 == 0 && second < 3600 => format!("{}m", second / 60),
        _ => elapsed(SignedDuration::from_secs(second)),
    };
    let marks = (0..).map(|index| index * step);
    marks
        .take_while(|second| *second <= seconds)
        .map(|second| (second, label(second)))
        .collect()
}

/// How the run ended, in words: `created in 10m51s`.
pub(super) fn verdict(timeline: &Timeline) -> String {
    let took = elapsed(timeline.took());
    let (done, doing) = match timeline.verb {
        Verb::Create => ("created", "creation"),
        Verb::Update => ("updated", "update"),
        Verb::Delete => ("deleted", "deletion"),
    };
    match timeline.succeeded {
        Some(true) => format!("{done} in {took}"),
        Some(false) => format!("{doing} failed after {took}"),
        None => format!("{doing} not followed to its end, seen for {took}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(seconds: i64, most: usize) -> Vec<String> {
        let marks = ticks(SignedDuration::from_secs(seconds), most);
        marks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn an_axis_has_round_marks_and_never_too_many() {
        assert_eq!(labels(651, 6), ["0", "2m", "4m", "6m", "8m", "10m"]);
        assert_eq!(labels(0, 6), ["0", "1s"]);
        assert_eq!(labels(45, 5), ["0", "10s", "20s", "30s", "40s"]);
        assert_eq!(labels(9000, 5), ["0", "30m", "1h", "1h30m", "2h", "2h30m"]);
        for seconds in [1, 59, 61, 3599, 3601, 100_000, 10_000_000] {
            assert!(labels(seconds, 7).len() <= 8, "{seconds}");
        }
    }

    #[test]
    fn spans_are_rounded_and_never_negative() {
        for (millis, text) in [
            (-3000, "0s"),
            (499, "0s"),
            (59_500, "1m00s"),
            (252_000, "4m12s"),
            (3_725_000, "1h02m"),
        ] {
            assert_eq!(elapsed(SignedDuration::from_millis(millis)), text);
        }
    }

    #[test]
    fn a_cut_says_so_and_a_gap_is_filled() {
        assert_eq!(pad("NAT gateway in eu-west-1a", 12), "NAT gatewa..");
        assert_eq!(pad("edge", 6), "edge  ");
    }
}
