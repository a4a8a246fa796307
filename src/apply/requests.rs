//! The single requests of a stack's way that need care: uploads, protection, clearing a failed
//! creation, and telling whether a request whose answer was lost has had its effect.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::board::Place;
use super::follow::Course;
use super::halt::{Halt, failed, unanswered, unbegun};
use super::patience::{Lost, patiently};
use super::run::Walk;
use super::step::protection;
use super::{Prepare, verdict};
use crate::cloud::{Cloud, CloudError, LiveStack, Operation, StackStatus, Store};
use crate::events::{Outcome, Verb};
use crate::plan::heal::look_inside;
use crate::plan::policy::relaxed;
use crate::plan::{self, Action, Blocked, Step, Terms};
use crate::stacks::{STATE_BUCKET, Stack};

/// How often a lost request is looked for; its events may be late.
const SEARCHES: usize = 3;

/// Whose operation made a stack that is there already.
pub(super) enum Begun {
    /// This very step's: the stack's ARN.
    Ours(String),
    Theirs(Box<LiveStack>),
}

impl<C: Cloud + Store, P: Prepare> Walk<'_, C, P> {
    /// Puts into the state bucket what the stack's machines will fetch.
    pub async fn upload(&self, stack: &Stack) -> Result<(), Halt> {
        if stack.objects.is_empty() {
            return Ok(());
        }
        let Some(bucket) = self.bucket() else {
            return Err(failed(format!(
                "the base stack has no output {STATE_BUCKET}, so there is no bucket to upload to"
            )));
        };
        for object in &stack.objects {
            let put = async || self.cloud.upload(&bucket, &object.key, &object.bytes).await;
            let (answer, _) = patiently(self.cloud, put).await;
            answer.map_err(|error| unanswered(&format!("uploading {}", object.key), error))?;
        }
        let text = match stack.objects.len() {
            1 => "its node bundle is in the state bucket".to_owned(),
            n => format!("its {n} node bundles are in the state bucket"),
        };
        self.tell.note(Some(&stack.kind), text);
        Ok(())
    }

    /// Sets termination protection and stack policy as the definition wants them, but without the
    /// policy's hand over the resources in `but`.
    pub async fn protect(
        &self,
        stack: &Stack,
        found: &LiveStack,
        but: &BTreeSet<String>,
    ) -> Result<(), Halt> {
        let mut wanted = protection(stack);
        if but.is_empty() {
            self.relaxed.borrow_mut().remove(&stack.kind);
        } else {
            let due = (found.id.clone(), wanted.clone());
            self.relaxed.borrow_mut().insert(stack.kind.clone(), due);
        }
        wanted.policy = wanted.policy.map(|policy| relaxed(&policy, but));
        let (answer, _) = patiently(self.cloud, async || {
            self.cloud.set_protection(&found.id, &wanted).await
        })
        .await;
        answer.map_err(|error| unanswered("setting its protection", error))
    }

    /// Sets the policy back that stepped aside for an update which is over by now.
    pub async fn set_back(&self, stack: &Stack, found: &LiveStack) -> Result<(), Halt> {
        let wanted = protection(stack);
        let (answer, _) = patiently(self.cloud, async || {
            self.cloud.set_protection(&found.id, &wanted).await
        })
        .await;
        match answer {
            Err(error @ CloudError::Credentials { .. }) => Err(Halt::Expired(error)),
            answer => answer.map_err(|error| {
                failed(format!(
                    "its update is over, but its stack policy still steps aside: {error}; \
                     run the same command again to set it back"
                ))
            }),
        }
    }

    /// Deletes the leftover of a failed creation, or a shell.
    /// Gives the stack back instead when it is not what it was when the plan was made.
    pub async fn clear(&self, step: &Step, found: &LiveStack) -> Result<Option<LiveStack>, Halt> {
        let kind = &step.stack.kind;
        let (now, _) = patiently(self.cloud, async || self.cloud.stack(&found.id).await).await;
        match now.map_err(|error| unanswered("", error))? {
            None => return Ok(None),
            Some(now) if now.status == StackStatus::DeleteComplete => return Ok(None),
            Some(now) if now.status != found.status => return Ok(Some(now)),
            Some(_) => {}
        }
        if let Some(why) = self.grew(step, found).await? {
            return Err(failed(format!("{}; {}", why.reason, why.next)));
        }
        self.tell.note(
            Some(kind),
            format!("removing what is left of {} first", found.name),
        );
        let token = plan::token(self.session.run, &step.stack.name, "clear");
        if found.termination_protection {
            let open = crate::cloud::Protection {
                termination: false,
                policy: None,
            };
            let (answer, _) = patiently(self.cloud, async || {
                self.cloud.set_protection(&found.id, &open).await
            })
            .await;
            answer.map_err(|error| unanswered("unlocking the leftover", error))?;
        }
        self.board.set(kind, Place::Running);
        let (answer, lost) = patiently(self.cloud, async || {
            self.cloud.delete(&found.id, &token).await
        })
        .await;
        match answer {
            Ok(()) => {}
            Err(CloudError::NotFound(_)) => return Ok(None),
            // An earlier try may have had its effect, whatever the last one was told.
            Err(error)
                if lost == Lost::Some && !matches!(error, CloudError::Credentials { .. }) =>
            {
                return Err(Halt::Lost(format!(
                    "{error}; whether its removal began is not known"
                )));
            }
            Err(error) => {
                self.board.set(kind, Place::Waiting);
                return Err(unanswered("removing the leftover", error));
            }
        }
        let operation = Operation {
            stack_id: found.id.clone(),
            token: Some(token),
        };
        let rest = self
            .follow(step, &operation, Verb::Delete, Course::Forth)
            .await?;
        if rest.status == StackStatus::DeleteComplete {
            return Ok(None);
        }
        let failure = step.worded(self.session, |words| {
            verdict::failure(Verb::Delete, &rest, words)
        });
        Err(Halt::at_rest(Outcome::Failed(failure)))
    }

    /// Why a leftover may not go any more, if somebody put something into it since the plan.
    async fn grew(&self, step: &Step, found: &LiveStack) -> Result<Option<Blocked>, Halt> {
        let none = BTreeSet::new();
        let terms = Terms::new(self.session.run, &none, &none);
        let look = async || look_inside(found, step.before.as_ref(), self.cloud, &terms).await;
        let (answer, _) = patiently(self.cloud, look).await;
        match answer.map_err(|error| unanswered("", error))? {
            Action::Blocked(why) => Ok(Some(why)),
            _ => Ok(None),
        }
    }

    /// A creation that AWS refused: nothing of it began.
    pub fn refusal(&self, stack: &Stack, error: CloudError) -> Halt {
        self.board.set(&stack.kind, Place::Waiting);
        match error {
            CloudError::Credentials { .. } => Halt::Expired(error),
            error if error.is_transient() => unbegun(error.to_string()),
            error => failed(error.to_string()),
        }
    }

    /// A stack of that name is there already: this step's own doing, or somebody else's.
    pub async fn begun(
        &self,
        stack: &Stack,
        token: &str,
        lost: Lost,
        refusal: &CloudError,
    ) -> Result<Begun, Halt> {
        let (all, _) = patiently(self.cloud, async || {
            self.cloud.stacks(Some(self.cluster)).await
        })
        .await;
        let all = all.map_err(|error| unanswered("", error))?;
        let mut all = all.into_iter();
        let Some(found) = all.find(|found| found.name == stack.name) else {
            return Err(failed(format!(
                "{refusal}; it does not belong to {}, so it is left alone",
                self.cluster
            )));
        };
        let operation = Operation {
            stack_id: found.id.clone(),
            token: Some(token.to_owned()),
        };
        if self.has_begun(&operation, lost).await {
            return Ok(Begun::Ours(found.id));
        }
        Ok(Begun::Theirs(Box::new(found)))
    }

    /// Whether an operation shows by its token, although its request had no answer.
    pub async fn has_begun(&self, operation: &Operation, lost: Lost) -> bool {
        let searches = match lost {
            Lost::None => 1,
            Lost::Some => SEARCHES,
        };
        for search in 0..searches {
            if search > 0 {
                self.cloud.sleep(Duration::from_secs(2)).await;
            }
            let events = self.cloud.events(operation, &HashSet::new()).await;
            if events.is_ok_and(|events| !events.is_empty()) {
                return true;
            }
        }
        false
    }
}
