"""EC2's own calls for NAT gateways, Elastic IP addresses, internet gateways of both kinds and VPCs: pages and filters as on
AWS, and its refusals. A NAT gateway that is deleted is `deleting` for minutes, with its interface and its addresses.
"""

import re
from xml.sax.saxutils import escape

from ministack.core.responses import get_account_id
from ministack.services import ec2

from .. import releases
from . import ec2_dependencies as dependencies
from . import ec2_managed_interfaces
from .ec2_addresses import allocations
from .ec2_describing import Kind, describer

# AWS seconds; `natsEnd` of an account has real seconds.
NAT_ENDS = 90


def install():
    for action, kind in KINDS.items():
        ec2._ACTION_MAP[action] = describer(action, kind)
    release, delete_subnet = ec2._ACTION_MAP["ReleaseAddress"], ec2._ACTION_MAP["DeleteSubnet"]
    delete = ec2._ACTION_MAP["DeleteInternetGateway"]
    create = ec2._ACTION_MAP["CreateNatGateway"]
    ec2._ACTION_MAP.update(
        CreateNatGateway=lambda params: _with_interface(create(params)),
        DeleteNatGateway=_delete_nat,
        ReleaseAddress=lambda params: _address_in_use(params) or release(params),
        DetachInternetGateway=_detach,
        DeleteInternetGateway=lambda params: _attached(params) or delete(params),
        DeleteSubnet=lambda params: _without_associations(params, delete_subnet(params)))


def _with_interface(answer):
    name = re.search(r"<natGatewayId>(nat-\w+)</natGatewayId>", answer[2].decode())
    if name:
        subnet = ec2._nat_gateways[name.group(1)]["SubnetId"]
        ec2_managed_interfaces.make(name.group(1), [subnet], [], f"Interface for NAT Gateway {name.group(1)}", "amazon-nat",
                                    "nat_gateway")
    return answer


def _delete_nat(params):
    releases.settle()
    name = ec2._p(params, "NatGatewayId")
    record = ec2._nat_gateways.get(name)
    if record is None or record["State"] == "deleted":
        return ec2._error("NatGatewayNotFound", f"The Nat Gateway {name} was not found", 400)
    if record["State"] != "deleting":
        record["State"] = "deleting"

        def end():
            record["State"] = "deleted"
            ec2_managed_interfaces.release(name)

        releases.later(NAT_ENDS, "natsEnd", end)
    return ec2._xml(200, "DeleteNatGatewayResponse", f"<natGatewayId>{name}</natGatewayId>")


def _gateways():
    """Those that have not ended."""
    return [one for one in ec2._nat_gateways.values() if one["State"] != "deleted"]


def _address_in_use(params):
    releases.settle()
    allocation = ec2._p(params, "AllocationId")
    used = {one for gateway in _gateways() for one in allocations(gateway)}
    if allocation in used or ec2._addresses.get(allocation, {}).get("AssociationId"):
        return ec2._error("InvalidIPAddress.InUse",
                          f"The address with allocation id [{allocation}] cannot be released as it is in use.", 400)
    return None


def _detach(params):
    releases.settle()
    name, vpc = ec2._p(params, "InternetGatewayId"), ec2._p(params, "VpcId")
    record = ec2._internet_gateways.get(name)
    if record is None:
        return ec2._error("InvalidInternetGatewayID.NotFound", f"The internetGateway ID '{name}' does not exist", 400)
    if vpc not in {one["VpcId"] for one in record.get("Attachments", [])}:
        return ec2._error("Gateway.NotAttached", f"resource {name} is not attached to network {vpc}", 400)
    if dependencies.public_addresses_of(vpc):
        return ec2._error("DependencyViolation", f"Network {vpc} has some mapped public address(es). Please unmap those "
                          "public address(es) before detaching the gateway.", 400)
    record["Attachments"] = []
    return ec2._xml(200, "DetachInternetGatewayResponse", "<return>true</return>")


def _attached(params):
    name = ec2._p(params, "InternetGatewayId")
    if ec2._internet_gateways.get(name, {}).get("Attachments"):
        return ec2._error("DependencyViolation", f"The internetGateway '{name}' has dependencies and cannot be deleted.", 400)
    return None


def _without_associations(params, answer):
    """A subnet takes its associations with route tables and ACLs along."""
    name = ec2._p(params, "SubnetId")
    if name not in ec2._subnets:
        for record in (*ec2._route_tables.values(), *ec2._network_acls.values()):
            record["Associations"] = [one for one in record["Associations"] if one.get("SubnetId") != name]
    return answer


def _nat_facts(one):
    return {"nat-gateway-id": [one["NatGatewayId"]], "state": [one["State"]], "vpc-id": [one["VpcId"]],
            "subnet-id": [one["SubnetId"]] if one["SubnetId"] else []}


def _show_nat(one):
    name = one["NatGatewayId"]
    interfaces = [record["NetworkInterfaceId"] for record in ec2._network_interfaces.values() if record.get("_owner") == name]
    shown = ""
    for number, allocation in enumerate(allocations(one)):
        at = f"<networkInterfaceId>{interfaces[number]}</networkInterfaceId>" if number < len(interfaces) else ""
        public_ip = ec2._addresses.get(allocation, {}).get("PublicIp", "")
        shown += f"<item><allocationId>{allocation}</allocationId>{at}<publicIp>{public_ip}</publicIp></item>"
    subnet = f"<subnetId>{one['SubnetId']}</subnetId>" if one["SubnetId"] else ""
    mode = "zonal" if one["SubnetId"] else "regional"
    return (f"<item><natGatewayId>{name}</natGatewayId>{subnet}<vpcId>{one['VpcId']}</vpcId><state>{one['State']}</state>"
            f"<connectivityType>{one['ConnectivityType']}</connectivityType><availabilityMode>{mode}</availabilityMode>"
            f"<createTime>{one['CreateTime']}</createTime><natGatewayAddressSet>{shown}</natGatewayAddressSet>"
            f"{ec2._tag_set_xml(name)}</item>")


def _address_facts(one):
    return {"allocation-id": [one["AllocationId"]], "public-ip": [one["PublicIp"]], "domain": [one["Domain"]],
            "association-id": [one["AssociationId"]] if one["AssociationId"] else [],
            "instance-id": [one["InstanceId"]] if one["InstanceId"] else [],
            "network-interface-id": [one["NetworkInterfaceId"]] if one.get("NetworkInterfaceId") else []}


def _show_address(one):
    gateway = next((nat for nat in _gateways() if one["AllocationId"] in allocations(nat)), None)
    owner = gateway and gateway["NatGatewayId"]
    interface = one.get("NetworkInterfaceId") or next(
        (record["NetworkInterfaceId"] for record in ec2._network_interfaces.values() if owner and record.get("_owner") == owner), None)
    used = "".join(f"<{name}>{value}</{name}>" for name, value in (
        ("associationId", one["AssociationId"]), ("instanceId", one["InstanceId"]), ("networkInterfaceId", interface)) if value)
    return (f"<item><publicIp>{one['PublicIp']}</publicIp><allocationId>{one['AllocationId']}</allocationId>"
            f"<domain>{one['Domain']}</domain>{used}{ec2._tag_set_xml(one['AllocationId'])}</item>")


def _internet_facts(one):
    return {"internet-gateway-id": [one["InternetGatewayId"]], "owner-id": [one["OwnerId"]],
            "attachment.vpc-id": [link["VpcId"] for link in one.get("Attachments", [])],
            "attachment.state": [link["State"] for link in one.get("Attachments", [])]}


def _show_egress(one):
    name = one["EgressOnlyInternetGatewayId"]
    return (f"<item><egressOnlyInternetGatewayId>{name}</egressOnlyInternetGatewayId><attachmentSet><item>"
            f"<state>{one['State']}</state><vpcId>{one['VpcId']}</vpcId></item></attachmentSet>{ec2._tag_set_xml(name)}</item>")


def _vpc_facts(one):
    return {"vpc-id": [one["VpcId"]], "cidr": [one["CidrBlock"]], "state": [one["State"]],
            "is-default": ["true" if one.get("IsDefault") else "false"], "owner-id": [one.get("OwnerId") or get_account_id()],
            "dhcp-options-id": [one.get("DhcpOptionsId", "")],
            "cidr-block-association.cidr-block": [escape(one["CidrBlock"])]}


KINDS = {
    "DescribeNatGateways": Kind(lambda: ec2._nat_gateways.values(), lambda one: one["NatGatewayId"], _show_nat, _nat_facts,
                                "natGatewaySet", "NatGatewayId", "NatGatewayNotFound", "NAT gateway ID"),
    "DescribeAddresses": Kind(lambda: ec2._addresses.values(), lambda one: one["AllocationId"], _show_address, _address_facts,
                              "addressesSet", "AllocationId", "InvalidAllocationID.NotFound", "allocation ID"),
    "DescribeInternetGateways": Kind(lambda: ec2._internet_gateways.values(), lambda one: one["InternetGatewayId"], ec2._igw_xml,
                                     _internet_facts, "internetGatewaySet", "InternetGatewayId",
                                     "InvalidInternetGatewayID.NotFound", "internetGateway ID"),
    # Its only filters are tags.
    "DescribeEgressOnlyInternetGateways": Kind(lambda: ec2._egress_igws.values(), lambda one: one["EgressOnlyInternetGatewayId"],
                                               _show_egress, lambda one: {}, "egressOnlyInternetGatewaySet",
                                               "EgressOnlyInternetGatewayId", "InvalidGatewayID.NotFound",
                                               "egressOnlyInternetGateway ID", page=(5, 255)),
    "DescribeVpcs": Kind(lambda: ec2._vpcs.values(), lambda one: one["VpcId"], ec2._vpc_xml, _vpc_facts, "vpcSet", "VpcId",
                         "InvalidVpcID.NotFound", "vpc ID"),
}
