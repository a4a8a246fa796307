"""What EC2 shows of the network interfaces that launch templates name and that instances have."""

import re

from ministack.services import ec2

from ..words import as_list, truth

# Of a launch template's interface: the property, and its name on the wire.
SHOWN = (("NetworkInterfaceId", "networkInterfaceId"), ("DeviceIndex", "deviceIndex"), ("SubnetId", "subnetId"),
         ("AssociatePublicIpAddress", "associatePublicIpAddress"), ("DeleteOnTermination", "deleteOnTermination"),
         ("Description", "description"))


def install():
    template, instance = ec2._lt_data_xml, ec2._instance_xml
    ec2._lt_data_xml = lambda data: _with(template(data), "networkInterfaceSet", _of_template(data))
    ec2._instance_xml = lambda record: _addresses(instance(record), record)


def _with(xml, name, items):
    """The fragment with this list in place of its own one."""
    rest = re.sub(f"<{name}>.*?</{name}>", "", xml, flags=re.DOTALL)
    return f"{rest}<{name}>{items}</{name}>" if items else rest


def _of_template(data):
    items = ""
    for one in as_list(data.get("NetworkInterfaces")):
        shown = "".join(f"<{name}>{_text(one[key])}</{name}>" for key, name in SHOWN if one.get(key) is not None)
        groups = "".join(f"<groupId>{ec2._esc(group)}</groupId>" for group in as_list(one.get("Groups")))
        items += f"<item>{shown}<groupSet>{groups}</groupSet></item>" if groups else f"<item>{shown}</item>"
    return items


def _text(value):
    return str(value).lower() if isinstance(value, bool) else ec2._esc(str(value))


def interfaces_of(instance):
    """Those that are attached to an instance, the first one first."""
    found = [record for record in ec2._network_interfaces.values()
             if (record["Attachment"] or {}).get("InstanceId") == instance]
    return sorted(found, key=lambda record: int(record["Attachment"]["DeviceIndex"]))


def _addresses(xml, instance):
    """As AWS shows it: with its interfaces, and with a public address only where it has one."""
    if not instance["PublicIpAddress"]:
        xml = re.sub("<(ipAddress|dnsName)>.*?</\\1>", "", xml)
    items = "".join(ec2._eni_fields_xml(record) for record in interfaces_of(instance["InstanceId"]))
    end = xml.rindex("</item>")
    return xml[:end] + (f"<networkInterfaceSet>{items}</networkInterfaceSet>" if items else "") + xml[end:]


def wants_public_address(data, subnet):
    """Whether an instance of this template gets one: what its first interface says counts before the subnet's own way."""
    first = next(iter(as_list(data.get("NetworkInterfaces"))), {})
    if first.get("AssociatePublicIpAddress") is not None:
        return truth(first["AssociatePublicIpAddress"])
    return truth(ec2._subnets.get(subnet, {}).get("MapPublicIpOnLaunch", False))


def elastic_address(interface):
    """The elastic address that is associated with an interface, if there is one."""
    return next((one["PublicIp"] for one in ec2._addresses.values() if one["NetworkInterfaceId"] == interface), None)
