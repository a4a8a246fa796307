"""EC2's Describe calls of what can lie in a VPC: ids, filters and pages as on AWS.

Filters of different names are ANDed, values of one name ORed, `*` and `?` are wildcards; an unknown filter is refused.
A page has as many items as `MaxResults` says, all without it.
"""

import base64
import fnmatch
from dataclasses import dataclass, field

from ministack.core.responses import get_account_id
from ministack.services import ec2

from .. import releases


@dataclass(frozen=True)
class Kind:
    """One Describe call: what it lists, how it shows one, and what its filters compare."""

    found: object
    identifier: object
    show: object
    facts: object
    list_name: str
    id_parameter: str
    not_found: str
    noun: str
    page: tuple = (5, 1000)
    also: dict = field(default_factory=dict)


def install():
    for action, kind in KINDS.items():
        ec2._ACTION_MAP[action] = describer(action, kind)


def tags_of(resource):
    return {tag["Key"]: tag.get("Value", "") for tag in ec2._tags.get(resource, [])}


def describer(action, kind):
    def describe(params):
        releases.settle()
        records = {kind.identifier(record): record for record in kind.found()}
        ids = ec2._parse_member_list(params, kind.id_parameter)
        for one in ids:
            if one not in records:
                return ec2._error(kind.not_found, f"The {kind.noun} '{one}' does not exist", 400)
        matching = []
        for name, record in records.items():
            answer = _matches(name, kind.facts(record), ec2._parse_filters(params))
            if isinstance(answer, str):
                return ec2._error("InvalidParameterValue", f"The filter '{answer}' is invalid", 400)
            if answer and (not ids or name in ids):
                matching.append(record)
        matching = [record for record in matching if _is_wanted(kind, record, params)]
        return _page(action, kind, params, matching, bool(ids))

    return describe


def _matches(resource, facts, filters):
    """Whether all filters hold; the name of one that AWS does not know."""
    tags = tags_of(resource)
    holds = True
    for name, wanted in filters.items():
        if name.startswith("tag:"):
            values = [tags[name[4:]]] if name[4:] in tags else []
        elif name in ("tag-key", "tag-value"):
            values = list(tags) if name == "tag-key" else list(tags.values())
        elif name in facts:
            values = facts[name]
        else:
            return name
        holds = holds and any(fnmatch.fnmatchcase(str(value), _pattern(one)) for value in values for one in wanted)
    return holds


def _pattern(value):
    return value.replace("[", "[[]")


def _is_wanted(kind, record, params):
    return all(not (given := ec2._parse_member_list(params, name)) or of(record, given)
               for name, of in kind.also.items())


def _page(action, kind, params, records, by_id):
    size, token = ec2._p(params, "MaxResults"), ec2._p(params, "NextToken")
    smallest, largest = kind.page
    if size and by_id and action in ("DescribeInstances", "DescribeVolumes"):
        return ec2._error("InvalidParameterCombination", f"The parameter {kind.id_parameter} cannot be used with the "
                          "parameter maxResults", 400)
    if size and not smallest <= int(size) <= largest:
        return ec2._error("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid. Expecting a "
                          f"value between {smallest} and {largest}.", 400)
    try:
        start = int(base64.b64decode(token).decode()) if token else 0
    except ValueError:
        return ec2._error("InvalidPaginationToken", "The pagination token is invalid", 400)
    end = start + int(size) if size else len(records)
    shown = "".join(kind.show(record) for record in records[start:end])
    more = base64.b64encode(str(end).encode()).decode() if end < len(records) else ""
    after = f"<nextToken>{more}</nextToken>" if more else ""
    return ec2._xml(200, f"{action}Response", f"<{kind.list_name}>{shown}</{kind.list_name}>{after}")


def _word(value):
    return "true" if value else "false"


def _instances():
    ec2._cleanup_terminated()
    return ec2._instances.values()


def _show_instance(instance):
    return (f"<item><reservationId>r-{instance['InstanceId'][2:]}</reservationId><ownerId>{get_account_id()}</ownerId>"
            f"<groupSet/><instancesSet>{ec2._instance_xml(instance)}</instancesSet></item>")


def _instance_facts(one):
    return {"instance-id": [one["InstanceId"]], "instance-state-name": [one["State"]["Name"]],
            "instance-state-code": [one["State"]["Code"]], "instance-type": [one["InstanceType"]],
            "image-id": [one["ImageId"]], "subnet-id": [one["SubnetId"]], "vpc-id": [one["VpcId"]],
            "availability-zone": [one["Placement"]["AvailabilityZone"]], "private-ip-address": [one["PrivateIpAddress"]],
            "instance.group-id": [group["GroupId"] for group in one["SecurityGroups"]]}


def _volume_facts(one):
    attached = one.get("Attachments", [])
    return {"volume-id": [one["VolumeId"]], "status": [one["State"]], "size": [one["Size"]],
            "volume-type": [one["VolumeType"]], "availability-zone": [one["AvailabilityZone"]],
            "snapshot-id": [one.get("SnapshotId") or ""], "create-time": [one["CreateTime"]],
            "encrypted": [_word(one.get("Encrypted"))], "multi-attach-enabled": [_word(one.get("MultiAttachEnabled"))],
            "attachment.instance-id": [a["InstanceId"] for a in attached],
            "attachment.device": [a["Device"] for a in attached], "attachment.status": [a["State"] for a in attached],
            "attachment.attach-time": [a["AttachTime"] for a in attached],
            "attachment.delete-on-termination": [_word(a["DeleteOnTermination"]) for a in attached]}


def _snapshot_facts(one):
    return {"snapshot-id": [one["SnapshotId"]], "volume-id": [one["VolumeId"]], "volume-size": [one["VolumeSize"]],
            "status": [one["State"]], "start-time": [one["StartTime"]], "progress": [one["Progress"]],
            "owner-id": [one["OwnerId"]], "description": [one["Description"]], "storage-tier": [one["StorageTier"]],
            "encrypted": [_word(one.get("Encrypted"))]}


def _group_facts(one):
    named = {direction: [pair["GroupId"] for rule in one[rules] for pair in rule.get("UserIdGroupPairs", [])
                         if pair.get("GroupId")]
             for direction, rules in (("ip-permission", "IpPermissions"), ("egress.ip-permission", "IpPermissionsEgress"))}
    return {"group-id": [one["GroupId"]], "group-name": [one["GroupName"]], "vpc-id": [one["VpcId"]],
            "description": [one["Description"]], "owner-id": [one["OwnerId"]],
            **{f"{direction}.group-id": groups for direction, groups in named.items()}}


def _rules():
    """Every rule with its group and direction."""
    return [(group["GroupId"], rule, egress) for group in ec2._security_groups.values()
            for egress, rules in ((False, "IpPermissions"), (True, "IpPermissionsEgress")) for rule in group[rules]]


def _rule_id(one):
    group, rule, egress = one
    return ec2._sg_rule_id(group, egress, rule)


def _rule_facts(one):
    return {"group-id": [one[0]], "security-group-rule-id": [_rule_id(one)]}


def _interface_facts(one):
    attachment = one.get("Attachment") or {}
    return {"network-interface-id": [one["NetworkInterfaceId"]], "vpc-id": [one["VpcId"]],
            "subnet-id": [one["SubnetId"]], "status": [one["Status"]], "description": [one["Description"]],
            "group-id": [group["GroupId"] for group in one["Groups"]], "owner-id": [one["OwnerId"]],
            "availability-zone": [one["AvailabilityZone"]], "interface-type": [one["InterfaceType"]],
            "requester-id": [one["RequesterId"]] if one.get("RequesterId") else [],
            "requester-managed": [_word(one.get("RequesterManaged"))], "private-ip-address": [one["PrivateIpAddress"]],
            "addresses.private-ip-address": [one["PrivateIpAddress"]],
            "attachment.instance-id": [attachment["InstanceId"]] if attachment.get("InstanceId") else [],
            "attachment.attachment-id": [attachment["AttachmentId"]] if attachment else [],
            "attachment.status": [attachment["Status"]] if attachment else []}


def _subnet_facts(one):
    return {"subnet-id": [one["SubnetId"]], "vpc-id": [one["VpcId"]], "availability-zone": [one["AvailabilityZone"]],
            "state": [one["State"]], "cidr-block": [one["CidrBlock"]], "cidr": [one["CidrBlock"]],
            "cidrBlock": [one["CidrBlock"]], "default-for-az": [_word(one.get("DefaultForAz"))],
            "owner-id": [one["OwnerId"]]}


def _table_facts(one):
    links = one.get("Associations", [])
    return {"route-table-id": [one["RouteTableId"]], "vpc-id": [one["VpcId"]], "owner-id": [one["OwnerId"]],
            "association.route-table-association-id": [link["RouteTableAssociationId"] for link in links],
            "association.subnet-id": [link["SubnetId"] for link in links if link.get("SubnetId")],
            "association.main": [_word(any(link.get("Main") for link in links))]}


def _endpoint_facts(one):
    return {"vpc-endpoint-id": [one["VpcEndpointId"]], "vpc-id": [one["VpcId"]], "service-name": [one["ServiceName"]],
            "vpc-endpoint-state": [one["State"]], "vpc-endpoint-type": [one["VpcEndpointType"]]}


def _peering_facts(one):
    sides = {"requester": one["RequesterVpcInfo"], "accepter": one["AccepterVpcInfo"]}
    return {"vpc-peering-connection-id": [one["VpcPeeringConnectionId"]], "status-code": [one["Status"]["Code"]],
            **{f"{side}-vpc-info.vpc-id": [vpc["VpcId"]] for side, vpc in sides.items()},
            **{f"{side}-vpc-info.owner-id": [vpc["OwnerId"]] for side, vpc in sides.items()}}


def _show_peering(one):
    sides = "".join(f"<{side}VpcInfo><vpcId>{vpc['VpcId']}</vpcId><ownerId>{vpc['OwnerId']}</ownerId>"
                    f"<region>{vpc['Region']}</region></{side}VpcInfo>"
                    for side, vpc in (("requester", one["RequesterVpcInfo"]), ("accepter", one["AccepterVpcInfo"])))
    name, status = one["VpcPeeringConnectionId"], one["Status"]
    return (f"<item><vpcPeeringConnectionId>{name}</vpcPeeringConnectionId>{sides}<status><code>{status['Code']}</code>"
            f"<message>{status['Message']}</message></status>{ec2._tag_set_xml(name)}</item>")


def _acl_facts(one):
    return {"network-acl-id": [one["NetworkAclId"]], "vpc-id": [one["VpcId"]], "owner-id": [one["OwnerId"]],
            "default": [_word(one["IsDefault"])],
            "association.subnet-id": [link["SubnetId"] for link in one["Associations"]],
            "association.association-id": [link["NetworkAclAssociationId"] for link in one["Associations"]]}


def _show_acl(one):
    name = one["NetworkAclId"]
    entries = "".join(ec2._network_acl_entry_xml(entry) for entry in one["Entries"])
    links = "".join(f"<item><networkAclAssociationId>{link['NetworkAclAssociationId']}</networkAclAssociationId>"
                    f"<networkAclId>{name}</networkAclId><subnetId>{link['SubnetId']}</subnetId></item>"
                    for link in one["Associations"])
    return (f"<item><networkAclId>{name}</networkAclId><vpcId>{one['VpcId']}</vpcId><default>{_word(one['IsDefault'])}</default>"
            f"<entrySet>{entries}</entrySet><associationSet>{links}</associationSet>{ec2._tag_set_xml(name)}"
            f"<ownerId>{one['OwnerId']}</ownerId></item>")


def _gateway_facts(one):
    return {"vpn-gateway-id": [one["VpnGatewayId"]], "state": [one["State"]], "type": [one["Type"]],
            "amazon-side-asn": [one["AmazonSideAsn"]], "availability-zone": [one["AvailabilityZone"]],
            "attachment.vpc-id": [link["VpcId"] for link in one["Attachments"]],
            "attachment.state": [link["State"] for link in one["Attachments"]]}


def _owned(snapshot, owners):
    return "self" in owners or snapshot["OwnerId"] in owners


def _stored(name):
    return lambda: getattr(ec2, name).values()


def _key(name):
    return lambda record: record[name]


def _item(show):
    return lambda record: f"<item>{show(record)}</item>"


KINDS = {
    "DescribeInstances": Kind(_instances, _key("InstanceId"), _show_instance, _instance_facts, "reservationSet",
                              "InstanceId", "InvalidInstanceID.NotFound", "instance ID"),
    "DescribeVolumes": Kind(_stored("_volumes"), _key("VolumeId"), _item(ec2._volume_inner_xml), _volume_facts,
                            "volumeSet", "VolumeId", "InvalidVolume.NotFound", "volume"),
    "DescribeSnapshots": Kind(_stored("_snapshots"), _key("SnapshotId"), _item(ec2._snapshot_inner_xml), _snapshot_facts,
                              "snapshotSet", "SnapshotId", "InvalidSnapshot.NotFound", "snapshot", also={"Owner": _owned}),
    "DescribeSecurityGroups": Kind(_stored("_security_groups"), _key("GroupId"), ec2._sg_xml, _group_facts,
                                   "securityGroupInfo", "GroupId", "InvalidGroup.NotFound", "security group"),
    "DescribeSecurityGroupRules": Kind(_rules, _rule_id, lambda one: ec2._sg_rule_xml(*one), _rule_facts,
                                       "securityGroupRuleSet", "SecurityGroupRuleId",
                                       "InvalidSecurityGroupRuleId.NotFound", "security group rule ID"),
    "DescribeNetworkInterfaces": Kind(_stored("_network_interfaces"), _key("NetworkInterfaceId"),
                                      lambda one: ec2._eni_fields_xml(one), _interface_facts, "networkInterfaceSet",
                                      "NetworkInterfaceId", "InvalidNetworkInterfaceID.NotFound", "networkInterface ID"),
    "DescribeSubnets": Kind(_stored("_subnets"), _key("SubnetId"), ec2._subnet_xml, _subnet_facts, "subnetSet", "SubnetId",
                            "InvalidSubnetID.NotFound", "subnet ID"),
    "DescribeRouteTables": Kind(_stored("_route_tables"), _key("RouteTableId"), ec2._rtb_fields_xml, _table_facts,
                                "routeTableSet", "RouteTableId", "InvalidRouteTableID.NotFound", "routeTable ID",
                                page=(5, 100)),
    "DescribeVpcEndpoints": Kind(_stored("_vpc_endpoints"), _key("VpcEndpointId"), ec2._vpce_fields_xml, _endpoint_facts,
                                 "vpcEndpointSet", "VpcEndpointId", "InvalidVpcEndpointId.NotFound", "Vpc Endpoint Id",
                                 page=(1, 1000)),
    "DescribeVpcPeeringConnections": Kind(_stored("_vpc_peering"), _key("VpcPeeringConnectionId"), _show_peering,
                                          _peering_facts, "vpcPeeringConnectionSet", "VpcPeeringConnectionId",
                                          "InvalidVpcPeeringConnectionID.NotFound", "vpcPeeringConnection ID"),
    "DescribeNetworkAcls": Kind(_stored("_network_acls"), _key("NetworkAclId"), _show_acl, _acl_facts, "networkAclSet",
                                "NetworkAclId", "InvalidNetworkAclID.NotFound", "networkAcl ID"),
    "DescribeVpnGateways": Kind(_stored("_vpn_gateways"), _key("VpnGatewayId"), ec2._vgw_xml, _gateway_facts,
                                "vpnGatewaySet", "VpnGatewayId", "InvalidVpnGatewayID.NotFound", "vpnGateway ID"),
}
