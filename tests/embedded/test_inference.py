"""Models are loaded once, and work is done off the event loop, a little at a time."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import pytest

from omnidetective.embedded.inference import infer, load_once, require_packages, threads_for
from omnidetective.errors import ObserverUnavailableError


def test_whoever_asks_first_loads_and_the_others_wait() -> None:
    loads: list[int] = []

    def load() -> object:
        time.sleep(0.05)
        loads.append(1)
        return object()

    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda _: load_once("test-once", load), range(8)))
    assert len(loads) == 1
    assert all(model is models[0] for model in models)


def test_a_failed_load_is_tried_again() -> None:
    def fail() -> str:
        raise OSError("damaged")

    with pytest.raises(OSError, match="damaged"):
        load_once("test-again", fail)
    assert load_once("test-again", lambda: "whole") == "whole"


async def test_work_is_done_in_few_threads_while_the_loop_goes_on() -> None:
    running, most = 0, 0
    guard = threading.Lock()

    def work() -> str:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with guard:
            running -= 1
        return threading.current_thread().name

    names = asyncio.gather(*(infer(work) for _ in range(8)))
    ticks = 0
    while not names.done():
        await asyncio.sleep(0.01)
        ticks += 1
    assert most <= 2
    assert ticks >= 5
    assert all(name.startswith("inference") for name in await names)


def test_workers_share_the_processors() -> None:
    assert threads_for(10_000) == 1
    assert 1 <= threads_for(2) <= threads_for(1) <= 4


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    require_packages("json")
    with pytest.raises(ObserverUnavailableError, match="no-such-package") as caught:
        require_packages("json", "no_such_package")
    assert caught.value.reason == "not_installed"


def test_a_package_that_another_thread_is_loading_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    half = ModuleType("half_loaded")
    assert half.__spec__ is None
    monkeypatch.setitem(sys.modules, "half_loaded", half)
    require_packages("half_loaded")
