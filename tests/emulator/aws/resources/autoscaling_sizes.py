"""How a group comes to its size: it launches what is missing and ends what is too much, a while later, and tells of both
in its activities. A group that no stack made keeps ministack's own machines, which are none of EC2's.

A launch takes LAUNCHING AWS seconds to begin and PENDING more to be in service; `launching` of an account has real seconds for
each. A launch that fails is tried again, as Auto Scaling does. What ends is listed as `Terminating` until EC2 has ended it.
"""

import contextlib
import threading

from ministack.core.responses import new_uuid, now_iso
from ministack.services import alb, autoscaling

from .. import releases
from . import ec2_launch

LAUNCHING, PENDING = 20, 10
# States of Auto Scaling that count towards the desired capacity.
COUNTED = ("Pending", "InService")
# One change of a group's machines at a time: those of stacks have threads of their own.
lock = threading.RLock()
_makers = {}


def install(make):
    """`make(group)` launches a machine and returns what the group lists of it."""
    _makers["instance"] = make
    stock = autoscaling._reconcile_instances
    autoscaling._reconcile_instances = lambda group: _resize(group) if "_made_from" in group else stock(group)


def counted(group):
    """The machines that count towards the desired capacity."""
    return [one for one in group["Instances"] if one["LifecycleState"] in COUNTED]


def live_instances(name):
    """Ids of the machines of a group that have not begun to end."""
    return [one["InstanceId"] for one in counted(autoscaling._asgs.get(name, {"Instances": []}))]


def all_instances(name):
    return [one["InstanceId"] for one in autoscaling._asgs.get(name, {}).get("Instances", [])]


def _resize(group):
    """What a new desired capacity asks for: those of the oldest launch-template version end first."""
    with lock:
        found = counted(group)
        found.sort(key=_version)
        for one in found[: max(len(found) - int(group["DesiredCapacity"]), 0)]:
            end(group, one["InstanceId"], "an instance was taken out of service in response to a difference between desired and "
                "actual capacity, shrinking the capacity")
    refill(group["AutoScalingGroupName"])


def _version(one):
    version = str(one["LaunchTemplate"].get("Version", ""))
    return int(version) if version.isdecimal() else 0


def refill(name):
    """Launches what a group misses, in a while; does nothing about a group that no stack made."""
    if "_made_from" in autoscaling._asgs.get(name, {}):
        releases.later(LAUNCHING, "launching", lambda: _fill(name))


def _fill(name):
    with lock:
        group = autoscaling._asgs.get(name)
        if not group or "Launch" in group.get("SuspendedProcesses", []):
            return
        while len(counted(group)) < int(group["DesiredCapacity"]):
            try:
                made = _makers["instance"](group)
            except ValueError as refused:
                activity(group, "Launching a new EC2 instance", _missing(group), status="Failed", message=str(refused))
                releases.queue(LAUNCHING, "launching", lambda: _fill(name))
                return
            made["LifecycleState"] = "Pending"
            group["Instances"].append(made)
            begun = activity(group, f"Launching a new EC2 instance: {made['InstanceId']}", _missing(group), status="InProgress")
            releases.later(PENDING, "launching", lambda one=made, entry=begun: _in_service(one, entry))


def _missing(group):
    return ("an instance was launched in response to a difference between desired and actual capacity, increasing the capacity to "
            f"{group['DesiredCapacity']}.")


def _in_service(one, entry):
    if one["LifecycleState"] == "Pending":
        one["LifecycleState"] = "InService"
    finish(entry)


def end(group, instance, cause):
    """Takes a machine of a group out of service and ends it; the group refills itself if it is then too small."""
    from . import ec2_instances

    one = next(one for one in group["Instances"] if one["InstanceId"] == instance)
    one["LifecycleState"] = "Terminating"
    begun = activity(group, f"Terminating EC2 instance: {instance}", cause, status="InProgress")
    without_targets(group, [instance])
    ec2_instances.begin_end(instance, then=lambda: (forget(instance), finish(begun)))
    return begun


def forget(instance):
    """No group lists a machine any more, and its group replaces it."""
    with lock:
        for name, group in list(autoscaling._asgs.items()):
            left = [one for one in group["Instances"] if one["InstanceId"] != instance]
            if len(left) < len(group["Instances"]):
                group["Instances"] = left
                refill(name)


def without_targets(group, instances):
    """Takes machines out of the group's target groups."""
    for arn in group.get("TargetGroupARNs", []):
        with contextlib.suppress(KeyError):
            alb._targets[arn] = [target for target in alb._targets[arn] if target["Id"] not in instances]


def activity(group, description, cause, status="Successful", message=""):
    """Records an activity of a group; returns its entry."""
    now = now_iso()
    entry = {"ActivityId": new_uuid(), "AutoScalingGroupName": group["AutoScalingGroupName"],
             "Description": f"{description}.  Status Reason: {message}" if message else description,
             "Cause": f"At {now} {cause}", "StartTime": now, "EndTime": "" if status == "InProgress" else now,
             "StatusCode": status, "StatusMessage": message, "Progress": 50 if status == "InProgress" else 100, "Details": "{}"}
    group.setdefault("_activities", []).insert(0, entry)
    return entry


def finish(entry):
    entry.update(StatusCode="Successful", EndTime=now_iso(), Progress=100)
