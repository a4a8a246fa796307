"""Lists all of an account that can lie outside stacks: JSON of facts by `kind id`. What ends by itself is not in it:
terminated machines, keys that wait for their deletion.
"""

import json

import botocore.session

SESSION = botocore.session.get_session()
EC2, ELB, CLASSIC, ROUTES, LOGS, S3, KMS, RDS, SSM, CFN = (SESSION.create_client(name, region_name="eu-west-1") for name in (
    "ec2", "elbv2", "elb", "route53", "logs", "s3", "kms", "rds", "ssm", "cloudformation"))
found = {}


def every(client, method, noun, **arguments):
    if client.can_paginate(method):
        return client.get_paginator(method).paginate(**arguments).build_full_result().get(noun, [])
    return getattr(client, method)(**arguments)[noun]


def put(kind, name, facts):
    found[f"{kind} {name}"] = facts


for reservation in every(EC2, "describe_instances", "Reservations"):
    for one in reservation["Instances"]:
        if one["State"]["Name"] != "terminated":
            put("machine", one["InstanceId"], one)
for kind, method, noun, key in (
    ("volume", "describe_volumes", "Volumes", "VolumeId"), ("interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("group", "describe_security_groups", "SecurityGroups", "GroupId"), ("rule", "describe_security_group_rules", "SecurityGroupRules", "SecurityGroupRuleId"),
    ("subnet", "describe_subnets", "Subnets", "SubnetId"), ("table", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"), ("vpc", "describe_vpcs", "Vpcs", "VpcId"),
    ("acl", "describe_network_acls", "NetworkAcls", "NetworkAclId"), ("gateway", "describe_vpn_gateways", "VpnGateways", "VpnGatewayId"),
    ("peering", "describe_vpc_peering_connections", "VpcPeeringConnections", "VpcPeeringConnectionId"),
):
    for one in every(EC2, method, noun):
        put(kind, one[key], one)
for kind, method, noun, key in (
    ("internet", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"), ("address", "describe_addresses", "Addresses", "AllocationId"),
    ("egress", "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways", "EgressOnlyInternetGatewayId"),
):
    for one in every(EC2, method, noun):
        put(kind, one[key], one)
for one in every(EC2, "describe_nat_gateways", "NatGateways"):
    if one["State"] != "deleted":
        put("nat", one["NatGatewayId"], one)
for one in every(RDS, "describe_db_instances", "DBInstances"):
    put("database", one["DBInstanceIdentifier"], one["DBInstanceStatus"])
for one in every(EC2, "describe_snapshots", "Snapshots", OwnerIds=["self"]):
    put("snapshot", one["SnapshotId"], one)
for one in every(ELB, "describe_load_balancers", "LoadBalancers"):
    put("balancer", one["LoadBalancerArn"], one)
for one in every(ELB, "describe_target_groups", "TargetGroups"):
    put("targets", one["TargetGroupArn"], one)
for one in every(CLASSIC, "describe_load_balancers", "LoadBalancerDescriptions"):
    put("classic", one["LoadBalancerName"], one)
for zone in every(ROUTES, "list_hosted_zones", "HostedZones"):
    for one in every(ROUTES, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]):
        put("record", f"{one['Name']} {one['Type']}", one)
for one in every(LOGS, "describe_log_groups", "logGroups"):
    put("logs", one["logGroupName"], one)
for one in every(RDS, "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups"):
    put("backup", one["DBInstanceAutomatedBackupsArn"], one)
for one in every(RDS, "describe_db_snapshots", "DBSnapshots"):
    put("dbsnapshot", one["DBSnapshotIdentifier"], one)
for one in S3.list_buckets()["Buckets"]:
    put("bucket", one["Name"], [version["Key"] for version in every(S3, "list_object_versions", "Versions", Bucket=one["Name"])])
for one in every(KMS, "list_keys", "Keys"):
    about = KMS.describe_key(KeyId=one["KeyId"])["KeyMetadata"]
    if about["KeyState"] != "PendingDeletion":
        put("key", about["Arn"], about["KeyState"])
for one in every(SSM, "describe_parameters", "Parameters"):
    put("parameter", one["Name"], one.get("Version"))
for one in every(CFN, "describe_stacks", "Stacks"):
    put("stack", one["StackName"], one["StackStatus"])
print(json.dumps(found, default=str))
