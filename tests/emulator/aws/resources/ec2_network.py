"""VPC, subnets, gateways, routes, security groups and endpoints: missing attributes and AWS's refusals."""

import ipaddress

from ministack.core.responses import get_account_id, get_region
from ministack.services import alb, ec2

from ..handlers import TABLE, attributes, before_create, before_delete, register
from ..words import identifier, refused

_reservations = {}


def install():
    attributes("AWS::EC2::VPC", _vpc_attributes)
    attributes("AWS::EC2::Subnet", _subnet_attributes)
    attributes("AWS::EC2::VPCGatewayAttachment", lambda *_: {"AttachmentType": "IGW"})
    attributes("AWS::EC2::Route", lambda _id, properties, _known: {
        "CidrBlock": properties.get("DestinationCidrBlock") or properties.get("DestinationIpv6CidrBlock", "")})
    # Neither has anything to update in place; ministack would create it a second time.
    for resource_type in ("AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPCGatewayAttachment"):
        TABLE[resource_type].setdefault("update", lambda physical_id, *_: (physical_id, {}))
    attributes("AWS::EC2::SubnetRouteTableAssociation", lambda physical_id, *_: {"Id": physical_id})
    attributes("AWS::EC2::SecurityGroup", lambda physical_id, properties, _known: {
        "Id": physical_id, "GroupName": ec2._security_groups[physical_id]["GroupName"],
        "GroupDescription": properties.get("GroupDescription", "")})
    for resource_type in ("AWS::EC2::Subnet", "AWS::EC2::SecurityGroup", "AWS::EC2::RouteTable",
                          "AWS::EC2::VPCEndpoint"):
        before_create(resource_type, _vpc_exists)
    before_create("AWS::EC2::Subnet", _subnet_fits)
    before_delete("AWS::EC2::VPC", _vpc_is_empty)
    before_delete("AWS::EC2::Subnet", _subnet_is_empty)
    before_delete("AWS::EC2::SecurityGroup", _group_is_unused)
    for direction, ports in (("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")):
        register(f"AWS::EC2::SecurityGroup{direction}", _rule_creator(ports), _rule_deleter(ports),
                 update=_rule_updater(ports))
    register("AWS::EC2::SubnetCidrReservation", _create_reservation, lambda physical_id, _:
             _reservations.pop(physical_id, None))


def _vpc_attributes(vpc_id, properties, _known):
    return {
        "CidrBlock": properties.get("CidrBlock", ""),
        "CidrBlockAssociations": [f"vpc-cidr-assoc-{vpc_id[4:]}"],
        "Ipv6CidrBlocks": [],
    }


def _subnet_attributes(subnet_id, properties, _known):
    subnet = ec2._subnets[subnet_id]
    return {
        "VpcId": properties.get("VpcId"),
        "CidrBlock": properties.get("CidrBlock"),
        "AvailabilityZoneId": subnet["AvailabilityZoneId"],
        "NetworkAclAssociationId": f"aclassoc-{subnet_id[7:]}",
        "Ipv6CidrBlocks": [],
    }


def _vpc_exists(properties):
    vpc = properties.get("VpcId")
    if vpc and vpc not in ec2._vpcs:
        raise refused("Ec2", f"The vpc ID '{vpc}' does not exist", "NotFound")


def _subnet_fits(properties):
    vpc = ec2._vpcs[properties["VpcId"]]
    try:
        wanted = ipaddress.ip_network(properties["CidrBlock"])
    except ValueError as wrong:
        raise refused("Ec2", f"Value ({properties['CidrBlock']}) for parameter cidrBlock is invalid.") from wrong
    if not wanted.subnet_of(ipaddress.ip_network(vpc["CidrBlock"])):
        raise refused("Ec2", f"The CIDR '{wanted}' is invalid.")
    for subnet in ec2._subnets.values():
        if subnet["VpcId"] == vpc["VpcId"] and wanted.overlaps(ipaddress.ip_network(subnet["CidrBlock"])):
            raise refused("Ec2", f"The CIDR '{wanted}' conflicts with another subnet", "AlreadyExists")


def _vpc_is_empty(vpc_id):
    gateways = (a["VpcId"] for g in ec2._internet_gateways.values() for a in g.get("Attachments") or [])
    subnets = (s["VpcId"] for s in ec2._subnets.values())
    if vpc_id in {*gateways, *subnets}:
        raise refused("Ec2", f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")


def _subnet_is_empty(subnet_id):
    interfaces = (i["SubnetId"] for i in ec2._network_interfaces.values())
    gateways = (n["SubnetId"] for n in ec2._nat_gateways.values() if n["State"] == "available")
    balancers = (s for lb in alb._lbs.values() for s in lb["Subnets"])
    instances = (i["SubnetId"] for i in ec2._instances.values() if i["State"]["Name"] != "terminated")
    if subnet_id in {*interfaces, *gateways, *balancers, *instances}:
        raise refused("Ec2", f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


def _group_is_unused(group_id):
    rules = (
        pair.get("GroupId")
        for group in ec2._security_groups.values() if group["GroupId"] != group_id
        for permission in (*group["IpPermissions"], *group["IpPermissionsEgress"])
        for pair in permission.get("UserIdGroupPairs", [])
    )
    interfaces = (g["GroupId"] for i in ec2._network_interfaces.values() for g in i["Groups"])
    balancers = (g for lb in alb._lbs.values() for g in lb["SecurityGroups"])
    instances = (g["GroupId"] for i in ec2._instances.values() if i["State"]["Name"] != "terminated"
                 for g in i["SecurityGroups"])
    if group_id in {*rules, *interfaces, *balancers, *instances}:
        raise refused("Ec2", f"resource {group_id} has a dependent object")


def _permission(properties):
    permission = {"IpProtocol": str(properties.get("IpProtocol", "-1")), "IpRanges": [], "Ipv6Ranges": [],
                  "PrefixListIds": [], "UserIdGroupPairs": []}
    for port in ("FromPort", "ToPort"):
        if port in properties:
            permission[port] = int(properties[port])
    described = {"Description": properties["Description"]} if properties.get("Description") else {}
    group = properties.get("SourceSecurityGroupId") or properties.get("DestinationSecurityGroupId")
    prefixes = properties.get("SourcePrefixListId") or properties.get("DestinationPrefixListId")
    if properties.get("CidrIp"):
        permission["IpRanges"].append({"CidrIp": properties["CidrIp"], **described})
    if properties.get("CidrIpv6"):
        permission["Ipv6Ranges"].append({"CidrIpv6": properties["CidrIpv6"], **described})
    if prefixes:
        permission["PrefixListIds"].append({"PrefixListId": prefixes, **described})
    if group:
        _existing_group(group)
        permission["UserIdGroupPairs"].append({"GroupId": group, "UserId": get_account_id(), **described})
    return permission


def _existing_group(group_id):
    if group_id not in ec2._security_groups:
        raise refused("Ec2", f"The security group '{group_id}' does not exist", "NotFound")
    return ec2._security_groups[group_id]


def _rule_creator(ports):
    def create(_logical_id, properties, _stack):
        group = _existing_group(properties.get("GroupId"))
        permission = _permission(properties)
        if any(_same_rule(permission, other) for other in group[ports]):
            raise refused("Ec2", "the specified rule already exists", "AlreadyExists")
        rule = identifier("sgr")
        group[ports].append({**permission, "_rule": rule})
        return rule, {"Id": rule}

    return create


def _rule_updater(ports):
    def update(rule, old, new, _stack):
        group = _existing_group(new.get("GroupId"))
        group[ports] = [{**_permission(new), "_rule": rule} if p.get("_rule") == rule else p for p in group[ports]]
        return rule, {"Id": rule}

    return update


def _rule_deleter(ports):
    def delete(rule, properties):
        group = ec2._security_groups.get(properties.get("GroupId"))
        if group:
            group[ports] = [p for p in group[ports] if p.get("_rule") != rule]

    return delete


def _same_rule(one, other):
    def facts(permission):
        lists = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")
        targets = [{k: v for k, v in entry.items() if k not in ("Description", "UserId")}
                   for name in lists for entry in permission.get(name, [])]
        return permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"), targets

    return facts(one) == facts(other)


def _create_reservation(_logical_id, properties, _stack):
    subnet = ec2._subnets.get(properties.get("SubnetId"))
    if subnet is None:
        raise refused("Ec2", f"The subnet ID '{properties.get('SubnetId')}' does not exist", "NotFound")
    wanted = ipaddress.ip_network(properties["Cidr"])
    if not wanted.subnet_of(ipaddress.ip_network(subnet["CidrBlock"])):
        raise refused("Ec2", f"The CIDR '{wanted}' is not within the subnet '{subnet['SubnetId']}'.")
    reservation = identifier("scr")
    physical_id = f"{subnet['SubnetId']}|{reservation}"
    _reservations[physical_id] = properties
    arn = f"arn:aws:ec2:{get_region()}:{get_account_id()}:subnet-cidr-reservation/{reservation}"
    return physical_id, {"SubnetCidrReservationId": reservation, "OwnerId": get_account_id(), "Arn": arn}
