"""IAM: instance profiles whose Ref is the name, as on AWS, and whose roles have to exist; OpenID providers."""

from ministack.core.responses import get_account_id
from ministack.services import iam

from ..handlers import TABLE, attributes, before_create, register
from ..words import refused

PROFILE = "AWS::IAM::InstanceProfile"
OPENID = "AWS::IAM::OIDCProvider"


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
    register(OPENID, _trust, lambda arn, _properties: iam._oidc_providers.pop(arn, None), update=_trust_again, tags=True)


def _roles_exist(properties):
    for role in properties.get("Roles", []):
        if role not in iam._roles:
            raise refused("Iam", f"The role with name {role} cannot be found.", "NotFound", 404)


def _trust(_logical_id, properties, _stack):
    url = properties.get("Url", "")
    if not url.startswith("https://"):
        raise refused("Iam", "Invalid Open ID Connect Provider URL", "ValidationError", 400)
    arn = f"arn:aws:iam::{get_account_id()}:oidc-provider/{url.removeprefix('https://').rstrip('/')}"
    if arn in iam._oidc_providers:
        raise refused("Iam", f"Provider with url {url} already exists.", "EntityAlreadyExists", 409)
    iam._oidc_providers[arn] = {"Arn": arn, "CreateDate": iam._now(), "Url": url}
    return _trust_again(arn, {}, properties, None)


def _trust_again(arn, _old, new, _stack, *_rest):
    iam._oidc_providers[arn].update(
        ClientIDList=new.get("ClientIdList", []), ThumbprintList=new.get("ThumbprintList", []),
        Tags=[{"Key": tag["Key"], "Value": tag["Value"]} for tag in new.get("Tags", [])])
    return arn, {"Arn": arn}
