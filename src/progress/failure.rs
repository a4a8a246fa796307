//! A failure as people read it, in five lines at most: which resource, why, where it comes from, what
//! helps, and what happens now.

use std::collections::BTreeMap;

use console::measure_text_width;
use jiff::{SignedDuration, Timestamp};

use super::after_failure::AfterFailure;
use super::boots::last_lines;
use super::line::{Line, Mark, room};
use super::shorten_reason::{cause_first, shorten_reason};
use crate::cloud::ResourceStatus;
use crate::common::duration::elapsed;
use crate::common::text::{clean, fit, wrap};
use crate::events::{Failure, Place};
use crate::stacks::StackKind;

/// Lines of a report at most.
const LINES: usize = 5;
/// Lines of a machine in a final report, at most.
const MACHINE_LINES: usize = 3;

/// How much of a failure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureDetail {
    /// Five lines at most; what is cut ends in `..`.
    #[default]
    Brief,
    /// The same, with the last lines of the machine that did not boot.
    Final,
    /// Everything, wrapped.
    Full,
}

/// The first real failure of a stack, as it stays on the screen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FirstFailure {
    pub at: Timestamp,
    /// Description of the resource; `None` when the stack itself was refused.
    pub resource: Option<String>,
    pub logical_id: Option<String>,
    pub status: Option<String>,
    pub after: Option<SignedDuration>,
    /// When it happened, for a diagnosis afterwards.
    when: Option<String>,
    /// In full, as AWS gives it.
    reason: String,
    place: Option<Place>,
    hint: Option<String>,
    pub cancelled: Vec<String>,
    /// What the machine said last that did not boot.
    lines: Vec<String>,
}

impl FirstFailure {
    /// From a resource's own event; the rest is known with the verdict.
    pub fn from_event(at: Timestamp, status: &ResourceStatus, reason: Option<&str>) -> Self {
        Self {
            at,
            resource: None,
            logical_id: None,
            status: Some(clean(status.as_str())),
            after: None,
            when: None,
            reason: reason.unwrap_or("AWS gave no reason").to_owned(),
            place: None,
            hint: None,
            cancelled: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// With the resource that it is about.
    #[must_use]
    pub fn of(self, sentence: &str, logical_id: &str, after: Option<SignedDuration>) -> Self {
        Self {
            resource: Some(clean(sentence)),
            logical_id: Some(clean(logical_id)),
            after,
            ..self
        }
    }

    /// A verdict. `status` and `after` are those of its resource, where they were seen.
    pub fn from_verdict(
        at: Timestamp,
        failure: &Failure,
        status: Option<String>,
        after: Option<SignedDuration>,
    ) -> Self {
        let of_stack = || failure.status.as_ref().map(|word| clean(word.as_str()));
        Self {
            at,
            resource: failure.resource.as_deref().map(clean),
            logical_id: failure.logical_id.as_deref().map(clean),
            status: status.or_else(of_stack),
            after,
            when: None,
            reason: failure.reason.clone(),
            place: failure.place.clone(),
            hint: failure.hint.as_deref().map(clean),
            cancelled: failure.cancelled.iter().map(|one| clean(one)).collect(),
            lines: failure.lines.clone(),
        }
    }

    /// With the moment instead of the span: for what is over.
    #[must_use]
    pub fn with_moment(self, when: String) -> Self {
        Self {
            when: Some(when),
            ..self
        }
    }

    /// Whether it names the same cause.
    pub fn is_same(&self, other: &Self) -> bool {
        self.logical_id == other.logical_id && self.reason == other.reason
    }

    /// Whether it says what helps: the same would fail again before that is done.
    pub fn has_remedy(&self) -> bool {
        self.hint.is_some()
    }

    pub fn is_leftover(&self) -> bool {
        let status = self.status.as_deref();
        status.is_some_and(|status| status.starts_with("DELETE_"))
    }

    /// The cause, as short as possible, on one line.
    pub fn short_reason(&self) -> String {
        shorten_reason(&self.reason)
    }

    /// `edge: NAT gateway in eu-west-1a (NatGatewayA) CREATE_FAILED after 1m52s`
    pub fn title(&self, stack: &StackKind) -> String {
        self.titled(stack, self.resource.as_deref(), self.logical_id.as_deref())
    }

    fn titled(&self, stack: &StackKind, sentence: Option<&str>, id: Option<&str>) -> String {
        let resource = match (sentence, id) {
            (Some(sentence), Some(id)) if sentence != id => format!(" {sentence} ({id})"),
            (Some(one), _) | (None, Some(one)) => format!(" {one}"),
            (None, None) => String::new(),
        };
        let status = self.status.as_deref().unwrap_or("refused");
        let after = |span| format!(" after {}", elapsed(span));
        let when = match &self.when {
            Some(when) => format!(" {when}"),
            None => self.after.map_or(String::new(), after),
        };
        format!("{}:{resource} {status}{when}", clean(&stack.to_string()))
    }

    /// The title in `columns`. The logical id goes first, where the place leads to it; then the
    /// description is cut, never what happened.
    fn title_in(&self, stack: &StackKind, columns: usize) -> String {
        let title = self.title(stack);
        let Some(sentence) = self.resource.as_deref() else {
            return title;
        };
        let id = self.logical_id.as_deref().filter(|_| self.place.is_none());
        let bare = self.titled(stack, Some(sentence), id);
        let over = measure_text_width(&bare).saturating_sub(columns);
        if measure_text_width(&title) <= columns {
            return title;
        }
        let kept = measure_text_width(sentence).saturating_sub(over).max(8);
        self.titled(stack, Some(&fit(sentence, kept)), id)
    }

    /// `from: network.nat (clusters/canary.yaml:17), edge.yaml:41`; without directories where it is long.
    fn from(&self, columns: usize) -> Option<String> {
        let place = self.place.as_ref()?;
        let field = place.field.as_deref().map(clean);
        let line = |field: Option<String>| {
            let parts: Vec<String> = field.into_iter().chain([clean(&place.template)]).collect();
            format!("from: {}", parts.join(", "))
        };
        let whole = line(field.clone());
        if measure_text_width(&whole) <= columns {
            return Some(whole);
        }
        Some(line(field.map(|field| {
            match (field.split_once('('), field.rsplit_once('/')) {
                (Some((name, _)), Some((_, file))) => format!("{name}({file}"),
                _ => field,
            }
        })))
    }

    fn hint(&self) -> Option<String> {
        self.hint.as_ref().map(|hint| format!("try: {hint}"))
    }

    /// Title and cause, one line each.
    pub fn short(&self, stack: &StackKind, width: usize) -> Vec<Line> {
        let title = self.title_in(stack, room(width));
        vec![
            Line::new(Mark::Failed, &title, width),
            Line::new(Mark::Detail, &self.short_reason(), width),
        ]
    }

    /// The report as texts of at most `columns`, in five lines or fewer, and those of a machine.
    pub fn report(
        &self,
        stack: &StackKind,
        now: &AfterFailure,
        columns: usize,
        detail: FailureDetail,
    ) -> Vec<String> {
        let said: Vec<String> = match detail {
            FailureDetail::Full => return self.full_report(stack, now, columns),
            FailureDetail::Brief => Vec::new(),
            FailureDetail::Final => {
                let first = self.lines.len().saturating_sub(MACHINE_LINES);
                let kept = self.lines.get(first..).unwrap_or_default();
                last_lines(kept).map(|line| fit(&line, columns)).collect()
            }
        };
        let fixed: Vec<String> = self.from(columns).into_iter().chain(self.hint()).collect();
        let spare = LINES.saturating_sub(3 + fixed.len());
        let cause = wrapped_within(&self.short_reason(), columns, 1 + spare);
        let spare = spare.saturating_sub(cause.len().saturating_sub(1));
        let now = now.lines(columns, 1 + spare);
        std::iter::once(self.title_in(stack, columns))
            .chain(cause)
            .chain(said)
            .chain(fixed)
            .chain(now)
            .collect()
    }

    fn full_report(&self, stack: &StackKind, now: &AfterFailure, columns: usize) -> Vec<String> {
        let cancelled = (!self.cancelled.is_empty())
            .then(|| format!("cancelled because of it: {}", self.cancelled.join(", ")));
        [self.title(stack), cause_first(&self.reason)]
            .into_iter()
            .chain(last_lines(&self.lines))
            .chain(self.from(usize::MAX))
            .chain(self.hint())
            .chain(cancelled)
            .chain([now.text()])
            .flat_map(|text| wrap(&text, columns))
            .collect()
    }
}

/// Wrapped, in at most so many lines; the last one ends in `..` where there is more.
fn wrapped_within(text: &str, columns: usize, lines: usize) -> Vec<String> {
    let mut wrapped = wrap(text, columns);
    if wrapped.len() > lines {
        let whole = wrapped.split_off(lines.saturating_sub(1)).join(" ");
        wrapped.push(fit(&whole, columns));
    }
    wrapped
}

/// The failures that were reported, so that each cause is reported once.
#[derive(Debug, Default)]
pub(super) struct Reported(BTreeMap<StackKind, FirstFailure>);

impl Reported {
    /// Whether the present failure of a stack was not reported yet; remembers that it is now.
    pub fn is_new(&mut self, stack: &StackKind, failure: Option<&FirstFailure>) -> bool {
        let Some(failure) = failure else {
            self.0.remove(stack);
            return false;
        };
        let known = self.0.insert(stack.clone(), failure.clone());
        known.is_none_or(|known| !known.is_same(failure))
    }
}
