"""Scripted failures: JSON files in a directory, read again before every resource step.

A file holds one rule or a list of them. `type` (glob), `op` (create, update, delete), `stack` (regular expression
for the whole name) and `logical` say when a rule matches; `skip` leaves the first n matches alone and `times` limits
how many follow. `delay` (seconds), `fail` (the reason), `signal` (SUCCESS, FAILURE, none) and `boot` (the cause for
which the machines of a group do not boot, see `boots.py`) say what happens; of each, the first matching rule wins.

Rules of another `op` say what is the case; all that match hold, nothing is counted:
`drift`     the resource was changed manually: `actual` gives values by JSON pointer ({"/DBInstanceClass": "x",
            "/Tags": null}), `gone` says that it is no more
`validate`  early validation finds `reason` at `path` ("/Properties/CidrBlock") of the resource; `mode` WARN only warns
`hook`      the hook named `hook` says no to the resource, for `reason`
`console`   `text` is what the instances of the group say while they boot
`command`   a command on the group's instances that says `says` (any, without it) ends with `stdout`, `stderr` and
            `code`; of several the first wins
"""

import fnmatch
import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

KNOWN = {"type", "op", "stack", "logical", "skip", "times", "delay", "fail", "signal", "boot", "note",
         "actual", "gone", "path", "reason", "mode", "hook", "text", "says", "stdout", "stderr", "code"}
FACTS = {"drift", "validate", "hook", "console", "command"}


@dataclass(frozen=True)
class Step:
    """One thing that CloudFormation is about to do."""

    operation: str
    resource_type: str
    stack: str
    logical_id: str


@dataclass
class Verdict:
    """What the rules say about a step."""

    delay: float = 0.0
    fail: Optional[str] = None
    signal: str = "SUCCESS"
    boot: Optional[str] = None


class Rules:
    """The rules of a directory; `None` has none."""

    def __init__(self, directory):
        self._directory = Path(directory) if directory else None
        self._last_good = {}
        self._matches = {}
        self._settled = {}
        self._lock = threading.Lock()

    def verdict(self, step):
        """Counts the step against every rule that matches it."""
        found = {}
        with self._lock:
            rules = self._read()
            self._matches = {key: n for key, n in self._matches.items() if key in rules}
            for key, rule in rules.items():
                if rule.get("op") in FACTS or not _matches(rule, step):
                    continue
                self._matches[key] = nth = self._matches.get(key, 0) + 1
                skip = rule.get("skip", 0)
                if nth <= skip or ("times" in rule and nth > skip + rule["times"]):
                    continue
                for effect in ("delay", "fail", "signal", "boot"):
                    if effect in rule:
                        found.setdefault(effect, rule[effect])
        return Verdict(**found)

    def facts(self, step):
        """The rules that say what is the case, for the step's operation."""
        with self._lock:
            rules = self._read()
            self._settled = {key: steps for key, steps in self._settled.items() if key in rules}
            return [rule for key, rule in rules.items()
                    if rule.get("op") in FACTS and _matches(rule, step) and step not in self._settled.get(key, ())]

    def settle(self, step):
        """What the rules say of the step is no longer the case, until they are removed or changed."""
        with self._lock:
            for key, rule in self._read().items():
                if rule.get("op") == step.operation and _matches(rule, step):
                    self._settled.setdefault(key, set()).add(step)

    def _read(self):
        rules = {}
        files = sorted(self._directory.glob("*.json")) if self._directory else []
        for path in files:
            for index, rule in enumerate(self._content(path)):
                rules[(path.name, index, json.dumps(rule, sort_keys=True))] = rule
        return rules

    def _content(self, path):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # Half written or just removed: what it said before still holds for this step.
            return self._last_good.get(path.name, [])
        content = content if isinstance(content, list) else [content]
        for rule in content:
            unknown = set(rule) - KNOWN
            if unknown:
                raise ValueError(f"{path.name}: a rule has no {', '.join(sorted(unknown))}")
        self._last_good[path.name] = content
        return content


def _matches(rule, step):
    return (
        fnmatch.fnmatchcase(step.resource_type, rule.get("type", "*"))
        and rule.get("op", step.operation) == step.operation
        and rule.get("logical", step.logical_id) == step.logical_id
        and ("stack" not in rule or re.fullmatch(rule["stack"], step.stack) is not None)
    )
