"""What AWS ends late: it is still there, and still listed, for a while after the call that ended it.

Each has a duration in AWS seconds, which the speed divides, and a fact of the account (`account.py`) that gives real
seconds in its place, also while it is waited for. Whatever reads or changes such things calls `settle` first.
"""

import threading
import time

from ministack.core.responses import get_account_id, get_region

_waiting = []
_lock = threading.Lock()
_settings = {}


def install(pace, accounts):
    _settings.update(pace=pace, accounts=accounts)


def later(seconds, fact, end):
    """Calls `end` after so many AWS seconds, in this account and region."""
    queue(seconds, fact, end)
    settle()


def queue(seconds, fact, end):
    """The same, but never before somebody looks again: for what tries again."""
    with _lock:
        _waiting.append((get_account_id(), get_region(), time.monotonic(), seconds, fact, end))


def settle():
    """Ends what is due in the account and region of the caller."""
    if not _waiting:
        return
    scope, facts = (get_account_id(), get_region()), _settings["accounts"].of_caller()
    due = []
    with _lock:
        for entry in list(_waiting):
            account, region, since, seconds, fact, end = entry
            wait = facts.get(fact, _settings["pace"].real_seconds(seconds))
            if (account, region) == scope and time.monotonic() - since >= wait:
                _waiting.remove(entry)
                due.append(end)
    for end in due:
        end()


def await_true(seconds, is_true):
    """Asks until it holds, for so many AWS seconds; how often it would be asked on AWS does not matter."""
    until = time.monotonic() + _settings["pace"].real_seconds(seconds)
    while True:
        settle()
        if is_true():
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(min(0.02, max(until - time.monotonic(), 0)))
