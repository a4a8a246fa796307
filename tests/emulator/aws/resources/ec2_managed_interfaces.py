"""Network interfaces that AWS makes for something else: requester-managed ones of load balancers, NAT gateways, databases
and endpoints, and the first one of every instance. Nobody but their requester takes a requester-managed one away, and
that of a load balancer stays for minutes after it.
"""

from ministack.core.responses import get_account_id
from ministack.services import ec2

from .. import releases
from ..words import identifier
from . import ec2_interfaces

# AWS's documentation speaks of minutes for load balancers; `interfacesStay` of an account has real seconds.
STAY = 150


def make(owner, subnets, groups, description, requester, kind="interface", public=False):
    """One in each subnet, for `owner`, whose id `release` takes."""
    for subnet in subnets:
        record = ec2._subnets.get(subnet)
        if record is None:
            continue
        name = identifier("eni")
        ec2._network_interfaces[name] = {
            "NetworkInterfaceId": name, "SubnetId": subnet, "VpcId": record["VpcId"], "Description": description,
            "AvailabilityZone": record["AvailabilityZone"], "OwnerId": get_account_id(), "Status": "in-use",
            "PrivateIpAddress": ec2_interfaces.free_address(record), "InterfaceType": kind,
            "SourceDestCheck": kind == "interface", "MacAddress": ec2_interfaces.hardware_address(name),
            "Groups": ec2_interfaces.named_groups(groups), "RequesterId": requester, "RequesterManaged": True,
            "Attachment": {"AttachmentId": f"ela-attach-{name[4:]}", "InstanceOwnerId": requester, "DeviceIndex": 1,
                           "Status": "attached", "AttachTime": ec2._now_ts(), "DeleteOnTermination": False},
            "PublicIp": ec2._random_ip("52.") if public else None, "_owner": owner,
        }


def release(owner, late=False):
    """Takes those of `owner` away: at once, or as late as AWS does for load balancers."""
    def end():
        for name, record in list(ec2._network_interfaces.items()):
            if record.get("_owner") == owner:
                del ec2._network_interfaces[name]

    if late:
        releases.later(STAY, "interfacesStay", end)
    else:
        end()


def of_instance(instance, tags=()):
    """The first interface of an instance that was given none."""
    name, subnet = identifier("eni"), ec2._subnets.get(instance["SubnetId"])
    if subnet is None:
        return
    ec2._network_interfaces[name] = {
        "NetworkInterfaceId": name, "SubnetId": subnet["SubnetId"], "VpcId": subnet["VpcId"], "Description": "",
        "AvailabilityZone": subnet["AvailabilityZone"], "OwnerId": get_account_id(), "Status": "in-use",
        "PrivateIpAddress": instance["PrivateIpAddress"], "InterfaceType": "interface", "SourceDestCheck": True,
        "MacAddress": ec2_interfaces.hardware_address(name), "RequesterManaged": False,
        "Groups": [dict(group) for group in instance["SecurityGroups"]],
        "Attachment": {"AttachmentId": f"eni-attach-{name[4:]}", "InstanceId": instance["InstanceId"],
                       "InstanceOwnerId": get_account_id(), "DeviceIndex": 0, "Status": "attached",
                       "AttachTime": ec2._now_ts(), "DeleteOnTermination": True},
    }
    if tags:
        ec2._tags[name] = list(tags)


def of_ended_instance(instance_id):
    """Frees the interfaces of an instance; those that end with it go."""
    for name, record in list(ec2._network_interfaces.items()):
        attachment = record["Attachment"] or {}
        if attachment.get("InstanceId") != instance_id:
            continue
        if attachment.get("DeleteOnTermination"):
            del ec2._network_interfaces[name]
        else:
            record.update(Status="available", Attachment=None)
