//! Spans of time as text, and back. Every span that a run took is rounded to the last unit that is shown:
//! the live screen, the log, the summary and the timeline say the same of it.

use jiff::SignedDuration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A span that passed: `41s`, `4m12s`, `1h02m`. A negative one (two clocks) is `0s`.
pub fn elapsed(span: SignedDuration) -> String {
    let seconds = rounded_seconds(span);
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m{:02}s", seconds / MINUTE, seconds % MINUTE),
        _ => {
            let minutes = (seconds + MINUTE / 2) / MINUTE;
            format!("{}h{:02}m", minutes / 60, minutes % 60)
        }
    }
}

/// Rounded; none is negative.
fn rounded_seconds(span: SignedDuration) -> i64 {
    let half = SignedDuration::from_millis(500);
    span.saturating_add(half).as_secs().max(0)
}

/// An estimate in seconds, as rough as it is: `20s`, `2m`, `10-17m`.
pub fn estimate(from: u32, to: u32) -> String {
    let minutes = |seconds: u32| (seconds + 30) / 60;
    let one = |seconds: u32| match seconds {
        0..60 => format!("{seconds}s"),
        _ => format!("{}m", minutes(seconds)),
    };
    match (one(from), one(to)) {
        (from, to) if from == to => to,
        (_, to_text) if from >= 60 => format!("{}-{to_text}", minutes(from)),
        (_, to_text) if to < 60 => format!("{from}-{to_text}"),
        (from, to) => format!("{from}-{to}"),
    }
}

/// An age in full units of one kind, as kubectl shows it: `3m`, `5h`, `12d`.
pub fn age(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

/// A length of time as people write it, days included: `90d`, `8h`, `1h30m`.
pub fn parse(text: &str) -> Result<SignedDuration, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<i64>().ok());
    let span = match days {
        Some(days) => days.checked_mul(DAY).map(SignedDuration::from_secs),
        None => text.parse().ok(),
    };
    span.filter(|span| span.as_secs() > 0)
        .ok_or_else(|| "expected a time such as 90d, 8h or 30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_spans_are_rounded_and_never_negative() {
        for (millis, text) in [
            (-3000, "0s"),
            (0, "0s"),
            (499, "0s"),
            (59_000, "59s"),
            (59_500, "1m00s"),
            (60_000, "1m00s"),
            (252_000, "4m12s"),
            (3_599_000, "59m59s"),
            (3_599_500, "1h00m"),
            (3_725_000, "1h02m"),
            (3_750_000, "1h03m"),
        ] {
            assert_eq!(elapsed(SignedDuration::from_millis(millis)), text);
        }
    }

    #[test]
    fn estimates_are_as_rough_as_they_are() {
        assert_eq!(estimate(20, 20), "20s");
        assert_eq!(estimate(23, 41), "23-41s");
        assert_eq!(estimate(106, 106), "2m");
        assert_eq!(estimate(595, 1026), "10-17m");
        assert_eq!(estimate(3, 240), "3s-4m");
    }

    #[test]
    fn ages_have_one_unit() {
        for (seconds, text) in [(-1, "0s"), (119, "1m"), (7_300, "2h"), (86_400 * 12, "12d")] {
            assert_eq!(age(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn times_are_parsed_with_days() {
        assert_eq!(parse("90d"), Ok(SignedDuration::from_hours(90 * 24)));
        assert_eq!(parse("1h30m"), Ok(SignedDuration::from_mins(90)));
        for wrong in ["", "d", "0d", "-1d", "soon", "99999999999999999d"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
