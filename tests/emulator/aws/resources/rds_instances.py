"""RDS's own calls for instances: pages, and a deletion that wants a last snapshot or no word about one, refuses what is
protected, and takes minutes, in which the instance and its interface are there.
"""

import base64

from ministack.services import documentdb, rds

from .. import releases
from . import ec2_managed_interfaces

# AWS seconds; `databasesEnd` of an account has real seconds.
ENDS = 300


def install():
    describe, delete = rds._ACTION_MAP["DescribeDBInstances"], rds._ACTION_MAP["DeleteDBInstance"]
    rds._ACTION_MAP.update(
        DescribeDBInstances=lambda params: _describe(params, describe),
        DeleteDBInstance=lambda params: _refusal(params) or _delete(params, delete))


def _describe(params, describe):
    releases.settle()
    size, marker = int(rds._p(params, "MaxRecords") or 100), rds._p(params, "Marker")
    if not 20 <= size <= 100:
        return rds._error("InvalidParameterValue", f"Invalid value {size} for MaxRecords. Must be between 20 and 100", 400)
    if rds._p(params, "DBInstanceIdentifier") or rds._parse_filters(params):
        return describe(params)
    found = sorted(rds._instances.values(), key=lambda one: one["DBInstanceIdentifier"])
    start = int(base64.b64decode(marker)) if marker else 0
    more = base64.b64encode(str(start + size).encode()).decode() if start + size < len(found) else ""
    shown = "".join(f"<DBInstance>{rds._instance_xml(one)}</DBInstance>" for one in found[start:start + size])
    shown += "" if marker else documentdb.instance_members_xml({})
    after = f"<Marker>{more}</Marker>" if more else ""
    return rds._xml(200, "DescribeDBInstancesResponse",
                    f"<DescribeDBInstancesResult>{after}<DBInstances>{shown}</DBInstances></DescribeDBInstancesResult>")


def _refusal(params):
    releases.settle()
    record = rds._instances.get(rds._p(params, "DBInstanceIdentifier"))
    if record is None:
        return None
    if record["DBInstanceStatus"] == "deleting":
        return rds._error("InvalidDBInstanceState", f"Instance {record['DBInstanceIdentifier']} is already being deleted.", 400)
    if record["DeletionProtection"]:
        return rds._error("InvalidParameterCombination", "Cannot delete protected DB Instance, please disable deletion "
                          "protection and try again.", 400)
    skips, final = rds._p(params, "SkipFinalSnapshot") == "true", rds._p(params, "FinalDBSnapshotIdentifier")
    if skips == bool(final):
        said = "can not be specified when deleting with SkipFinalSnapshot" if skips else "is required unless SkipFinalSnapshot is specified."
        return rds._error("InvalidParameterCombination", f"FinalDBSnapshotIdentifier {said}", 400)
    return None


def _delete(params, delete):
    name = rds._p(params, "DBInstanceIdentifier")
    record = rds._instances.get(name)
    answer = delete(params)
    if record is None or name in rds._instances:
        return answer
    rds._instances[name] = record

    def end():
        rds._instances.pop(name, None)
        ec2_managed_interfaces.release(record["DBInstanceArn"])

    releases.later(ENDS, "databasesEnd", end)
    return answer
