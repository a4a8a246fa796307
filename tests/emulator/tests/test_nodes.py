"""What a node of the tests meets beside CloudFormation: its metadata service, volumes, parameters, who it is."""

import base64
import http.client
import json
import socket
import sys
import tempfile
import time
import unittest
from pathlib import Path

from support import ACCOUNT, CFN, EC2, RDS, SESSION, SSM, Case, create, database, group, network

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import metadata  # noqa: E402

TTL, TOKEN = metadata.TTL, metadata.TOKEN


class Metadata(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        data = tempfile.NamedTemporaryFile(mode="w", suffix=".user-data")
        cls.addClassCleanup(data.close)
        data.write("#!/bin/bash\n")
        data.flush()
        cls.listener = socket.create_server(("127.0.0.1", 0))
        server = metadata.serve(cls.listener, {
            "account": ACCOUNT, "region": "eu-west-1", "zone": "eu-west-1a", "instance": "i-0a", "address": "10.0.0.9",
            "role": "node", "user_data": data.name,
            "credentials": {"AccessKeyId": "ASIA1", "SecretAccessKey": "secret", "SessionToken": "session"}})
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)

    def ask(self, method, path, **headers):
        there = http.client.HTTPConnection(*self.listener.getsockname())
        there.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = there.getresponse()
        code, text = answer.status, answer.read().decode()
        there.close()
        return code, text

    def token(self, ttl="60"):
        code, token = self.ask("PUT", "/latest/api/token", **{TTL: ttl})
        self.assertEqual(200, code)
        return {TOKEN: token}

    def test_metadata_needs_a_valid_token(self):
        for headers in ({}, {TOKEN: "guessed"}, {TOKEN: ""}):
            self.assertEqual(401, self.ask("GET", "/latest/meta-data/instance-id", **headers)[0], headers)
        short = self.token("1")
        self.assertEqual((200, "i-0a"), self.ask("GET", "/latest/meta-data/instance-id", **short))
        time.sleep(1.1)
        self.assertEqual(401, self.ask("GET", "/latest/meta-data/instance-id", **short)[0])

    def test_a_metadata_token_needs_its_lifetime_and_no_proxy(self):
        for ttl in (None, "", "0", "21601", "-1", "long"):
            headers = {} if ttl is None else {TTL: ttl}
            self.assertEqual(400, self.ask("PUT", "/latest/api/token", **headers)[0], ttl)
        forwarded = {TTL: "60", "X-Forwarded-For": "10.0.0.1"}
        self.assertEqual(403, self.ask("PUT", "/latest/api/token", **forwarded)[0])
        self.assertEqual(401, self.ask("GET", "/latest/api/token")[0])
        self.token("21600")

    def test_instance_metadata(self):
        token = self.token()
        for path, text in (("meta-data/local-ipv4", "10.0.0.9"), ("meta-data/placement/availability-zone", "eu-west-1a"),
                           ("meta-data/iam/security-credentials/", "node"), ("user-data", "#!/bin/bash\n")):
            self.assertEqual((200, text), self.ask("GET", f"/latest/{path}", **token), path)
        for path in ("/latest/meta-data/iam/security-credentials/other", "/latest/meta-data/public-ipv4", "/1.0/user-data"):
            self.assertEqual(404, self.ask("GET", path, **token)[0], path)
        for path, below in (("/", "2009-04-04\n2021-03-23\nlatest"), ("/latest/meta-data/placement", "availability-zone\nregion"),
                            ("/2009-04-04/", "user-data\nmeta-data/\ndynamic/")):
            self.assertEqual((200, below), self.ask("GET", path, **token), path)
        known = json.loads(self.ask("GET", "/latest/meta-data/iam/security-credentials/node", **token)[1])
        self.assertEqual(("Success", "ASIA1", "session"), (known["Code"], known["AccessKeyId"], known["Token"]))


class Nodes(Case):
    def machines(self, stack_id, number):
        found = EC2.describe_instances(Filters=[{"Name": "tag:aws:cloudformation:stack-name",
                                                 "Values": [stack_id.split("/")[1]]}])
        found = [one for reservation in found["Reservations"] for one in reservation["Instances"]]
        self.assertEqual(number, len(found))
        return found

    def test_a_volume_is_attached_to_one_machine_of_its_zone(self):
        volume = {"Type": "AWS::EC2::Volume", "Properties": {"AvailabilityZone": "eu-west-1a", "Size": "1"}}
        elsewhere = {"Type": "AWS::EC2::Volume", "Properties": {"AvailabilityZone": "eu-west-1b", "Size": "1"}}
        stack_id, stack = create(network(Pool=group(2), Volume=volume, Elsewhere=elsewhere))
        self.assertEqual("CREATE_COMPLETE", stack["StackStatus"])
        one, other = (machine["InstanceId"] for machine in self.machines(stack_id, 2))
        found = {volume["AvailabilityZone"]: volume["VolumeId"] for volume in EC2.describe_volumes()["Volumes"]
                 if not volume["Attachments"]}
        attach = {"VolumeId": found["eu-west-1a"], "Device": "/dev/sdf"}
        EC2.attach_volume(InstanceId=one, **attach)
        self.refused("VolumeInUse", "already attached", EC2.attach_volume, InstanceId=other, **attach)
        self.refused("VolumeInUse", "already attached", EC2.attach_volume, InstanceId=one, **attach)
        self.refused("InvalidVolume.ZoneMismatch", "same availability zone", EC2.attach_volume, InstanceId=one,
                     VolumeId=found["eu-west-1b"], Device="/dev/sdg")
        EC2.detach_volume(VolumeId=found["eu-west-1a"])
        EC2.attach_volume(InstanceId=other, **attach)

    def test_user_data_is_shown_as_it_was_given(self):
        template = network(Pool=group(1))
        given = base64.b64encode(b"#!/bin/bash\n").decode()
        template["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["UserData"] = given
        stack_id, _ = create(template)
        machine = self.machines(stack_id, 1)[0]["InstanceId"]
        shown = EC2.describe_instance_attribute(InstanceId=machine, Attribute="userData")
        self.assertEqual(given, shown["UserData"]["Value"])

    def test_an_empty_parameter_is_refused(self):
        self.refused("ValidationException", "greater than or equal to 1", SSM.put_parameter, Name="/empty", Value="", Type="SecureString")

    def test_a_described_database_names_the_secret_of_its_master(self):
        create(database())
        shown = [one for one in RDS.describe_db_instances()["DBInstances"] if "MasterUserSecret" in one]
        self.assertTrue(shown)
        secret = shown[-1]["MasterUserSecret"]
        self.assertEqual("active", secret["SecretStatus"])
        value = SESSION.create_client("secretsmanager").get_secret_value(SecretId=secret["SecretArn"])["SecretString"]
        self.assertEqual({"username", "password"}, set(json.loads(value)))

    def test_a_machine_of_a_group_lies_in_a_subnet_of_it(self):
        data = {"ImageId": "ami-1", "InstanceType": "t4g.small", "NetworkInterfaces": [
            {"DeviceIndex": 0, "AssociatePublicIpAddress": False, "DeleteOnTermination": True, "Groups": [{"Ref": "Group"}]}]}
        allowed = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "nodes", "VpcId": {"Ref": "Vpc"}}}
        template = network(Pool=group(2), Group=allowed)
        template["Resources"]["Template"]["Properties"]["LaunchTemplateData"] = data
        stack_id, stack = create(template)
        self.assertEqual("CREATE_COMPLETE", stack["StackStatus"], stack.get("StackStatusReason"))
        made = self.resources(stack_id)
        machines = self.machines(stack_id, 2)
        for machine in machines:
            self.assertEqual((made["Vpc"], made["Subnet"]), (machine["VpcId"], machine["SubnetId"]))
            self.assertTrue(machine["PrivateIpAddress"].startswith("10.30.0."), machine["PrivateIpAddress"])
            self.assertNotIn("PublicIpAddress", machine)
            interface, = machine["NetworkInterfaces"]
            self.assertEqual((machine["PrivateIpAddress"], 0, True), (
                interface["PrivateIpAddress"], interface["Attachment"]["DeviceIndex"], interface["Attachment"]["DeleteOnTermination"]))
            self.assertEqual([made["Group"]], [one["GroupId"] for one in interface["Groups"]])
        self.assertEqual(2, len({machine["PrivateIpAddress"] for machine in machines}))

    def test_a_launch_template_shows_the_interface_that_it_names(self):
        interface = {"Type": "AWS::EC2::NetworkInterface", "Properties": {"SubnetId": {"Ref": "Subnet"}, "PrivateIpAddress": "10.30.0.77"}}
        slot = group(1)
        del slot["Properties"]["VPCZoneIdentifier"]
        slot["Properties"]["AvailabilityZones"] = ["eu-west-1a"]
        template = network(Eni=interface, Slot=slot)
        template["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["NetworkInterfaces"] = [
            {"DeviceIndex": 0, "NetworkInterfaceId": {"Ref": "Eni"}}]
        stack_id, stack = create(template)
        self.assertEqual("CREATE_COMPLETE", stack["StackStatus"], stack.get("StackStatusReason"))
        made = self.resources(stack_id)
        shown = EC2.describe_launch_template_versions(LaunchTemplateId=made["Template"])["LaunchTemplateVersions"][0]
        self.assertEqual([{"DeviceIndex": 0, "NetworkInterfaceId": made["Eni"]}], shown["LaunchTemplateData"]["NetworkInterfaces"])
        machine, = self.machines(stack_id, 1)
        self.assertEqual((made["Subnet"], "10.30.0.77"), (machine["SubnetId"], machine["PrivateIpAddress"]))
        self.assertEqual([made["Eni"]], [one["NetworkInterfaceId"] for one in machine["NetworkInterfaces"]])
        shown = EC2.describe_network_interfaces(NetworkInterfaceIds=[made["Eni"]])["NetworkInterfaces"][0]
        self.assertEqual(("in-use", machine["InstanceId"]), (shown["Status"], shown["Attachment"]["InstanceId"]))

    def resources(self, stack_id):
        found = CFN.describe_stack_resources(StackName=stack_id)["StackResources"]
        return {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in found}


if __name__ == "__main__":
    unittest.main()
