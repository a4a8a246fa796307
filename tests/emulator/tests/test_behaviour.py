"""How the emulated CloudFormation behaves: signals, rules, change sets, guards and refusals."""

import json
import time
import unittest

from botocore.exceptions import ClientError
from support import (
    CFN, RDS, RULES, SESSION, Case, create, database, delete, events, group, network, notes, parameters, propose, settled,
    statuses, update,
)


class Signals(Case):
    def test_a_failure_signal_rolls_the_stack_back(self):
        self.rules({"type": "AWS::AutoScaling::*", "logical": "Pool", "signal": "FAILURE"})
        stack_id, stack = create(network(Pool=group()))
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        self.assertIn("Received 1 FAILURE signal(s) out of 2.  Unable to satisfy 100% MinSuccessfulInstancesPercent requirement",
                      [reason for status, reason in statuses(stack_id, "Pool") if status == "CREATE_FAILED"])
        failed = [e.get("PhysicalResourceId") for e in events(stack_id)
                  if e["LogicalResourceId"] == "Pool" and e["ResourceStatus"] == "CREATE_FAILED"]
        self.assertTrue(failed and all(failed), "what was made keeps its id")

    def test_no_signal_times_out(self):
        self.rules({"type": "AWS::AutoScaling::*", "signal": "none"})
        stack_id, stack = create(network(Pool=group(timeout="PT1S")))
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        self.assertIn("Received 0 SUCCESS signal(s) out of 2.", [r for s, r in statuses(stack_id, "Pool") if s == "CREATE_FAILED"][0])

    def test_the_api_can_signal_too(self):
        self.rules({"type": "AWS::AutoScaling::*", "signal": "none"})
        made = CFN.create_stack(StackName="by-hand", TemplateBody=json.dumps(network(Pool=group(1, "PT12H"))))["StackId"]
        for _ in range(200):
            try:
                CFN.signal_resource(StackName=made, LogicalResourceId="Pool", UniqueId="i-1", Status="SUCCESS")
                break
            except ClientError:
                time.sleep(0.02)
        self.assertEqual("CREATE_COMPLETE", settled(made)["StackStatus"])


class Rules(Case):
    def test_a_create_fails_late_and_rolls_back(self):
        self.rules({"type": "AWS::SSM::*", "logical": "B", "fail": "Out of luck (HandlerErrorCode: ServiceLimitExceeded)"})
        stack_id, stack = create(notes(A="1", B="2"))
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        self.assertIn(("CREATE_FAILED", "Out of luck (HandlerErrorCode: ServiceLimitExceeded)"), statuses(stack_id, "B"))
        self.assertIn("DELETE_COMPLETE", [status for status, _ in statuses(stack_id, "A")])
        self.refused("AlreadyExistsException", "already exists", CFN.create_stack, StackName=stack["StackName"], TemplateBody=json.dumps(notes(A="1")))

    def test_an_update_rolls_back_and_can_get_stuck(self):
        stack_id, _ = create(notes(A="1", B="1"))
        self.rules({"op": "update", "logical": "B", "fail": "no", "times": 1}, {"op": "update", "logical": "A", "fail": "stuck", "skip": 1, "times": 1})
        self.assertEqual("UPDATE_ROLLBACK_FAILED", update(stack_id, notes(A="2", B="2"))["StackStatus"])
        CFN.continue_update_rollback(StackName=stack_id)
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", settled(stack_id)["StackStatus"])

    def test_a_delete_fails_once(self):
        stack_id, _ = create(notes(A="1"))
        self.rules({"op": "delete", "type": "AWS::SSM::Parameter", "fail": "in use", "times": 1})
        self.assertEqual("DELETE_FAILED", delete(stack_id)["StackStatus"])
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])

    def test_a_delay_shows_the_resource_in_progress(self):
        self.rules({"op": "create", "logical": "A", "delay": 0.5})
        made = CFN.create_stack(StackName="slow", TemplateBody=json.dumps(notes(A="1")))["StackId"]
        seen = set()
        while CFN.describe_stacks(StackName=made)["Stacks"][0]["StackStatus"] == "CREATE_IN_PROGRESS":
            seen |= {(r["LogicalResourceId"], r["ResourceStatus"]) for r in CFN.list_stack_resources(StackName=made)["StackResourceSummaries"]}
        self.assertIn(("A", "CREATE_IN_PROGRESS"), seen)
        self.assertEqual(["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"], [status for status, _ in statuses(made, "A")])

    def test_a_half_written_rule_file_is_ignored(self):
        (RULES / "broken.json").write_text('[{"fail": ', encoding="utf-8")
        self.assertEqual("CREATE_COMPLETE", create(notes(A="1"))[1]["StackStatus"])


class ChangeSets(Case):
    def test_a_database_replacement_is_reported_as_such(self):
        template = database(UpdateReplacePolicy="Snapshot")
        stack_id, _ = create(template)
        self.addCleanup(delete, stack_id)
        _, changes, _ = propose(stack_id, database("arn:aws:kms:eu-west-1:111122223333:key/other", UpdateReplacePolicy="Snapshot"))
        change = changes["Database"]
        self.assertEqual(("True", "ReplaceAndSnapshot"), (change["Replacement"], change["PolicyAction"]))
        target = change["Details"][0]["Target"]
        self.assertEqual(("/Properties/KmsKeyId", "Always", "arn:aws:kms:eu-west-1:111122223333:key/other"),
                         (target["Path"], target["RequiresRecreation"], target["AfterValue"]))
        _, changes, _ = propose(stack_id, database(instance_class="db.m7g.large", UpdateReplacePolicy="Snapshot"))
        change = changes["Database"]
        self.assertEqual(("False", "Never"), (change["Replacement"], change["Details"][0]["Target"]["RequiresRecreation"]))
        self.assertEqual("db.t4g.micro", json.loads(change["BeforeContext"])["Properties"]["DBInstanceClass"])

    def test_dependents_are_listed_only_if_they_change(self):
        template = network(Pool=group(1))
        stack_id, _ = create(template)
        changed = json.loads(json.dumps(template))
        changed["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["ImageId"] = "ami-2"
        _, changes, _ = propose(stack_id, changed)
        self.assertEqual({"Template", "Pool"}, set(changes))
        self.assertEqual("/Properties/LaunchTemplateData/ImageId", changes["Template"]["Details"][0]["Target"]["Path"])
        detail = changes["Pool"]["Details"][0]
        self.assertEqual(("Template.LatestVersionNumber", "Dynamic", "{{changeSet:KNOWN_AFTER_APPLY}}"),
                         (detail["CausingEntity"], detail["Evaluation"], detail["Target"]["AfterValue"]))
        changed = json.loads(json.dumps(template))
        changed["Resources"]["Vpc"]["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]
        self.assertEqual({"Vpc"}, set(propose(stack_id, changed)[1]))
        changed["Resources"]["Vpc"]["Properties"]["CidrBlock"] = "10.31.0.0/16"
        _, changes, _ = propose(stack_id, changed)
        self.assertEqual(("True", "True"), (changes["Vpc"]["Replacement"], changes["Subnet"]["Replacement"]))

    def test_a_parameter_is_named_as_the_cause(self):
        template = {**notes(A="x"), "Parameters": {"Value": {"Type": "String"}}}
        template["Resources"]["A"]["Properties"]["Value"] = {"Ref": "Value"}
        stack_id, _ = create(template, values={"Value": "1"})
        change_set, changes, _ = propose(stack_id, template, {"Value": "2"})
        detail = changes["A"]["Details"][0]
        self.assertEqual(("ParameterReference", "Value", "1", "2"),
                         (detail["ChangeSource"], detail["CausingEntity"], detail["Target"]["BeforeValue"], detail["Target"]["AfterValue"]))
        CFN.execute_change_set(ChangeSetName=change_set)
        self.assertEqual("UPDATE_COMPLETE", settled(stack_id)["StackStatus"])

    def test_additions_and_removals_come_as_events_of_their_own_kind(self):
        stack_id, _ = create(notes(Old="1", Same="1"))
        change_set, changes, _ = propose(stack_id, notes(New="1", Same="1"))
        self.assertEqual({"New": "Add", "Old": "Remove"}, {name: change["Action"] for name, change in changes.items()})
        CFN.execute_change_set(ChangeSetName=change_set)
        settled(stack_id)
        self.assertEqual("CREATE_COMPLETE", statuses(stack_id, "New")[-1][0])
        self.assertEqual("DELETE_COMPLETE", statuses(stack_id, "Old")[-1][0])
        self.assertEqual(["CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS", "CREATE_COMPLETE"], [status for status, _ in statuses(stack_id, "Same")])

    def test_change_sets_without_resource_changes(self):
        template = notes(A="1")
        stack_id, _ = create(template)
        _, changes, answer = propose(stack_id, template)
        self.assertEqual((({}), "FAILED"), (changes, answer["Status"]))
        self.assertIn("didn't contain changes", answer["StatusReason"])
        change_set, changes, answer = propose(stack_id, {**template, "Outputs": {"A": {"Value": {"Ref": "A"}}}})
        self.assertEqual(({}, "AVAILABLE"), (changes, answer["ExecutionStatus"]))
        CFN.execute_change_set(ChangeSetName=change_set)
        self.assertEqual(["A"], [o["OutputKey"] for o in settled(stack_id)["Outputs"]])


class Guards(Case):
    POLICY = json.dumps({"Statement": [
        {"Effect": "Deny", "Action": ["Update:Replace", "Update:Delete"], "Principal": "*", "Resource": "*",
         "Condition": {"StringEquals": {"ResourceType": ["AWS::EC2::VPC"]}}},
        {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]})

    def test_a_stack_policy_forbids_replacing_and_deleting(self):
        template = {"Resources": {"Vpc": network()["Resources"]["Vpc"], **notes(A="1")["Resources"]}}
        stack_id, _ = create(template, StackPolicyBody=self.POLICY)
        wider = json.loads(json.dumps(template).replace("10.30.0.0/16", "10.32.0.0/16"))
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", update(stack_id, wider)["StackStatus"])
        self.assertIn(("UPDATE_FAILED", "Action denied by stack policy: Statement [#1] does not allow [Update:Replace] for resource [LogicalResourceId/Vpc]"),
                      statuses(stack_id, "Vpc"))
        self.assertEqual("UPDATE_ROLLBACK_COMPLETE", update(stack_id, notes(A="2"))["StackStatus"])
        self.assertIn("[Update:Delete]", statuses(stack_id, "Vpc")[-1][1])
        tagged = json.loads(json.dumps(template))
        tagged["Resources"]["Vpc"]["Properties"]["Tags"] = [{"Key": "a", "Value": "b"}]
        self.assertEqual("UPDATE_COMPLETE", update(stack_id, tagged)["StackStatus"])

    def test_a_protected_database_stays(self):
        stack_id, _ = create(database(protected=True, DeletionPolicy="Delete"))
        self.assertEqual("DELETE_FAILED", delete(stack_id)["StackStatus"])
        self.assertIn("Cannot delete protected DB Instance, please disable deletion protection and try again.", statuses(stack_id, "Database")[-1][1])
        identifier = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Database")["StackResourceDetail"]["PhysicalResourceId"]
        RDS.modify_db_instance(DBInstanceIdentifier=identifier, DeletionProtection=False, ApplyImmediately=True)
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])

    def test_a_replaced_database_leaves_a_snapshot(self):
        stack_id, stack = create(database(UpdateReplacePolicy="Snapshot", DeletionPolicy="Delete"))
        self.assertEqual("UPDATE_COMPLETE", update(stack_id, database("alias/other", UpdateReplacePolicy="Snapshot", DeletionPolicy="Delete"))["StackStatus"])
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])
        kept = [s["DBSnapshotIdentifier"] for s in RDS.describe_db_snapshots()["DBSnapshots"]]
        self.assertEqual(1, len([name for name in kept if name.startswith(f"{stack['StackName']}-snapshot-database-")]), kept)


class Scaling(Case):
    def test_processes_of_a_group_are_suspended_and_resumed(self):
        create(network(Pool=group()), name="scaled")
        client = SESSION.create_client("autoscaling")
        name = CFN.describe_stack_resource(StackName="scaled", LogicalResourceId="Pool")["StackResourceDetail"]["PhysicalResourceId"]

        def read():
            found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
            return [process["ProcessName"] for process in found["SuspendedProcesses"]]

        self.assertEqual([], read())
        for _ in range(2):
            client.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["AZRebalance"])
            self.assertEqual(["AZRebalance"], read())
        client.resume_processes(AutoScalingGroupName=name)
        self.assertEqual([], read())
        self.refused("ValidationError", "not found", client.suspend_processes, AutoScalingGroupName="other")
        self.refused("ValidationError", "not valid", client.suspend_processes, AutoScalingGroupName=name, ScalingProcesses=["Sleep"])

    def test_a_database_only_grows(self):
        stack_id, _ = create(database())
        name = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Database")["StackResourceDetail"]["PhysicalResourceId"]
        RDS.modify_db_instance(DBInstanceIdentifier=name, AllocatedStorage=30, ApplyImmediately=True)
        update(stack_id, database(instance_class="db.t4g.small"))
        self.assertIn("20 GiB is less than the allocated 30 GiB", str(statuses(stack_id, "Database")))
        found = RDS.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        self.assertEqual((30, "db.t4g.micro"), (found["AllocatedStorage"], found["DBInstanceClass"]))


class Refusals(Case):
    def test_refusals_have_aws_texts(self):
        body = json.dumps(notes(A="1"))
        self.refused("ValidationError", r"Parameters: \[Nope\] do not exist in the template", CFN.create_stack, StackName="x", TemplateBody=body, Parameters=parameters({"Nope": "1"}))
        self.refused("ValidationError", r"Unresolved resource dependencies \[Missing\] in the Resources block", CFN.create_stack, StackName="x",
                     TemplateBody=json.dumps(notes(A={"Ref": "Missing"})))
        self.refused("ValidationError", "At least one Resources member", CFN.create_stack, StackName="x", TemplateBody='{"Resources": {}}')
        role = {"Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}}}}
        self.refused("InsufficientCapabilitiesException", r"Requires capabilities : \[CAPABILITY_IAM\]", CFN.create_stack, StackName="x", TemplateBody=json.dumps(role))

    def test_a_busy_stack_takes_no_second_update(self):
        stack_id, _ = create(notes(A="1"))
        first, _, _ = propose(stack_id, notes(A="2"))
        self.rules({"op": "update", "delay": 1})
        CFN.execute_change_set(ChangeSetName=first)
        self.refused("ValidationError", "is in UPDATE_IN_PROGRESS state and can not be updated", propose, stack_id, notes(A="3"))
        settled(stack_id)

    def test_the_same_client_token_is_the_same_creation(self):
        stack_id, stack = create(notes(A="1"), ClientRequestToken="token-1")
        self.assertEqual(stack_id, create(notes(A="1"), stack["StackName"], ClientRequestToken="token-1")[0])
        self.refused("AlreadyExistsException", "already exists", create, notes(A="1"), stack["StackName"], ClientRequestToken="token-2")
        self.assertEqual({"token-1"}, {e["ClientRequestToken"] for e in events(stack_id)})

    def test_invalid_values_fail_their_resource(self):
        outside = network()
        outside["Resources"]["Subnet"]["Properties"]["CidrBlock"] = "10.99.0.0/24"
        stack_id, stack = create(outside)
        self.assertEqual("ROLLBACK_COMPLETE", stack["StackStatus"])
        self.assertIn("The CIDR '10.99.0.0/24' is invalid.", statuses(stack_id, "Subnet")[1][1])

    def test_a_full_bucket_is_not_deleted(self):
        stack_id, _ = create({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
        bucket = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Bucket")["StackResourceDetail"]["PhysicalResourceId"]
        s3 = SESSION.create_client("s3")
        s3.put_object(Bucket=bucket, Key="k", Body=json.dumps(notes(A="1")).encode())
        self.assertEqual("DELETE_FAILED", delete(stack_id)["StackStatus"])
        made = CFN.create_stack(StackName="from-s3", TemplateURL=f"https://{bucket}.s3.eu-west-1.amazonaws.com/k")["StackId"]
        self.assertEqual("CREATE_COMPLETE", settled(made)["StackStatus"])
        s3.delete_object(Bucket=bucket, Key="k")
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])

    def test_a_template_url_may_name_a_version(self):
        versioned = {"VersioningConfiguration": {"Status": "Enabled"}}
        stack_id, _ = create({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": versioned}}})
        bucket = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Bucket")["StackResourceDetail"]["PhysicalResourceId"]
        s3 = SESSION.create_client("s3")
        put = lambda **values: s3.put_object(Bucket=bucket, Key="k", Body=json.dumps(notes(**values)).encode())["VersionId"]
        first, second = put(A="1"), put(A="2", B="2")
        for name, version, resources in (("first", first, ["A"]), ("second", second, ["A", "B"])):
            url = f"https://s3.eu-west-1.amazonaws.com/{bucket}/k?versionId={version}"
            made = CFN.create_stack(StackName=f"version-{name}", TemplateURL=url)["StackId"]
            self.assertEqual("CREATE_COMPLETE", settled(made)["StackStatus"])
            found = CFN.describe_stack_resources(StackName=made)["StackResources"]
            self.assertEqual(resources, sorted(one["LogicalResourceId"] for one in found))


if __name__ == "__main__":
    unittest.main()
