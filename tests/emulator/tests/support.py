"""What the emulator's tests share: clients of the emulated AWS, short templates, and what came of a stack."""

import itertools
import json
import os
import time
import unittest
from pathlib import Path

import botocore.session
from botocore.exceptions import ClientError

RULES = Path(os.environ["KUBE_CFN_TEST_RULES"])
ACCOUNT = "111122223333"
SESSION = botocore.session.get_session()
CFN, EC2, RDS, SSM = (SESSION.create_client(name) for name in ("cloudformation", "ec2", "rds", "ssm"))
NUMBERS = itertools.count(1)


def parameters(values):
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def settled(name):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        stack = CFN.describe_stacks(StackName=name)["Stacks"][0]
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(0.02)
    raise AssertionError(f"{name} does not settle: {stack['StackStatus']}")


def create(template, name=None, values=None, **more):
    name = name or f"stack-{next(NUMBERS)}"
    made = CFN.create_stack(StackName=name, TemplateBody=json.dumps(template), Parameters=parameters(values or {}),
                            Capabilities=["CAPABILITY_IAM"], **more)
    return made["StackId"], settled(made["StackId"])


def update(stack_id, template, values=None, **more):
    CFN.update_stack(StackName=stack_id, TemplateBody=json.dumps(template), Parameters=parameters(values or {}),
                     Capabilities=["CAPABILITY_IAM"], **more)
    return settled(stack_id)


def delete(stack_id):
    CFN.delete_stack(StackName=stack_id)
    return settled(stack_id)


def events(stack_id):
    pages = CFN.get_paginator("describe_stack_events").paginate(StackName=stack_id)
    return [event for page in pages for event in page["StackEvents"]][::-1]


def statuses(stack_id, logical_id):
    return [(e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in events(stack_id) if e["LogicalResourceId"] == logical_id]


def propose(stack_id, template, values=None):
    """The changes of a change set, by logical id, with property values."""
    made = CFN.create_change_set(StackName=stack_id, ChangeSetName=f"set-{next(NUMBERS)}", TemplateBody=json.dumps(template),
                                 Parameters=parameters(values or {}), Capabilities=["CAPABILITY_IAM"])
    answer = CFN.describe_change_set(ChangeSetName=made["Id"], IncludePropertyValues=True)
    return made["Id"], {c["ResourceChange"]["LogicalResourceId"]: c["ResourceChange"] for c in answer["Changes"]}, answer


def notes(**values):
    """A template of parameters by logical id: the cheapest resource there is."""
    return {"Resources": {name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}}
                          for name, value in values.items()}}


def network(**resources):
    return {"Resources": {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.30.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.30.0.0/24", "AvailabilityZone": "eu-west-1a"}},
        "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": {"ImageId": "ami-1", "InstanceType": "t4g.small"}}},
        **resources}}


def group(count=2, timeout="PT15M"):
    return {"Type": "AWS::AutoScaling::AutoScalingGroup", "CreationPolicy": {"ResourceSignal": {"Count": count, "Timeout": timeout}},
            "Properties": {"MinSize": str(count), "MaxSize": str(count), "VPCZoneIdentifier": [{"Ref": "Subnet"}],
                           "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}}}}


def database(key=None, protected=False, instance_class="db.t4g.micro", **attributes):
    properties = {"Engine": "postgres", "DBInstanceClass": instance_class, "AllocatedStorage": "20", "MasterUsername": "owner", "DBName": "app",
                  "ManageMasterUserPassword": True, "StorageEncrypted": True, "DeletionProtection": protected, **({"KmsKeyId": key} if key else {})}
    return {"Resources": {"Database": {"Type": "AWS::RDS::DBInstance", "Properties": properties, **attributes}},
            "Outputs": {name: {"Value": {"Fn::GetAtt": ["Database", attribute]}} for name, attribute in
                        (("Port", "Endpoint.Port"), ("Secret", "MasterUserSecret.SecretArn"), ("Arn", "DBInstanceArn"))}}


class Case(unittest.TestCase):
    def setUp(self):
        self.addCleanup(self.rules)

    def rules(self, *rules):
        for path in RULES.glob("*.json"):
            path.unlink()
        if rules:
            (RULES / "rules.json").write_text(json.dumps(rules), encoding="utf-8")

    def refused(self, code, pattern, call, *arguments, **named):
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **named)
        self.assertEqual(code, caught.exception.response["Error"]["Code"])
        self.assertRegex(caught.exception.response["Error"]["Message"], pattern)
