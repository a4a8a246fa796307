"""Makes what a running cluster has outside its stacks, as the controllers in it do, and what others have beside it.

Arguments: the cluster's name and `ours`, `beside`, `inside`: what Kubernetes made, what others have elsewhere in the account,
what others put into the cluster's VPC. Prints JSON: ids by kind, and names by which a person knows them.
"""

import json
import sys

import botocore.session

NAME, WHAT = sys.argv[1], sys.argv[2]
SESSION = botocore.session.get_session()
CFN, EC2, ELB, CLASSIC, SCALING, ROUTES, LOGS, S3, KMS, RDS = (SESSION.create_client(name, region_name="eu-west-1") for name in (
    "cloudformation", "ec2", "elbv2", "elb", "autoscaling", "route53", "logs", "s3", "kms", "rds"))
# The tags of the cloud controller manager and of the EBS CSI driver.
OWNED = {f"kubernetes.io/cluster/{NAME}": "owned"}
CSI = {**OWNED, "ebs.csi.aws.com/cluster": "true"}
made = {}


def keep(kind, name):
    made.setdefault(kind, []).append(name)
    return name


def pairs(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tagged(kind, tags):
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": pairs(tags)}]} if tags else {}


def resources(stack):
    pages = CFN.get_paginator("list_stack_resources").paginate(StackName=f"{NAME}-{stack}")
    return {one["LogicalResourceId"]: one["PhysicalResourceId"] for page in pages for one in page["StackResourceSummaries"]}


def group(name, vpc, tags):
    asked = tagged("security-group", tags)
    return keep("group", EC2.create_security_group(GroupName=name, Description=f"{name} of a test", VpcId=vpc, **asked)["GroupId"])


def rule(group_id, named, port=30080):
    made_rule = EC2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=[{
        "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [{"GroupId": named}]}])
    return keep("rule", made_rule["SecurityGroupRules"][0]["SecurityGroupRuleId"])


def balancer(name, kind, subnets, groups, tags, target_tags):
    vpc = EC2.describe_subnets(SubnetIds=subnets[:1])["Subnets"][0]["VpcId"]
    arn = ELB.create_load_balancer(Name=name, Type=kind, Subnets=subnets, SecurityGroups=groups,
                                   **({"Tags": pairs(tags)} if tags else {}))["LoadBalancers"][0]["LoadBalancerArn"]
    protocol = "TCP" if kind == "network" else "HTTP"
    targets = ELB.create_target_group(Name=f"{name}-t", Protocol=protocol, Port=30080, VpcId=vpc,
                                      **({"Tags": pairs(target_tags)} if target_tags else {}))["TargetGroups"][0]["TargetGroupArn"]
    ELB.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=80,
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": targets}])
    keep("targets", targets)
    return keep("balancer", arn)


def classic(name, subnets, groups, tags):
    CLASSIC.create_load_balancer(LoadBalancerName=name, Subnets=subnets, SecurityGroups=groups, **({"Tags": pairs(tags)} if tags else {}),
                                 Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 80, "InstancePort": 30081}])
    return keep("classic", name)


def interface(subnet, groups, description, tags):
    return keep("interface", EC2.create_network_interface(SubnetId=subnet, Groups=groups, Description=description,
                                                          **tagged("network-interface", tags))["NetworkInterface"]["NetworkInterfaceId"])


def volume(size, tags):
    return keep("volume", EC2.create_volume(AvailabilityZone="eu-west-1a", Size=size, VolumeType="gp3",
                                            **tagged("volume", tags))["VolumeId"])


def snapshot(of, tags):
    return keep("snapshot", EC2.create_snapshot(VolumeId=of, Description="of a test", **tagged("snapshot", tags))["SnapshotId"])


def machine(subnet, tags):
    return keep("machine", EC2.run_instances(ImageId="ami-1", InstanceType="t4g.small", MinCount=1, MaxCount=1, SubnetId=subnet,
                                             **tagged("instance", tags))["Instances"][0]["InstanceId"])


def database_snapshot(name, cluster):
    """A manual one of the cluster's database, if it has one. RDS copies the tags of the database, but for what is asked."""
    for one in RDS.describe_db_instances()["DBInstances"]:
        RDS.create_db_snapshot(DBSnapshotIdentifier=keep("dbsnapshot", name), DBInstanceIdentifier=one["DBInstanceIdentifier"],
                               Tags=pairs({"kube-cfn/cluster": cluster}))


def zone():
    found = ROUTES.list_hosted_zones()["HostedZones"]
    return next((one["Id"] for one in found if one["Name"] == "example.org."), None) or ROUTES.create_hosted_zone(
        Name="example.org", CallerReference=NAME)["HostedZone"]["Id"]


def records(host, owner, resource, target):
    """A record as external-dns makes it, with its registry under the old and the new name; without an owner the record alone."""
    registry = f'"heritage=external-dns,external-dns/owner={owner},external-dns/resource={resource}"'
    sets = [{"Name": f"{host}.example.org.", "Type": "A", "AliasTarget": {
        "HostedZoneId": "Z2IFOLAFXWLO4F", "DNSName": f"{target}.", "EvaluateTargetHealth": True}}]
    sets += [{"Name": f"{name}.example.org.", "Type": "TXT", "TTL": 300, "ResourceRecords": [{"Value": registry}]}
             for name in (host, f"a-{host}") if owner]
    ROUTES.change_resource_record_sets(HostedZoneId=zone(), ChangeBatch={"Changes": [
        {"Action": "CREATE", "ResourceRecordSet": one} for one in sets]})
    for one in sets:
        keep("record", f"{one['Name']} {one['Type']}")


def claimed(name, claim):
    return {**CSI, "kubernetes.io/created-for/pvc/namespace": "default", "kubernetes.io/created-for/pvc/name": claim,
            "kubernetes.io/created-for/pv/name": f"pvc-{name}", "CSIVolumeName": f"pvc-{name}"}


def detached():
    """The machine of the pool, as a roll leaves it when it is killed."""
    pool = resources("pool-workers")
    scaling = next(name for logical, name in pool.items() if logical.startswith("Group"))
    one = SCALING.describe_auto_scaling_groups(AutoScalingGroupNames=[scaling])["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]
    SCALING.detach_instances(AutoScalingGroupName=scaling, InstanceIds=[one], ShouldDecrementDesiredCapacity=False)
    return keep("machine", one)


def ours():
    network = resources("network")
    vpc, public, private = network["Vpc"], network["PublicSubnetA"], network["PrivateSubnetA"]
    nodes = network["NodeSg"]
    service = lambda name: {**OWNED, "kubernetes.io/service-name": f"default/{name}"}
    first, second, old = (group(f"k8s-elb-{name}", vpc, service(name)) for name in ("web", "api", "old"))
    shop = group("k8s-traffic-shop", vpc, {"elbv2.k8s.aws/cluster": NAME, "elbv2.k8s.aws/resource": "backend-sg"})
    for named in (first, second, old, shop):
        rule(nodes, named)
    rule(first, second), rule(second, first)
    web = balancer("net-web", "network", [public], [first], service("web"), service("web"))
    by_controller = {"elbv2.k8s.aws/cluster": NAME, "ingress.k8s.aws/stack": "default/shop"}
    balancer("app-shop", "application", [public], [shop], by_controller, by_controller)
    classic("classic-old", [public], [old], service("old"))
    control = EC2.describe_instances(Filters=[{"Name": "tag:kube-cfn/stack", "Values": ["control-plane"]}, {"Name": "vpc-id", "Values": [vpc]},
                                              {"Name": "instance-state-name", "Values": ["running"]}])
    control = control["Reservations"][0]["Instances"][0]["InstanceId"]
    left = detached()
    CLASSIC.register_instances_with_load_balancer(LoadBalancerName="classic-old", Instances=[{"InstanceId": left}])
    interface(private, [nodes], f"aws-K8S-{control}", {"cluster.k8s.amazonaws.com/name": NAME})
    used = interface(private, [nodes, second], f"aws-K8S-{control}", OWNED)
    EC2.attach_network_interface(NetworkInterfaceId=used, InstanceId=control, DeviceIndex=1)
    data = volume(20, claimed("data", "data-db-0"))
    EC2.attach_volume(VolumeId=data, InstanceId=left, Device="/dev/xvdba")
    volume(7, claimed("old", "uploads"))
    snapshot(data, {**CSI, "CSIVolumeSnapshotName": "snapshot-1"})
    database_snapshot("before-the-upgrade", NAME)
    records("web", NAME, "service/default/web", ELB.describe_load_balancers(LoadBalancerArns=[web])["LoadBalancers"][0]["DNSName"])


def beside():
    """Without a tag, of another cluster, of one whose name begins alike, or only shared with this one."""
    vpc = EC2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    subnet = keep("subnet", EC2.create_subnet(VpcId=vpc, CidrBlock="10.99.0.0/24", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"])
    others = {"plain": {}, "other": {"kubernetes.io/cluster/other": "owned", "elbv2.k8s.aws/cluster": "other", "kube-cfn/cluster": "other"},
              "alike": {f"kubernetes.io/cluster/{NAME}-2": "owned", "kube-cfn/cluster": f"{NAME}-2"},
              "shared": {f"kubernetes.io/cluster/{NAME}": "shared"}}
    for name, tags in others.items():
        held = group(f"group-{name}", vpc, tags)
        balancer(f"net-{name}", "network", [subnet], [held], tags, tags)
        classic(f"classic-{name}", [subnet], [held], tags)
        interface(subnet, [held], f"of {name}", tags)
        snapshot(volume(5, tags), tags)
        machine(subnet, tags)
        keep("address", EC2.allocate_address(Domain="vpc", **tagged("elastic-ip", tags))["AllocationId"])
    for owner in ("other", f"{NAME}-2", ""):
        records(f"{owner or 'plain'}-site", owner, "service/default/web", "elsewhere.example.net")
    for database in ("other-database-database-abc", f"{NAME}-2-database-database-abc", f"{NAME}-database"):
        LOGS.create_log_group(logGroupName=keep("logs", f"/aws/rds/instance/{database}/postgresql"))
    database_snapshot(f"{NAME}-2-database-snapshot-database-abc", f"{NAME}-2")
    for name, tags in others.items():
        bucket = keep("bucket", f"{NAME}-{name}-bucket")
        S3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        S3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": pairs(tags)})
        keep("key", KMS.create_key(Tags=[{"TagKey": k, "TagValue": v} for k, v in tags.items()])["KeyMetadata"]["Arn"])


def inside():
    network = resources("network")
    vpc, public, private = network["Vpc"], network["PublicSubnetA"], network["PrivateSubnetA"]
    nodes = network["NodeSg"]
    held = group("theirs", vpc, {"team": "theirs"})
    rule(held, nodes)
    balancer("net-theirs", "network", [public], [held], {}, {})
    classic("classic-theirs", [public], [held], {"kubernetes.io/cluster/other": "owned"})
    interface(private, [held], "of theirs", {})
    machine(private, {"team": "theirs"})
    cidr = EC2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlock"].split(".")
    keep("subnet", EC2.create_subnet(VpcId=vpc, CidrBlock=f"{cidr[0]}.{cidr[1]}.250.0/24", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"])
    keep("table", EC2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"])
    keep("endpoint", EC2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-west-1.ec2", VpcEndpointType="Interface", SubnetIds=[private],
                                             SecurityGroupIds=[held])["VpcEndpoint"]["VpcEndpointId"])
    keep("acl", EC2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"])
    gateway = keep("gateway", EC2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"])
    EC2.attach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)
    address = keep("address", EC2.allocate_address(Domain="vpc")["AllocationId"])
    keep("nat", EC2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"])
    keep("egress", EC2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"])
    other = EC2.create_vpc(CidrBlock="10.98.0.0/16")["Vpc"]["VpcId"]
    peering = EC2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    EC2.accept_vpc_peering_connection(VpcPeeringConnectionId=keep("peering", peering))


{"ours": ours, "beside": beside, "inside": inside}[WHAT]()
print(json.dumps(made))
