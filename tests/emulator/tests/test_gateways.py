"""EC2's and RDS's own calls for what stacks may leave: NAT gateways, addresses, gateways, VPCs and databases, in the order in
which AWS takes them.
"""

import json
import time
import unittest

from support import ACCOUNT, EC2, RDS, RULES, Case


class Gateways(Case):
    def setUp(self):
        super().setUp()
        self.vpc = EC2.create_vpc(CidrBlock="10.41.0.0/16")["Vpc"]["VpcId"]
        self.subnet = EC2.create_subnet(VpcId=self.vpc, CidrBlock="10.41.0.0/24", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"]
        self.internet = EC2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        EC2.attach_internet_gateway(InternetGatewayId=self.internet, VpcId=self.vpc)
        self.address = EC2.allocate_address(Domain="vpc")["AllocationId"]
        self.nat = EC2.create_nat_gateway(SubnetId=self.subnet, AllocationId=self.address)["NatGateway"]["NatGatewayId"]

    def state(self):
        return EC2.describe_nat_gateways(NatGatewayIds=[self.nat])["NatGateways"][0]["State"]

    def test_nat_gateway_holds_everything_until_it_is_deleted(self):
        self.addCleanup((RULES / f"{ACCOUNT}.account").unlink, missing_ok=True)
        (RULES / f"{ACCOUNT}.account").write_text(json.dumps({"natsEnd": 1}), encoding="utf-8")
        wanted = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "state", "Values": ["available"]}]
        found = EC2.describe_nat_gateways(Filters=wanted)["NatGateways"][0]["NatGatewayAddresses"][0]
        self.assertEqual(self.address, found["AllocationId"])
        EC2.delete_nat_gateway(NatGatewayId=self.nat)
        self.assertEqual("deleting", self.state())
        self.refused("InvalidIPAddress.InUse", "in use", EC2.release_address, AllocationId=self.address)
        self.refused("DependencyViolation", "mapped public address", EC2.detach_internet_gateway, InternetGatewayId=self.internet, VpcId=self.vpc)
        self.refused("DependencyViolation", "has dependencies", EC2.delete_subnet, SubnetId=self.subnet)
        until = time.monotonic() + 10
        while self.state() != "deleted" and time.monotonic() < until:
            time.sleep(0.1)
        EC2.release_address(AllocationId=self.address)
        self.refused("DependencyViolation", "has dependencies", EC2.delete_internet_gateway, InternetGatewayId=self.internet)
        EC2.detach_internet_gateway(InternetGatewayId=self.internet, VpcId=self.vpc)
        self.refused("Gateway.NotAttached", "not attached", EC2.detach_internet_gateway, InternetGatewayId=self.internet, VpcId=self.vpc)
        EC2.delete_internet_gateway(InternetGatewayId=self.internet)
        self.refused("DependencyViolation", "has dependencies", EC2.delete_vpc, VpcId=self.vpc)
        EC2.delete_subnet(SubnetId=self.subnet)
        EC2.delete_vpc(VpcId=self.vpc)

    def test_route_table_goes_after_its_subnets_and_egress_gateway_holds_the_vpc(self):
        table = EC2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        subnet = EC2.create_subnet(VpcId=self.vpc, CidrBlock="10.41.1.0/24", AvailabilityZone="eu-west-1a")["Subnet"]["SubnetId"]
        EC2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        egress = EC2.create_egress_only_internet_gateway(VpcId=self.vpc)["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        self.refused("DependencyViolation", "has dependencies", EC2.delete_route_table, RouteTableId=table)
        EC2.delete_subnet(SubnetId=subnet)
        EC2.delete_route_table(RouteTableId=table)
        self.refused("DependencyViolation", "has dependencies", EC2.delete_vpc, VpcId=self.vpc)
        EC2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=egress)

    def test_unknown_filters_and_pages_are_refused(self):
        unknown = [{"Name": "nonsense", "Values": ["x"]}]
        for call in (EC2.describe_addresses, EC2.describe_vpcs, EC2.describe_internet_gateways, EC2.describe_nat_gateways):
            self.refused("InvalidParameterValue", "is invalid", call, Filters=unknown)
        self.refused("InvalidParameterValue", "MaxRecords", RDS.describe_db_instances, MaxRecords=5)


if __name__ == "__main__":
    unittest.main()
