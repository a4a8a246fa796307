"""What a deleted database leaves: automated backups that are retained, the log groups of its exports, and manual snapshots."""

import base64
import time
from xml.sax.saxutils import escape

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region
from ministack.services import cloudwatch_logs, rds

from ..handlers import TABLE
from ..words import as_list, identifier, truth

INSTANCE = "AWS::RDS::DBInstance"

_backups = AccountRegionScopedDict()


def install():
    stock = dict(TABLE[INSTANCE])

    def create(logical_id, properties, stack):
        name, known = stock["create"](logical_id, properties, stack)
        begin(rds._instances[name], properties)
        return name, known

    def delete(name, properties):
        record = rds._instances.get(name)
        stock["delete"](name, properties)
        if record:
            _end(record, truth(properties.get("DeleteAutomatedBackups", True)))

    TABLE[INSTANCE].update(create=create, delete=delete)
    call = rds._ACTION_MAP["DeleteDBInstance"]

    def called(params):
        record = rds._resolve_instance(rds._p(params, "DBInstanceIdentifier"))
        answer = call(params)
        if answer[0] == 200 and record:
            _end(record, truth(rds._p(params, "DeleteAutomatedBackups") or "true"))
        return answer

    rds._ACTION_MAP.update(DeleteDBInstance=called, DescribeDBInstanceAutomatedBackups=_describe,
                           DeleteDBInstanceAutomatedBackup=_delete, DescribeDBSnapshots=_describe_snapshots)


def begin(record, properties):
    """Backups begin with the database, and so do the logs that it exports."""
    name, now = record["DBInstanceIdentifier"], time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    if int(properties.get("BackupRetentionPeriod", 1)):
        _backups[record["DbiResourceId"]] = {
            "DBInstanceArn": record["DBInstanceArn"], "DbiResourceId": record["DbiResourceId"], "Region": get_region(),
            "DBInstanceIdentifier": name, "AllocatedStorage": record["AllocatedStorage"], "Status": "active",
            "Engine": record["Engine"], "EngineVersion": record["EngineVersion"],
            "Encrypted": str(truth(record.get("StorageEncrypted", False))).lower(), "InstanceCreateTime": now,
            "StorageType": record.get("StorageType", "gp3"), "MasterUsername": record["MasterUsername"],
            "BackupRetentionPeriod": int(properties.get("BackupRetentionPeriod", 1)), "BackupTarget": "region",
            "DBInstanceAutomatedBackupsArn":
                f"arn:aws:rds:{get_region()}:{get_account_id()}:auto-backup:{identifier('ab').lower()}",
        }
    for export in as_list(properties.get("EnableCloudwatchLogsExports")):
        group = f"/aws/rds/instance/{name}/{export}"
        cloudwatch_logs._create_log_group({"logGroupName": group})
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": f"{name}.0"})
        cloudwatch_logs._put_log_events({"logGroupName": group, "logStreamName": f"{name}.0", "logEvents": [
            {"timestamp": int(time.time() * 1000), "message": "database system is ready to accept connections"}]})


def _end(record, with_backups):
    backup = _backups.get(record["DbiResourceId"])
    if backup and with_backups:
        del _backups[record["DbiResourceId"]]
    elif backup:
        backup.update(Status="retained", AllocatedStorage=record["AllocatedStorage"])


def _describe(params):
    facts = {"status": "Status", "db-instance-id": "DBInstanceIdentifier", "dbi-resource-id": "DbiResourceId"}
    found, number = sorted(_backups.values(), key=lambda one: one["DBInstanceAutomatedBackupsArn"]), 1
    for key in ("DbiResourceId", "DBInstanceIdentifier", "DBInstanceAutomatedBackupsArn"):
        wanted = rds._p(params, key)
        if wanted and wanted not in {one[key] for one in found}:
            return rds._error("DBInstanceAutomatedBackupNotFound", f"Automated backup {wanted} not found.", 404)
        found = [one for one in found if not wanted or one[key] == wanted]
    while name := rds._p(params, f"Filters.Filter.{number}.Name") or rds._p(params, f"Filters.member.{number}.Name"):
        if name not in facts:
            return rds._error("InvalidParameterValue", f"Unrecognized filter name: {name}", 400)
        values = {rds._p(params, f"Filters.{list_name}.{number}.Values.{value}.{nth}") for nth in range(1, 21)
                  for list_name in ("Filter", "member") for value in ("Value", "member")}
        found, number = [one for one in found if one[facts[name]] in values], number + 1
    return _page(params, "DBInstanceAutomatedBackup", found, _show)


def _page(params, noun, found, show):
    size, marker = int(rds._p(params, "MaxRecords") or 100), rds._p(params, "Marker")
    if not 20 <= size <= 100:
        return rds._error("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100", 400)
    start = int(base64.b64decode(marker)) if marker else 0
    more = f"<Marker>{base64.b64encode(str(start + size).encode()).decode()}</Marker>" if start + size < len(found) else ""
    shown = "".join(f"<{noun}>{show(one)}</{noun}>" for one in found[start:start + size])
    return rds._xml(200, f"Describe{noun}sResponse",
                    f"<Describe{noun}sResult><{noun}s>{shown}</{noun}s>{more}</Describe{noun}sResult>")


def _describe_snapshots(params):
    found = sorted(rds._snapshots.values(), key=lambda one: one["DBSnapshotIdentifier"])
    for key in ("DBSnapshotIdentifier", "DBInstanceIdentifier", "SnapshotType", "DbiResourceId"):
        wanted = rds._p(params, key)
        found = [one for one in found if not wanted or one[key] == wanted]
    if not found and (wanted := rds._p(params, "DBSnapshotIdentifier")):
        return rds._error("DBSnapshotNotFound", f"DBSnapshot {wanted} not found.", 404)
    return _page(params, "DBSnapshot", found, rds._snapshot_xml)


def _show(one):
    window = f"<RestoreWindow><EarliestTime>{one['InstanceCreateTime']}</EarliestTime></RestoreWindow>"
    return window + "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in one.items())


def _delete(params):
    wanted = rds._p(params, "DbiResourceId") or rds._p(params, "DBInstanceAutomatedBackupsArn")
    backup = next((one for one in _backups.values()
                   if wanted in (one["DbiResourceId"], one["DBInstanceAutomatedBackupsArn"])), None)
    if backup is None:
        return rds._error("DBInstanceAutomatedBackupNotFound", f"Automated backup {wanted} not found.", 404)
    if backup["Status"] != "retained":
        return rds._error("InvalidDBInstanceAutomatedBackupState",
                          f"The automated backup {wanted} is not in retained state.", 400)
    del _backups[backup["DbiResourceId"]]
    return rds._xml(200, "DeleteDBInstanceAutomatedBackupResponse", "<DeleteDBInstanceAutomatedBackupResult>"
                    f"<DBInstanceAutomatedBackup>{_show({**backup, 'Status': 'deleting'})}</DBInstanceAutomatedBackup>"
                    "</DeleteDBInstanceAutomatedBackupResult>")
