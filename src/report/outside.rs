//! What lies outside the stacks as text: what a deletion removes, keeps and leaves alone, what is kept costs from then on,
//! and what remains at its end.

mod buckets;
mod commands;
mod contents;
mod encrypted;
mod end;
mod json;
mod kept;
mod kubernetes;
mod money;
mod names;
mod obstacles;
mod page;
mod removed;
mod row;
mod stays;

use crate::cloud::outside::OutsideKind;
use crate::plan::{Blocked, DeletePlan};
use crate::report::deletion::Stream;
use crate::sweep::kinds::row;
use crate::sweep::kubernetes::Seen;
use crate::sweep::{Inventory, Obstacles};
use contents::Contents;
use page::Page;

pub use buckets::{BucketContents, StateBucket, state_bucket};
pub(super) use commands::{save_volume, steps};
pub(super) use encrypted::end;
pub use end::{orphans, remains};
pub use json::json;
pub(super) use kept::{kept_line, past};
pub(super) use money::monthly;
pub(super) use names::{more_of, purpose, short, size};
pub use obstacles::refusal;
pub use row::FoundRow;
pub(super) use row::cents;

/// How everything is seen that a list does not show.
const MORE: &str = "`--plan -o json` lists all";

/// What a deletion would do, for the question and for `--plan`.
#[derive(Clone, Copy)]
pub struct DeletionView<'a> {
    pub plan: &'a DeletePlan,
    pub inventory: &'a Inventory,
    pub kubernetes: &'a Seen,
    pub delete_volumes: bool,
    /// What keeps something of it from being removed.
    pub obstacles: &'a Obstacles,
    /// State buckets that go.
    pub buckets: &'a [StateBucket],
    pub account: &'a str,
    pub region: &'a str,
    /// Why nothing would be deleted.
    pub refused: Option<&'a Blocked>,
    /// Whether it is accepted that something could not be looked for.
    pub accepts_unknown: bool,
    /// Whether it is accepted that something can't be removed.
    pub accepts_obstacles: bool,
    pub stream: Stream,
}

/// What a deletion does with what lies outside the stacks, in lines for 80 columns. It always says what was looked for.
pub fn deletion(view: &DeletionView<'_>) -> String {
    let contents = Contents::of(view);
    let mut sections = Page::of(view.stream);
    obstacles::section(&mut sections, view);
    kubernetes::section(&mut sections, view, &contents);
    removed::removed(&mut sections, view, &contents);
    stays::section(&mut sections, view, &contents);
    kept::kept(&mut sections, view, &contents);
    kept::lost(&mut sections, view, &contents);
    removed::foreign(&mut sections, view, &contents);
    removed::unknown(&mut sections, view);
    let mut page = sections.part();
    page.line(0, &head(view));
    page.append(&sections);
    page.into_text()
}

/// What was found, or that there was nothing.
fn head(view: &DeletionView<'_>) -> String {
    let cluster = &view.plan.cluster;
    if !view.inventory.found.is_empty() {
        return format!("outside the stacks of {cluster}:");
    }
    let unknown = &view.inventory.unknown;
    let looked = OutsideKind::ALL
        .iter()
        .filter(|kind| !unknown.iter().any(|unknown| unknown.kind == **kind));
    let looked: Vec<&str> = looked.map(|kind| row(*kind).plural).collect();
    match looked.split_last() {
        None => format!("outside the stacks of {cluster} nothing could be looked for:"),
        Some((last, [])) => {
            format!("outside the stacks of {cluster} nothing was found; looked for {last}")
        }
        Some((last, rest)) => format!(
            "outside the stacks of {cluster} nothing was found; looked for {} and {last}",
            rest.join(", ")
        ),
    }
}
