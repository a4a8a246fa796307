"""DetachInstances: the machine runs on, without its group, its group's tag and its group's target groups."""

from ministack.core.responses import new_uuid
from ministack.services import alb, autoscaling, ec2

TAG = "aws:autoscaling:groupName"


def install():
    autoscaling._ACTION_MAP["DetachInstances"] = _detach


def _detach(params):
    name = autoscaling._p(params, "AutoScalingGroupName")
    group = autoscaling._asgs.get(name)
    if group is None:
        return autoscaling._error("ValidationError", f"AutoScalingGroup name not found - no such group: {name}")
    instances = autoscaling._parse_member_list(params, "InstanceIds")
    known = {one["InstanceId"] for one in group["Instances"]}
    for one in instances:
        if one not in known:
            return autoscaling._error("ValidationError", f"The instance {one} is not part of Auto Scaling group {name}.")
    smaller = autoscaling._p(params, "ShouldDecrementDesiredCapacity") == "true"
    if smaller and int(group["DesiredCapacity"]) - len(instances) < int(group["MinSize"]):
        return autoscaling._error("ValidationError", f"AutoScalingGroup {name} has min-size={group['MinSize']}, "
                                  f"max-size={group['MaxSize']}, and desired-size={group['DesiredCapacity']}. To place into "
                                  f"standby or detach {len(instances)} instance would violate the minimum size.")
    group["Instances"] = [one for one in group["Instances"] if one["InstanceId"] not in instances]
    group["DesiredCapacity"] = int(group["DesiredCapacity"]) - (len(instances) if smaller else 0)
    for one in instances:
        ec2._tags[one] = [tag for tag in ec2._tags.get(one, []) if tag["Key"] != TAG]
    for arn in group.get("TargetGroupARNs", []):
        alb._targets[arn] = [target for target in alb._targets.get(arn, []) if target["Id"] not in instances]
    activities = "".join(
        f"<member><ActivityId>{new_uuid()}</ActivityId><AutoScalingGroupName>{name}</AutoScalingGroupName><Description>"
        f"Detaching EC2 instance: {one}</Description><Cause>instance {one} was detached in response to a user request."
        "</Cause><StartTime>2026-01-01T00:00:00Z</StartTime><StatusCode>InProgress</StatusCode><Progress>50</Progress>"
        "<Details>{}</Details></member>" for one in instances)
    return autoscaling._xml(200, "DetachInstancesResponse",
                            f"<DetachInstancesResult><Activities>{activities}</Activities></DetachInstancesResult>")
