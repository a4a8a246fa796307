"""GetConsoleOutput: what the instance's machine of the tests printed, what a rule has it say, or what was recorded of a boot
that fails for the cause of a rule; nothing without one.

Instances of a group alone are asked about in rules: by the stack and the logical id in their tags.
"""

import base64

from ministack.core.responses import now_iso
from ministack.services import ec2

from .. import boots
from ..rules import Step


def install(rules, machines):
    def console(params):
        instance = ec2._p(params, "InstanceId")
        if instance not in ec2._instances:
            return ec2._error("InvalidInstanceID.NotFound", f"The instance ID '{instance}' does not exist", 400)
        tags = {tag["Key"]: tag["Value"] for tag in ec2._tags.get(instance, [])}
        stack, logical_id = (tags.get(f"aws:cloudformation:{key}", "") for key in ("stack-name", "logical-id"))
        facts = rules.facts(Step("console", "AWS::AutoScaling::AutoScalingGroup", stack, logical_id))
        parts = [*(fact["text"] for fact in facts), boots.console(instance),
                 machines.console(instance)]
        said = "\r\n".join(part for part in parts if part)
        output = base64.encodebytes(said.encode()).decode()
        return ec2._xml(200, "GetConsoleOutputResponse", f"<instanceId>{instance}</instanceId>"
                        f"<timestamp>{now_iso()}</timestamp><output>{output}</output>")

    ec2._ACTION_MAP["GetConsoleOutput"] = console
