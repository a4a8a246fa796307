"""Runs a command on a machine of the emulated EC2: a root directory as ../node/enter has it, a network of its own.

    machine.py ROOT FACTS COMMAND...

In that network are the metadata service, at its address, and ports that lead to where the emulator listens; nothing else
is reached from there. FACTS is a JSON file: what metadata.py takes, `endpoint` (the emulator's URL), `ports` (of this
machine's loopback, at the same number inside) and `mounts` (directories by their path inside). The AWS CLI finds the
emulator in AWS_ENDPOINT_URL. Needs no rights: the sockets are opened inside and handed out to this process, which
answers.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import metadata
import relay

METADATA = ("169.254.169.254", 80)
ENDPOINT = ("127.0.0.1", 4566)
ENTER = Path(__file__).resolve().parents[1] / "node" / "enter"
# Of <linux/sockios.h> and <linux/if.h>.
SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x891C, 0x8913, 0x8914, 1


def main(root, facts, *command):
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    inside = ["unshare", "--user", "--map-root-user", "--mount", "--net", sys.executable, __file__, "--inside",
              str(there.fileno()), root, facts, *command]
    process = subprocess.Popen(inside, pass_fds=[there.fileno()])
    there.close()
    known = read(facts)
    listeners = [socket.socket(fileno=one) for one in socket.recv_fds(here, 1, 1 + len(places(known)))[1]]
    if listeners:
        metadata.serve(listeners[0], known)
        for listener, (_, to) in zip(listeners[1:], places(known)):
            threading.Thread(target=forward, args=(listener, to), daemon=True).start()
    return process.wait()


def read(facts):
    return json.loads(Path(facts).read_text(encoding="utf-8"))


def places(facts):
    """Where the machine finds what is here, and where that is."""
    url = urlsplit(facts["endpoint"])
    ports = [((ENDPOINT[0], port), ("127.0.0.1", port)) for port in facts["ports"]]
    return [(ENDPOINT, (url.hostname, url.port)), *ports]


def inside(number, root, facts, *command):
    """The part of it in the new network: opens the sockets, hands them out, becomes the command."""
    known = read(facts)
    bring_up("lo", None)
    bring_up("lo:1", METADATA[0])
    with socket.socket(fileno=int(number)) as out:
        listeners = [socket.create_server(at, backlog=64) for at in (METADATA, *(place for place, _ in places(known)))]
        socket.send_fds(out, [b"."], [one.fileno() for one in listeners])
    for one in listeners:
        one.close()
    for at, directory in known["mounts"].items():
        at = Path(root) / at.lstrip("/")
        at.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--bind", directory, at], check=True)
    # The way to AWS, in an environment that has no keys: `enter` empties it.
    os.execv(ENTER, [ENTER, root, "/usr/bin/env", f"AWS_ENDPOINT_URL=http://{ENDPOINT[0]}:{ENDPOINT[1]}", *command])


def bring_up(interface, address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        def ask(request, value):
            return fcntl.ioctl(control, request, struct.pack("16s16s8x", interface.encode(), value))

        def inet(text):
            return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))

        if address:
            ask(SIOCSIFADDR, inet(address))
            ask(SIOCSIFNETMASK, inet("255.255.255.255"))
        flags, = struct.unpack_from("H", ask(SIOCGIFFLAGS, b""), 16)
        ask(SIOCSIFFLAGS, struct.pack("H", flags | IFF_UP))


def forward(listener, to):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(to)
        threading.Thread(target=relay.join, args=(client, server), daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "--inside":
        inside(*sys.argv[2:])
    sys.exit(main(*sys.argv[1:]))
