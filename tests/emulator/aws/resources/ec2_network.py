"""VPC, subnets, gateways, routes, security groups and endpoints: missing attributes and AWS's refusals."""

import ipaddress

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2

from .. import releases
from ..handlers import TABLE, attributes, before_create, before_delete, register
from ..words import identifier, refused
from . import ec2_dependencies as dependencies
from . import ec2_interfaces

# CloudFormation tries again for some minutes where EC2 answers DependencyViolation.
TRIES = 600


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
    before_delete("AWS::EC2::VPCGatewayAttachment", _gateway_is_unused)
    before_delete("AWS::EC2::InternetGateway", _gateway_is_detached)
    for direction, ports in (("Ingress", "IpPermissions"), ("Egress", "IpPermissionsEgress")):
        register(f"AWS::EC2::SecurityGroup{direction}", _rule_creator(ports), _rule_deleter(ports),
                 update=_rule_updater(ports))
    register("AWS::EC2::SubnetCidrReservation", _create_reservation, _delete_reservation)


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
    _await_unused(lambda: dependencies.of_vpc(vpc_id), f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")


def _gateway_is_detached(gateway_id):
    _await_unused(lambda: ec2._internet_gateways.get(gateway_id, {}).get("Attachments"),
                  f"The internetGateway '{gateway_id}' has dependencies and cannot be deleted.")


def _subnet_is_empty(subnet_id):
    _await_unused(lambda: dependencies.of_subnet(subnet_id),
                  f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")


def _group_is_unused(group_id):
    _await_unused(lambda: dependencies.of_group(group_id), f"resource {group_id} has a dependent object")


def _gateway_is_unused(attachment):
    vpc = attachment.rpartition("|")[2]
    _await_unused(lambda: dependencies.public_addresses_of(vpc), f"Network {vpc} has some mapped public address(es). "
                  "Please unmap those public address(es) before detaching the gateway.")


def _await_unused(uses, message):
    if not releases.await_true(TRIES, lambda: not uses()):
        raise refused("Ec2", message)


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
        group[ports].append({**permission, "SecurityGroupRuleId": rule})
        return rule, {"Id": rule}

    return create


def _rule_updater(ports):
    def update(rule, old, new, _stack):
        group = _existing_group(new.get("GroupId"))
        group[ports] = [{**_permission(new), "SecurityGroupRuleId": rule} if p.get("SecurityGroupRuleId") == rule else p for p in group[ports]]
        return rule, {"Id": rule}

    return update


def _rule_deleter(ports):
    def delete(rule, properties):
        group = ec2._security_groups.get(properties.get("GroupId"))
        if group:
            group[ports] = [p for p in group[ports] if p.get("SecurityGroupRuleId") != rule]

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
    ec2_interfaces.reserved.setdefault(subnet["SubnetId"], {})[physical_id] = properties["Cidr"]
    arn = f"arn:aws:ec2:{get_region()}:{get_account_id()}:subnet-cidr-reservation/{reservation}"
    return physical_id, {"SubnetCidrReservationId": reservation, "OwnerId": get_account_id(), "Arn": arn}


def _delete_reservation(physical_id, _properties):
    ec2_interfaces.reserved.get(physical_id.partition("|")[0], {}).pop(physical_id, None)
