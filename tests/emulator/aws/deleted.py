"""ListStackResources of a deleted stack: AWS keeps, for 90 days, what it had and what became of each resource; ministack
forgets them.
"""

from xml.sax.saxutils import escape

from ministack.services.cloudformation import _stack_events, handlers


def install():
    stock = handlers._list_stack_resources

    def listed(params):
        stack = handlers._resolve_stack(handlers._p(params, "StackName"))
        if not stack or stack["StackStatus"] != "DELETE_COMPLETE":
            return stock(params)
        members = "".join(map(_show, _last(stack)))
        return handlers._xml(200, "ListStackResourcesResponse",
                             "<ListStackResourcesResult><StackResourceSummaries>"
                             f"{members}</StackResourceSummaries></ListStackResourcesResult>")

    handlers._list_stack_resources = listed
    handlers._ACTION_HANDLERS["ListStackResources"] = listed


def _last(stack):
    """The last event of each resource."""
    last = {}
    for event in _stack_events.get(stack["StackId"], []):
        if event["PhysicalResourceId"] != stack["StackId"]:
            last[event["LogicalResourceId"]] = event
    return last.values()


def _show(event):
    fields = "".join(f"<{name}>{escape(event[name])}</{name}>" for name in (
        "LogicalResourceId", "PhysicalResourceId", "ResourceType", "ResourceStatus"))
    return f"<member>{fields}<LastUpdatedTimestamp>{event['Timestamp']}</LastUpdatedTimestamp></member>"
