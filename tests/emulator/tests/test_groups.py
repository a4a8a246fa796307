"""Groups that keep their size: what is detached or ended is replaced, from the launch template that the group has then."""

import json
import time
import unittest

from support import ACCOUNT, CFN, EC2, RULES, SESSION, Case, create, delete, group, network, update

SCALING, ELB = (SESSION.create_client(name) for name in ("autoscaling", "elbv2"))


class Groups(Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.account)

    def account(self, **facts):
        (RULES / f"{ACCOUNT}.account").write_text(json.dumps(facts), encoding="utf-8")

    def pool(self, **resources):
        stack_id, _ = create(network(Pool=group(), **resources))
        self.addCleanup(delete, stack_id)
        return stack_id, self.physical(stack_id, "Pool")

    def physical(self, stack_id, logical_id):
        return CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId=logical_id)["StackResourceDetail"]["PhysicalResourceId"]

    def read(self, name):
        return SCALING.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]

    def members(self, name):
        return {one["InstanceId"]: one["LifecycleState"] for one in self.read(name)["Instances"]}

    def eventually(self, expected, read):
        deadline = time.monotonic() + 10
        while (found := read()) != expected:
            self.assertLess(time.monotonic(), deadline, f"{found} is not {expected}")
            time.sleep(0.02)

    def serving(self, name):
        return sum(state == "InService" for state in self.members(name).values())

    def test_a_detached_machine_is_replaced_and_the_size_stays(self):
        _, name = self.pool()
        self.account(launching=60, detaching=60)
        first, second = self.members(name)
        SCALING.detach_instances(AutoScalingGroupName=name, InstanceIds=[first], ShouldDecrementDesiredCapacity=False)
        self.assertEqual({first: "Detaching", second: "InService"}, self.members(name))
        self.refused("ValidationError", "is not in InService", SCALING.detach_instances, AutoScalingGroupName=name,
                     InstanceIds=[first], ShouldDecrementDesiredCapacity=False)
        self.account(launching=0, detaching=0)
        self.eventually(2, lambda: self.serving(name))
        self.assertNotIn(first, self.members(name))
        self.assertEqual(2, self.read(name)["DesiredCapacity"])
        self.refused("ValidationError", f"The instance {first} is not part of Auto Scaling group {name}", SCALING.detach_instances,
                     AutoScalingGroupName=name, InstanceIds=[first], ShouldDecrementDesiredCapacity=False)
        state = EC2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]["State"]["Name"]
        self.assertEqual("running", state)
        found = [one["Description"] for one in SCALING.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]]
        self.assertIn(f"Detaching EC2 instance: {first}", found)
        self.assertTrue(any(one.startswith("Launching a new EC2 instance: i-") for one in found), found)
        self.account(terminating=0)
        EC2.terminate_instances(InstanceIds=[first])

    def test_replacements_come_from_the_newest_version_and_keep_tags(self):
        stack_id, name = self.pool()
        before = self.members(name)
        template = network(Pool=group())
        template["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["ImageId"] = "ami-2"
        update(stack_id, template)
        self.assertEqual({"1"}, {one["LaunchTemplate"]["Version"] for one in self.read(name)["Instances"]})
        self.assertEqual("2", self.read(name)["LaunchTemplate"]["Version"])
        self.account(terminating=0, launching=0)
        one = next(iter(before))
        SCALING.terminate_instance_in_auto_scaling_group(InstanceId=one, ShouldDecrementDesiredCapacity=False)
        self.eventually(2, lambda: self.serving(name))
        made = next(other for other in self.read(name)["Instances"] if other["InstanceId"] not in before)
        self.assertEqual("2", made["LaunchTemplate"]["Version"])
        instance = EC2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"][0]
        self.assertEqual("ami-2", instance["ImageId"])
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        self.assertEqual((name, "2"), (tags["aws:autoscaling:groupName"], tags["aws:ec2launchtemplate:version"]))

    def test_ending_within_a_group(self):
        _, name = self.pool()
        one = next(iter(self.members(name)))
        end = SCALING.terminate_instance_in_auto_scaling_group
        self.refused("ValidationError", "desiredSize equals minSize", end, InstanceId=one, ShouldDecrementDesiredCapacity=True)
        self.refused("ValidationError", "No managed instance found", end, InstanceId="i-0000", ShouldDecrementDesiredCapacity=False)
        self.account(terminating=60, launching=60)
        end(InstanceId=one, ShouldDecrementDesiredCapacity=False)
        self.assertEqual("Terminating", self.members(name)[one])
        self.refused("ScalingActivityInProgress", "in progress", end, InstanceId=one, ShouldDecrementDesiredCapacity=False)
        state = EC2.describe_instances(InstanceIds=[one])["Reservations"][0]["Instances"][0]["State"]["Name"]
        self.assertEqual("shutting-down", state)
        self.account(terminating=0, launching=0)
        self.eventually(2, lambda: self.serving(name))

    def test_a_terminated_machine_is_replaced(self):
        _, name = self.pool()
        one = next(iter(self.members(name)))
        self.account(terminating=0, launching=0)
        EC2.terminate_instances(InstanceIds=[one])
        self.eventually((2, False), lambda: (self.serving(name), one in self.members(name)))

    def test_a_suspended_launch_waits(self):
        _, name = self.pool()
        one = next(iter(self.members(name)))
        self.account(terminating=0, launching=0)
        SCALING.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
        EC2.terminate_instances(InstanceIds=[one])
        self.eventually(False, lambda: one in self.members(name))
        self.assertEqual(1, self.serving(name))
        SCALING.resume_processes(AutoScalingGroupName=name, ScalingProcesses=["Launch"])
        self.eventually(2, lambda: self.serving(name))

    def test_a_machine_with_an_interface_of_its_own_waits_for_it(self):
        resources = network()["Resources"]
        resources["Interface"] = {"Type": "AWS::EC2::NetworkInterface", "Properties": {"SubnetId": {"Ref": "Subnet"}}}
        resources["Template"]["Properties"]["LaunchTemplateData"]["NetworkInterfaces"] = [
            {"NetworkInterfaceId": {"Ref": "Interface"}, "DeviceIndex": 0}]
        resources["Pool"] = group(1)
        properties = resources["Pool"]["Properties"]
        del properties["VPCZoneIdentifier"]
        properties["AvailabilityZones"] = ["eu-west-1a"]
        stack_id, _ = create({"Resources": resources})
        self.addCleanup(delete, stack_id)
        name = self.physical(stack_id, "Pool")
        one = next(iter(self.members(name)))
        self.account(terminating=60, launching=0)
        SCALING.terminate_instance_in_auto_scaling_group(InstanceId=one, ShouldDecrementDesiredCapacity=False)
        read = lambda: SCALING.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
        self.eventually(True, lambda: any(found["StatusCode"] == "Failed" for found in read()))
        failed = next(found for found in read() if found["StatusCode"] == "Failed")
        self.assertRegex(failed["StatusMessage"], r"Interface: \[eni-[0-9a-f]+\] in use. Launching EC2 instance failed.")
        self.account(terminating=0, launching=0)
        self.eventually(["InService"], lambda: list(self.members(name).values()))
        self.assertNotIn(one, self.members(name))

    def test_new_targets_are_healthy_after_a_while(self):
        pool = group()
        pool["Properties"]["TargetGroupARNs"] = [{"Ref": "Targets"}]
        targets = {"Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
                   "Properties": {"Port": 6443, "Protocol": "TCP", "VpcId": {"Ref": "Vpc"}}}
        self.account(launching=60)
        stack_id, _ = create(network(Pool=pool, Targets=targets))
        self.addCleanup(delete, stack_id)
        name, arn = self.physical(stack_id, "Pool"), self.physical(stack_id, "Targets")
        states = lambda: [one["TargetHealth"]["State"] for one in ELB.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]]
        self.assertEqual(["initial", "initial"], states())
        self.account(launching=0, terminating=60)
        self.eventually(["healthy", "healthy"], states)
        one = next(iter(self.members(name)))
        SCALING.terminate_instance_in_auto_scaling_group(InstanceId=one, ShouldDecrementDesiredCapacity=False)
        found = ELB.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        self.assertNotIn(one, {target["Target"]["Id"] for target in found})
        self.account(terminating=0)

    def test_lists_have_filters_pages_and_limits(self):
        _, name = self.pool()
        SCALING.create_or_update_tags(Tags=[{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": "of", "Value": name,
                                             "PropagateAtLaunch": False}])
        found = SCALING.describe_auto_scaling_groups(Filters=[{"Name": "tag:of", "Values": [name]}])["AutoScalingGroups"]
        self.assertEqual([name], [one["AutoScalingGroupName"] for one in found])
        self.assertEqual([], SCALING.describe_auto_scaling_groups(Filters=[{"Name": "tag:of", "Values": ["-"]}])["AutoScalingGroups"])
        self.refused("ValidationError", "not supported", SCALING.describe_auto_scaling_groups, Filters=[{"Name": "x", "Values": ["-"]}])
        ids = [f"i-{n:017x}" for n in range(51)]
        self.refused("ValidationError", "less than or equal to 50", SCALING.describe_auto_scaling_instances, InstanceIds=ids)
        self.refused("ValidationError", "limited to 20", SCALING.detach_instances, AutoScalingGroupName=name, InstanceIds=ids[:21],
                     ShouldDecrementDesiredCapacity=False)
        pages = list(SCALING.get_paginator("describe_auto_scaling_instances").paginate(PaginationConfig={"PageSize": 1}))
        self.assertLessEqual(2, len(pages))
        self.assertTrue(all(len(page["AutoScalingInstances"]) == 1 for page in pages))


if __name__ == "__main__":
    unittest.main()
