"""What the machines of a cluster find in the network: the services of EC2 beside the emulated AWS.

    Cloud(network, endpoint, api, home)

`network` opens sockets in the VPC's namespace, `endpoint` is the emulator, `api` the port of the API server's double on
this system's loopback, `home` a directory with `volumes` and `mirror`. Addresses and names are those below. `faults` says
what goes wrong: a test changes it while machines run.
"""

import http.server
import ipaddress
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import metadata
import registry
from relay import join

METADATA = "169.254.169.254"
# Stands for all endpoints of AWS, for the mirror of downloads, for the API's load balancer, and for the API double.
AWS = "169.254.170.1"
OWN = (METADATA, AWS)
NAMES = {"aws.internal": AWS, "mirror.internal": AWS}
ENDPOINT_PORT, MIRROR_PORT, REGISTRY_PORT, API_PORT, DOUBLE_PORT = 4566, 8000, 5000, 6443, 6444


class Cloud:
    def __init__(self, network, endpoint, api, home):
        self.network, self.endpoint, self.api, self.home = network, endpoint, api, Path(home)
        self.machines = {}  # by address: facts with `root`, a path to the machine's files while it runs
        self.faults = {}
        self.queries = []

    def start(self, resolver):
        """Serves from now on; `resolver` is the address of the VPC's DNS server. Returns a port of loopback that leads
        to the API's load balancer."""
        self._accept((AWS, ENDPOINT_PORT), self._aws)
        self._accept((AWS, API_PORT), self._balance)
        self._accept((AWS, DOUBLE_PORT), lambda client: join(client, socket.create_connection(("127.0.0.1", self.api))))
        self._metadata()
        self._http(MIRROR_PORT, self._mirror())
        background(self._dns, self.network.datagrams((resolver, 53)))
        background(self._dhcp, self.network.datagrams(("0.0.0.0", 67), broadcast=True), resolver)
        here = socket.create_server(("127.0.0.1", 0))
        background(self._serve, here, self._balance)
        return here.getsockname()[1]

    def images(self, images):
        """Serves images to the machines: [name, tag, {name in the image: path}, entry point]."""
        made = {name: (tag, *registry.image(files, entrypoint)) for name, tag, files, entrypoint in images}
        self._http(REGISTRY_PORT, registry.handler(made))

    def _http(self, port, handler):
        server = http.server.ThreadingHTTPServer((AWS, port), handler, bind_and_activate=False)
        server.socket = self.network.listen((AWS, port))
        background(server.serve_forever)

    def _accept(self, place, serve):
        background(self._serve, self.network.listen(place), serve)

    @staticmethod
    def _serve(listener, serve):
        while True:
            client, _ = listener.accept()
            background(quietly, serve, client)

    # The emulated AWS, with what goes wrong on the way.

    def _aws(self, client):
        if self.faults.get("skew"):
            return refuse_for_the_clock(client)
        machine, wanted = self.machines.get(client.getpeername()[0]), []

        def asked(data):
            if b"Action=AttachVolume" in data:
                wanted.extend(re.findall(rb"VolumeId=(vol-[0-9a-f]+)", data))
            return data

        def answered(data):
            if wanted and machine and data.startswith(b"HTTP/1.1 200"):
                threading.Timer(0.5, self._attach, (machine, wanted.pop().decode())).start()
            return self._answered(data)

        join(client, socket.create_connection(self.endpoint), asked, answered)

    def _attach(self, machine, volume):
        """The device of a volume appears a moment after EC2 has attached it."""
        file = self.home / "volumes" / volume
        if not file.exists():
            empty(file)
        (Path(machine["disk"]) / "attached" / volume).touch()
        place = Path(f"/proc/{machine['pid']}/root/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.replace('-', '')}")
        if place.parent.is_dir() and not place.is_symlink():
            place.symlink_to(f"/srv/volumes/{volume}")

    def _answered(self, data):
        """What comes back: in the middle of an object the connection may end, or a byte may be another one."""
        if len(data) > 4096 and self.faults.get("cut"):
            self.faults["cut"] -= 1
            raise OSError
        if len(data) > 4096 and self.faults.get("garble"):
            self.faults["garble"] -= 1
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    # The metadata service: one for each machine, by the address that asks.

    def _metadata(self):
        cloud = self

        class Handler(metadata.Metadata):
            def handle_one_request(self):
                time.sleep(cloud.faults.get("metadata", 0))
                facts = cloud.machines.get(self.client_address[0])
                self.pages = metadata.pages(facts) if facts else {}
                super().handle_one_request()

            def _page(self):
                return metadata.look_up(self.pages, self.path)

            def date_time_string(self, timestamp=None):
                return super().date_time_string((timestamp or time.time()) + cloud.faults.get("skew", 0))

        server = http.server.ThreadingHTTPServer((METADATA, 80), Handler, bind_and_activate=False)
        server.socket, server.tokens, server.daemon_threads = self.network.listen((METADATA, 80)), {}, True
        background(server.serve_forever)

    # The API's load balancer: a machine whose API server accepts.

    def _balance(self, client):
        for facts in list(self.machines.values()):
            if facts.get("slot"):
                try:
                    return join(client, self.network.connect((facts["address"], API_PORT)))
                except OSError:
                    pass
        client.close()

    # DNS: the names of AWS, and the API's, which are none of another server's.

    def _dns(self, server):
        while True:
            query, peer = server.recvfrom(1500)
            if self.faults.get("dns"):
                continue
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
                at += 1 + query[at]
            kind = struct.unpack_from("!H", query, at + 1)[0]
            name = ".".join(labels)
            address = NAMES.get(name) or (AWS if name.endswith(".amazonaws.com") else None)
            answers = 1 if address and kind == 1 else 0
            reply = query[:2] + struct.pack("!HHHHH", 0x8180 if address else 0x8183, 1, answers, 0, 0) + query[12:at + 5]
            if answers:
                reply += struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(address)
            server.sendto(reply, peer)

    def _dhcp(self, server, resolver):
        while True:
            message = server.recv(1500)
            facts = next((one for one in self.machines.values() if bytes.fromhex(one["mac"].replace(":", "")) == message[28:34]), None)
            kind = {1: 2, 3: 5}.get(options(message).get(53, b"\0")[0])
            if facts is None or kind is None:
                continue
            subnet = ipaddress.ip_network(facts["subnet"])
            gateway = (subnet.network_address + 1).packed
            reply = struct.pack("!BBBB4sHH4s4s4s4s", 2, 1, 6, 0, message[4:8], 0, 0x8000, bytes(4),
                                socket.inet_aton(facts["address"]), gateway, bytes(4))
            reply += message[28:44] + bytes(192) + b"\x63\x82\x53\x63"
            for number, value in ((53, bytes([kind])), (54, gateway), (51, struct.pack("!I", 3600)), (1, subnet.netmask.packed),
                                  (3, gateway), (6, socket.inet_aton(resolver))):
                reply += bytes([number, len(value)]) + value
            server.sendto(reply + b"\xff", ("255.255.255.255", 68))

    def _mirror(self):
        """Downloads by plain HTTP; a fault ends one in the middle or gives another content."""
        cloud = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                file = cloud.home / "mirror" / os.path.basename(self.path)
                if not file.is_file():
                    return self.send_error(404)
                data = file.read_bytes()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if cloud.faults.get("half"):
                    cloud.faults["half"] -= 1
                    data = data[:len(data) // 2]
                elif cloud.faults.get("wrong"):
                    cloud.faults["wrong"] -= 1
                    data = bytes(len(data))
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        return Handler


def empty(volume):
    """A volume as EC2 makes it; its files are a directory beside it (programs/program)."""
    shutil.rmtree(f"{volume}.files", ignore_errors=True)
    with open(volume, "wb") as new:
        new.truncate(2 << 30)


def options(message):
    found, at = {}, 240
    while at < len(message) and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        found[message[at]] = message[at + 2:at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
    return found


def refuse_for_the_clock(client):
    """As AWS answers to a signature of another time, in the form that its JSON protocols have."""
    client.recv(65536)
    body = json.dumps({"__type": "InvalidSignatureException", "message": "Signature not yet current"}).encode()
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n"
                   + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
    client.close()


def background(call, *arguments):
    threading.Thread(target=call, args=arguments, daemon=True).start()


def quietly(serve, client):
    try:
        serve(client)
    except OSError:
        client.close()
