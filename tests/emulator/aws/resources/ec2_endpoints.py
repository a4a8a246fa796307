"""VPC endpoints made by EC2's own call: those of services have interfaces, and go with them."""

import re

from ministack.services import ec2

from . import ec2_managed_interfaces


def install():
    create, delete = ec2._ACTION_MAP["CreateVpcEndpoint"], ec2._ACTION_MAP["DeleteVpcEndpoints"]

    def created(params):
        answer = create(params)
        name = re.search(r"<vpcEndpointId>(vpce-\w+)</vpcEndpointId>", answer[2].decode())
        record = ec2._vpc_endpoints[name.group(1)] if name else {}
        if record.get("VpcEndpointType") == "Interface":
            ec2_managed_interfaces.make(record["VpcEndpointId"], record["SubnetIds"],
                                        ec2._parse_member_list(params, "SecurityGroupId"),
                                        f"VPC Endpoint Interface {record['VpcEndpointId']}", "amazon-vpce", "vpc_endpoint")
        return answer

    def deleted(params):
        for one in ec2._parse_member_list(params, "VpcEndpointId"):
            ec2_managed_interfaces.release(one)
        return delete(params)

    ec2._ACTION_MAP.update(CreateVpcEndpoint=created, DeleteVpcEndpoints=deleted)
