"""DescribeTargetHealth: a machine of a group is `initial` for a while after it was registered, and `unused` when it does not
run; every other target is healthy.
"""

from ministack.services import alb, ec2

from .. import releases

# AWS seconds until a new target is healthy: three checks, ten seconds apart.
INITIAL = 30


def install():
    alb._ACTION_MAP["DescribeTargetHealth"] = _health


def register(target_group, instance):
    target = {"Id": instance, "Port": alb._tgs[target_group]["Port"], "_initial": True}
    alb._targets.setdefault(target_group, []).append(target)
    releases.later(INITIAL, "launching", lambda: target.pop("_initial", None))


def _health(params):
    releases.settle()
    arn = alb._p(params, "TargetGroupArn")
    if arn not in alb._tgs:
        return alb._error("TargetGroupNotFound", f"Target group '{arn}' not found.")
    wanted = {target["Id"] for target in alb._parse_targets_param(params)}
    shown = ""
    for target in alb._targets.get(arn, []):
        if wanted and target["Id"] not in wanted:
            continue
        state, reason = _state(target)
        reason = f"<Reason>{reason}</Reason>" if reason else ""
        port = target.get("Port", alb._tgs[arn].get("Port", 80))
        shown += (f"<member><Target><Id>{target['Id']}</Id><Port>{port}</Port></Target><HealthCheckPort>{port}</HealthCheckPort>"
                  f"<TargetHealth><State>{state}</State>{reason}</TargetHealth></member>")
    return alb._xml(200, "DescribeTargetHealth", f"<TargetHealthDescriptions>{shown}</TargetHealthDescriptions>")


def _state(target):
    instance = ec2._instances.get(target["Id"])
    if target["Id"].startswith("i-") and (not instance or instance["State"]["Name"] != "running"):
        return "unused", "Target.InvalidState"
    return ("initial", "Elb.RegistrationInProgress") if target.get("_initial") else ("healthy", "")
