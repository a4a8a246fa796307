"""Rules of security groups: one for every range, group and prefix list, each with an id of its own, as on AWS."""

from ministack.services import ec2

TARGETS = ("IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs")


def install():
    parse = ec2._parse_ip_permissions
    ec2._parse_ip_permissions = lambda params, prefix: [one for permission in parse(params, prefix)
                                                        for one in _single(permission)]
    for direction in ("Ingress", "Egress"):
        action = f"AuthorizeSecurityGroup{direction}"
        ec2._ACTION_MAP[action] = _checked(ec2._ACTION_MAP[action])


def _single(permission):
    split = [{**permission, **{name: [] for name in TARGETS}, name: [target]}
             for name in TARGETS for target in permission.get(name) or []]
    return split or [permission]


def _checked(authorize):
    def checked(params):
        for permission in ec2._parse_ip_permissions(params, "IpPermissions"):
            for pair in permission.get("UserIdGroupPairs", []):
                if pair.get("GroupId") and pair["GroupId"] not in ec2._security_groups:
                    return ec2._error("InvalidGroup.NotFound", f"You have specified two resources that belong to different "
                                      f"networks, or the security group '{pair['GroupId']}' does not exist", 400)
        return authorize(params)

    return checked
