//! One read of what a cluster has in AWS: its stacks and their templates, nothing else.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;

use crate::cloud::{Cloud, CloudError, LiveStack, OpenChangeSet, StackStatus};

/// What stands in the account for a cluster.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Survey {
    pub cluster: String,
    /// Its stacks, without those already deleted.
    pub found: Vec<LiveStack>,
    /// Templates by the stack's ARN; a stack that has none yet (a change set under review) is absent.
    pub templates: BTreeMap<String, Value>,
    /// The change sets that lie in each shell (`REVIEW_IN_PROGRESS`), by the stack's ARN.
    pub shells: BTreeMap<String, Vec<OpenChangeSet>>,
}

impl Survey {
    /// The stack of this name.
    pub fn named(&self, name: &str) -> Option<&LiveStack> {
        self.found.iter().find(|found| found.name == name)
    }
}

/// Reads the stacks of a cluster and their templates.
pub async fn survey(cloud: &impl Cloud, cluster: &str) -> Result<Survey, CloudError> {
    let mut found = cloud.stacks(Some(cluster)).await?;
    found.retain(|stack| stack.status != StackStatus::DeleteComplete);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let answers = join_all(found.iter().map(|stack| cloud.template(&stack.id))).await;
    let mut templates = BTreeMap::new();
    for (stack, answer) in found.iter().zip(answers) {
        match answer {
            Ok(template) => {
                templates.insert(stack.id.clone(), template);
            }
            // A stack under review has no template yet, one just deleted has none any more.
            Err(CloudError::NotFound(_) | CloudError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut shells = BTreeMap::new();
    let reviewed = |stack: &&LiveStack| stack.status == StackStatus::ReviewInProgress;
    for stack in found.iter().filter(reviewed) {
        shells.insert(stack.id.clone(), cloud.change_sets(&stack.id).await?);
    }
    Ok(Survey {
        cluster: cluster.to_owned(),
        found,
        templates,
        shells,
    })
}
