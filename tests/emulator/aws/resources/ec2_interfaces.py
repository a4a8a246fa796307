"""Network interfaces with a fixed address."""

import ipaddress

from ministack.core.responses import get_account_id
from ministack.services import ec2

from ..handlers import register
from ..words import as_list, identifier, refused


def install():
    register("AWS::EC2::NetworkInterface", _create, _delete, update=_update, tags=True)


def _create(_logical_id, properties, _stack):
    subnet = ec2._subnets.get(properties.get("SubnetId"))
    if subnet is None:
        raise refused("Ec2", f"The subnet ID '{properties.get('SubnetId')}' does not exist", "NotFound")
    interface, address = identifier("eni"), _address(subnet, properties)
    ec2._network_interfaces[interface] = {
        "NetworkInterfaceId": interface, "SubnetId": subnet["SubnetId"], "VpcId": subnet["VpcId"],
        "AvailabilityZone": subnet["AvailabilityZone"], "OwnerId": get_account_id(), "Status": "available",
        "PrivateIpAddress": address, "InterfaceType": properties.get("InterfaceType", "interface"),
        "MacAddress": "02:" + ":".join(interface[-10 + 2 * i:][:2] for i in range(5)), "Attachment": None,
        **_changeable(properties),
    }
    ec2._tags[interface] = properties.get("Tags", [])
    return interface, _attributes(interface)


def _address(subnet, properties):
    network = ipaddress.ip_network(subnet["CidrBlock"])
    taken = {i["PrivateIpAddress"] for i in ec2._network_interfaces.values() if i["SubnetId"] == subnet["SubnetId"]}
    wanted = properties.get("PrivateIpAddress")
    if wanted is None:
        # AWS keeps the first four addresses of a subnet for itself.
        return next(str(a) for a in list(network)[4:-1] if str(a) not in taken)
    if ipaddress.ip_address(wanted) not in network:
        raise refused("Ec2", f"Address does not fall within the subnet's address range: {wanted}")
    if wanted in taken:
        raise refused("Ec2", f"The specified address is already in use: {wanted}", "AlreadyExists")
    return wanted


def _changeable(properties):
    groups = as_list(properties.get("GroupSet"))
    for group in groups:
        if group not in ec2._security_groups:
            raise refused("Ec2", f"The security group '{group}' does not exist", "NotFound")
    return {
        "Description": properties.get("Description", ""),
        "SourceDestCheck": str(properties.get("SourceDestCheck", True)).lower() == "true",
        "Groups": [{"GroupId": g, "GroupName": ec2._security_groups[g]["GroupName"]} for g in groups],
    }


def _update(interface, _old, new, _stack):
    ec2._network_interfaces[interface].update(_changeable(new))
    ec2._tags[interface] = new.get("Tags", [])
    return interface, _attributes(interface)


def _attributes(interface):
    record = ec2._network_interfaces[interface]
    return {"Id": interface, "PrimaryPrivateIpAddress": record["PrivateIpAddress"], "VpcId": record["VpcId"],
            "SecondaryPrivateIpAddresses": []}


def _delete(interface, _properties):
    record = ec2._network_interfaces.get(interface)
    if record and record["Attachment"]:
        raise refused("Ec2", f"Network interface '{interface}' is currently in use.")
    ec2._network_interfaces.pop(interface, None)
