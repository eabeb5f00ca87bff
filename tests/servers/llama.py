"""A real OpenAI-compatible server that nobody here wrote: llama.cpp (package xllamacpp) with SmolLM2-135M-Instruct.

It runs in a process of its own, on 127.0.0.1; `omnidetective weights pull smollm2-135m` fetches the model. So small a
model proves the protocol; it cannot reason. ``response_format`` json_schema is enforced;
``tools`` are silently ignored.

Use it as a fixture::

    @pytest.fixture(scope="session")
    def llama() -> Iterator[str]:
        with llama_server() as base_url:
            yield base_url
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omnidetective.embedded.weights import find
from omnidetective.errors import ObserverUnavailableError

_START_TIMEOUT_S = 60.0

_PROGRAM = """
import sys
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 4096
params.n_parallel = 2
params.n_predict = 256
# One thread each: two that wait for each other crawl where something else runs on the machine.
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
params.warmup = False
params.verbosity = 0
params.port = 0
server = xllamacpp.Server(params)
print("listening at", server.listening_address, flush=True)
sys.stdin.read()
"""


@contextmanager
def llama_server() -> Iterator[str]:
    """Its base URL, ending in ``/v1``. Skips the test where the package or the model cannot be had."""
    pytest.importorskip("xllamacpp")
    model = smollm2()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield f"{_address(process)}/v1"
        finally:
            process.kill()
            process.wait(10)
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()


def smollm2() -> Path:
    """The model file. Skips the test where it was not pulled."""
    try:
        return find("smollm2-135m") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    except ObserverUnavailableError as error:
        pytest.skip(str(error))


def _address(process: subprocess.Popen[str]) -> str:
    import threading

    # A server that cannot start must not hold up the tests: reading its first line has a time limit.
    timer = threading.Timer(_START_TIMEOUT_S, process.kill)
    timer.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("listening at "):
                return line.removeprefix("listening at ").strip()
    finally:
        timer.cancel()
    raise AssertionError("llama.cpp did not start")
