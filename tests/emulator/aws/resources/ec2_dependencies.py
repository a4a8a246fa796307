"""What holds security groups, subnets and VPCs: EC2 refuses to delete them with DependencyViolation while there is any."""

from ministack.services import ec2

from .. import releases


def install():
    for action, (parameter, holds, message) in {
        "DeleteSecurityGroup": ("GroupId", of_group, "resource {} has a dependent object"),
        "DeleteSubnet": ("SubnetId", of_subnet, "The subnet '{}' has dependencies and cannot be deleted."),
        "DeleteVpc": ("VpcId", of_vpc, "The vpc '{}' has dependencies and cannot be deleted."),
        "DeleteRouteTable": ("RouteTableId", of_route_table,
                             "The routeTable '{}' has dependencies and cannot be deleted."),
    }.items():
        ec2._ACTION_MAP[action] = _refusing(ec2._ACTION_MAP[action], parameter, holds, message)
    volumes = ec2._ACTION_MAP["DeleteVolume"]
    ec2._ACTION_MAP["DeleteVolume"] = lambda params: _volume_in_use(params) or volumes(params)


def of_group(group_id):
    """Ids of what uses a security group: interfaces, and other groups with rules that name it."""
    rules = {
        group["GroupId"]
        for group in ec2._security_groups.values() if group["GroupId"] != group_id
        for permission in (*group["IpPermissions"], *group["IpPermissionsEgress"])
        for pair in permission.get("UserIdGroupPairs", []) if pair.get("GroupId") == group_id
    }
    return rules | {i["NetworkInterfaceId"] for i in ec2._network_interfaces.values()
                    if group_id in {g["GroupId"] for g in i["Groups"]}}


def of_subnet(subnet_id):
    """Ids of the interfaces, instances and NAT gateways in a subnet."""
    interfaces = {i["NetworkInterfaceId"] for i in ec2._network_interfaces.values() if i["SubnetId"] == subnet_id}
    gateways = {n["NatGatewayId"] for n in ec2._nat_gateways.values()
                if n["SubnetId"] == subnet_id and n["State"] != "deleted"}
    instances = {i["InstanceId"] for i in ec2._instances.values()
                 if i["SubnetId"] == subnet_id and i["State"]["Name"] != "terminated"}
    return interfaces | gateways | instances


def of_vpc(vpc_id):
    """Ids of what has to go before a VPC: all but its default group, its main route table and its default ACL."""
    held = {g["InternetGatewayId"] for g in ec2._internet_gateways.values()
            for a in g.get("Attachments") or [] if a["VpcId"] == vpc_id}
    held |= {n["NatGatewayId"] for n in ec2._nat_gateways.values()
             if n.get("VpcId") == vpc_id and n["State"] != "deleted"}
    held |= {g["EgressOnlyInternetGatewayId"] for g in ec2._egress_igws.values() if g["VpcId"] == vpc_id}
    held |= {g["GroupId"] for g in ec2._security_groups.values() if g["VpcId"] == vpc_id and g["GroupName"] != "default"}
    held |= {r["RouteTableId"] for r in ec2._route_tables.values()
             if r["VpcId"] == vpc_id and not any(a.get("Main") for a in r["Associations"])}
    held |= {p["VpcPeeringConnectionId"] for p in ec2._vpc_peering.values() if p["Status"]["Code"] == "active"
             and vpc_id in (p["RequesterVpcInfo"]["VpcId"], p["AccepterVpcInfo"]["VpcId"])}
    held |= {a["NetworkAclId"] for a in ec2._network_acls.values() if a["VpcId"] == vpc_id and not a["IsDefault"]}
    held |= {g["VpnGatewayId"] for g in ec2._vpn_gateways.values()
             for a in g["Attachments"] if a["VpcId"] == vpc_id and a["State"] != "detached"}
    for records, name in ((ec2._subnets, "SubnetId"), (ec2._network_interfaces, "NetworkInterfaceId"),
                          (ec2._vpc_endpoints, "VpcEndpointId")):
        held |= {one[name] for one in records.values() if one["VpcId"] == vpc_id}
    return held


def of_route_table(table_id):
    """Its associations, which do not go with it."""
    return {a["RouteTableAssociationId"] for a in ec2._route_tables.get(table_id, {}).get("Associations", [])}


def public_addresses_of(vpc_id):
    """Public addresses of load balancers and NAT gateways, which hold the internet gateway."""
    gateways = {n["NatGatewayId"] for n in ec2._nat_gateways.values()
                if n.get("VpcId") == vpc_id and n["State"] != "deleted" and n["ConnectivityType"] == "public"}
    return gateways | {i["PublicIp"] for i in ec2._network_interfaces.values()
                       if i["VpcId"] == vpc_id and i.get("PublicIp")}


def _refusing(delete, parameter, holds, message):
    def refusing(params):
        releases.settle()
        name = ec2._p(params, parameter)
        if holds(name):
            return ec2._error("DependencyViolation", message.format(name), 400)
        return delete(params)

    return refusing


def _volume_in_use(params):
    name = ec2._p(params, "VolumeId")
    attached = ec2._volumes.get(name, {}).get("Attachments")
    if not attached:
        return None
    return ec2._error("VolumeInUse", f"Volume {name} is currently attached to {attached[0]['InstanceId']}", 400)
