"""Two sites and a coordinator on this machine, joined by Flower over TLS: a release of digits that lie at two places.

It needs `openssl` and an environment with Flower (docs/how-to/flower.md). Everything runs at 127.0.0.1:

    python examples/sites_by_flower.py out
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

GOSSAMER = [sys.executable, "-m", "gossamer"]
CLASSES = ",".join("0123456789")
CURVE = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    make_certificates(folder)
    make_records(folder)
    form = ["--shape", "1,8,8", "--classes", CLASSES, "--num-rounds", "0"]
    sites = ["--sites", "north:1000:10,south:1000:6", "--out", "study"]
    subprocess.run([*GOSSAMER, "federate", "plan", "dp-mixture", *sites, *form], cwd=folder, check=True)
    port, begun = free_port(), time.monotonic()
    with site("north", port, folder), site("south", port, folder):
        tls = ["--certificate", "link.pem", "--key", "link.key", "--authority", "ca.pem"]
        words = ["federate", "gather", "study/plan.json", *tls, "--port", str(port), "--wait", "60"]
        subprocess.run([*GOSSAMER, *words], cwd=folder, check=True)
    print(f"from two sites to a release: {time.monotonic() - begun:.1f} s")
    subprocess.run([*GOSSAMER, "verify", "study"], cwd=folder, check=True)


def make_certificates(folder: Path) -> None:
    """Make an authority for this study alone, and the certificate of its coordinator."""
    run = ["openssl", "req", "-x509", "-newkey", *CURVE, "-days", "30"]
    own = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", NAMES, "-addext", "basicConstraints=CA:FALSE"]
    for words in (
        [*run, "-subj", "/CN=authority of the study", "-keyout", "ca.key", "-out", "ca.pem"],
        [*run, "-subj", "/CN=localhost", *own, "-keyout", "link.key", "-out", "link.pem"],
    ):
        subprocess.run(words, cwd=folder, check=True, capture_output=True)


def make_records(folder: Path) -> None:
    """Divide digits between two files, which stand for two hospitals."""
    flat, y = map(np.asarray, load_digits(return_X_y=True))
    x = (flat / 16).astype("float32").reshape(-1, 8, 8)
    np.savez(folder / "north.npz", x=x[:900], y=y[:900])
    np.savez(folder / "south.npz", x=x[900:], y=y[900:])


@contextlib.contextmanager
def site(name: str, port: int, folder: Path) -> Iterator[None]:
    """Start a site as it would run on its own machine, and stop it in the end."""
    there = ["--superlink", f"localhost:{port}", "--authority", "ca.pem"]
    own = ["--site", name, "--data", f"{name}.npz", "--num-classes", "10", "--folder", name, "--cap", "10"]
    process = subprocess.Popen([*GOSSAMER, "federate", "answer", "study/plan.json", *there, *own], cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "sites-by-flower"))
