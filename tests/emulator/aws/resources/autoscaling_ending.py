"""TerminateInstanceInAutoScalingGroup."""

from ministack.services import autoscaling

from .. import releases
from . import autoscaling_sizes as sizes
from .autoscaling_describing import activity_xml


def install():
    autoscaling._ACTION_MAP["TerminateInstanceInAutoScalingGroup"] = _terminate


def _terminate(params):
    releases.settle()
    instance = autoscaling._p(params, "InstanceId")
    decrement = autoscaling._p(params, "ShouldDecrementDesiredCapacity")
    if decrement not in ("true", "false"):
        return autoscaling._error("ValidationError", "1 validation error detected: Value null at "
                                  "'shouldDecrementDesiredCapacity' failed to satisfy constraint: Member must not be null")
    with sizes.lock:
        group = next((group for group in autoscaling._asgs.values()
                      if any(one["InstanceId"] == instance for one in group["Instances"])), None)
        if group is None:
            return autoscaling._error("ValidationError", "Instance Id not found - No managed instance found for instance ID: "
                                      f"{instance}")
        one = next(one for one in group["Instances"] if one["InstanceId"] == instance)
        smaller = decrement == "true"
        if smaller and int(group["DesiredCapacity"]) - 1 < int(group["MinSize"]):
            return autoscaling._error("ValidationError", f"Currently, desiredSize equals minSize ({group['MinSize']}). "
                                      "Terminating instance without replacement will violate group's min size constraint. Either "
                                      "set shouldDecrementDesiredCapacity flag to false or lower group's min size.")
        if one["LifecycleState"] in ("Terminating", "Terminated", "Detaching"):
            return autoscaling._error("ScalingActivityInProgress", f"Activity is in progress for instance {instance}.")
        if smaller:
            group["DesiredCapacity"] = int(group["DesiredCapacity"]) - 1
        entry = sizes.end(group, instance, f"instance {instance} was taken out of service in response to a user request.")
        answer = activity_xml(entry, "Activity")
    sizes.refill(group["AutoScalingGroupName"])
    return autoscaling._xml(200, "TerminateInstanceInAutoScalingGroupResponse", "<TerminateInstanceInAutoScalingGroupResult>"
                            f"{answer}</TerminateInstanceInAutoScalingGroupResult>")
