//! What is refused because of the sizes that run, with what to write in its place.

use super::{
    GROUP, Grown, LIMIT, STORAGE, VERSION, differs, is_older, note_grown, of_type, plain, resizes,
    whole,
};
use crate::cloud::{LiveDatabase, ScalingGroup};
use crate::common::arn::region_option;
use crate::plan::{Blocked, Code, Step};

/// A group in which more machines run than its new maximum allows.
struct Crowded<'a> {
    id: &'a str,
    group: &'a ScalingGroup,
    max: u32,
}

/// Compares the groups that were read with what the step does to them.
pub(in crate::plan) fn note_groups(step: &mut Step, groups: &[(String, ScalingGroup)]) {
    let rebalancing = groups.iter().filter(|(_, group)| group.rebalances());
    step.sizes.rebalancing = rebalancing.map(|(id, _)| id.clone()).collect();
    let template = &step.stack.template;
    let crowded = groups.iter().filter_map(|(id, group)| {
        let max = whole(template, id, "MaxSize")?;
        (resizes(step, id) && max < group.desired).then_some(Crowded { id, group, max })
    });
    let crowded: Vec<_> = crowded.collect();
    if !crowded.is_empty() {
        let why = Blocked::by_guard(
            Code::MaxBelowRunning,
            crowded_reason(step, &crowded),
            crowded_remedy(step, &crowded),
        );
        step.block(why);
    }
}

fn crowded_reason(step: &Step, crowded: &[Crowded<'_>]) -> String {
    let each = crowded.iter().map(|Crowded { id, group, max }| {
        let (runs, what) = (group.desired, step.description(id));
        format!("{runs} machines run in {what} ({id}), the definition allows {max}")
    });
    format!(
        "{}: AWS would lower the group to its maximum and terminate machines undrained",
        each.collect::<Vec<_>>().join("; ")
    )
}

fn crowded_remedy(step: &Step, crowded: &[Crowded<'_>]) -> String {
    let region = step
        .found
        .as_ref()
        .map_or_else(String::new, |found| region_option(&found.id));
    let largest = crowded.iter().map(|one| one.group.desired).max();
    let groups = of_type(&step.stack.template, GROUP).count();
    // A pool's maximum is shared out evenly over its groups.
    let groups = u32::try_from(groups).unwrap_or(u32::MAX);
    let fits = largest.unwrap_or_default().saturating_mul(groups);
    // Below its minimum a group takes no machine out.
    let first = if crowded.iter().any(|one| one.max < one.group.min) {
        "lower `min` alone with an apply of its own, then take machines out"
    } else {
        "take machines out first"
    };
    format!(
        "write `max: {fits}` for the pool, or {first}: wait for the autoscaler, or for each `kubectl drain NODE \
         --ignore-daemonsets --delete-emptydir-data`, then `aws autoscaling \
         terminate-instance-in-auto-scaling-group{region} --instance-id ID --should-decrement-desired-capacity`"
    )
}

/// Compares a database that was read with what the step does to it.
pub(in crate::plan) fn note_database(step: &mut Step, id: &str, live: &LiveDatabase) {
    let runs = live.engine_version.clone();
    step.sizes.engines.insert(id.to_owned(), runs);
    let why = less_storage(step, id, live)
        .or_else(|| lower_limit(step, id, live))
        .or_else(|| older_version(step, id, live));
    if let Some(why) = why {
        return step.block(why);
    }
    let template = plain(&step.stack.template, id, VERSION);
    if let Some(template) = template.filter(|version| is_older(version, &live.engine_version)) {
        let grown = Grown {
            logical_id: id.to_owned(),
            property: VERSION,
            template,
            live: live.engine_version.clone(),
        };
        note_grown(step, grown);
    }
}

fn what(step: &Step, id: &str) -> String {
    format!("{} ({id})", step.description(id))
}

/// CloudFormation sends the storage of the template with every change of the instance, whether that differs or not.
fn less_storage(step: &Step, id: &str, live: &LiveDatabase) -> Option<Blocked> {
    let has = live.storage_gib;
    let wanted = whole(&step.stack.template, id, STORAGE).filter(|wanted| *wanted < has)?;
    let before = step.before.as_ref();
    let before = before.and_then(|before| whole(before, id, STORAGE));
    let what = what(step, id);
    let grew = if before.is_some_and(|before| before < has) {
        format!("RDS grew {what} to {has} GiB by itself")
    } else {
        format!("{what} has {has} GiB")
    };
    Some(Blocked::by_guard(
        Code::StorageShrink,
        format!(
            "{grew}, the definition has {wanted}: CloudFormation would send that with this change, and RDS refuses \
             less than there is"
        ),
        format!("write `storageGib: {has}` under `database:`"),
    ))
}

fn lower_limit(step: &Step, id: &str, live: &LiveDatabase) -> Option<Blocked> {
    let has = live.storage_gib;
    let wanted = whole(&step.stack.template, id, LIMIT).filter(|limit| *limit < has)?;
    if !differs(step, id, LIMIT) {
        return None;
    }
    // RDS wants a limit at least a tenth above what there is.
    let least = has.saturating_add(has.div_ceil(10));
    let what = what(step, id);
    Some(Blocked::by_guard(
        Code::StorageShrink,
        format!(
            "{what} has {has} GiB, more than the limit of {wanted} in the definition: RDS refuses it"
        ),
        format!("write a `storageLimitGib` of at least {least} under `database:`"),
    ))
}

fn older_version(step: &Step, id: &str, live: &LiveDatabase) -> Option<Blocked> {
    let runs = &live.engine_version;
    let wanted = plain(&step.stack.template, id, VERSION);
    let wanted = wanted.filter(|wanted| is_older(wanted, runs) && differs(step, id, VERSION))?;
    let what = what(step, id);
    Some(Blocked::by_guard(
        Code::EngineDowngrade,
        format!(
            "{what} runs version {runs}, the definition says {wanted}: RDS never goes back to an older version"
        ),
        format!("write `engineVersion: \"{runs}\"` under `database:`"),
    ))
}
