"""The control plane's programs but etcd, as far as a boot sees them.

    component.py kube-apiserver|kube-controller-manager|kube-scheduler FLAG...

The API server is the tests' own, outside of the machine: this one carries connections there, while the etcd of this machine
answers it over the certificates that its flags name. The two others answer on the port of their health.
"""

import http.client
import http.server
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

from relay import join

API = ("169.254.170.1", 6444)
PORTS = {"kube-controller-manager": 10257, "kube-scheduler": 10259}


def main(program, flags):
    given = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if program == "kube-apiserver":
        serve_api(given)
    serve_health(PORTS[program])


def serve_api(given):
    # A pair that does not fit ends it, as it ends the real one.
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(given["tls-cert-file"], given["tls-private-key-file"])
    state = {"ready": False}
    listener = socket.create_server(("0.0.0.0", int(given["secure-port"])))
    threading.Thread(target=watch, args=(given, state), daemon=True).start()
    while True:
        client, _ = listener.accept()
        if state["ready"]:
            threading.Thread(target=carry, args=(client,), daemon=True).start()
        else:
            client.close()


def watch(given, state):
    context = ssl.create_default_context(cafile=given["etcd-cafile"])
    context.load_cert_chain(given["etcd-certfile"], given["etcd-keyfile"])
    host = given["etcd-servers"].removeprefix("https://")
    while True:
        try:
            etcd = http.client.HTTPSConnection(host, timeout=2, context=context)
            etcd.request("GET", "/health")
            state["ready"] = etcd.getresponse().status == 200
        except OSError:
            state["ready"] = False
        time.sleep(0.5)


def carry(client):
    join(client, socket.create_connection(API))


def serve_health(port):
    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with tempfile.TemporaryDirectory() as place:
        # Signed by themselves, as theirs are.
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9",
                        "-subj", "/CN=localhost", "-keyout", f"{place}/key", "-out", f"{place}/crt"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{place}/crt", f"{place}/key")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Health)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
