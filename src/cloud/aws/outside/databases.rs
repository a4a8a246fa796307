//! Databases, and what they leave behind: log groups, which RDS makes and nobody deletes, automated backups of deleted ones,
//! and manual snapshots. CloudFormation names a database and its last snapshot after stack and resource, so that the name says
//! whose it is.

use jiff::Timestamp;
use roxmltree::Node;
use serde_json::{Value, json as object};

use super::answer::{List, bytes_of_gib, direct, optional, page, required, tags, texts, time};
use super::tags::OF_STACKS;
use super::{json, query, tags as cluster_tags, unreadable};
use crate::cloud::CloudError;
use crate::cloud::aws::Aws;
use crate::cloud::aws::calls::{ApiCall, all_pages};
use crate::cloud::limiter::Service;
use crate::cloud::outside::{
    OutsideKind, OutsideResource, OutsideScope, database_prefix, is_database_of, is_named_by_stack,
};

/// The name of `CloudWatch` Logs in `X-Amz-Target`.
pub(super) const LOGS_TARGET: &str = "Logs_20140328";
/// RDS's API; there has been no other since.
pub(super) const RDS_VERSION: &str = "2014-10-31";
/// Where RDS puts the logs of databases.
const LOGS_OF_DATABASES: &str = "/aws/rds/instance/";
const INSTANCES: List = List {
    call: "DescribeDBInstances",
    path: &["DBInstances"],
    entry: "DBInstance",
    next: "Marker",
};
const BACKUPS: List = List {
    call: "DescribeDBInstanceAutomatedBackups",
    path: &["DBInstanceAutomatedBackups"],
    entry: "DBInstanceAutomatedBackup",
    next: "Marker",
};
const SNAPSHOTS: List = List {
    call: "DescribeDBSnapshots",
    path: &["DBSnapshots"],
    entry: "DBSnapshot",
    next: "Marker",
};
/// State of backups whose database is deleted.
const RETAINED: &str = "retained";

/// The log groups of the cluster's databases, living ones too. Their tags are not read: RDS puts none on them.
pub(super) async fn log_groups(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let cluster = &scope.cluster;
    let named = format!("{LOGS_OF_DATABASES}{}", database_prefix(cluster));
    let api_call = ApiCall::new(Service::Logs, "DescribeLogGroups", &named);
    let all = all_pages(async |next: Option<String>| {
        let mut body = object!({ "logGroupNamePrefix": named, "limit": 50 });
        if let Some(next) = next {
            body["nextToken"] = Value::from(next);
        }
        let answer = json(aws, (api_call, LOGS_TARGET), &body).await?;
        let (page, next) = log_page(&answer).map_err(unreadable(api_call))?;
        Ok((Some(page), next))
    })
    .await?;
    let is_ours = |group: &OutsideResource| {
        let path = group.id.strip_prefix(LOGS_OF_DATABASES).unwrap_or_default();
        let (identifier, _) = path.split_once('/').unwrap_or((path, ""));
        is_database_of(identifier, cluster)
    };
    Ok(all.into_iter().filter(is_ours).collect())
}

fn log_page(answer: &Value) -> Result<(Vec<OutsideResource>, Option<String>), String> {
    let list = answer["logGroups"].as_array();
    let list = list.ok_or("an answer without logGroups")?;
    let group = |group: &Value| {
        let name = group["logGroupName"].as_str();
        let name = name.ok_or("an answer with an entry without logGroupName")?;
        let created = group["creationTime"].as_i64();
        Ok(OutsideResource {
            bytes: group["storedBytes"].as_u64(),
            created: created.and_then(|time| Timestamp::from_millisecond(time).ok()),
            ..OutsideResource::new(OutsideKind::LogGroup, name)
        })
    };
    let page: Result<_, String> = list.iter().map(group).collect();
    let next = answer["nextToken"]
        .as_str()
        .filter(|token| !token.is_empty());
    Ok((page?, next.map(str::to_owned)))
}

/// The databases that are named or tagged as the cluster's, and those in its VPC.
pub(super) async fn instances(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let all = read(aws, INSTANCES, &[], instance).await?;
    let cluster = scope.cluster.as_str();
    let is_ours = |database: &OutsideResource| {
        let is_here = scope.vpc.is_some() && database.vpc == scope.vpc;
        is_here
            || is_database_of(&database.id, cluster)
            || cluster_tags::are_of(&database.tags, OF_STACKS, cluster)
    };
    Ok(all.into_iter().filter(is_ours).collect())
}

/// It uses its security groups, and the subnets of its subnet group.
fn instance(entry: Node<'_, '_>) -> Result<OutsideResource, String> {
    let mut uses = texts(entry, "VpcSecurityGroups", "VpcSecurityGroupId");
    uses.extend(texts(entry, "DBSubnetGroup", "SubnetIdentifier"));
    Ok(OutsideResource {
        tags: tags(entry, ["TagList", "Tag", "Key", "Value"]),
        vpc: direct(entry, "DBSubnetGroup").and_then(|group| optional(group, "VpcId")),
        state: optional(entry, "DBInstanceStatus"),
        bytes: bytes_of_gib(entry, "AllocatedStorage"),
        created: time(entry, "InstanceCreateTime"),
        key: optional(entry, "KmsKeyId"),
        uses,
        ..OutsideResource::new(
            OutsideKind::Database,
            required(entry, "DBInstanceIdentifier")?,
        )
    })
}

/// The automated backups that RDS keeps of the cluster's deleted databases.
pub(super) async fn backups(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let retained = [
        ("Filters.Filter.1.Name", "status"),
        ("Filters.Filter.1.Values.Value.1", RETAINED),
    ];
    let all = read(aws, BACKUPS, &retained, backup).await?;
    let cluster = scope.cluster.as_str();
    let is_ours = |backup: &OutsideResource| {
        let is_retained = backup.state.as_deref() == Some(RETAINED);
        let identifier = backup.description.as_deref().unwrap_or_default();
        let is_named = is_database_of(identifier, cluster)
            || cluster_tags::are_of(&backup.tags, OF_STACKS, cluster);
        is_retained && is_named
    };
    Ok(all.into_iter().filter(is_ours).collect())
}

/// Its description is the database's identifier, its time that of the earliest state that can be restored.
fn backup(entry: Node<'_, '_>) -> Result<OutsideResource, String> {
    let database = required(entry, "DBInstanceIdentifier")?;
    // Backups of the same region can be named by the database's resource id too.
    let arn = optional(entry, "DBInstanceAutomatedBackupsArn");
    let id = arn.map_or_else(|| required(entry, "DbiResourceId"), Ok)?;
    Ok(OutsideResource {
        tags: tags(entry, ["TagList", "Tag", "Key", "Value"]),
        state: optional(entry, "Status"),
        bytes: bytes_of_gib(entry, "AllocatedStorage"),
        created: direct(entry, "RestoreWindow").and_then(|window| time(window, "EarliestTime")),
        uses: [database.clone()].into(),
        description: Some(database),
        ..OutsideResource::new(OutsideKind::Backup, id)
    })
}

/// The manual snapshots of the cluster's databases: those that CloudFormation took, others of a database with the name of the
/// cluster's, and those with the cluster's tag, which RDS copies from a database to its snapshots where that is switched on.
pub(super) async fn snapshots(
    aws: &Aws,
    scope: &OutsideScope,
) -> Result<Vec<OutsideResource>, CloudError> {
    let all = read(aws, SNAPSHOTS, &[("SnapshotType", "manual")], snapshot).await?;
    let cluster = scope.cluster.as_str();
    let beginning = format!("{cluster}-database-snapshot-database-");
    let is_ours = |snapshot: &OutsideResource| {
        let database = snapshot.description.as_deref().unwrap_or_default();
        is_named_by_stack(&snapshot.id, &beginning)
            || is_database_of(database, cluster)
            || cluster_tags::are_of(&snapshot.tags, OF_STACKS, cluster)
    };
    Ok(all.into_iter().filter(is_ours).collect())
}

/// Its description is the database's identifier.
fn snapshot(entry: Node<'_, '_>) -> Result<OutsideResource, String> {
    let database = required(entry, "DBInstanceIdentifier")?;
    Ok(OutsideResource {
        tags: tags(entry, ["TagList", "Tag", "Key", "Value"]),
        state: optional(entry, "Status"),
        bytes: bytes_of_gib(entry, "AllocatedStorage"),
        created: time(entry, "SnapshotCreateTime"),
        key: optional(entry, "KmsKeyId"),
        uses: [database.clone()].into(),
        description: Some(database),
        ..OutsideResource::new(
            OutsideKind::DatabaseSnapshot,
            required(entry, "DBSnapshotIdentifier")?,
        )
    })
}

/// Every entry on every page of a list of RDS.
async fn read(
    aws: &Aws,
    list: List,
    parameters: &[(&str, &str)],
    entry: fn(Node<'_, '_>) -> Result<OutsideResource, String>,
) -> Result<Vec<OutsideResource>, CloudError> {
    let api_call = ApiCall::new(Service::Rds, list.call, "");
    all_pages(async |next: Option<String>| {
        let mut parameters = [parameters, &[("MaxRecords", "100")]].concat();
        parameters.extend(next.as_deref().map(|marker| ("Marker", marker)));
        let text = query(aws, (api_call, RDS_VERSION), &parameters).await?;
        let page = page(&text, list, entry).map_err(unreadable(api_call))?;
        Ok((Some(page.items), page.next))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_group_has_its_size_and_its_time() {
        let answer = object!({
            "logGroups": [
                {"logGroupName": "/aws/rds/instance/a/postgresql", "creationTime": 1_700_000_000_500_i64,
                 "storedBytes": 52_428_800, "arn": "arn:aws:logs:eu-west-1:1:log-group:x:*"},
                {"logGroupName": "/aws/rds/instance/a/upgrade"},
            ],
            "nextToken": "two",
        });
        let (page, next) = log_page(&answer).expect("an answer");
        assert_eq!(next.as_deref(), Some("two"));
        assert_eq!(page[0].bytes, Some(52_428_800));
        let created = page[0].created.map(Timestamp::as_millisecond);
        assert_eq!(created, Some(1_700_000_000_500));
        assert_eq!((page[1].bytes, page[1].created), (None, None));
        assert_eq!(
            log_page(&object!({"logGroups": []})),
            Ok((Vec::new(), None))
        );
        assert!(log_page(&object!({})).is_err());
        assert!(log_page(&object!({"logGroups": [{}]})).is_err());
    }

    #[test]
    fn backup_has_its_database_its_size_and_its_window() {
        let xml = "<DescribeDBInstanceAutomatedBackupsResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
            <DescribeDBInstanceAutomatedBackupsResult><Marker>two</Marker><DBInstanceAutomatedBackups>\
            <DBInstanceAutomatedBackup><DBInstanceArn>arn:aws:rds:eu-west-1:1:db:canary-database-database-x1</DBInstanceArn>\
            <DbiResourceId>db-ABC</DbiResourceId><DBInstanceIdentifier>canary-database-database-x1</DBInstanceIdentifier>\
            <RestoreWindow><EarliestTime>2026-11-01T00:00:00.000Z</EarliestTime><LatestTime>2026-11-08T00:00:00Z</LatestTime>\
            </RestoreWindow><AllocatedStorage>20</AllocatedStorage><Status>retained</Status>\
            <DBInstanceAutomatedBackupsArn>arn:aws:rds:eu-west-1:1:auto-backup:ab-X</DBInstanceAutomatedBackupsArn>\
            <TagList><Tag><Key>kube-cfn/cluster</Key><Value>canary</Value></Tag></TagList></DBInstanceAutomatedBackup>\
            <DBInstanceAutomatedBackup><DbiResourceId>db-DEF</DbiResourceId><DBInstanceIdentifier>old</DBInstanceIdentifier>\
            <Status>retained</Status><RestoreWindow/></DBInstanceAutomatedBackup></DBInstanceAutomatedBackups>\
            </DescribeDBInstanceAutomatedBackupsResult></DescribeDBInstanceAutomatedBackupsResponse>";
        let page = page(xml, BACKUPS, backup).expect("an answer");
        assert_eq!(page.next.as_deref(), Some("two"));
        let [one, other] = &page.items[..] else {
            panic!("{page:?}")
        };
        assert_eq!(one.id, "arn:aws:rds:eu-west-1:1:auto-backup:ab-X");
        assert_eq!(one.bytes, Some(20 << 30));
        assert_eq!(one.tag("kube-cfn/cluster"), Some("canary"));
        assert_eq!(one.created, "2026-11-01T00:00:00Z".parse().ok());
        assert_eq!(other.id, "db-DEF");
        assert_eq!((other.bytes, other.created), (None, None));
    }
}
