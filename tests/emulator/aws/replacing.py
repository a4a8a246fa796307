"""Which property changes replace a resource: the tool's own catalogue instead of ministack's partial one.

Both sides reading the same file would hide a mistake in it; the file comes from CloudFormation's provider schemas.
"""

import json

from ministack.services.cloudformation import provisioners, stacks

# Documented "Updates are not supported", though the provider schema does not say so.
NOT_UPDATABLE = {
    "AWS::EC2::Volume": ("AvailabilityZone", "Encrypted", "KmsKeyId", "SnapshotId", "OutpostArn", "MultiAttachEnabled"),
}

_create_only = {}
_conditional = {}


def install(catalogue):
    """Reads the catalogue and makes ministack ask it."""
    types = json.loads((catalogue / "create-only.json").read_text(encoding="utf-8"))["types"]
    for resource_type, lists in types.items():
        _create_only[resource_type] = frozenset(lists["createOnly"])
        _conditional[resource_type] = frozenset(lists["conditionalCreateOnly"])
    ministacks_own = provisioners._property_recreation

    def recreation_of_property(resource_type, name):
        if resource_type not in _create_only:
            return ministacks_own(resource_type, name)
        return recreation(resource_type, (name,))

    def replacing_change(resource_type, old, new):
        return any(recreation(resource_type, path) == "Always" for path in changed_paths(old, new))

    provisioners._property_recreation = recreation_of_property
    for module in (provisioners, stacks):
        module._replacing_change = replacing_change


def recreation(resource_type, path):
    """`Always`, `Conditionally` or `Never`, as a change set says it, for the property at `path`."""
    if resource_type not in _create_only:
        return provisioners._property_recreation(resource_type, path[0])
    prefixes = {".".join(path[: length + 1]) for length in range(len(path))}
    if prefixes & _create_only[resource_type]:
        return "Always"
    return "Conditionally" if prefixes & _conditional[resource_type] else "Never"


def changed_paths(old, new, path=()):
    """Paths of what differs: into objects, not into lists."""
    if old == new:
        return []
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [path]
    found = []
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            found += changed_paths(old.get(name), new.get(name), (*path, name))
    return found


def refuse_unsupported(resource_type, old, new):
    """Fails an update that AWS documents as not supported."""
    names = [name for name in NOT_UPDATABLE.get(resource_type, ()) if old.get(name) != new.get(name)]
    if names:
        raise ValueError(f"Update to property {names[0]} of {resource_type} is not supported.")
