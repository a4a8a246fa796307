"""Databases: a real PostgreSQL server behind each, its password in Secrets Manager, protection and snapshots."""

import json
import secrets
import string
import uuid
from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, rds, secretsmanager

from ..handlers import TABLE, attributes, before_create
from ..words import refused, truth
from . import ec2_managed_interfaces

INSTANCE = "AWS::RDS::DBInstance"
# RDS keeps / @ " and the space out of the passwords that it makes.
PASSWORD_LETTERS = string.ascii_letters + string.digits + "!#$%&()*+-.:<=>?[]_{}~"


def install(servers):
    before_create(INSTANCE, _check)
    stock = dict(TABLE[INSTANCE])

    def create(logical_id, properties, stack):
        restored = rds._snapshots.get(properties.get("DBSnapshotIdentifier"))
        if restored:
            properties = {"MasterUsername": restored["MasterUsername"], "DBName": restored["DBName"], **properties}
        identifier, known = stock["create"](logical_id, properties, stack)
        record = rds._instances[identifier]
        password = properties.get("MasterUserPassword")
        if truth(properties.get("ManageMasterUserPassword", False)):
            password = "".join(secrets.choice(PASSWORD_LETTERS) for _ in range(28))
            _store_secret(record, properties, password)
        try:
            port = servers.start(identifier, record["MasterUsername"], password, properties.get("DBName"))
        except (OSError, RuntimeError) as failure:
            _forget(identifier)
            raise refused("Rds", f"the emulated database did not start: {failure}", "InternalFailure", 500) from failure
        record["Endpoint"].update(Address="127.0.0.1", Port=port)
        _add_interface(record, properties)
        return identifier, {**known, **_attributes(identifier)}

    def update(identifier, old, new, stack, logical_id=None):
        record = rds._instances[identifier]
        _only_grows(record, old, new)
        endpoint = dict(record["Endpoint"])
        identifier, known = stock["update"](identifier, old, new, stack, logical_id)
        # The server stays where it is, whatever port the properties name.
        record["Endpoint"].update(endpoint)
        return identifier, {**known, **_attributes(identifier)}

    def delete(identifier, properties):
        record = rds._instances.get(identifier)
        if record is None:
            return
        _not_protected(record)
        servers.stop(identifier)
        _forget(identifier)
        ec2_managed_interfaces.release(record["DBInstanceArn"])
        stock["delete"](identifier, properties)

    TABLE[INSTANCE].update(create=create, update=update, delete=delete)
    _show_the_secret()
    before_create("AWS::RDS::DBSubnetGroup", _covers_two_zones)
    attributes("AWS::RDS::DBSubnetGroup", lambda name, *_: {
        "DBSubnetGroupArn": f"arn:aws:rds:{get_region()}:{get_account_id()}:subgrp:{name}"})
    attributes("AWS::RDS::DBParameterGroup", lambda name, *_: {
        "DBParameterGroupName": name, "DBParameterGroupArn": f"arn:aws:rds:{get_region()}:{get_account_id()}:pg:{name}"})


def snapshot(identifier, name):
    """A manual snapshot, as a deletion policy asks for it. It holds the properties, not the data."""
    record = rds._instances.get(identifier)
    if record is not None:
        _not_protected(record)
        rds._create_snapshot_internal(name[:255], record)


def _add_interface(record, properties):
    """The one interface through which its VPC reaches a database."""
    group = rds._subnet_groups.get(properties.get("DBSubnetGroupName"), {})
    subnets = [subnet["SubnetIdentifier"] for subnet in group.get("Subnets", [])]
    ec2_managed_interfaces.make(record["DBInstanceArn"], subnets[:1], properties.get("VPCSecurityGroups", []),
                                "RDSNetworkInterface", "amazon-rds")


def _check(properties):
    group = properties.get("DBSubnetGroupName")
    if group and group not in rds._subnet_groups:
        raise refused("Rds", f"DB subnet group '{group}' does not exist.", "NotFound", 404)
    parameters = properties.get("DBParameterGroupName")
    if parameters and parameters not in rds._param_groups and not parameters.startswith("default."):
        raise refused("Rds", f"DBParameterGroup not found: {parameters}", "NotFound", 404)
    for security_group in properties.get("VPCSecurityGroups", []):
        if security_group not in ec2._security_groups:
            raise refused("Rds", f"Invalid security group , groupId= {security_group}, groupName=.")
    restored = properties.get("DBSnapshotIdentifier")
    if restored and restored not in rds._snapshots:
        raise refused("Rds", f"DBSnapshot not found: {restored}", "NotFound", 404)
    if properties.get("KmsKeyId") and not truth(properties.get("StorageEncrypted", False)):
        raise refused("Rds", "KmsKeyId can be specified only for encrypted storage.")
    managed = truth(properties.get("ManageMasterUserPassword", False))
    if managed and properties.get("MasterUserPassword"):
        raise refused("Rds", "You can't specify MasterUserPassword when ManageMasterUserPassword is specified.")
    if not (managed or properties.get("MasterUserPassword") or restored):
        raise refused("Rds", "The parameter MasterUserPassword must be provided and must not be blank.")


def _only_grows(record, old, new):
    """CloudFormation sends the storage with every change of an instance, the version where it differs; RDS refuses
    less storage than there is, and older versions."""
    storage, has = int(new.get("AllocatedStorage") or 0), int(record["AllocatedStorage"])
    if 0 < storage < has:
        raise refused("Rds", f"Invalid storage size: {storage} GiB is less than the allocated {has} GiB.",
                      "InvalidParameterCombination")
    version, runs = str(new.get("EngineVersion", "")), str(record["EngineVersion"])
    parts = [text.split(".") for text in (version, runs)]
    if version != str(old.get("EngineVersion", "")) and all(part.isdigit() for text in parts for part in text) and (
            [int(part) for part in parts[0]] < [int(part) for part in parts[1]]):
        raise refused("Rds", f"Cannot upgrade postgres from {runs} to {version}", "InvalidParameterCombination")


def _covers_two_zones(properties):
    subnets = properties.get("SubnetIds", [])
    for subnet in subnets:
        if subnet not in ec2._subnets:
            raise refused("Rds", f"Some input subnets in :[{subnet}] are invalid.")
    zones = {ec2._subnets[subnet]["AvailabilityZone"] for subnet in subnets}
    if len(zones) < 2:
        raise refused("Rds", "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ "
                             f"coverage: {', '.join(sorted(zones))}. Add subnets to cover at least 2 AZs.")


def _not_protected(record):
    if record["DeletionProtection"]:
        raise refused("Rds", "Cannot delete protected DB Instance, please disable deletion protection and try again.")


def _store_secret(record, properties, password):
    key = (properties.get("MasterUserSecret") or {}).get("KmsKeyId")
    request = {
        "Name": f"rds!db-{uuid.uuid4()}",
        "SecretString": json.dumps({"username": record["MasterUsername"], "password": password}),
        "Description": f"Secret associated with primary RDS DB instance: {record['DBInstanceArn']}",
    }
    if key:
        request["KmsKeyId"] = key
    status, _, body = secretsmanager._create_secret(request)
    answer = json.loads(body)
    if status != 200:
        raise refused("Rds", answer.get("message", "the secret could not be made"))
    record["MasterUserSecret"] = {"SecretArn": answer["ARN"], "SecretStatus": "active", "KmsKeyId": key or ""}


def _show_the_secret():
    """What describes an instance names the secret of its master, where RDS manages that."""
    stock = rds._instance_xml

    def shown(record):
        secret = record.get("MasterUserSecret")
        if not secret:
            return stock(record)
        fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in secret.items() if value)
        return f"{stock(record)}<MasterUserSecret>{fields}</MasterUserSecret>"

    rds._instance_xml = shown


def _forget(identifier):
    secret = rds._instances[identifier].pop("MasterUserSecret", None)
    if secret:
        secretsmanager._delete_secret({"SecretId": secret["SecretArn"], "ForceDeleteWithoutRecovery": True})


def _attributes(identifier):
    record = rds._instances[identifier]
    known = {
        "Endpoint.Address": record["Endpoint"]["Address"], "Endpoint.Port": str(record["Endpoint"]["Port"]),
        "Endpoint.HostedZoneId": record["Endpoint"]["HostedZoneId"], "DBInstanceArn": record["DBInstanceArn"],
        "DbiResourceId": record["DbiResourceId"], "DBInstanceStatus": record["DBInstanceStatus"],
    }
    if "MasterUserSecret" in record:
        known["MasterUserSecret.SecretArn"] = record["MasterUserSecret"]["SecretArn"]
        known["MasterUserSecret.KmsKeyId"] = record["MasterUserSecret"]["KmsKeyId"]
    return known
