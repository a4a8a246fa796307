//! Reading the live sizes of what a step changes, and of the groups over several zones; and what `doctor` says of those.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::Value;

use super::protection::{LayerState, ProtectionLayer};
use super::{Step, Survey, sizes, status};
use crate::cloud::{AZ_REBALANCE, Cloud, CloudError, LiveStack, ScalingGroup};
use crate::common::arn::region_option;
use crate::stacks::{Stack, StackKind, description};

/// Reads what the step depends on, and refuses what does not fit it. What may not be read is noted as unknown.
pub async fn note(step: &mut Step, cloud: &impl Cloud) -> Result<(), CloudError> {
    step.sizes.rebalancing.clear();
    step.sizes.unknown.clear();
    let asked = sizes::questions(step);
    let (Some(found), Some(before)) = (&step.found, &step.before) else {
        return Ok(());
    };
    if asked.is_empty() {
        return Ok(());
    }
    let all: Vec<&String> = asked.groups.iter().chain(&asked.databases).collect();
    let place = (found.id.as_str(), &found.outputs);
    let names = match readable(physical_ids(cloud, place, before, &all).await.map(Some))? {
        Ok(names) => names,
        Err(why) => {
            for id in all {
                sizes::note_unknown(step, id, &why);
            }
            return Ok(());
        }
    };
    let name = |id: &String| names.get(id).map_or("", String::as_str);
    let groups = asked.groups.iter();
    let groups = join_all(groups.map(async |id| (id, cloud.group(name(id)).await))).await;
    let databases = asked.databases.iter();
    let databases = join_all(databases.map(async |id| (id, cloud.database(name(id)).await))).await;
    let (mut known, mut found, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (id, answer) in groups {
        match readable(answer)? {
            Ok(group) => known.push((id.clone(), group)),
            Err(why) => unknown.push((id, why)),
        }
    }
    for (id, answer) in databases {
        match readable(answer)? {
            Ok(database) => found.push((id, database)),
            Err(why) => unknown.push((id, why)),
        }
    }
    for (id, why) in unknown {
        sizes::note_unknown(step, id, &why);
    }
    sizes::note_groups(step, &known);
    for (id, database) in found {
        sizes::note_database(step, id, &database);
    }
    Ok(())
}

/// The engine versions that run, by logical id, of the databases whose major version the wanted stacks change. One that
/// may not be read is left out.
///
/// # Errors
/// AWS did not answer.
pub async fn engines(
    survey: &Survey,
    wanted: &[Stack],
    cloud: &impl Cloud,
) -> Result<BTreeMap<String, String>, CloudError> {
    let mut all = BTreeMap::new();
    for stack in wanted {
        let found = survey.named(&stack.name);
        let found = found.filter(|found| status::runs(&found.status));
        let Some((found, before)) = found.zip(found.and_then(|it| survey.templates.get(&it.id)))
        else {
            continue;
        };
        let moving = sizes::moving_majors(before, &stack.template);
        if moving.is_empty() {
            continue;
        }
        let ids: Vec<&String> = moving.iter().collect();
        let place = (found.id.as_str(), &found.outputs);
        let names = readable(physical_ids(cloud, place, before, &ids).await.map(Some))?;
        for (id, name) in names.unwrap_or_default() {
            if !moving.contains(&id) {
                continue;
            }
            if let Ok(database) = readable(cloud.database(&name).await)? {
                all.insert(id, database.engine_version);
            }
        }
    }
    Ok(all)
}

/// What was read, or why the caller may not know it. `Err` where it is worth asking again.
fn readable<T>(answer: Result<Option<T>, CloudError>) -> Result<Result<T, String>, CloudError> {
    match answer {
        Ok(Some(found)) => Ok(Ok(found)),
        Ok(None) => Ok(Err("it does not exist".to_owned())),
        Err(
            error @ (CloudError::Denied { .. }
            | CloudError::Refused { .. }
            | CloudError::NotFound(_)),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// The physical ids of some resources of a stack by logical id: from the outputs that name them, else from
/// CloudFormation, by the stack's ARN or its name.
pub async fn physical_ids(
    cloud: &impl Cloud,
    (stack, outputs): (&str, &BTreeMap<String, String>),
    template: &Value,
    wanted: &[&String],
) -> Result<BTreeMap<String, String>, CloudError> {
    let declared = template.get("Outputs").and_then(Value::as_object);
    let named = declared.into_iter().flatten().filter_map(|(key, output)| {
        let id = output["Value"]["Ref"].as_str()?;
        Some((id.to_owned(), outputs.get(key)?.clone()))
    });
    let named: BTreeMap<String, String> = named.collect();
    if wanted.iter().all(|id| named.contains_key(*id)) {
        return Ok(named);
    }
    let resources = cloud.resources(stack).await?;
    let there = resources.into_iter().filter(|one| !one.status.is_delete());
    let known = there.filter_map(|one| Some((one.logical_id, one.physical_id?)));
    Ok(known.collect())
}

/// A layer for each group over several zones: whether `AZRebalance` is suspended in it.
pub async fn layers(cloud: &impl Cloud, survey: &Survey, wanted: &[Stack]) -> Vec<ProtectionLayer> {
    let at_rest = |found: &&LiveStack| status::rests(&found.status);
    let read = survey.found.iter().filter(at_rest).map(async |found| {
        let Some(template) = survey.templates.get(&found.id) else {
            return Vec::new();
        };
        let groups = sizes::regional_groups(template);
        let ids: Vec<&String> = groups.iter().collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let place = (found.id.as_str(), &found.outputs);
        let names = physical_ids(cloud, place, template, &ids).await;
        let names = names.map_err(|error| error.to_string());
        let layer = async |id: &String| {
            let name = match &names {
                Ok(names) => names.get(id).cloned().unwrap_or_default(),
                Err(why) => return Some(layer(survey, wanted, found, id, "", Err(why.clone()))),
            };
            let group = match cloud.group(&name).await {
                Ok(Some(group)) if group.zones.len() < 2 => return None,
                Ok(Some(group)) => Ok(group),
                Ok(None) => Err("it does not exist".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            Some(layer(survey, wanted, found, id, &name, group))
        };
        let layers = join_all(groups.iter().map(layer)).await;
        layers.into_iter().flatten().collect()
    });
    join_all(read).await.into_iter().flatten().collect()
}

fn layer(
    survey: &Survey,
    wanted: &[Stack],
    found: &LiveStack,
    id: &str,
    name: &str,
    group: Result<ScalingGroup, String>,
) -> ProtectionLayer {
    let template = survey.templates.get(&found.id);
    let resource = template.and_then(|template| description(template, id));
    let (state, text) = match group {
        Ok(group) if group.rebalances() => (
            LayerState::Missing,
            "not suspended: AWS may terminate machines undrained to even out zones".to_owned(),
        ),
        Ok(_) => (LayerState::Holds, "suspended".to_owned()),
        Err(why) => (LayerState::Unknown, format!("could not be read: {why}")),
    };
    // `apply` leaves alone what the definition no longer has.
    let defined = wanted.iter().any(|stack| stack.name == found.name);
    let region = region_option(&found.id);
    let next = if defined {
        format!("`kube-cfn apply {}`", survey.cluster)
    } else {
        format!(
            "`aws autoscaling suspend-processes{region} --auto-scaling-group-name {name} --scaling-processes {AZ_REBALANCE}`"
        )
    };
    ProtectionLayer {
        stack: StackKind::parse(&found.kind).unwrap_or(StackKind::Base),
        resource: Some(resource.unwrap_or(id).to_owned()),
        layer: AZ_REBALANCE,
        state,
        text,
        next: (state == LayerState::Missing).then_some(next),
    }
}
