//! The small change of both charts: spans of time, harmless text, the marks of an axis.

use jiff::SignedDuration;

use super::Timeline;
use crate::common::duration::elapsed;
use crate::events::Verb;

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
}
