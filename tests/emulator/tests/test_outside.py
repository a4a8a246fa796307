"""What lies outside stacks: load balancers of both kinds, what they hold, and what holds the rest."""

import json
import unittest

from support import ACCOUNT, CFN, EC2, RDS, RULES, SESSION, Case, create, database, delete, group, network, statuses

ELB, CLASSIC, TAGGING = (SESSION.create_client(name) for name in ("elbv2", "elb", "resourcegroupstaggingapi"))
SCALING, LOGS, ROUTES = (SESSION.create_client(name) for name in ("autoscaling", "logs", "route53"))
OWNED = {"kubernetes.io/cluster/out": "owned"}


def listed(**tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


class Outside(Case):
    """A VPC in which nothing is a stack's."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.account)
        self.vpc = EC2.create_vpc(CidrBlock="10.40.0.0/16")["Vpc"]["VpcId"]
        self.subnet = EC2.create_subnet(VpcId=self.vpc, CidrBlock="10.40.0.0/24", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"]

    def account(self, **facts):
        (RULES / f"{ACCOUNT}.account").write_text(json.dumps(facts), encoding="utf-8")

    def group(self, name, **tags):
        made = EC2.create_security_group(GroupName=name, Description="of a test", VpcId=self.vpc, TagSpecifications=[
            {"ResourceType": "security-group", "Tags": listed(Name=name, **tags)}])
        return made["GroupId"]

    def balancer(self, name, kind="network", groups=()):
        made = ELB.create_load_balancer(Name=name, Type=kind, Subnets=[self.subnet], SecurityGroups=list(groups), Tags=listed(**OWNED))
        return made["LoadBalancers"][0]["LoadBalancerArn"]

    def classic(self, name, groups=()):
        CLASSIC.create_load_balancer(LoadBalancerName=name, Subnets=[self.subnet], SecurityGroups=list(groups), Tags=listed(**OWNED), Listeners=[
            {"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 30080}])
        return f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/{name}"

    def interfaces(self, **filters):
        wanted = [{"Name": "vpc-id", "Values": [self.vpc]}, *({"Name": k.replace("_", "-"), "Values": [v]} for k, v in filters.items())]
        return EC2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]


class Balancers(Outside):
    def test_interfaces_of_load_balancers_outlive_them_and_hold_what_they_are_in(self):
        group_id = self.group("k8s-elb-a")
        arn, other, old = self.balancer("late-net", groups=[group_id]), self.balancer("late-app", "application"), self.classic("late-old")
        found = {one["Description"]: one for one in self.interfaces()}
        self.assertEqual({f"ELB {arn.partition('loadbalancer/')[2]}", f"ELB {other.partition('loadbalancer/')[2]}", "ELB late-old"}, set(found))
        one = found[f"ELB {arn.partition('loadbalancer/')[2]}"]
        self.assertEqual(("amazon-elb", True, "in-use", "network_load_balancer"),
                         (one["RequesterId"], one["RequesterManaged"], one["Status"], one["InterfaceType"]))
        self.assertNotIn("InstanceId", one["Attachment"])
        self.refused("InvalidParameterValue", "is currently in use", EC2.delete_network_interface, NetworkInterfaceId=one["NetworkInterfaceId"])
        self.refused("OperationNotPermitted", "not allowed to manage 'ela-attach'", EC2.detach_network_interface, AttachmentId=one["Attachment"]["AttachmentId"])

        self.account(interfacesStay=60)
        for _ in range(2):
            ELB.delete_load_balancer(LoadBalancerArn=arn)
            CLASSIC.delete_load_balancer(LoadBalancerName="late-old")
        ELB.delete_load_balancer(LoadBalancerArn=other)
        self.refused("LoadBalancerNotFound", "not found", ELB.describe_load_balancers, LoadBalancerArns=[arn])
        self.refused("LoadBalancerNotFound", "no ACTIVE Load Balancer", CLASSIC.describe_load_balancers, LoadBalancerNames=["late-old"])
        self.assertEqual(3, len(self.interfaces()), old)
        self.refused("DependencyViolation", f"resource {group_id} has a dependent object", EC2.delete_security_group, GroupId=group_id)
        self.refused("DependencyViolation", f"The subnet '{self.subnet}' has dependencies", EC2.delete_subnet, SubnetId=self.subnet)
        self.account(interfacesStay=0)
        EC2.delete_security_group(GroupId=group_id)
        EC2.delete_subnet(SubnetId=self.subnet)
        EC2.delete_vpc(VpcId=self.vpc)

    def test_a_network_stack_waits_for_load_balancers_and_fails_with_the_reason(self):
        stack_id, _ = create(network(Internet={"Type": "AWS::EC2::InternetGateway"}, Attachment={
            "Type": "AWS::EC2::VPCGatewayAttachment", "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Internet"}}}))
        known = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in CFN.describe_stack_resources(StackName=stack_id)["StackResources"]}
        self.vpc, self.subnet = known["Vpc"], known["Subnet"]
        arn = self.balancer("holding")
        self.assertEqual("DELETE_FAILED", delete(stack_id)["StackStatus"])
        reasons = " ".join(reason for name in ("Subnet", "Attachment") for _, reason in statuses(stack_id, name))
        self.assertIn("has dependencies and cannot be deleted", reasons)
        self.assertIn("has some mapped public address(es)", reasons)
        ELB.delete_load_balancer(LoadBalancerArn=arn)
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])

    def test_listeners_go_with_a_load_balancer_and_hold_target_groups(self):
        arn = self.balancer("listening")
        targets = ELB.create_target_group(Name="listened", Protocol="TCP", Port=80, VpcId=self.vpc)["TargetGroups"][0]["TargetGroupArn"]
        ELB.create_listener(LoadBalancerArn=arn, Protocol="TCP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}])
        self.refused("ResourceInUse", "is currently in use by a listener or a rule", ELB.delete_target_group, TargetGroupArn=targets)
        self.assertEqual([arn], ELB.describe_target_groups(TargetGroupArns=[targets])["TargetGroups"][0]["LoadBalancerArns"])
        ELB.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=listed(**{"deletion_protection.enabled": "true"}))
        self.refused("OperationNotPermitted", "cannot be deleted because deletion protection is enabled", ELB.delete_load_balancer, LoadBalancerArn=arn)
        ELB.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=listed(**{"deletion_protection.enabled": "false"}))
        ELB.delete_load_balancer(LoadBalancerArn=arn)
        ELB.delete_target_group(TargetGroupArn=targets)
        self.refused("TargetGroupNotFound", "not found", ELB.describe_target_groups, TargetGroupArns=[targets])

    def test_both_versions_list_their_own_in_pages(self):
        arns = {self.balancer(f"page-{n}") for n in range(3)}
        names = {self.classic(f"classic-{n}").rpartition("/")[2] for n in range(3)}
        pages = list(ELB.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 2}))
        self.assertLess(1, len(pages))
        self.assertTrue(arns <= {one["LoadBalancerArn"] for page in pages for one in page["LoadBalancers"]})
        pages = list(CLASSIC.get_paginator("describe_load_balancers").paginate(PaginationConfig={"PageSize": 2}))
        found = {one["LoadBalancerName"]: one for page in pages for one in page["LoadBalancerDescriptions"]}
        self.assertTrue(1 < len(pages) and names <= set(found))
        self.assertEqual((self.vpc, [self.subnet]), (found["classic-0"]["VPCId"], found["classic-0"]["Subnets"]))
        self.assertFalse({arn.split("/")[2] for arn in arns} & set(found))
        tags = CLASSIC.describe_tags(LoadBalancerNames=["classic-0"])["TagDescriptions"][0]["Tags"]
        self.assertEqual(listed(**OWNED), tags)
        machine = EC2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=self.subnet)["Instances"][0]["InstanceId"]
        CLASSIC.register_instances_with_load_balancer(LoadBalancerName="classic-0", Instances=[{"InstanceId": machine}])
        one = CLASSIC.describe_load_balancers(LoadBalancerNames=["classic-0"])["LoadBalancerDescriptions"][0]
        self.assertEqual([{"InstanceId": machine}], one["Instances"])


class Locked(Outside):
    def test_either_protection_of_an_instance_refuses_its_termination(self):
        machine = EC2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=self.subnet)["Instances"][0]["InstanceId"]
        for attribute, name in (("disableApiTermination", "DisableApiTermination"), ("disableApiStop", "DisableApiStop")):
            value = lambda: EC2.describe_instance_attribute(InstanceId=machine, Attribute=attribute)[name]["Value"]
            self.assertFalse(value())
            EC2.modify_instance_attribute(InstanceId=machine, **{name: {"Value": True}})
            self.assertTrue(value())
            self.refused("OperationNotPermitted", f"Modify its '{attribute}'", EC2.terminate_instances, InstanceIds=[machine])
            EC2.modify_instance_attribute(InstanceId=machine, **{name: {"Value": False}})
        EC2.terminate_instances(InstanceIds=[machine])

    def test_dry_run_checks_the_right_and_removes_nothing(self):
        group = self.group("dry")
        self.refused("DryRunOperation", "would have succeeded", EC2.delete_security_group, GroupId=group, DryRun=True)
        self.account(refuses=["DeleteSecurityGroup"])
        self.refused("UnauthorizedOperation", "ec2:DeleteSecurityGroup", EC2.delete_security_group, GroupId=group, DryRun=True)
        self.account()
        self.assertEqual(1, len(EC2.describe_security_groups(GroupIds=[group])["SecurityGroups"]))
        EC2.delete_security_group(GroupId=group)


class Tagged(Outside):
    def test_tagging_lists_what_balances_in_pages_and_what_was_deleted_for_a_while(self):
        arn, old = self.balancer("tagged"), self.classic("tagged-old")
        targets = ELB.create_target_group(Name="tagged", Protocol="TCP", Port=80, VpcId=self.vpc, Tags=listed(**OWNED))["TargetGroups"][0]["TargetGroupArn"]
        wanted = {"TagFilters": [{"Key": next(iter(OWNED)), "Values": ["owned"]}],
                  "ResourceTypeFilters": ["elasticloadbalancing:loadbalancer", "elasticloadbalancing:targetgroup"]}
        pages = list(TAGGING.get_paginator("get_resources").paginate(**wanted, PaginationConfig={"PageSize": 1}))
        found = {one["ResourceARN"] for page in pages for one in page["ResourceTagMappingList"]}
        self.assertTrue(len(pages) > 2 and {arn, old, targets} <= found, found)
        self.assertEqual([], TAGGING.get_resources(**{**wanted, "ResourceTypeFilters": ["kms:key"]})["ResourceTagMappingList"])
        both = [*wanted["TagFilters"], {"Key": "other"}]
        self.assertEqual([], TAGGING.get_resources(TagFilters=both)["ResourceTagMappingList"], "filters are ANDed")

        self.account(tagsStay=60)
        ELB.delete_load_balancer(LoadBalancerArn=arn)
        still = lambda: {one["ResourceARN"] for one in TAGGING.get_resources(**wanted)["ResourceTagMappingList"]}
        self.assertIn(arn, still())
        self.account(tagsStay=0)
        self.assertNotIn(arn, still())

    def test_buckets_and_keys_are_found_by_their_tags(self):
        s3, kms = SESSION.create_client("s3"), SESSION.create_client("kms")
        s3.create_bucket(Bucket="tagged-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_tagging(Bucket="tagged-bucket", Tagging={"TagSet": listed(owner="out")})
        key = kms.create_key(Tags=[{"TagKey": "owner", "TagValue": "out"}])["KeyMetadata"]["Arn"]
        find = lambda kind: [one["ResourceARN"] for one in TAGGING.get_resources(
            TagFilters=[{"Key": "owner", "Values": ["out"]}], ResourceTypeFilters=[kind])["ResourceTagMappingList"]]
        for kind, arn in (("s3", "arn:aws:s3:::tagged-bucket"), ("s3:bucket", "arn:aws:s3:::tagged-bucket"), ("kms:key", key)):
            self.assertEqual([arn], find(kind))
        s3.delete_bucket(Bucket="tagged-bucket")
        self.assertEqual([], find("s3"))


class Computing(Outside):
    def test_rules_have_an_id_each_and_hold_the_groups_that_they_name(self):
        node, balancer = self.group("nodes"), self.group("k8s-elb-b", **OWNED)
        other = self.group("mutual")
        pair = lambda name: {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "UserIdGroupPairs": [{"GroupId": name}]}
        EC2.authorize_security_group_ingress(GroupId=node, IpPermissions=[{
            "IpProtocol": "tcp", "FromPort": 30000, "ToPort": 32767,
            "UserIdGroupPairs": [{"GroupId": balancer}, {"GroupId": other}], "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
        EC2.authorize_security_group_ingress(GroupId=other, IpPermissions=[pair(balancer)])
        EC2.authorize_security_group_egress(GroupId=balancer, IpPermissions=[pair(other), pair(balancer)])
        rules = EC2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [node]}])["SecurityGroupRules"]
        named = {rule["ReferencedGroupInfo"]["GroupId"]: rule["SecurityGroupRuleId"] for rule in rules if "ReferencedGroupInfo" in rule}
        self.assertEqual({balancer, other}, set(named))
        self.refused("DependencyViolation", "has a dependent object", EC2.delete_security_group, GroupId=balancer)
        EC2.revoke_security_group_ingress(GroupId=node, SecurityGroupRuleIds=[named[balancer]])
        left = EC2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [node]}])["SecurityGroupRules"]
        self.assertNotIn(balancer, {rule.get("ReferencedGroupInfo", {}).get("GroupId") for rule in left})
        self.assertIn(other, {rule.get("ReferencedGroupInfo", {}).get("GroupId") for rule in left}, "the others stay")
        for rule in EC2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [other, balancer]}])["SecurityGroupRules"]:
            if rule.get("ReferencedGroupInfo", {}).get("GroupId") != rule["GroupId"] and "ReferencedGroupInfo" in rule:
                revoke = EC2.revoke_security_group_egress if rule["IsEgress"] else EC2.revoke_security_group_ingress
                revoke(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
        EC2.delete_security_group(GroupId=balancer)
        self.refused("InvalidParameterValue", "The filter 'vpc-id' is invalid", EC2.describe_security_group_rules,
                     Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])

    def test_rules_of_stacks_are_revoked_by_their_ids(self):
        stack_id, _ = create(network(Group={"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": "d", "VpcId": {"Ref": "Vpc"}}}, Rule={
            "Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": {"Ref": "Group"}, "IpProtocol": "-1", "SourceSecurityGroupId": {"Ref": "Group"}}}))
        known = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in CFN.describe_stack_resources(StackName=stack_id)["StackResources"]}
        EC2.revoke_security_group_ingress(GroupId=known["Group"], SecurityGroupRuleIds=[known["Rule"]])
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])

    def test_volumes_of_a_machine_are_in_use_until_it_has_ended(self):
        machine = EC2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=self.subnet)["Instances"][0]["InstanceId"]
        volume = EC2.create_volume(AvailabilityZone="eu-west-1a", Size=7, TagSpecifications=[
            {"ResourceType": "volume", "Tags": listed(**OWNED)}])["VolumeId"]
        EC2.attach_volume(VolumeId=volume, InstanceId=machine, Device="/dev/xvdba")
        self.refused("VolumeInUse", f"is currently attached to {machine}", EC2.delete_volume, VolumeId=volume)
        self.assertEqual([machine], [one["Attachment"]["InstanceId"] for one in self.interfaces()])
        root = EC2.describe_volumes(Filters=[{"Name": "attachment.delete-on-termination", "Values": ["true"]},
                                             {"Name": "attachment.instance-id", "Values": [machine]}])["Volumes"]
        self.account(terminating=60)
        ended = EC2.terminate_instances(InstanceIds=[machine])["TerminatingInstances"][0]
        self.assertEqual(("running", "shutting-down"), (ended["PreviousState"]["Name"], ended["CurrentState"]["Name"]))
        self.refused("VolumeInUse", "is currently attached", EC2.delete_volume, VolumeId=volume)
        self.account(terminating=0)
        self.assertEqual([], self.interfaces())
        found = EC2.describe_volumes(Filters=[{"Name": "tag:kubernetes.io/cluster/out", "Values": ["owned"]}])["Volumes"]
        self.assertEqual([(volume, "available")], [(one["VolumeId"], one["State"]) for one in found if one["VolumeId"] == volume])
        self.refused("InvalidVolume.NotFound", "does not exist", EC2.describe_volumes, VolumeIds=[root[0]["VolumeId"]])
        state = EC2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]["State"]["Name"]
        self.assertEqual("terminated", state)
        EC2.delete_volume(VolumeId=volume)

    def test_lists_have_filters_and_pages(self):
        groups = {self.group(f"page-{n}") for n in range(12)}
        wanted = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "tag:Name", "Values": ["page-*"]}]
        pages = list(EC2.get_paginator("describe_security_groups").paginate(Filters=wanted, PaginationConfig={"PageSize": 5}))
        self.assertEqual([5, 5, 2], [len(page["SecurityGroups"]) for page in pages])
        self.assertEqual(groups, {one["GroupId"] for page in pages for one in page["SecurityGroups"]})
        self.refused("InvalidParameterValue", "between 5 and 1000", EC2.describe_security_groups, MaxResults=1001)
        for call, noun in (("subnets", "Subnets"), ("route_tables", "RouteTables"), ("vpc_endpoints", "VpcEndpoints"),
                           ("network_interfaces", "NetworkInterfaces")):
            found = getattr(EC2, f"describe_{call}")(Filters=wanted[:1])[noun]
            self.assertTrue(all(one["VpcId"] == self.vpc for one in found), call)
        other = EC2.create_vpc(CidrBlock="10.41.0.0/16")["Vpc"]["VpcId"]
        peering = EC2.create_vpc_peering_connection(VpcId=self.vpc, PeerVpcId=other)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        found = EC2.describe_vpc_peering_connections(Filters=[{"Name": "accepter-vpc-info.vpc-id", "Values": [other]}])
        self.assertEqual([peering], [one["VpcPeeringConnectionId"] for one in found["VpcPeeringConnections"]])
        snapshot = EC2.create_snapshot(VolumeId=EC2.create_volume(AvailabilityZone="eu-west-1a", Size=3)["VolumeId"])["SnapshotId"]
        mine = EC2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        self.assertIn((snapshot, 3), [(one["SnapshotId"], one["VolumeSize"]) for one in mine])

    def test_a_detached_machine_loses_its_group(self):
        stack_id, _ = create(network(Pool=group()))
        name = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Pool")["StackResourceDetail"]["PhysicalResourceId"]
        read = lambda: SCALING.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
        machine = read()["Instances"][0]["InstanceId"]
        tags = lambda: {tag["Key"] for tag in EC2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]["Tags"]}
        self.assertIn("aws:autoscaling:groupName", tags())
        self.refused("ValidationError", "minimum size", SCALING.detach_instances, AutoScalingGroupName=name, InstanceIds=[machine], ShouldDecrementDesiredCapacity=True)
        SCALING.detach_instances(AutoScalingGroupName=name, InstanceIds=[machine], ShouldDecrementDesiredCapacity=False)
        self.assertNotIn("aws:autoscaling:groupName", tags())
        self.assertNotIn(machine, {one["InstanceId"] for one in read()["Instances"]})
        self.assertEqual("DELETE_FAILED", delete(stack_id)["StackStatus"], "it still has an interface in the subnet")
        self.account(terminating=0)
        EC2.terminate_instances(InstanceIds=[machine])
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])


class Vpcs(Outside):
    def test_access_lists_and_vpn_gateways_of_others_hold_a_vpc(self):
        EC2.delete_subnet(SubnetId=self.subnet)
        of_vpc = [{"Name": "vpc-id", "Values": [self.vpc]}]
        acl = EC2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        own = lambda: [one["NetworkAclId"] for one in EC2.describe_network_acls(
            Filters=[*of_vpc, {"Name": "default", "Values": ["false"]}])["NetworkAcls"]]
        self.assertEqual([acl], own())
        self.assertEqual(2, len(EC2.describe_network_acls(Filters=of_vpc)["NetworkAcls"]))
        self.refused("DependencyViolation", f"The vpc '{self.vpc}' has dependencies", EC2.delete_vpc, VpcId=self.vpc)
        EC2.delete_network_acl(NetworkAclId=acl)
        self.assertEqual([], own())
        gateway = EC2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
        attached = lambda: [one["VpnGatewayId"] for one in EC2.describe_vpn_gateways(Filters=[
            {"Name": "attachment.vpc-id", "Values": [self.vpc]}, {"Name": "attachment.state", "Values": ["attached"]}])["VpnGateways"]]
        self.assertEqual([], attached())
        EC2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=self.vpc)
        self.assertEqual([gateway], attached())
        self.refused("DependencyViolation", "has dependencies", EC2.delete_vpc, VpcId=self.vpc)
        EC2.detach_vpn_gateway(VpnGatewayId=gateway, VpcId=self.vpc)
        EC2.delete_vpc(VpcId=self.vpc)
        self.refused("InvalidParameterValue", "is invalid", EC2.describe_vpn_gateways, Filters=[{"Name": "vpc-id", "Values": ["x"]}])


class Data(Case):
    def test_snapshots_of_databases_are_listed_in_pages_with_the_tags_of_their_database(self):
        stack_id, _ = create(database(DeletionPolicy="Delete"))
        name = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Database")["StackResourceDetail"]["PhysicalResourceId"]
        wanted = sorted(f"page-{number:02}" for number in range(21))
        for one in wanted:
            RDS.create_db_snapshot(DBSnapshotIdentifier=one, DBInstanceIdentifier=name, Tags=listed(of="a-test"))
        pages = list(RDS.get_paginator("describe_db_snapshots").paginate(
            SnapshotType="manual", DBInstanceIdentifier=name, PaginationConfig={"PageSize": 20}))
        found = [one for page in pages for one in page["DBSnapshots"]]
        self.assertEqual((2, wanted), (len(pages), [one["DBSnapshotIdentifier"] for one in found]))
        self.assertEqual((20, name, listed(of="a-test")), (found[0]["AllocatedStorage"], found[0]["DBInstanceIdentifier"], found[0]["TagList"]))
        for one in wanted:
            RDS.delete_db_snapshot(DBSnapshotIdentifier=one)
        self.refused("DBSnapshotNotFound", "page-00", RDS.describe_db_snapshots, DBSnapshotIdentifier="page-00")
        self.assertEqual([], RDS.describe_db_snapshots(DBInstanceIdentifier=name)["DBSnapshots"])

    def test_a_deleted_database_leaves_backups_and_logs(self):
        template = database(DeletionPolicy="Delete")
        template["Resources"]["Database"]["Properties"].update(DeleteAutomatedBackups=False, BackupRetentionPeriod=7, EnableCloudwatchLogsExports=["postgresql", "upgrade"])
        stack_id, _ = create(template)
        name = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Database")["StackResourceDetail"]["PhysicalResourceId"]
        read = lambda status: [one for one in RDS.describe_db_instance_automated_backups(Filters=[
            {"Name": "status", "Values": [status]}])["DBInstanceAutomatedBackups"] if one["DBInstanceIdentifier"] == name]
        resource = read("active")[0]["DbiResourceId"]
        self.assertEqual([], read("retained"))
        self.refused("InvalidDBInstanceAutomatedBackupState", ".", RDS.delete_db_instance_automated_backup, DbiResourceId=resource)
        self.assertEqual("DELETE_COMPLETE", delete(stack_id)["StackStatus"])
        kept = read("retained")[0]
        self.assertEqual((20, resource), (kept["AllocatedStorage"], kept["DbiResourceId"]))
        self.assertIn(":auto-backup:ab-", kept["DBInstanceAutomatedBackupsArn"])
        groups = LOGS.describe_log_groups(logGroupNamePrefix=f"/aws/rds/instance/{name}/")["logGroups"]
        self.assertEqual([f"/aws/rds/instance/{name}/postgresql", f"/aws/rds/instance/{name}/upgrade"], [one["logGroupName"] for one in groups])
        self.assertTrue(all(one["storedBytes"] for one in groups))
        RDS.delete_db_instance_automated_backup(DbiResourceId=resource)
        self.assertEqual([], read("retained"))

    def test_a_database_without_retention_of_backups_leaves_none(self):
        stack_id, _ = create(database(DeletionPolicy="Delete"))
        name = CFN.describe_stack_resource(StackName=stack_id, LogicalResourceId="Database")["StackResourceDetail"]["PhysicalResourceId"]
        delete(stack_id)
        found = RDS.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
        self.assertNotIn(name, {one["DBInstanceIdentifier"] for one in found})

    def test_a_record_is_deleted_as_it_is(self):
        zone = ROUTES.create_hosted_zone(Name="out.example", CallerReference="out")["HostedZone"]["Id"]
        record = {"Name": "web.out.example.", "Type": "TXT", "TTL": 300, "ResourceRecords": [{"Value": '"heritage=external-dns"'}]}
        change = lambda action, one: ROUTES.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": one}]})
        change("CREATE", record)
        self.refused("InvalidChangeBatch", r"^\[Tried to delete resource record set .* do not match the current values\]$", change, "DELETE", {**record, "TTL": 60})
        change("DELETE", record)
        self.refused("InvalidChangeBatch", "but it was not found", change, "DELETE", record)


class Refused(Outside):
    def test_each_service_says_in_its_protocol_that_a_call_is_not_allowed(self):
        zone = ROUTES.create_hosted_zone(Name="refused.example", CallerReference="refused")["HostedZone"]["Id"]
        calls = {
            "GetResources": ("AccessDeniedException", TAGGING.get_resources), "DescribeLogGroups": ("AccessDeniedException", LOGS.describe_log_groups),
            "ListHostedZones": ("AccessDenied", ROUTES.list_hosted_zones), "DescribeTargetGroups": ("AccessDenied", ELB.describe_target_groups),
            "ListResourceRecordSets": ("AccessDenied", lambda: ROUTES.list_resource_record_sets(HostedZoneId=zone)),
            "DescribeLoadBalancers": ("AccessDenied", CLASSIC.describe_load_balancers), "DescribeSnapshots": ("UnauthorizedOperation", EC2.describe_snapshots),
            "DescribeDBInstanceAutomatedBackups": ("AccessDenied", RDS.describe_db_instance_automated_backups),
            "DescribeDBSnapshots": ("AccessDenied", RDS.describe_db_snapshots), "DescribeVpnGateways": ("UnauthorizedOperation", EC2.describe_vpn_gateways),
        }
        for action, (code, call) in calls.items():
            self.account()
            call()
            self.account(refuses=[action])
            self.refused(code, "is not authorized to perform", call)
        self.account(refuses=["elasticloadbalancing:DescribeTags"])
        self.refused("AccessDenied", "elasticloadbalancing:DescribeTags", CLASSIC.describe_tags, LoadBalancerNames=["x"])
        EC2.describe_tags()


if __name__ == "__main__":
    unittest.main()
