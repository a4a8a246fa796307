"""SuspendProcesses and ResumeProcesses, and the suspended ones among what describes a group."""

from xml.sax.saxutils import escape

from ministack.services import autoscaling

from . import autoscaling_sizes as sizes

PROCESSES = ["Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck",
             "InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions"]


def install():
    described = autoscaling._ACTION_MAP["DescribeAutoScalingGroups"]

    def describe(params):
        status, headers, body = described(params)
        text = body.decode() if isinstance(body, bytes) else body
        for name, group in autoscaling._asgs.items():
            tag = f"<AutoScalingGroupName>{name}</AutoScalingGroupName>"
            text = text.replace(f"<member>{tag}", f"<member>{tag}{_shown(group)}")
        return status, headers, text.encode() if isinstance(body, bytes) else text

    autoscaling._ACTION_MAP.update(
        DescribeAutoScalingGroups=describe,
        SuspendProcesses=lambda params: _change(params, "SuspendProcesses", _suspend),
        ResumeProcesses=lambda params: _change(params, "ResumeProcesses", _resume),
    )


def _shown(group):
    suspended = group.get("SuspendedProcesses", [])
    members = "".join(f"<member><ProcessName>{escape(name)}</ProcessName><SuspensionReason>User suspended at "
                      "2026-01-01T00:00:00Z</SuspensionReason></member>" for name in suspended)
    return f"<SuspendedProcesses>{members}</SuspendedProcesses>"


def _change(params, call, change):
    name = autoscaling._p(params, "AutoScalingGroupName")
    group = autoscaling._asgs.get(name)
    if group is None:
        return autoscaling._error("ValidationError", f"AutoScalingGroup name not found - no such group: {name}")
    named = autoscaling._parse_member_list(params, "ScalingProcesses") or PROCESSES
    for process in named:
        if process not in PROCESSES:
            return autoscaling._error("ValidationError", f"The process {process} is not valid")
    group["SuspendedProcesses"] = change(group.get("SuspendedProcesses", []), named)
    sizes.refill(name)
    return autoscaling._xml(200, f"{call}Response", "")


def _suspend(suspended, named):
    return sorted({*suspended, *named})


def _resume(suspended, named):
    return [process for process in suspended if process not in named]
