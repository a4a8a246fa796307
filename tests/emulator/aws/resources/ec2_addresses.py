"""Elastic IPs, their associations, and NAT gateways of both kinds: of one subnet, or of a whole region."""

from ministack.services import ec2

from ..handlers import register
from ..words import as_list, identifier, refused
from . import ec2_managed_interfaces


def install():
    register("AWS::EC2::EIP", _create_address, _release_address, update=_update_address, tags=True)
    register("AWS::EC2::EIPAssociation", _associate, _disassociate)
    register("AWS::EC2::NatGateway", _create_gateway, _delete_gateway, update=_update_gateway, tags=True)


def _create_address(_logical_id, properties, _stack):
    allocation, public_ip = identifier("eipalloc"), ec2._random_ip("52.")
    ec2._addresses[allocation] = {
        "AllocationId": allocation, "PublicIp": public_ip, "Domain": properties.get("Domain", "vpc"),
        "AssociationId": None, "InstanceId": properties.get("InstanceId"), "NetworkInterfaceId": None,
        "PrivateIpAddress": None,
    }
    ec2._tags[allocation] = properties.get("Tags", [])
    return public_ip, {"AllocationId": allocation, "PublicIp": public_ip}


def _update_address(public_ip, _old, new, _stack):
    address = _by_ip(public_ip)
    address["InstanceId"] = new.get("InstanceId")
    ec2._tags[address["AllocationId"]] = new.get("Tags", [])
    return public_ip, {"AllocationId": address["AllocationId"], "PublicIp": public_ip}


def _release_address(public_ip, _properties):
    address = _by_ip(public_ip)
    if address is None:
        return
    gateways = (a for nat in ec2._nat_gateways.values() if nat["State"] != "deleted" for a in allocations(nat))
    if address["AssociationId"] or address["AllocationId"] in gateways:
        raise refused("Ec2", f"Address {public_ip} is in use.")
    del ec2._addresses[address["AllocationId"]]


def allocations(gateway):
    """The addresses of a NAT gateway, also of one that EC2's own call made."""
    return gateway.get("_allocations") or [one for one in [gateway.get("AllocationId")] if one]


def _by_ip(public_ip):
    return next((a for a in ec2._addresses.values() if a["PublicIp"] == public_ip), None)


def _address(allocation):
    if allocation not in ec2._addresses:
        raise refused("Ec2", f"The allocation ID '{allocation}' does not exist", "NotFound")
    return ec2._addresses[allocation]


def _associate(_logical_id, properties, _stack):
    address = _address(properties.get("AllocationId"))
    interface = properties.get("NetworkInterfaceId")
    if interface and interface not in ec2._network_interfaces:
        raise refused("Ec2", f"The networkInterface ID '{interface}' does not exist", "NotFound")
    association = identifier("eipassoc")
    address.update(AssociationId=association, NetworkInterfaceId=interface, InstanceId=properties.get("InstanceId"))
    return association, {"Id": association}


def _disassociate(association, _properties):
    for address in ec2._addresses.values():
        if address["AssociationId"] == association:
            address.update(AssociationId=None, NetworkInterfaceId=None, InstanceId=None)


def _create_gateway(_logical_id, properties, _stack):
    gateway = identifier("nat")
    regional = properties.get("AvailabilityMode") == "regional"
    place = _regional(properties) if regional else _zonal(properties)
    ec2._nat_gateways[gateway] = {
        "NatGatewayId": gateway, "ConnectivityType": properties.get("ConnectivityType", "public"),
        "State": "available", "CreateTime": ec2._now_ts(), "Tags": properties.get("Tags", []), **place,
    }
    ec2._tags[gateway] = properties.get("Tags", [])
    if not regional:
        ec2_managed_interfaces.make(gateway, [place["SubnetId"]], [], f"Interface for NAT Gateway {gateway}", "amazon-nat",
                                    "nat_gateway")
    return gateway, _gateway_attributes(gateway, regional)


def _zonal(properties):
    subnet = ec2._subnets.get(properties.get("SubnetId"))
    if subnet is None:
        raise refused("Ec2", f"The subnet ID '{properties.get('SubnetId')}' does not exist", "NotFound")
    allocations = [a for a in (properties.get("AllocationId"), *as_list(properties.get("SecondaryAllocationIds"))) if a]
    if properties.get("ConnectivityType", "public") == "public" and not properties.get("AllocationId"):
        raise refused("Ec2", "The request must contain the parameter AllocationId")
    for allocation in allocations:
        _address(allocation)
    return {"SubnetId": subnet["SubnetId"], "VpcId": subnet["VpcId"], "AllocationId": properties.get("AllocationId"),
            "_allocations": allocations}


def _regional(properties):
    if properties.get("SubnetId"):
        raise refused("Ec2", "SubnetId cannot be specified for a NAT gateway with regional availability mode.")
    if properties.get("VpcId") not in ec2._vpcs:
        raise refused("Ec2", f"The vpc ID '{properties.get('VpcId')}' does not exist", "NotFound")
    zones = as_list(properties.get("AvailabilityZoneAddresses"))
    allocations = [a for zone in zones for a in as_list(zone.get("AllocationIds"))]
    for allocation in allocations:
        _address(allocation)
    return {"SubnetId": "", "VpcId": properties["VpcId"], "AllocationId": "", "_allocations": allocations}


def _update_gateway(gateway, _old, new, _stack):
    record, regional = ec2._nat_gateways[gateway], new.get("AvailabilityMode") == "regional"
    record.update(_regional(new) if regional else _zonal(new))
    ec2._tags[gateway] = record["Tags"] = new.get("Tags", [])
    return gateway, _gateway_attributes(gateway, regional)


def _gateway_attributes(gateway, regional):
    known = {"NatGatewayId": gateway}
    if regional:
        known.update(RouteTableId=f"rtb-{gateway[4:]}", AutoProvisionZones="disabled", AutoScalingIps="disabled")
    else:
        known["EniId"] = f"eni-{gateway[4:]}"
    return known


def _delete_gateway(gateway, _properties):
    if gateway in ec2._nat_gateways:
        ec2._nat_gateways[gateway]["State"] = "deleted"
    ec2_managed_interfaces.release(gateway)
