"""The machines of one cluster, in namespaces of this process: a network with the services of EC2 (cloud.py), disks in
memory, and machines with systemd as their first process (start).

    unshare --mount --propagation private python vpc.py IMAGE HOME ENDPOINT API_PORT VPC_CIDR

Reads orders from standard input and answers each, a line of JSON for a line:

    {"on": NAME, "facts": {...}, "files": {...}}   power on; the first time with a new disk that has these files
    {"cut": NAME}                                  the power goes
    {"off": NAME, "seconds": N}                    waits until the machine is off by itself
    {"blank": NAME}                                while it is off: a new disk, and its volumes are empty
    {"mirror": NAME, "content": BASE64}            a file that machines may download; answers with its sha256
    {"directory": DIRECTORY, "images": [...]}      as a mirror all files of a directory, and a registry (cloud.py)
    {"faults": {...}}                              what goes wrong from now on (cloud.py)
    {"end": true}                                  as the end of its input; no answer

Facts are those of tests/emulator/metadata.py and `name`, `mac`, `subnet`, `slot` (whether it has the API). At the end of
its input, or when this process ends in any other way, all machines end with everything that was made for them; only an
empty cgroup may stay after a SIGKILL, which the next vpc.py removes.
"""

import base64
import concurrent.futures
import ctypes
import hashlib
import ipaddress
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE / "programs"))

import cloud  # noqa: E402 it imports a program of the machines

CLONE_NEWNET = 0x40000000
BRIDGE = "vpc"


class Network:
    """A network namespace that one thread of this process lives in; what is opened there stays there."""

    def __init__(self):
        self._inside = concurrent.futures.ThreadPoolExecutor(1, initializer=self._leave)

    @staticmethod
    def _leave():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")

    def _do(self, call, *arguments, **named):
        return self._inside.submit(call, *arguments, **named).result()

    def ip(self, *words):
        self._do(subprocess.run, ["ip", *words], check=True)

    def write(self, setting, value):
        # Of the thread: /proc/sys/net shows the namespace of who opens it.
        self._do(Path(f"/proc/sys/net/{setting}").write_text, value)

    def listen(self, place):
        return self._do(socket.create_server, place, backlog=64)

    def datagrams(self, place, broadcast=False):
        made = self._do(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        if broadcast:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, BRIDGE.encode())
        made.bind(place)
        return made

    def connect(self, place):
        made = self._do(socket.socket, socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(3)
        made.connect(place)
        made.settimeout(None)
        return made


class Cgroups:
    """Directories of each machine below one that names this process and when it began: of the second version, and of each
    hierarchy of the first one where KUBE_CFN_TEST_CGROUP_V1 wants that for a real kubelet (tests/node/real)."""

    def __init__(self):
        mounted = [line.split()[1:4] for line in open("/proc/mounts", encoding="utf-8")]
        own = dict(line.rstrip().split(":", 2)[1:] for line in open("/proc/self/cgroup", encoding="utf-8"))
        second = next(Path(place) for place, kind, _ in mounted if kind == "cgroup2")
        # A kubelet needs controllers, which a group with processes can't hand down: the root can.
        real = "KUBE_CFN_TEST_NODE_BINARIES" in os.environ
        parents = [second if real else second / own.get("", "/").strip("/")]
        if os.environ.get("KUBE_CFN_TEST_CGROUP_V1"):
            parents += [Path(place) / own[name].strip("/") for place, kind, options in mounted if kind == "cgroup"
                        for name in own if name and set(name.split(",")) <= set(options.split(","))]
        name = f"kube-cfn-{os.getpid()}-{began(os.getpid())}"
        self.homes = [parent / name for parent in parents]
        for parent, home in zip(parents, self.homes):
            self.remove_left(parent)
            make(home)
        if real:
            controllers = (self.homes[0] / "cgroup.controllers").read_text(encoding="utf-8").split()
            (self.homes[0] / "cgroup.subtree_control").write_text(" ".join(f"+{one}" for one in controllers), encoding="utf-8")
        self.home = self.homes[0]

    @staticmethod
    def remove_left(parent):
        for directory in parent.glob("kube-cfn-*-*"):
            _, pid, since = directory.name.rsplit("-", 2)
            if began(pid) != since:
                remove(directory)

    def enter(self, name):
        """The files that a process writes itself into."""
        for home in self.homes:
            make(home / name)
        return [home / name / "cgroup.procs" for home in self.homes]


def make(directory):
    """A group; one of cpuset, in the first version, begins with neither processors nor memory."""
    directory.mkdir(exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):
        if (directory / "cgroup.clone_children").exists() and (directory / file).exists():
            (directory / file).write_text((directory.parent / file).read_text(encoding="utf-8"), encoding="utf-8")


def began(pid):
    """When a process began, in ticks; nothing when it is not there."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def remove(directory):
    """Removes a tree of cgroups whose processes have ended or are about to."""
    for _ in range(50):
        for place, _, _ in os.walk(directory, topdown=False):
            try:
                os.rmdir(place)
            except OSError:
                pass
        if not directory.exists():
            return
        time.sleep(0.1)


class Vpc:
    def __init__(self, image, home, endpoint, api, cidr):
        self.image, self.home = image, Path(home)
        self.disks = self.home / "disks"
        self.disks.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=4g", "tmpfs", self.disks], check=True)
        (self.disks / "volumes").mkdir()
        (self.disks / "mirror").mkdir()
        self.cgroups, self.network, self.running = Cgroups(), Network(), {}
        self.subnets = set()
        self.network.ip("link", "set", "lo", "up")
        self.network.ip("link", "add", BRIDGE, "type", "bridge", "forward_delay", "0")
        self.network.ip("link", "set", BRIDGE, "up")
        self.network.write("ipv4/ip_forward", "1")
        resolver = str(ipaddress.ip_network(cidr).network_address + 2)
        for address in (*cloud.OWN, resolver):
            self.network.ip("address", "add", f"{address}/32", "dev", BRIDGE)
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self.cloud = cloud.Cloud(self.network, (host, int(port)), int(api), self.disks)
        self.api = self.cloud.start(resolver)

    def on(self, name, facts, files):
        disk = self.disks / name
        if not disk.exists():
            disk.mkdir()
            # A small disk, so that a full one does not take the system's memory.
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755,size=1g", "tmpfs", disk], check=True)
        if not (disk / "top").exists():
            for path, text in files.items():
                place = disk / "top" / path.lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(text, encoding="utf-8")
        self._route(facts["subnet"])
        console, slave = os.openpty()
        begin = subprocess.PIPE
        groups = self.cgroups.enter(name)
        command = ["bash", "-c", 'for file in "${@:2:$1}"; do echo $$ > "$file" || exit 1; done; exec "${@:$1 + 2}"', "enter",
                   str(len(groups)), *groups, "setpriv", "--pdeathsig", "KILL", "unshare", "--cgroup", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork",
                   "--kill-child", HERE / "start", disk, self.image, os.ttyname(slave), self.disks / "volumes"]
        process = subprocess.Popen(command, stdin=begin, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        threading.Thread(target=record, args=(console, self.home / f"console-{name}"), daemon=True).start()
        pid = first_child(process)
        facts = {**facts, "pid": pid, "disk": str(disk)}
        self.running[name] = (process, facts)
        self.cloud.machines[facts["address"]] = facts
        link = f"v{pid}"
        self.network.ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "address", facts["mac"], "netns", str(pid))
        self.network.ip("link", "set", link, "master", BRIDGE, "up")
        process.stdin.close()
        return {"pid": pid}

    def _route(self, subnet):
        network = ipaddress.ip_network(subnet)
        if network not in self.subnets:
            self.subnets.add(network)
            self.network.ip("address", "add", f"{network.network_address + 1}/{network.prefixlen}", "dev", BRIDGE)

    def cut(self, name):
        process, facts = self.running[name]
        try:
            os.kill(facts["pid"], signal.SIGKILL)
        except ProcessLookupError:
            pass
        return self.off(name, 30)

    def off(self, name, seconds):
        process, facts = self.running[name]
        process.wait(seconds)
        self.running.pop(name)
        self.cloud.machines.pop(facts["address"], None)
        return {}

    def blank(self, name):
        disk = self.disks / name
        for attached in (disk / "attached").glob("*"):
            # Attachments stay, as where EC2 replaces a root volume.
            cloud.empty(self.disks / "volumes" / attached.name)
        for part in disk.iterdir():
            if part.name != "attached":
                shutil.rmtree(part) if part.is_dir() else part.unlink()
        return {}

    def mirror(self, name, content):
        data = base64.b64decode(content)
        (self.disks / "mirror" / name).write_bytes(data)
        return {"sha256": hashlib.sha256(data).hexdigest()}

    def serve_all(self, directory, images):
        shutil.copytree(directory, self.disks / "mirror", dirs_exist_ok=True)
        self.cloud.images(images)
        return {}

    def faults(self, faults):
        self.cloud.faults.clear()
        self.cloud.faults.update(faults)
        return {}

    def serve(self):
        say({"api": self.api, "cgroups": str(self.cgroups.home)})
        for line in sys.stdin:
            order = json.loads(line)
            if "end" in order:
                return
            try:
                if "on" in order:
                    say(self.on(order["on"], order["facts"], order.get("files", {})))
                elif "cut" in order:
                    say(self.cut(order["cut"]))
                elif "blank" in order:
                    say(self.blank(order["blank"]))
                elif "mirror" in order:
                    say(self.mirror(order["mirror"], order["content"]))
                elif "images" in order:
                    say(self.serve_all(order["directory"], order["images"]))
                elif "off" in order:
                    say(self.off(order["off"], order["seconds"]))
                else:
                    say(self.faults(order["faults"]))
            except (OSError, subprocess.SubprocessError, KeyError) as error:
                say({"error": f"{type(error).__name__}: {error}"})

    def end(self):
        for process, facts in list(self.running.values()):
            try:
                os.kill(facts["pid"], signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        for home in self.cgroups.homes:
            remove(home)


def say(answer):
    print(json.dumps(answer), flush=True)


def record(console, file):
    """What the machine prints on its console."""
    with open(file, "ab", buffering=0) as out:
        while True:
            try:
                data = os.read(console, 65536)
            except OSError:
                return
            out.write(data)


def first_child(process):
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
        if children:
            return int(children[0])
        time.sleep(0.01)
    raise OSError("the machine ended before its first process")


if __name__ == "__main__":
    vpc = Vpc(*sys.argv[1:])
    try:
        vpc.serve()
    finally:
        vpc.end()
