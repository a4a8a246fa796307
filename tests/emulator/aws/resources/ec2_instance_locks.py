"""Termination and stop protection of instances: either refuses `TerminateInstances`, and neither keeps Auto Scaling from
ending a machine of a group.
"""

from ministack.services import ec2

LOCKS = {"disableApiTermination": "DisableApiTermination", "disableApiStop": "DisableApiStop"}


def install():
    describe = ec2._ACTION_MAP["DescribeInstanceAttribute"]
    terminate = ec2._ACTION_MAP["TerminateInstances"]

    def described(params):
        answer = describe(params)
        attribute = ec2._p(params, "Attribute")
        if answer[0] != 200 or attribute not in LOCKS:
            return answer
        instance = ec2._p(params, "InstanceId")
        value = str(attribute in ec2._instances[instance].get("_locks", set())).lower()
        return ec2._xml(200, "DescribeInstanceAttributeResponse",
                        f"<instanceId>{instance}</instanceId><{attribute}><value>{value}</value></{attribute}>")

    def terminated(params):
        for one in ec2._parse_member_list(params, "InstanceId"):
            for attribute in sorted(ec2._instances.get(one, {}).get("_locks", set())):
                return ec2._error("OperationNotPermitted", f"The instance '{one}' may not be terminated. Modify its "
                                  f"'{attribute}' instance attribute and try again.", 400)
        return terminate(params)

    ec2._ACTION_MAP.update(DescribeInstanceAttribute=described, TerminateInstances=terminated,
                           ModifyInstanceAttribute=_modify)


def _modify(params):
    instance = ec2._instances.get(ec2._p(params, "InstanceId"))
    if instance is None:
        return ec2._error("InvalidInstanceID.NotFound", "The instance ID does not exist", 400)
    asked = {attribute: ec2._p(params, f"{name}.Value") for attribute, name in LOCKS.items()}
    if not any(asked.values()):
        return ec2._error("InvalidParameterCombination", "No attributes specified.", 400)
    locks = set(instance.get("_locks", set()))
    for attribute, value in asked.items():
        locks = locks | {attribute} if value == "true" else locks - {attribute} if value == "false" else locks
    instance["_locks"] = locks
    return ec2._xml(200, "ModifyInstanceAttributeResponse", "<return>true</return>")
