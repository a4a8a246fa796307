"""EC2's `DryRun`: whether the caller may do it, and nothing is done. A caller who may not is refused before
(`refusals.py`). Whether it could be done now (protection, what uses it) is not looked at, as on AWS.
"""

import functools

from ministack.services import ec2


def install():
    for action in list(ec2._ACTION_MAP):
        ec2._ACTION_MAP[action] = _checked(ec2._ACTION_MAP[action])


def _checked(run):
    @functools.wraps(run)
    def checked(params):
        if ec2._p(params, "DryRun").lower() == "true":
            return ec2._error("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
        return run(params)

    return checked
