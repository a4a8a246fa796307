"""EC2's own calls for instances: one that is run has an interface, and one that is terminated takes a while to end."""

import re

from ministack.services import ec2

from .. import releases
from . import autoscaling_sizes as sizes
from . import ec2_launch, ec2_managed_interfaces

# AWS seconds between TerminateInstances and `terminated`; `terminating` of an account has real seconds.
TERMINATING = 45


def install():
    run = ec2._ACTION_MAP["RunInstances"]

    def ran(params):
        subnet = ec2._p(params, "SubnetId")
        if subnet and subnet not in ec2._subnets:
            return ec2._error("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist", 400)
        answer = run(params)
        if answer[0] == 200:
            for instance in re.findall(r"<instanceId>(i-[0-9a-f]+)</instanceId>", answer[2].decode()):
                _complete(ec2._instances[instance], params)
        return answer

    ec2._ACTION_MAP.update(RunInstances=ran, TerminateInstances=_terminate)


def _complete(instance, params):
    """The zone of its subnet, its interface, and the tags of its volume."""
    zone = ec2._subnets[instance["SubnetId"]]["AvailabilityZone"]
    instance["Placement"]["AvailabilityZone"] = zone
    ec2_managed_interfaces.of_instance(instance)
    for mapping in instance["BlockDeviceMappings"]:
        ec2._volumes[mapping["Ebs"]["VolumeId"]]["AvailabilityZone"] = zone
        ec2._parse_tag_specs(params, "volume", mapping["Ebs"]["VolumeId"])


def _terminate(params):
    releases.settle()
    ids = ec2._parse_member_list(params, "InstanceId")
    for one in ids:
        if one not in ec2._instances:
            return ec2._error("InvalidInstanceID.NotFound", f"The instance ID '{one}' does not exist", 400)
    items = ""
    for one in ids:
        before = dict(ec2._instances[one]["State"])
        if before["Name"] not in ("shutting-down", "terminated"):
            # Its group sees it a while later, and replaces it.
            begin_end(one, then=lambda ended=one: sizes.forget(ended))
        now = ec2._instances[one]["State"]
        items += (f"<item><instanceId>{one}</instanceId><currentState><code>{now['Code']}</code><name>{now['Name']}</name>"
                  f"</currentState><previousState><code>{before['Code']}</code><name>{before['Name']}</name></previousState></item>")
    return ec2._xml(200, "TerminateInstancesResponse", f"<instancesSet>{items}</instancesSet>")


def begin_end(instance, seconds=TERMINATING, then=lambda: None):
    """Shuts an instance down; in a while it has ended, and `then` is called."""
    ec2._instances[instance]["State"] = {"Code": 32, "Name": "shutting-down"}
    releases.later(seconds, "terminating", lambda: (ec2_launch.terminate(instance), then()))
