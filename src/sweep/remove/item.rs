//! One resource that is to go: what is to be done with it, and how far that is.

use std::time::Duration;

use jiff::Timestamp;

use super::{Key, Wish};
use crate::cloud::CloudError;
use crate::cloud::outside::{OutsideKind, OutsideResource};
use crate::common::clock::elapsed;
use crate::sweep::classify::is_ending;
use crate::sweep::inventory::Found;
use crate::sweep::kinds::End;
use crate::sweep::listing::reason;
use crate::sweep::owner::{Disposition, Owner};

/// After this time a removal that AWS accepted is asked for again, if nothing shows that it goes on.
const ASK_AGAIN: Duration = Duration::from_mins(1);
/// What AWS says where a resource is protected from deletion, by a switch that somebody has set:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html>,
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingDisableAPITermination.html>.
const PROTECTED: [&str; 3] = [
    "deletion protection",
    "disableApiTermination",
    "disableApiStop",
];

/// What is to be done with a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Remove,
    /// AWS removes it by itself, with what it belongs to.
    Await,
    /// It should go, and this removal may not do it.
    Name(String),
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing was asked yet.
    Waiting,
    /// AWS accepted its removal at that time.
    Begun(Timestamp),
    /// AWS refused for now, or did not answer; its words.
    Refused(String),
    /// It is not tried any more, for this reason.
    GivenUp(String),
    Gone,
}

#[derive(Debug)]
pub(super) struct Item {
    pub found: Found,
    pub task: Task,
    pub progress: Progress,
}

/// What a removal does with a resource; `None` for nothing. What appears after the consent goes too where Kubernetes made
/// it and it holds no data: it is the last act of a controller.
pub(super) fn task(found: &Found, wish: Wish<'_>) -> Option<Task> {
    let resource = &found.resource;
    let row = found.row();
    match found.becomes(wish.delete_volumes) {
        Disposition::Removed if is_ending(resource) || resource.by_aws => Some(Task::Await),
        Disposition::Removed if wish.has_consent(found) => Some(Task::Remove),
        Disposition::Removed if needs_consent(found) => {
            let is_data = is_kept(found, wish);
            (!is_data).then(|| {
                Task::Name(format!(
                    "this {} was not there when the deletion was confirmed",
                    row.name
                ))
            })
        }
        Disposition::Removed => Some(Task::Remove),
        Disposition::Untouched if row.end == End::Named && found.owner == Owner::Stack => {
            Some(Task::Name(format!(
                "the stack that made it is gone; it holds data, and kube-cfn never deletes a {} itself",
                row.name
            )))
        }
        Disposition::Kept | Disposition::Untouched => None,
    }
}

/// Whether a removal leaves it where it is, on purpose: data, and what would go but was not agreed to.
pub(super) fn is_kept(found: &Found, wish: Wish<'_>) -> bool {
    match found.becomes(wish.delete_volumes) {
        Disposition::Kept => true,
        Disposition::Untouched => false,
        Disposition::Removed => {
            found.row().holds_data && !wish.has_consent(found) && !is_ending(&found.resource)
        }
    }
}

/// DNS records are global: a cluster of the same name in another region may have them.
fn needs_consent(found: &Found) -> bool {
    let is_record = found.resource.kind == OutsideKind::DnsRecord;
    found.row().holds_data || is_record || found.owner != Owner::Kubernetes
}

impl Item {
    pub fn new(found: Found, task: Task) -> Self {
        Self {
            found,
            progress: Progress::first(&task),
            task,
        }
    }

    /// One with which an earlier call was done.
    pub fn ended(found: Found, progress: Progress) -> Self {
        Self {
            found,
            task: Task::Remove,
            progress,
        }
    }

    /// Takes in what was found of it now. Whether it moved.
    pub fn update(&mut self, found: Found, task: Task) -> bool {
        let is_back = self.progress == Progress::Gone;
        // What used it is gone; or what uses it stays.
        let is_free = self.is_given_up() && self.task.is_name() && !task.is_name();
        let is_used = task.is_name() && !self.is_given_up() && !self.was_begun();
        if is_back || is_free || is_used {
            self.progress = Progress::first(&task);
        }
        let facts = |resource: &OutsideResource| (resource.state.clone(), resource.uses.clone());
        let has_changed = facts(&found.resource) != facts(&self.found.resource);
        self.found = found;
        self.task = task;
        has_changed
    }

    /// It is not listed any more. Whether that is new.
    pub fn end(&mut self) -> bool {
        let is_new = self.progress != Progress::Gone;
        self.progress = Progress::Gone;
        is_new
    }

    /// Whether it is to go, is there, and was not given up.
    pub fn is_active(&self) -> bool {
        !matches!(self.progress, Progress::Gone | Progress::GivenUp(_))
    }

    /// Whether AWS is to be asked now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.task == Task::Remove
            && match &self.progress {
                Progress::Waiting | Progress::Refused(_) => true,
                Progress::Begun(at) => elapsed(*at, now) >= ASK_AGAIN,
                Progress::GivenUp(_) | Progress::Gone => false,
            }
    }

    /// Takes in AWS's answer. Whether it moved.
    pub fn answered(&mut self, answer: Result<(), CloudError>, now: Timestamp) -> bool {
        let was_begun = self.was_begun();
        self.progress = match answer {
            Ok(()) | Err(CloudError::NotFound(_)) => Progress::Begun(now),
            Err(error @ CloudError::Denied { .. }) => Progress::GivenUp(reason(&error)),
            Err(error) if is_protected(&error) => Progress::GivenUp(words(&error)),
            Err(error) => Progress::Refused(words(&error)),
        };
        matches!(self.progress, Progress::Begun(_)) && !was_begun
    }

    fn was_begun(&self) -> bool {
        matches!(self.progress, Progress::Begun(_))
    }

    pub fn was_refused(&self) -> bool {
        matches!(self.progress, Progress::Refused(_))
    }

    pub fn is_given_up(&self) -> bool {
        matches!(self.progress, Progress::GivenUp(_))
    }

    pub fn key(&self) -> Key {
        (self.found.resource.kind, self.found.resource.id.clone())
    }
}

impl Task {
    fn is_name(&self) -> bool {
        matches!(self, Self::Name(_))
    }
}

impl Progress {
    fn first(task: &Task) -> Self {
        match task {
            Task::Name(why) => Self::GivenUp(why.clone()),
            Task::Remove | Task::Await => Self::Waiting,
        }
    }
}

fn is_protected(error: &CloudError) -> bool {
    let text = error.to_string();
    PROTECTED.iter().any(|words| text.contains(words))
}

/// AWS's own sentence, where it is one.
fn words(error: &CloudError) -> String {
    match error {
        CloudError::Refused { message, .. } => format!("AWS: {message}"),
        error => error.to_string(),
    }
}
