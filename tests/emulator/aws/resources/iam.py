"""IAM instance profiles: Ref is the name, as on AWS, and their roles have to exist."""

from ministack.services import iam

from ..handlers import TABLE, attributes, before_create
from ..words import refused

PROFILE = "AWS::IAM::InstanceProfile"


def install():
    before_create(PROFILE, _roles_exist)
    stock = dict(TABLE[PROFILE])

    def create(logical_id, properties, stack):
        arn, known = stock["create"](logical_id, properties, stack)
        return arn.rpartition("/")[2], known

    def update(name, old, new, stack, logical_id=None):
        arn, known = stock["update"](iam._instance_profiles[name]["Arn"], old, new, stack, logical_id)
        return arn.rpartition("/")[2], known

    def delete(name, properties):
        profile = iam._instance_profiles.get(name)
        if profile:
            stock["delete"](profile["Arn"], properties)

    TABLE[PROFILE].update(create=create, update=update, delete=delete)
    attributes("AWS::IAM::Role", lambda name, _properties, _known: {"RoleId": iam._roles[name]["RoleId"]})
    attributes("AWS::IAM::Policy", lambda physical_id, *_: {"Id": physical_id})


def _roles_exist(properties):
    for role in properties.get("Roles", []):
        if role not in iam._roles:
            raise refused("Iam", f"The role with name {role} cannot be found.", "NotFound", 404)
