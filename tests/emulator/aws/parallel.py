"""The events of a creation as CloudFormation sends them: it works on independent resources at the same time.

ministack creates one after another. A resource whose dependencies are complete is reported in progress at once, so that
events interleave, and when a resource fails, all that are in progress are reported cancelled. Only the events are
parallel: a cancelled resource has not been started.
"""

from ministack.services.cloudformation import engine

CANCELLED = "Resource creation cancelled"
_creations = {}


def begin(stack_id, template, params):
    """A stack is created; `of` knows it from now on."""
    _creations[stack_id] = _Creation(template, params)


def end(stack_id):
    """Another operation of the stack begins."""
    _creations.pop(stack_id, None)


def of(stack_id):
    """The creation of the stack, or None when something else is done to it."""
    return _creations.get(stack_id)


class _Creation:
    def __init__(self, template, params):
        definitions = template.get("Resources", {})
        conditions = engine._evaluate_conditions(template, params)
        order = [
            logical_id for logical_id in engine._topological_sort(definitions, conditions)
            if conditions.get(definitions[logical_id].get("Condition"), True)
        ]
        self._types = {logical_id: definitions[logical_id]["Type"] for logical_id in order}
        self._waits_for = {
            logical_id: engine._extract_deps(definitions[logical_id], set(order)) for logical_id in order
        }
        self._announced = []
        self._done = set()
        self.failed = []

    def ready(self, logical_id):
        """What is in progress from now on, `(logical id, type)`; `logical_id` is the one that ministack begins."""
        fresh = [
            name for name, others in self._waits_for.items()
            if name not in self._announced and (name == logical_id or set(others) <= self._done)
        ]
        self._announced += fresh
        return [(name, self._types.get(name, "")) for name in fresh]

    def done(self, logical_id):
        """A resource is complete."""
        self._done.add(logical_id)

    def fail(self, logical_id):
        """A resource failed; what is cancelled because of it, `(logical id, type)`."""
        siblings = [name for name in self._announced if name not in self._done and name != logical_id]
        self.failed = [logical_id, *siblings]
        self._announced = []
        return [(name, self._types[name]) for name in siblings]
