"""Starts the emulated AWS on a free port of 127.0.0.1. `../run` calls it; its settings are environment variables:

KUBE_CFN_EMULATOR_STATE  directory for everything that lives as long as the emulator; `port` appears there when it answers
KUBE_CFN_EMULATOR_SPEED  AWS seconds that pass in one second; 0: nothing takes any time
KUBE_CFN_TEST_RULES      directory of rule files
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

CATALOGUE = Path(__file__).resolve().parents[3] / "src" / "catalog" / "data"


def main():
    state = Path(os.environ["KUBE_CFN_EMULATOR_STATE"])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    port = listener.getsockname()[1]
    # ministack reads its settings while it is imported.
    os.environ.update(GATEWAY_PORT=str(port), BIND_HOST="127.0.0.1", SFTP_ENABLED="0", IOT_MTLS_ENABLED="0",
                      S3_DATA_DIR=str(state / "s3"), STATE_DIR=str(state / "state"))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    servers, front = _install(state)
    threading.Thread(target=_announce, args=(state, port), daemon=True).start()
    parent = os.getppid()
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
    try:
        asyncio.run(_serve(listener, front))
    finally:
        servers.stop_all()
        if os.getppid() != parent:
            shutil.rmtree(state, ignore_errors=True)


def _install(state):
    from . import changesets, deleted, drift, dry_runs, limits, records, releases, replacing, resources, reverting, strict, tagging
    from . import validation
    from .account import Accounts
    from .engine import Engine
    from .holding import Holding
    from .machines import Machines
    from .pace import Pace
    from .postgres import Servers
    from .resources.autoscaling_sizes import live_instances as instances_of
    from .resources import ec2_consoles as consoles, ssm_commands as commands
    from .rules import Rules

    servers = Servers(state / "postgres")
    pace = Pace(CATALOGUE, float(os.environ.get("KUBE_CFN_EMULATOR_SPEED", "0")))
    rules = Rules(os.environ.get("KUBE_CFN_TEST_RULES"))
    accounts = Accounts(os.environ.get("KUBE_CFN_TEST_RULES"), CATALOGUE)
    releases.install(pace, accounts)
    replacing.install(CATALOGUE)
    resources.install(servers)
    tagging.install()
    records.install()
    changesets.install()
    deleted.install()
    strict.install()
    drift.install(rules)
    reverting.install(rules)
    validation.install(rules)
    machines = Machines(os.environ.get("KUBE_CFN_TEST_RULES"))
    consoles.install(rules, machines)
    commands.install(rules, machines)
    dry_runs.install()
    accounts.install()
    Engine(pace, rules, resources.SNAPSHOTS, instances_of).install()
    holding = Holding(accounts, Path(os.environ.get("KUBE_CFN_TEST_RULES", state)))
    return servers, lambda app: holding.front(limits.front(accounts.front(app)))


async def _serve(listener, front):
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    stop = asyncio.Event()
    # Not SIGINT: a Ctrl-C is for the command, which may still want to say goodbye to AWS.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = 0.2
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    await serve(front(app), config, shutdown_trigger=stop.wait)


def _announce(state, port):
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                break
        except OSError:
            time.sleep(0.02)
    draft = state / "port.draft"
    draft.write_text(str(port), encoding="utf-8")
    draft.rename(state / "port")


def _end_with_parent(parent):
    """A killed script must not leave the emulator behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
