//! Databases that RDS would not create: an engine version that it has retired is refused before anything is made. A
//! database that runs such a version stays as it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::changes::{INSTANCE, resources};
use super::status::stays;
use super::{Blocked, Code, Survey};
use crate::catalog::engines::{self, EngineOffer};
use crate::stacks::{Stack, StackKind};

/// What is refused, by stack. `place` is where the definition has the version.
pub fn refused(stacks: &[Stack], survey: &Survey, place: &str) -> BTreeMap<StackKind, Blocked> {
    let refusal = |stack: &Stack| {
        let template = living_template(stack, survey);
        let databases = resources(&stack.template, INSTANCE);
        let mut refusals =
            databases.filter_map(|(id, wanted)| refusal(id, wanted, template, place));
        Some((stack.kind.clone(), refusals.next()?))
    };
    stacks.iter().filter_map(refusal).collect()
}

/// The template of a stack whose resources exist; a leftover of a failed creation is made again.
pub(super) fn living_template<'a>(stack: &Stack, survey: &'a Survey) -> Option<&'a Value> {
    let found = survey.named(&stack.name)?;
    let template = survey.templates.get(&found.id)?;
    stays(&found.status).then_some(template)
}

fn refusal(id: &str, wanted: &Value, living: Option<&Value>, place: &str) -> Option<Blocked> {
    let version = wanted["EngineVersion"].as_str()?;
    let EngineOffer::Retired { nearest } = engines::postgres(version) else {
        return None;
    };
    let mut running = living
        .into_iter()
        .flat_map(|living| resources(living, INSTANCE));
    let running = running.find(|(other, _)| *other == id);
    let date = engines::as_of();
    let what = match running {
        Some((_, now)) if now["EngineVersion"] == version => return None,
        Some(_) => format!("RDS moves no database to PostgreSQL {version} any more"),
        // A snapshot is restored in the version that it was taken from.
        None if wanted.get("DBSnapshotIdentifier").is_some() => return None,
        None => format!("RDS creates no new database of PostgreSQL {version} any more"),
    };
    Some(Blocked::by_guard(
        Code::EngineRetired,
        format!("{what} (as of {date})"),
        format!("set `database.engineVersion` to {nearest} or newer in {place}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{LiveStack, StackStatus};
    use serde_json::json;

    fn template(version: &str, snapshot: bool) -> Value {
        let mut template = json!({"Resources": {"Database":
            {"Type": "AWS::RDS::DBInstance", "Properties": {"EngineVersion": version}}}});
        if snapshot {
            template["Resources"]["Database"]["Properties"]["DBSnapshotIdentifier"] = json!("old");
        }
        template
    }

    fn wanted(version: &str, snapshot: bool) -> Vec<Stack> {
        vec![Stack {
            kind: StackKind::Database,
            name: "canary-database".to_owned(),
            template: template(version, snapshot),
            inputs: Vec::new(),
            capabilities: Vec::new(),
            tags: BTreeMap::new(),
            policy: None,
            termination_protection: false,
            objects: Vec::new(),
        }]
    }

    fn survey(status: StackStatus, version: &str) -> Survey {
        let found = LiveStack {
            id: "id".to_owned(),
            name: "canary-database".to_owned(),
            cluster: "canary".to_owned(),
            kind: "database".to_owned(),
            status,
            reason: None,
            parameters: BTreeMap::new(),
            outputs: BTreeMap::new(),
            tags: BTreeMap::new(),
            termination_protection: false,
            created: jiff::Timestamp::UNIX_EPOCH,
            updated: None,
        };
        Survey {
            cluster: "canary".to_owned(),
            templates: BTreeMap::from([(found.id.clone(), template(version, false))]),
            found: vec![found],
            ..Survey::default()
        }
    }

    fn said(stacks: &[Stack], survey: &Survey) -> Option<String> {
        let refused = refused(stacks, survey, "clusters/canary.yaml:9");
        refused
            .into_values()
            .next()
            .map(|why| format!("{}; {}", why.reason, why.remedy))
    }

    #[test]
    fn new_database_of_a_retired_version_is_refused() {
        let nothing = Survey::default();
        let text = said(&wanted("17.4", false), &nothing).unwrap();
        assert!(
            text.contains("creates no new database of PostgreSQL 17.4"),
            "{text}"
        );
        assert!(
            text.contains("to 17.5 or newer in clusters/canary.yaml:9"),
            "{text}"
        );
        assert_eq!(said(&wanted("17.5", false), &nothing), None);
        assert_eq!(said(&wanted("17.99", false), &nothing), None);
        assert_eq!(said(&wanted("17.4", true), &nothing), None);
        let leftover = survey(StackStatus::RollbackComplete, "17.4");
        assert!(said(&wanted("17.4", false), &leftover).is_some());
    }

    #[test]
    fn running_database_of_a_retired_version_stays() {
        let runs = |version| survey(StackStatus::CreateComplete, version);
        assert_eq!(said(&wanted("17.4", false), &runs("17.4")), None);
        assert_eq!(said(&wanted("17.5", false), &runs("17.4")), None);
        let text = said(&wanted("17.4", false), &runs("16.15")).unwrap();
        assert!(
            text.contains("moves no database to PostgreSQL 17.4"),
            "{text}"
        );
    }
}
