"""EBS volumes."""

from ministack.core.responses import get_account_id
from ministack.services import ec2

from ..handlers import register
from ..words import identifier, refused, truth


def install():
    register("AWS::EC2::Volume", _create, _delete, update=_update, tags=True)
    stock = ec2._ACTION_MAP["AttachVolume"]
    ec2._ACTION_MAP["AttachVolume"] = lambda params: _refusal(params) or stock(params)


def _refusal(params):
    """Why EC2 does not attach a volume, or nothing."""
    volume, instance = (ec2._p(params, name) for name in ("VolumeId", "InstanceId"))
    record, machine = ec2._volumes.get(volume), ec2._instances.get(instance)
    if not record or not machine:
        return None
    if record["Attachments"]:
        return ec2._error("VolumeInUse", f"{volume} is already attached to an instance", 400)
    if machine["State"]["Name"] not in ("running", "stopped"):
        return ec2._error("IncorrectState", f"Instance '{instance}' is not 'running'.", 400)
    if record["AvailabilityZone"] != machine["Placement"]["AvailabilityZone"]:
        return ec2._error("InvalidVolume.ZoneMismatch", f"The volume '{volume}' is not in the same availability zone as "
                          f"instance '{instance}'", 400)
    return None


def snapshot(volume, name):
    """Keeps a snapshot under AWS's description; snapshots of volumes have ids, not names."""
    record = ec2._volumes.get(volume)
    if record is None:
        return
    made = identifier("snap")
    ec2._snapshots[made] = {
        "SnapshotId": made, "VolumeId": volume, "VolumeSize": record["Size"], "Description": name,
        "State": "completed", "StartTime": ec2._now_ts(), "Progress": "100%", "OwnerId": get_account_id(),
        "Encrypted": record["Encrypted"], "StorageTier": "standard",
    }
    ec2._tags[made] = list(ec2._tags.get(volume, []))


def _create(_logical_id, properties, _stack):
    if not properties.get("Size") and not properties.get("SnapshotId"):
        raise refused("Ec2", "The request must contain the parameter size or snapshotId")
    volume = identifier("vol")
    ec2._volumes[volume] = {
        "VolumeId": volume, "AvailabilityZone": properties["AvailabilityZone"], "State": "available",
        "SnapshotId": properties.get("SnapshotId", ""), "Encrypted": truth(properties.get("Encrypted", False)),
        "KmsKeyId": properties.get("KmsKeyId", ""), "CreateTime": ec2._now_ts(), "Attachments": [],
        "MultiAttachEnabled": False, **_changeable(properties),
    }
    ec2._tags[volume] = properties.get("Tags", [])
    return volume, {"VolumeId": volume}


def _changeable(properties):
    kind = properties.get("VolumeType", "gp2")
    return {
        "Size": int(properties.get("Size", 8)), "VolumeType": kind,
        "Iops": int(properties.get("Iops", 3000 if kind == "gp3" else 100)),
        "Throughput": int(properties.get("Throughput", 125 if kind == "gp3" else 0)),
    }


def _update(volume, old, new, _stack):
    if int(new.get("Size", 8)) < int(old.get("Size", 8)):
        raise refused("Ec2", "New size cannot be smaller than existing size")
    ec2._volumes[volume].update(_changeable(new))
    ec2._tags[volume] = new.get("Tags", [])
    return volume, {"VolumeId": volume}


def _delete(volume, _properties):
    record = ec2._volumes.get(volume)
    if record and record["Attachments"]:
        raise refused("Ec2", f"Volume {volume} is currently attached to {record['Attachments'][0]['InstanceId']}")
    ec2._volumes.pop(volume, None)
