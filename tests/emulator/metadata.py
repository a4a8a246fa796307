"""The instance metadata service of one machine: version 2 alone, as the launch templates want it.

    serve(listener, facts)

`facts` are account, region, zone, instance, address, role (its name), credentials (as sts:AssumeRole answers) and
user_data (a path); image, type, hostname, interface, mac, subnet and vpc (both CIDR blocks) where somebody asks for them;
`slow` where each answer takes so many seconds. The rules of tokens are AWS's: asked for by PUT with a time to live,
refused to what was forwarded.
"""

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LONGEST = 21600
# Those that cloud-init asks for; EC2 has more.
VERSIONS = ("2009-04-04", "2021-03-23", "latest")
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"


def serve(listener, facts):
    """Answers on a listening socket from now on, in threads of its own."""
    server = ThreadingHTTPServer(listener.getsockname(), Metadata, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.tokens = {}
    server.pages = pages(facts)
    server.slow = facts.get("slow", 0)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pages(facts):
    """What is there, by path below a version."""
    credentials = facts["credentials"]
    known = {
        "user-data": Path(facts["user_data"]).read_text(encoding="utf-8"),
        "meta-data/instance-id": facts["instance"],
        "meta-data/local-ipv4": facts["address"],
        "meta-data/placement/availability-zone": facts["zone"],
        "meta-data/placement/region": facts["region"],
        f"meta-data/iam/security-credentials/{facts['role']}": json.dumps({
            "Code": "Success", "Type": "AWS-HMAC", "LastUpdated": _time(0), "AccessKeyId": credentials["AccessKeyId"],
            "SecretAccessKey": credentials["SecretAccessKey"], "Token": credentials["SessionToken"],
            "Expiration": _time(6 * 3600)}),
        "dynamic/instance-identity/document": json.dumps({
            "accountId": facts["account"], "region": facts["region"], "availabilityZone": facts["zone"],
            "instanceId": facts["instance"], "privateIp": facts["address"]}),
    }
    if "mac" in facts:
        known.update(_of_the_network(facts))
    return known


def _of_the_network(facts):
    """What cloud-init configures host name and network from."""
    interface = f"meta-data/network/interfaces/macs/{facts['mac']}/"
    known = {"ami-id": facts["image"], "instance-type": facts["type"], "hostname": facts["hostname"],
             "local-hostname": facts["hostname"], "mac": facts["mac"], "services/domain": "amazonaws.com",
             "services/partition": "aws"}
    own = {"device-number": "0", "interface-id": facts["interface"], "local-hostname": facts["hostname"],
           "local-ipv4s": facts["address"], "mac": facts["mac"], "owner-id": facts["account"],
           "subnet-ipv4-cidr-block": facts["subnet"], "vpc-ipv4-cidr-block": facts["vpc"]}
    return {**{f"meta-data/{path}": text for path, text in known.items()},
            **{interface + path: text for path, text in own.items()}}


def look_up(known, path):
    """What a path of the service holds: a text, or the list of what is below it; None where nothing is."""
    version, _, rest = path.lstrip("/").partition("/")
    if not version:
        return "\n".join(VERSIONS)
    if version not in VERSIONS:
        return None
    if rest in known:
        return known[rest]
    start = rest.rstrip("/") + "/" if rest else ""
    below = dict.fromkeys(one[len(start):].split("/", 1)[0] + "/" * ("/" in one[len(start):])
                          for one in known if one.startswith(start))
    return "\n".join(below) or None


def _time(later):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + later))


class Metadata(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        ttl = self.headers.get(TTL, "")
        if self.path != "/latest/api/token":
            self._answer(404)
        elif self.headers.get("X-Forwarded-For") is not None:
            self._answer(403)
        elif not ttl.isdecimal() or not 1 <= int(ttl) <= LONGEST:
            self._answer(400)
        else:
            token = secrets.token_urlsafe(40)
            self.server.tokens[token] = time.monotonic() + int(ttl)
            self._answer(200, token, {TTL: ttl})

    def do_GET(self):
        if self.server.tokens.get(self.headers.get(TOKEN), 0) <= time.monotonic():
            self._answer(401)
        elif (text := self._page()) is None:
            self._answer(404)
        else:
            self._answer(200, text)

    def _page(self):
        return look_up(self.server.pages, self.path)

    def _answer(self, code, text="", headers=None):
        time.sleep(getattr(self.server, "slow", 0))
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "text/plain")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
