"""Run Command. Where a machine of the tests runs for an instance, it runs the command. Elsewhere a command ends as a
rule has it end; an instance for whose group no rule speaks has no agent that answers.

Rules are asked for by the stack and the logical id of the instance's group, and by what the command says.
"""

from ministack.services import ec2, ssm

from ..rules import Step


def install(rules, machines):
    def spoken(instance):
        """The rules for an instance, in their order."""
        tags = {tag["Key"]: tag["Value"] for tag in ec2._tags.get(instance, [])}
        stack, logical_id = (tags.get(f"aws:cloudformation:{key}", "") for key in ("stack-name", "logical-id"))
        return rules.facts(Step("command", "AWS::AutoScaling::AutoScalingGroup", stack, logical_id))

    def managed():
        running = (name for name, instance in ec2._instances.items()
                   if instance.get("State", {}).get("Name") == "running")
        return {instance for instance in running if spoken(instance) or machines.of(instance)}

    def run(instance, argv):
        script = argv[-1]
        if machines.of(instance):
            return machines.run(instance, script)
        for fact in spoken(instance):
            if fact.get("says", "") in script:
                return fact.get("code", 0), fact.get("stdout", ""), fact.get("stderr", "")
        return 127, "", f"sh: {script}: not found"

    ssm._managed_instance_ids = managed
    ec2.exec_in_instance_blocking = run
