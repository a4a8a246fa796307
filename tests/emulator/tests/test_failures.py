"""What rules say is the case: drift, findings of early validation, hooks, consoles; and ways out of trouble."""

import json
import unittest

from support import CFN, EC2, Case, create, events, group, network, notes, propose, settled, statuses, update


class Drift(Case):
    def drifts(self, stack_id):
        detection = CFN.detect_stack_drift(StackName=stack_id)["StackDriftDetectionId"]
        status = CFN.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
        found = CFN.describe_stack_resource_drifts(StackName=stack_id)["StackResourceDrifts"]
        return status["StackDriftStatus"], {d["LogicalResourceId"]: d for d in found}

    def test_drift_comes_from_a_rule(self):
        stack_id, _ = create(network())
        self.assertEqual("IN_SYNC", self.drifts(stack_id)[0])
        self.rules({"op": "drift", "logical": "Vpc", "actual": {"/CidrBlock": "10.31.0.0/16", "/EnableDnsSupport": True}},
                   {"op": "drift", "logical": "Subnet", "gone": True})
        status, found = self.drifts(stack_id)
        self.assertEqual("DRIFTED", status)
        self.assertEqual({("/CidrBlock", "10.30.0.0/16", "10.31.0.0/16", "NOT_EQUAL"), ("/EnableDnsSupport", "ADD")},
                         {tuple(d[k] for k in keys) for d in found["Vpc"]["PropertyDifferences"]
                          for keys in [("PropertyPath", "ExpectedValue", "ActualValue", "DifferenceType")
                                       if d["DifferenceType"] == "NOT_EQUAL" else ("PropertyPath", "DifferenceType")]})
        self.assertEqual("DELETED", found["Subnet"]["StackResourceDriftStatus"])
        self.assertEqual("IN_SYNC", found["Template"]["StackResourceDriftStatus"])

    def test_change_set_that_compares_with_the_resources_sets_rules_back(self):
        template = network()
        stack_id, _ = create(template)
        self.rules({"op": "drift", "logical": "Vpc", "actual": {"/EnableDnsSupport": True}},
                   {"op": "drift", "logical": "Subnet", "gone": True})
        asked = {"StackName": stack_id, "TemplateBody": json.dumps(template), "Capabilities": ["CAPABILITY_IAM"]}
        plain = CFN.create_change_set(ChangeSetName="plain", **asked)["Id"]
        self.assertEqual("FAILED", CFN.describe_change_set(ChangeSetName=plain)["Status"], "the same template")
        made = CFN.create_change_set(ChangeSetName="back", DeploymentMode="REVERT_DRIFT", **asked)["Id"]
        changes = [c["ResourceChange"] for c in CFN.describe_change_set(ChangeSetName=made)["Changes"]]
        self.assertIn(("Add", "Subnet"), {(c["Action"], c["LogicalResourceId"]) for c in changes})
        self.assertIn(("Modify", "Vpc"), {(c["Action"], c["LogicalResourceId"]) for c in changes})
        self.assertEqual("DRIFTED", self.drifts(stack_id)[0], "not executed yet")
        CFN.execute_change_set(ChangeSetName=made)
        self.assertEqual("UPDATE_COMPLETE", settled(stack_id)["StackStatus"])
        self.assertEqual("IN_SYNC", self.drifts(stack_id)[0])


class Validation(Case):
    FAIL = {"op": "validate", "logical": "A", "path": "/Properties/Value", "reason": "Value is too loud"}

    def test_validation_findings_of_a_change_set_are_in_its_events(self):
        stack_id, _ = create(notes(A="1"))
        self.rules(self.FAIL, {**self.FAIL, "reason": "Value is too long"})
        change_set, _, answer = propose(stack_id, notes(A="2"))
        self.assertEqual(("FAILED", "UNAVAILABLE"), (answer["Status"], answer["ExecutionStatus"]))
        self.assertIn("AWS::EarlyValidation", answer["StatusReason"])
        found = CFN.describe_events(ChangeSetName=change_set)["OperationEvents"]
        self.assertEqual({"Value is too loud", "Value is too long"}, {e["ValidationStatusReason"] for e in found})
        self.assertEqual({"/Resources/A/Properties/Value"}, {e["ValidationPath"] for e in found})

    def test_a_warning_lets_it_be_executed(self):
        stack_id, _ = create(notes(A="1"))
        self.rules({**self.FAIL, "mode": "WARN"})
        change_set, _, answer = propose(stack_id, notes(A="2"))
        self.assertEqual("AVAILABLE", answer["ExecutionStatus"])
        self.assertEqual(["WARN"], [e["ValidationFailureMode"] for e in CFN.describe_events(ChangeSetName=change_set)["OperationEvents"]])
        CFN.execute_change_set(ChangeSetName=change_set)
        self.assertEqual("UPDATE_COMPLETE", settled(stack_id)["StackStatus"])

    def test_a_create_is_refused_before_anything_is_made(self):
        self.rules(self.FAIL)
        stack_id, stack = create(notes(A="1"))
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        self.assertEqual([], statuses(stack_id, "A"))
        found = CFN.describe_events(StackName=stack_id)["OperationEvents"]
        self.assertIn("Value is too loud", [e.get("ValidationStatusReason") for e in found])

    def test_a_hook_fails_a_resource_with_its_name_only(self):
        self.rules({"op": "hook", "logical": "A", "hook": "MyOrg::Notes::Quiet", "reason": "too loud"})
        stack_id, stack = create(notes(A="1"))
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        self.assertIn(("CREATE_FAILED", "The following hook(s) failed: [MyOrg::Notes::Quiet]"), statuses(stack_id, "A"))
        self.assertEqual(["too loud"], [e["HookStatusReason"] for e in CFN.describe_events(StackName=stack_id)["OperationEvents"]])


class Consoles(Case):
    def test_console_output_comes_from_a_rule_also_after_termination(self):
        self.rules({"op": "console", "logical": "Pool", "text": "cloud-init: 403"},
                   {"type": "AWS::AutoScaling::*", "logical": "Pool", "signal": "FAILURE"})
        _, stack = create(network(Pool=group(1)))
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        found = EC2.describe_instances(Filters=[{"Name": "tag:aws:cloudformation:stack-name", "Values": [stack["StackName"]]}])
        instance = found["Reservations"][0]["Instances"][0]
        self.assertIn("aws:autoscaling:groupName", [tag["Key"] for tag in instance["Tags"]])
        said = EC2.get_console_output(InstanceId=instance["InstanceId"], Latest=True)["Output"]
        self.assertEqual("cloud-init: 403", said)
        self.rules()
        self.assertEqual("", EC2.get_console_output(InstanceId=instance["InstanceId"]).get("Output", ""))


class Parallel(Case):
    def test_independent_resources_are_interleaved_and_siblings_of_a_failed_one_cancelled(self):
        self.rules({"op": "create", "logical": "B", "fail": "Out of luck"})
        template = notes(A="1", B="2", C="3", D="4")
        template["Resources"]["D"]["DependsOn"] = "B"
        stack_id, stack = create(template)
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        story = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in events(stack_id)]
        begun = [name for name, status in story[1:4] if status == "CREATE_IN_PROGRESS"]
        self.assertEqual(["A", "B", "C"], begun)
        failed = {e["LogicalResourceId"]: e["ResourceStatusReason"] for e in events(stack_id) if e["ResourceStatus"] == "CREATE_FAILED"}
        self.assertEqual({"B": "Out of luck", "C": "Resource creation cancelled"}, failed)
        self.assertNotIn("D", [name for name, _ in story])
        self.assertIn(("ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [B, C]. Rollback requested by user."),
                      statuses(stack_id, stack["StackName"]))


class WaysOut(Case):
    def test_a_cancelled_update_rolls_back_under_both_tokens(self):
        stack_id, _ = create(notes(A="1", B="1"))
        self.rules({"op": "update", "logical": "A", "delay": 0.5})
        change_set, _, _ = propose(stack_id, notes(A="2", B="2"))
        CFN.execute_change_set(ChangeSetName=change_set, ClientRequestToken="change")
        CFN.cancel_update_stack(StackName=stack_id, ClientRequestToken="cancel")
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", settled(stack_id)["StackStatus"])
        last = [e for e in events(stack_id) if e["ResourceStatus"].startswith("UPDATE_ROLLBACK")]
        self.assertEqual({"cancel"}, {e["ClientRequestToken"] for e in last})

    def test_only_resources_of_a_failed_rollback_can_be_skipped(self):
        stack_id, _ = create(notes(A="1", B="1"))
        self.rules({"op": "update", "logical": "B", "fail": "no", "times": 1}, {"op": "update", "logical": "A", "fail": "stuck", "skip": 1})
        self.assertEqual("UPDATE_ROLLBACK_FAILED", update(stack_id, notes(A="2", B="2"))["StackStatus"])
        self.refused("ValidationError", "B", CFN.continue_update_rollback, StackName=stack_id, ResourcesToSkip=["B"])
        CFN.continue_update_rollback(StackName=stack_id, ResourcesToSkip=["A"])
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", settled(stack_id)["StackStatus"])

    def test_change_sets_are_listed_and_become_obsolete(self):
        stack_id, stack = create(notes(A="1"))
        change_set, _, _ = propose(stack_id, notes(A="2"))
        for name in (stack_id, stack["StackName"]):
            self.assertEqual([change_set], [s["ChangeSetId"] for s in CFN.list_change_sets(StackName=name)["Summaries"]])
        self.assertEqual("UPDATE_COMPLETE", update(stack_id, notes(A="3"))["StackStatus"])
        self.assertEqual("OBSOLETE", CFN.describe_change_set(ChangeSetName=change_set)["ExecutionStatus"])
        self.refused("ValidationError", "does not exist", CFN.list_change_sets, StackName="nobody")


if __name__ == "__main__":
    unittest.main()
