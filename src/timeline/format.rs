//! What both charts share: the marks of an axis and texts about the run.

use jiff::SignedDuration;

use super::{Saving, StackBar, Timeline};
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
    let operation = match timeline.verb {
        Verb::Create => "creation",
        Verb::Update => "update",
        Verb::Delete => "deletion",
    };
    match timeline.succeeded {
        Some(true) => format!("{} in {took}", timeline.verb.past()),
        Some(false) => format!("{operation} failed after {took}"),
        None => format!("{operation} not followed to its end, seen for {took}"),
    }
}

/// What would make the run shorter, in words.
pub(super) fn saving_text(timeline: &Timeline, saving: &Saving) -> String {
    let longest = &saving.longest;
    let text = format!(
        "longest on it: {}, {}",
        longest.name(),
        elapsed(longest.took())
    );
    // What still runs has no known end.
    if timeline.ended.is_none() {
        return text;
    }
    format!(
        "{text}; without it the run would have taken {}, and {} would have ended last",
        elapsed(saving.without_it_seconds),
        saving.then_last
    )
}

/// How long a stack took; `-` where it never began.
pub(super) fn took(bar: &StackBar, timeline: &Timeline) -> String {
    bar.took(timeline.until)
        .map_or_else(|| "-".to_owned(), elapsed)
}

/// The slack of a stack; `-` where it is not known.
pub(super) fn slack(bar: &StackBar) -> String {
    bar.slack.map_or_else(|| "-".to_owned(), elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(seconds: i64, most: usize) -> Vec<String> {
        let marks = ticks(SignedDuration::from_secs(seconds), most);
        marks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn axis_marks_are_round_and_few() {
        assert_eq!(labels(651, 6), ["0", "2m", "4m", "6m", "8m", "10m"]);
        assert_eq!(labels(0, 6), ["0", "1s"]);
        assert_eq!(labels(45, 5), ["0", "10s", "20s", "30s", "40s"]);
        assert_eq!(labels(9000, 5), ["0", "30m", "1h", "1h30m", "2h", "2h30m"]);
        for seconds in [1, 59, 61, 3599, 3601, 100_000, 10_000_000] {
            assert!(labels(seconds, 7).len() <= 8, "{seconds}");
        }
    }
}
