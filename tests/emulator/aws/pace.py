"""How long a resource takes: the tool's own catalogue of durations, divided by a speed.

CloudFormation works on independent resources at the same time, ministack on one after another. So a create is not
slept through for its own duration but until the moment at which it would be done had everything run in parallel:
a stack takes as long as its longest chain of dependencies.
"""

import json
import re
import threading
import time

# At demonstration speeds every step is long enough to be seen.
VISIBLE_STEP = 0.1
DEMONSTRATION_SPEED = 100
# AWS seconds for what the catalogue does not list.
UNLISTED = 5
# What the catalogue calls a group that waits for the signals of its nodes.
SIGNALLING_GROUP = "AWS::AutoScaling::AutoScalingGroup+signals"


class Pace:
    """`speed` AWS seconds pass in one second here; 0 means that nothing takes any time."""

    def __init__(self, catalogue, speed):
        self._durations = json.loads((catalogue / "durations.json").read_text(encoding="utf-8"))
        self.speed = speed
        self._plans = {}
        self._lock = threading.Lock()

    def begin(self, stack_id):
        """A stack operation starts now."""
        with self._lock:
            self._plans[stack_id] = (time.monotonic(), {})

    def create_seconds(self, stack_id, logical_id, resource_type, properties, depends_on):
        """Real seconds from now until the resource would be there."""
        if not self.speed:
            return 0.0
        with self._lock:
            started, finished = self._plans.setdefault(stack_id, (time.monotonic(), {}))
            ready = max((finished.get(name, 0) for name in depends_on), default=0)
            finished[logical_id] = ready + self.seconds("create", resource_type, properties)
            until = started + finished[logical_id] / self.speed
        return max(until - time.monotonic(), self._visible())

    def await_change(self, operation, resource_type, properties):
        """Returns when an update or a delete would be done."""
        if self.speed:
            time.sleep(max(self.seconds(operation, resource_type, properties) / self.speed, self._visible()))

    def real_seconds(self, aws_seconds):
        """Real seconds for AWS seconds; none at speed 0."""
        return aws_seconds / self.speed if self.speed else 0.0

    def timeout_seconds(self, aws_seconds):
        """Real seconds for a time-out of a template; never so short that a busy machine trips over it."""
        boot = self.seconds("create", SIGNALLING_GROUP, {})
        return max(aws_seconds, 2 * boot) / self.speed + 1 if self.speed else max(aws_seconds / 1000, 1.0)

    def seconds(self, operation, resource_type, properties):
        """AWS seconds of a step."""
        listed = self._durations[operation]
        multi_az = str(properties.get("MultiAZ")).lower() == "true"
        entry = (listed.get(resource_type + "+multiAz") if multi_az else None) or listed.get(resource_type)
        return entry["p50"] if entry else UNLISTED

    def _visible(self):
        return VISIBLE_STEP if self.speed <= DEMONSTRATION_SPEED else 0


def iso_seconds(text):
    """Seconds of an ISO 8601 duration as creation policies use it (`PT1H15M30S`)."""
    match = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", text or "PT5M")
    if not match or not any(match.groups()):
        raise ValueError(f"Timeout '{text}' is not an ISO 8601 duration of the form PT#H#M#S")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
