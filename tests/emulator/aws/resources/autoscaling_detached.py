"""DetachInstances: the machine runs on, without its group, its group's tag and its group's target groups. It is `Detaching`
for a while; `detaching` of an account has real seconds.
"""

from ministack.services import autoscaling, ec2

from .. import releases
from . import autoscaling_sizes as sizes
from .autoscaling_describing import activity_xml

TAG = "aws:autoscaling:groupName"
DETACHING = 5
# As many as one call takes.
MOST = 20


def install():
    autoscaling._ACTION_MAP["DetachInstances"] = _detach


def _detach(params):
    releases.settle()
    name = autoscaling._p(params, "AutoScalingGroupName")
    group = autoscaling._asgs.get(name)
    if group is None:
        return autoscaling._error("ValidationError", f"AutoScalingGroup name not found - no such group: {name}")
    instances = autoscaling._parse_member_list(params, "InstanceIds")
    decrement = autoscaling._p(params, "ShouldDecrementDesiredCapacity")
    if decrement not in ("true", "false"):
        return autoscaling._error("ValidationError", "1 validation error detected: Value null at "
                                  "'shouldDecrementDesiredCapacity' failed to satisfy constraint: Member must not be null")
    if len(instances) > MOST:
        return autoscaling._error("ValidationError", f"The number of instance ids that may be passed in is limited to {MOST}")
    with sizes.lock:
        listed = {one["InstanceId"]: one for one in group["Instances"]}
        for one in instances:
            if one not in listed:
                return autoscaling._error("ValidationError", f"The instance {one} is not part of Auto Scaling group {name}.")
            if listed[one]["LifecycleState"] != "InService":
                return autoscaling._error("ValidationError", f"The instance {one} is not in InService or Standby state.")
        smaller = decrement == "true"
        if smaller and int(group["DesiredCapacity"]) - len(instances) < int(group["MinSize"]):
            return autoscaling._error("ValidationError", f"AutoScalingGroup {name} has min-size={group['MinSize']}, "
                                      f"max-size={group['MaxSize']}, and desired-size={group['DesiredCapacity']}. To place into "
                                      f"standby or detach {len(instances)} instance would violate the minimum size.")
        group["DesiredCapacity"] = int(group["DesiredCapacity"]) - (len(instances) if smaller else 0)
        entries = []
        for one in instances:
            listed[one]["LifecycleState"] = "Detaching"
            entries.append(sizes.activity(group, f"Detaching EC2 instance: {one}",
                                       f"instance {one} was detached in response to a user request.", status="InProgress"))
        sizes.without_targets(group, instances)
    activities = "".join(activity_xml(entry) for entry in entries)
    releases.later(DETACHING, "detaching", lambda: _detached(group, instances, entries))
    sizes.refill(name)
    return autoscaling._xml(200, "DetachInstancesResponse",
                            f"<DetachInstancesResult><Activities>{activities}</Activities></DetachInstancesResult>")


def _detached(group, instances, entries):
    with sizes.lock:
        group["Instances"] = [one for one in group["Instances"] if one["InstanceId"] not in instances]
    for one in instances:
        ec2._tags[one] = [tag for tag in ec2._tags.get(one, []) if tag["Key"] != TAG]
    for entry in entries:
        sizes.finish(entry)
