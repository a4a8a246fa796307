"""How AWS words a refusal, and the ids it hands out."""

import secrets
import uuid


class Refused(ValueError):
    """A resource handler said no; the text is what the stack event carries."""


def refused(service, message, code="InvalidRequest", status=400):
    """The failure as CloudFormation reports one of a service."""
    return Refused(
        f'Resource handler returned message: "{message} (Service: {service}, Status Code: {status}, '
        f'Request ID: {uuid.uuid4()})" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'
    )


def identifier(prefix):
    """An id as EC2 makes them: `eipalloc-0f3a...` with 17 hexadecimal digits."""
    return f"{prefix}-0{secrets.token_hex(8)}"


def truth(value):
    """A template's boolean, which may be the word."""
    return str(value).lower() == "true"


def as_list(value):
    """A property that is a list, one value or missing."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
