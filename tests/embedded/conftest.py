"""A store of weights with a catalogue, packages and a hub of its own."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from omnidetective.embedded.catalogue import Catalogue, HubSource, WeightFile, Weights, Wheel, WheelSource
from omnidetective.embedded.weights import WeightStore

PART_ONE, PART_TWO, INNER = b"first half, " * 500, b"second half " * 500, b"in an archive in a wheel" * 100
MODEL = PART_ONE + PART_TWO


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Hub:
    """A model hub on the loopback: what it serves by path, and what it was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def hub() -> Iterator[Hub]:
    served = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if self.path in served.redirects:
                self.send_response(302)
                self.send_header("Location", served.redirects[self.path])
                self.end_headers()
                return
            data = served.files.get(self.path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}"
    yield served
    server.shutdown()
    server.server_close()


@dataclass(frozen=True)
class Bench:
    """What a test pulls from: packages that pip finds in a folder, and the manifest that describes them."""

    root: Path
    canary: Path
    weights: Weights

    def store(self, *, hub: str = "http://127.0.0.1:9", weights: Weights | None = None) -> WeightStore:
        """A store whose hub nobody serves, unless one is given."""
        return WeightStore(self.root, catalogue=Catalogue((weights or self.weights,)), hub=hub)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    index, canary = tmp_path / "index", tmp_path / "imported"
    index.mkdir()
    one = _wheel(index, "odtest-half-one", {"data/model.part1": PART_ONE}, canary)
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as archive:
        archive.writestr("deep/labels.txt", INNER)
    two = _wheel(index, "odtest-half-two", {"data/model.part2": PART_TWO, "data/more.zip": nested.getvalue()}, canary)
    # pip's own settings are honoured: here they say that there is no index, only this folder.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    weights = Weights(
        name="halves",
        description="A file in two halves, and one in an archive.",
        licence="MIT",
        files=(
            WeightFile(name="model.bin", bytes=len(MODEL), sha256=sha256(MODEL)),
            WeightFile(name="labels.txt", bytes=len(INNER), sha256=sha256(INNER)),
        ),
        sources=(
            HubSource(kind="hub", repository="someone/halves", revision="abc123"),
            WheelSource(
                kind="wheel",
                wheels=(one, two),
                members={
                    "model.bin": ("odtest_half_one/data/model.part1", "odtest_half_two/data/model.part2"),
                    "labels.txt": ("odtest_half_two/data/more.zip!/deep/labels.txt",),
                },
            ),
        ),
    )
    return Bench(tmp_path / "weights", canary, weights)


def _wheel(index: Path, package: str, files: dict[str, bytes], canary: Path) -> Wheel:
    """A wheel whose code leaves a mark when it is imported."""
    module = package.replace("-", "_")
    path = index / f"{module}-1.0.0-py3-none-any.whl"
    info = f"{module}-1.0.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{module}/__init__.py", f"open({str(canary)!r}, 'w').close()\n")
        for name, data in files.items():
            archive.writestr(f"{module}/{name}", data)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return Wheel(package=package, version="1.0.0", sha256=sha256(path.read_bytes()))
