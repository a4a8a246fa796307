"""A registry of images with one layer each, by plain HTTP: on a machine one image at http://127.0.0.1:PORT, in a VPC those
that cloud.py gives it.

    registry.py PORT NAME TAG FILE...      the image has these files; what a link leads to is in its place
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


def image(files, entrypoint=None):
    """The manifest's digest, and all blobs by theirs; `files` are paths by their names in the image."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", dereference=True) as tar:
        for name, file in files.items():
            tar.add(file, name.lstrip("/"))
    layer = gzip.compress(raw.getvalue(), 1)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Entrypoint": entrypoint},
                         "rootfs": {"type": "layers", "diff_ids": [digest(raw.getvalue())]}}).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}],
    }).encode()
    return digest(manifest), {digest(data): data for data in (layer, config, manifest)}


def handler(images):
    """Serves images: (tag, manifest's digest, blobs) by name. A tag `*` is any."""

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            # containerd says in a query which registry it means.
            path = self.path.partition("?")[0].removeprefix("/v2/")
            name, _, rest = path.partition("/manifests/") if "/manifests/" in path else path.partition("/blobs/")
            tag, first, blobs = images.get(name, (None, None, {}))
            found = first if rest == tag or tag == "*" and ":" not in rest else rest
            data = blobs.get(found)
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

    return Registry


def main(port, name, tag, files):
    served = handler({name: (tag, *image({file: file for file in files}))})
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), served).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:4], sys.argv[4:])
