//! Machines whose boot failed, each in a few lines: which, why, what helps, and where it was read.

use super::line::{Line, Mark, room};
use crate::common::text::{clean, wrap};
use crate::events::{BootFinding, BootSource};

/// Of one machine, in lines of `width` columns. `stack` is the kind of its stack, where that is known.
pub fn failed_boot(stack: Option<&str>, boot: &BootFinding, width: usize) -> Vec<Line> {
    let stack = stack.map_or(String::new(), |stack| format!("{}: ", clean(stack)));
    let remedy = boot.cause.map(|cause| format!("try: {}", cause.remedy));
    let read = match &boot.source {
        BootSource::StoredLog { key, written } => {
            let at = written.strftime("%Y-%m-%d %H:%M UTC");
            format!(
                "failed at {at}; its log is {} in the state bucket",
                clean(key)
            )
        }
        BootSource::Console => "read on its console; it stored no log".to_owned(),
    };
    let texts: Vec<String> = [
        format!("{stack}the boot of a machine failed"),
        clean(&boot.reason()),
    ]
    .into_iter()
    .chain(remedy)
    .chain(last_lines(&boot.lines))
    .chain([read])
    .flat_map(|text| wrap(&text, room(width)))
    .collect();
    Line::group(Mark::Failed, texts, width)
}

/// What a machine said last, one line each.
pub(super) fn last_lines(lines: &[String]) -> impl Iterator<Item = String> {
    lines.iter().map(|line| format!("said: {}", clean(line)))
}
