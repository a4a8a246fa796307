"""Calls that change something and get no answer, so that a test can kill its program at a call and not by time.

An account's `holds` says which: `{"every": 6, "when": "before"}` holds every sixth call that the account has not made
before, before it is carried out; with `after` it is carried out first. A call is the action and the names it is about:
what a next run repeats is not held again. When one is held, `ACCOUNT.held` in the rules directory says which it is; it
is held until its caller goes away.
"""

import json
from urllib.parse import parse_qsl

from .account import body_of, caller_of, headers_of
from .limits import replayed

READS = ("Describe", "List", "Get", "Lookup", "Search", "Simulate", "Validate", "Estimate")
# What a call is about. A token or the name of a change set is another one in every run.
NAMED = ("name", "names", "id", "ids", "arn", "arns", "key", "path")
NOT_NAMED = ("changesetname", "clientrequesttoken")


class Holding:
    """Counts the calls of each account; `accounts` knows which of them are held."""

    def __init__(self, accounts, directory):
        self._accounts = accounts
        self._directory = directory
        self._made = {}
        self._held = {}

    def front(self, app):
        """Holds calls to `app`."""
        async def held(scope, receive, send):
            account = caller_of(headers_of(scope)) if scope["type"] == "http" else ""
            if not account or "holds" not in self._accounts.facts(account):
                return await app(scope, receive, send)
            body = await body_of(receive)
            again = replayed(body, receive)
            call, holds = _call(scope, body), self._accounts.facts(account)["holds"]
            if call is None or call in self._made.setdefault(account, set()):
                return await app(scope, again, send)
            # One at a time: who calls meanwhile is killed too, and makes its call again.
            if self._held.get(account):
                return await _gone(receive)
            self._made[account].add(call)
            if len(self._made[account]) % holds["every"]:
                return await app(scope, again, send)
            self._held[account] = call
            try:
                if holds["when"] == "after":
                    await app(scope, again, _unheard)
                self._say(account, call)
                await _gone(receive)
            finally:
                del self._held[account]

        return held

    def _say(self, account, call):
        draft = self._directory / f"{account}.held.draft"
        draft.write_text(call, encoding="utf-8")
        draft.rename(self._directory / f"{account}.held")


async def _gone(receive):
    """Returns when the caller is."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unheard(_message):
    pass


def _call(scope, body):
    """The call in words, or None if it changes nothing."""
    if scope["method"] in ("GET", "HEAD"):
        return None
    target = headers_of(scope).get("x-amz-target")
    if target:
        action, params = target.rpartition(".")[2], json.loads(body or b"{}").items()
    else:
        params = parse_qsl(body.decode(errors="replace")) if b"Action=" in body[:2000] else []
        action = dict(params).get("Action", f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}")
    if action.startswith(READS):
        return None
    about = [f"{name}={value}" for name, value in params if _names(name.lower())]
    return " ".join([action, *sorted(about)])


def _names(param):
    parts = [part for part in param.split(".") if part != "member" and not part.isdigit()]
    return parts[0] not in NOT_NAMED and parts[-1].endswith(NAMED)
