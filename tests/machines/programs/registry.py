"""A registry of one image on a machine: a layer with the files that are named (what a link leads to in its place), at http://127.0.0.1:PORT.

    registry.py PORT NAME TAG FILE...
"""

import gzip
import hashlib
import http.server
import io
import json
import sys
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def image(files):
    """The manifest's digest, and all blobs by theirs."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", dereference=True) as tar:
        for file in files:
            tar.add(file, file.lstrip("/"))
    layer = gzip.compress(raw.getvalue(), 1)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [digest(raw.getvalue())]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}],
    }).encode()
    return digest(manifest), {digest(data): data for data in (layer, config, manifest)}


def main(port, name, tag, files):
    first, blobs = image(files)

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            # containerd says in a query which registry it means.
            path = self.path.partition("?")[0]
            reference = path.rsplit("/", 1)[-1]
            known = path.startswith((f"/v2/{name}/manifests/", f"/v2/{name}/blobs/"))
            found = first if reference == tag else reference
            data = blobs.get(found) if known else None
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Type", MANIFEST if "/manifests/" in path else "application/octet-stream")
            self.send_header("Content-Length", str(len(data or b"")))
            self.send_header("Docker-Content-Digest", found)
            self.end_headers()
            if self.command == "GET" and data:
                self.wfile.write(data)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Registry).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:4], sys.argv[4:])
