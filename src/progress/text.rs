//! The small change of every screen: spans of time, markers, fitting and wrapping of text.
//! Knows nothing of events.

use std::fmt;

use console::{Style, measure_text_width, truncate_str};
use jiff::SignedDuration;

/// A span for people: `41s`, `4m12s`, `1h02m`. A negative one (two clocks) is `0s`.
pub fn elapsed(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{:02}s", seconds % 60),
        _ => format!("{hours}h{minutes:02}m"),
    }
}

/// An estimate in seconds, as rough as it is: `~20s`, `~2m`, `~10-17m`.
pub(super) fn roughly(from: u32, to: u32) -> String {
    let minutes = |seconds: u32| (seconds + 30) / 60;
    let one = |seconds: u32| match seconds {
        0..60 => format!("{seconds}s"),
        _ => format!("{}m", minutes(seconds)),
    };
    match (one(from), one(to)) {
        (from, to) if from == to => format!("~{to}"),
        (_, to_text) if from >= 60 => format!("~{}-{to_text}", minutes(from)),
        (from, to) => format!("~{from}-{to}"),
    }
}

/// What a line says at its start, so that nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// First line of a block.
    Title,
    Done,
    Running,
    Waiting,
    RollingBack,
    Failed,
    /// Continues the line above.
    Detail,
}

impl Mark {
    fn as_str(self) -> &'static str {
        match self {
            Self::Title => "",
            Self::Done => " ok  ",
            Self::Running => " >   ",
            Self::Waiting => " ..  ",
            Self::RollingBack => " rb  ",
            Self::Failed => " !!  ",
            Self::Detail => "     ",
        }
    }

    fn style(self) -> Style {
        let style = Style::new().for_stderr();
        match self {
            Self::Title => style.bold(),
            Self::Done => style.green(),
            Self::Running => style.cyan(),
            Self::RollingBack => style.yellow(),
            Self::Failed => style.red().bold(),
            Self::Waiting | Self::Detail => style,
        }
    }
}

/// One line of a screen: a marker and what it marks, already fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    mark: Mark,
    text: String,
}

impl Line {
    /// A line of at most `width` columns, marker included.
    pub(super) fn new(mark: Mark, text: &str, width: usize) -> Self {
        let (mark, text) = match width.checked_sub(mark.as_str().len()) {
            Some(room) => (mark, fit(text, room)),
            None => (Mark::Title, fit(mark.as_str(), width)),
        };
        let text = text.trim_end().to_owned();
        Self { mark, text }
    }

    /// With its colours, where the terminal and `NO_COLOR` allow them.
    pub fn painted(&self) -> String {
        let style = self.mark.style();
        match self.mark {
            Mark::Title => style.apply_to(&self.text).to_string(),
            mark => format!("{}{}", style.apply_to(mark.as_str()), self.text),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(format!("{}{}", self.mark.as_str(), self.text).trim_end())
    }
}

/// Columns that the text of a marked line has in `width`.
pub(super) fn room(width: usize) -> usize {
    width.saturating_sub(Mark::Detail.as_str().len())
}

/// Text on one line and without anything that a terminal would obey.
pub(super) fn clean(text: &str) -> String {
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = text.chars().map(harmless).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cut to `width` columns; `..` at the end says that something is missing.
pub(super) fn fit(text: &str, width: usize) -> String {
    if measure_text_width(text) <= width {
        return text.to_owned();
    }
    let tail = if width >= 4 { ".." } else { "" };
    truncate_str(text, width, tail).into_owned()
}

/// Filled with blanks to `width` columns, cut if longer.
pub(super) fn pad(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let missing = width.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(missing)
}

/// Wrapped at blanks to `width` columns. Words that are longer (ARNs) are broken, nothing is lost.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let options = textwrap::Options::new(width.max(1))
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(std::borrow::Cow::into_owned).collect()
}

/// A reason of AWS with its cause in front: the wrapping that resource handlers put around it
/// goes, request ids stay behind.
pub(super) fn cause_first(reason: &str) -> String {
    const WRAPPING: &str = "Resource handler returned message: ";
    let reason = clean(reason);
    let Some(rest) = reason.strip_prefix(WRAPPING) else {
        return reason;
    };
    let unquoted = rest
        .strip_prefix('"')
        .and_then(|rest| rest.rsplit_once('"'))
        .map(|(cause, rest)| format!("{} {}", cause.trim(), rest.trim()));
    unquoted.map_or_else(|| rest.to_owned(), |text| text.trim().to_owned())
}

/// `1 stack`, `3 stacks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short_and_never_negative() {
        for (seconds, text) in [
            (-3, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m00s"),
            (252, "4m12s"),
            (3599, "59m59s"),
            (3725, "1h02m"),
        ] {
            assert_eq!(elapsed(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn estimates_are_as_rough_as_they_are() {
        assert_eq!(roughly(20, 20), "~20s");
        assert_eq!(roughly(106, 106), "~2m");
        assert_eq!(roughly(595, 1026), "~10-17m");
        assert_eq!(roughly(3, 240), "~3s-4m");
    }

    #[test]
    fn wrapping_loses_nothing_and_breaks_long_words() {
        let text = "cannot assume arn:aws:iam::123456789012:role/canary-nodes at all";
        let lines = wrap(text, 12);
        assert!(lines.iter().all(|line| measure_text_width(line) <= 12));
        let squeezed = |text: &str| text.replace(' ', "");
        assert_eq!(squeezed(&lines.concat()), squeezed(text));
    }

    #[test]
    fn a_cut_says_so() {
        assert_eq!(fit("NAT gateway in eu-west-1a", 12), "NAT gatewa..");
        assert_eq!(fit("short", 5), "short");
        assert_eq!(fit("short", 0), "");
    }

    #[test]
    fn what_a_terminal_would_obey_is_gone() {
        assert_eq!(clean("red\u{1b}[31m\r\n alert\t\u{7}"), "red [31m alert");
    }

    #[test]
    fn the_cause_comes_before_request_ids() {
        let reason = "Resource handler returned message: \"The maximum number of addresses has \
            been reached. (Service: Ec2, Status Code: 400)\" (RequestToken: 1f, \
            HandlerErrorCode: ServiceLimitExceeded)";
        assert_eq!(
            cause_first(reason),
            "The maximum number of addresses has been reached. (Service: Ec2, Status Code: 400) \
             (RequestToken: 1f, HandlerErrorCode: ServiceLimitExceeded)"
        );
        assert_eq!(cause_first("Quota \"x\" is full"), "Quota \"x\" is full");
    }
}
