"""Joining ministack's table of resource handlers.

A handler creates `(logical_id, properties, stack) -> (physical id, attributes)`, updates
`(physical_id, old, new, stack) -> (physical id, attributes)` and deletes `(physical_id, properties)`.
The engine replaces: it creates a new resource and deletes the old one afterwards.
"""

from ministack.services.cloudformation import provisioners

TABLE = provisioners._RESOURCE_HANDLERS


def register(resource_type, create, delete, update=None, tags=False):
    """Adds a type that ministack lacks. Without `update` every change is one of create-only properties.

    `tags`: it carries a list of tags, so the stack's own tags are put into them.
    """
    TABLE[resource_type] = {"create": create, "delete": delete, "update": update or _nothing_to_update}
    if tags:
        provisioners._STACK_TAG_PROPERTY[resource_type] = ("Tags", "list")


def attributes(resource_type, compute):
    """Adds `compute(physical_id, properties, attributes) -> more attributes` after every create and update."""
    handler = TABLE[resource_type]
    create, update = handler["create"], handler.get("update")

    def created(logical_id, properties, stack):
        physical_id, known = create(logical_id, properties, stack)
        return physical_id, {**(known or {}), **compute(physical_id, properties, known or {})}

    def updated(physical_id, old, new, *rest):
        physical_id, known = update(physical_id, old, new, *rest)
        return physical_id, {**(known or {}), **compute(physical_id, new, known or {})}

    handler["create"] = created
    if update:
        handler["update"] = updated


def before_create(resource_type, check):
    """Runs `check(properties)` first; what it raises fails the resource."""
    handler = TABLE[resource_type]
    create = handler["create"]

    def checked(logical_id, properties, stack):
        check(properties)
        return create(logical_id, properties, stack)

    handler["create"] = checked


def before_update(resource_type, check):
    """Runs `check(old, new)` before an update in place."""
    handler = TABLE[resource_type]
    update = handler["update"]

    def checked(physical_id, old, new, *rest):
        check(old, new)
        return update(physical_id, old, new, *rest)

    handler["update"] = checked


def before_delete(resource_type, check):
    """Runs `check(physical_id)` before a delete."""
    handler = TABLE[resource_type]
    delete = handler["delete"]

    def checked(physical_id, properties, *rest):
        check(physical_id)
        return delete(physical_id, properties, *rest)

    handler["delete"] = checked


def _nothing_to_update(physical_id, _old, _new, _stack):
    return physical_id, {}
