"""Network interfaces with a fixed address."""

import ipaddress

from ministack.core.responses import get_account_id
from ministack.services import ec2

from ..handlers import register
from ..words import as_list, identifier, refused

# Ranges of subnets that hold fixed addresses, by subnet; `ec2_network` fills it.
reserved = {}


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
        "MacAddress": hardware_address(interface), "Attachment": None, "RequesterManaged": False,
        **_changeable(properties),
    }
    ec2._tags[interface] = properties.get("Tags", [])
    return interface, _attributes(interface)


def _address(subnet, properties):
    wanted = properties.get("PrivateIpAddress")
    if wanted is None:
        return free_address(subnet)
    network = ipaddress.ip_network(subnet["CidrBlock"])
    if ipaddress.ip_address(wanted) not in network:
        raise refused("Ec2", f"Address does not fall within the subnet's address range: {wanted}")
    if wanted in _taken(subnet):
        raise refused("Ec2", f"The specified address is already in use: {wanted}", "AlreadyExists")
    return wanted


def free_address(subnet):
    """One that AWS may give: not among the first four, which it keeps, and in no reservation."""
    network, taken = ipaddress.ip_network(subnet["CidrBlock"]), _taken(subnet)
    kept = [ipaddress.ip_network(one) for one in reserved.get(subnet["SubnetId"], {}).values()]
    for number in range(4, network.num_addresses - 1):
        address = network[number]
        if str(address) not in taken and not any(address in one for one in kept):
            return str(address)
    raise refused("Ec2", f"There are not enough free addresses in subnet '{subnet['SubnetId']}' to satisfy the request.")


def _taken(subnet):
    return {i["PrivateIpAddress"] for i in ec2._network_interfaces.values() if i["SubnetId"] == subnet["SubnetId"]}


def hardware_address(interface):
    return "02:" + ":".join(interface[-10 + 2 * i:][:2] for i in range(5))


def named_groups(groups):
    return [{"GroupId": g, "GroupName": ec2._security_groups.get(g, {}).get("GroupName", g)} for g in groups]


def _changeable(properties):
    groups = as_list(properties.get("GroupSet"))
    for group in groups:
        if group not in ec2._security_groups:
            raise refused("Ec2", f"The security group '{group}' does not exist", "NotFound")
    return {
        "Description": properties.get("Description", ""),
        "SourceDestCheck": str(properties.get("SourceDestCheck", True)).lower() == "true",
        "Groups": named_groups(groups),
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
