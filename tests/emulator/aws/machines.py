"""The instances that a machine of the tests runs for: `INSTANCE.machine` in the rules directory holds `pid`, its first
process, and `console`, the file with what it printed (tests/machines).
"""

import json
import os
import subprocess
from pathlib import Path

# As the agent of Systems Manager has it; it runs as a service of systemd, and its commands end with it.
AGENT = ("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--setenv=PATH=/sbin:/bin:/usr/sbin:/usr/bin", "/bin/sh", "-c")


class Machines:
    def __init__(self, directory):
        self._directory = Path(directory) if directory else None

    def of(self, instance):
        """What is known of the machine of an instance, as long as it is on; None without one."""
        try:
            known = json.loads((self._directory / f"{instance}.machine").read_text(encoding="utf-8"))
        except (OSError, TypeError, ValueError):
            return None
        return known if os.path.exists(f"/proc/{known['pid']}/root/run/systemd/private") else None

    def run(self, instance, script):
        """Exit code, output and messages of a command on the instance's machine."""
        pid = str(self.of(instance)["pid"])
        done = subprocess.run(["nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "-C", "--", *AGENT, script],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def console(self, instance):
        """The end of what it printed, as much as EC2 keeps; also after its power went."""
        try:
            known = json.loads((self._directory / f"{instance}.machine").read_text(encoding="utf-8"))
            return Path(known["console"]).read_bytes()[-65536:].decode(errors="replace")
        except (OSError, TypeError, ValueError):
            return ""
