"""Secrets: Ref is the ARN, as on AWS."""

from ministack.services import secretsmanager

from ..handlers import TABLE

SECRET = "AWS::SecretsManager::Secret"


def install():
    stock = dict(TABLE[SECRET])

    def create(logical_id, properties, stack):
        name, known = stock["create"](logical_id, properties, stack)
        return _arn(name), {**known, "Id": _arn(name)}

    def update(arn, old, new, stack, logical_id=None):
        name, known = stock["update"](_name(arn), old, new, stack, logical_id)
        return _arn(name), {**known, "Id": _arn(name)}

    def delete(arn, properties):
        name = _name(arn)
        if name:
            stock["delete"](name, properties)

    TABLE[SECRET].update(create=create, update=update, delete=delete)


def _arn(name):
    return secretsmanager._secrets[name]["ARN"]


def _name(arn):
    return next((name for name, secret in secretsmanager._secrets.items() if secret["ARN"] == arn), None)
