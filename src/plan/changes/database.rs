//! Rows of the database, by the rules of RDS for PostgreSQL. A database that is replaced is none of theirs: its loss is
//! named as a whole.

use serde_json::Value;

use super::{Loss, Pair, Refusal, Verdict, number};
use crate::catalog::resources::create_only;
use crate::common::arn::region_option;
use crate::plan::Code;

/// Type of a database.
pub(in crate::plan) const INSTANCE: &str = "AWS::RDS::DBInstance";
/// Days of automated backups.
pub(in crate::plan) const BACKUPS: &str = "BackupRetentionPeriod";
/// Replaces an instance where it changes, although CloudFormation calls that conditional.
const SNAPSHOT: &str = "DBSnapshotIdentifier";

/// The instances that stay, with their properties of today and wanted.
fn instances(pair: Pair<'_>) -> impl Iterator<Item = (&str, &Value, &Value)> {
    let fixed = create_only(INSTANCE).map_or(&[][..], |known| &known.create_only);
    pair.staying(INSTANCE).filter(|(_, was, is)| {
        let mut fixed = fixed.iter().map(String::as_str).chain([SNAPSHOT]);
        fixed.all(|name| was[name] == is[name])
    })
}

pub(super) fn storage(pair: Pair<'_>) -> Vec<Verdict> {
    let changed = instances(pair).filter_map(|(id, was, is)| {
        let (was, is) = (number(&was["AllocatedStorage"])?, number(&is["AllocatedStorage"])?);
        let least = was + was.div_ceil(10);
        let (code, reason, otherwise) = if is < was {
            (
                Code::StorageShrink,
                format!("{id} would shrink from {was} to {is} GiB: the storage of RDS only grows"),
                "less takes a dump into a new database".to_owned(),
            )
        } else if was < is && is < least {
            (
                Code::StorageStep,
                format!(
                    "{id} would grow from {was} to {is} GiB: RDS grows storage by a tenth at least, and would make it {least}"
                ),
                format!("or to {least} or more"),
            )
        } else {
            return None;
        };
        Some(Verdict::Refused(Refusal {
            code,
            reason,
            field: pair.field(id, "AllocatedStorage"),
            was: Some(was.to_string()),
            otherwise,
        }))
    });
    changed.collect()
}

pub(super) fn storage_limit(pair: Pair<'_>) -> Vec<Verdict> {
    let lowered = instances(pair).filter_map(|(id, was, is)| {
        let name = "MaxAllocatedStorage";
        let (was, is) = (number(&was[name])?, number(&is[name])?);
        (is < was).then(|| {
            Verdict::Warning(format!(
                "{id}: the storage grows by itself up to {is} GiB, no longer {was}; where it is at the limit the database \
                 stops taking writes, and RDS refuses a limit below what it has grown to"
            ))
        })
    });
    lowered.collect()
}

/// RDS for PostgreSQL numbers its major versions by the first part alone.
pub(super) fn engine_version(pair: Pair<'_>) -> Vec<Verdict> {
    let changed = instances(pair).filter_map(|(id, before, after)| {
        let (was, is) = (before["EngineVersion"].as_str()?, after["EngineVersion"].as_str()?);
        let (old, new) = (numbers(was)?, numbers(is)?);
        // "16" asks for any 16: it is below "16.4" only by its length.
        if new < old && !old.starts_with(&new) {
            return Some(downgrade(pair, id, was, is));
        }
        moves_major(was, is).then(|| {
            let runs = pair.live.engines.and_then(|all| all.get(id));
            if let Some(runs) = runs.filter(|runs| !moves_major(runs, is)) {
                return Verdict::Warning(format!(
                    "{id}: the stack's template says PostgreSQL {was}, but RDS runs {runs} already: no major upgrade is made"
                ));
            }
            if after["AllowMajorVersionUpgrade"] == true {
                return Verdict::Warning(format!(
                    "{id}: from PostgreSQL {was} to {is} is a major upgrade; the only way back is a snapshot taken before"
                ));
            }
            major(pair, id, was, is)
        })
    });
    changed.collect()
}

/// Whether both versions are known and their majors differ.
pub(in crate::plan) fn moves_major(was: &str, is: &str) -> bool {
    let majors = numbers(was).zip(numbers(is));
    majors.is_some_and(|(was, is)| was.first() != is.first())
}

fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

fn downgrade(pair: Pair<'_>, id: &str, was: &str, is: &str) -> Verdict {
    let cluster = pair.cluster;
    Verdict::Refused(Refusal {
        code: Code::EngineDowngrade,
        reason: format!("{id}: from PostgreSQL {was} to {is} is a downgrade, which RDS refuses"),
        field: pair.field(id, "EngineVersion"),
        was: Some(format!("\"{was}\"")),
        otherwise: format!(
            "a snapshot taken before the upgrade starts another cluster's database: `kube-cfn new NAME --from {cluster} \
             --restore-from SNAPSHOT`"
        ),
    })
}

fn major(pair: Pair<'_>, id: &str, was: &str, is: &str) -> Verdict {
    let instance = pair
        .outputs
        .get("DbInstanceId")
        .map_or("ID", String::as_str);
    let region = region_option(pair.id);
    Verdict::Refused(Refusal {
        code: Code::EngineMajor,
        reason: format!(
            "{id}: from PostgreSQL {was} to {is} is a major upgrade, which RDS refuses while the template says \
             AllowMajorVersionUpgrade: false"
        ),
        field: pair.field(id, "EngineVersion"),
        was: Some(format!("\"{was}\"")),
        otherwise: format!(
            "for the upgrade take a snapshot, the only way back (`aws rds create-db-snapshot{region} --db-instance-identifier \
             {instance} --db-snapshot-identifier NAME`), then say true there in a templates/stacks/database.yaml.tera beside \
             the definition"
        ),
    })
}

pub(super) fn backup_days(pair: Pair<'_>) -> Vec<Verdict> {
    let lowered = instances(pair).filter_map(|(id, was, is)| {
        let (was, is) = (number(&was[BACKUPS])?, number(&is[BACKUPS])?);
        (is < was).then(|| {
            let holds = match is {
                0 => "all automated backups of the database".to_owned(),
                1 => format!("the automated backups older than a day, of {was} days"),
                _ => format!("the automated backups older than {is} days, of {was} days"),
            };
            Verdict::Loss(Loss {
                logical_id: id.to_owned(),
                resource_type: INSTANCE.to_owned(),
                property: BACKUPS,
                holds,
                becomes: "RDS deletes them at once".to_owned(),
            })
        })
    });
    lowered.collect()
}
