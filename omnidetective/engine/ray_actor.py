"""A worker as an actor of Ray: builds one pipeline and runs many clips at once on it.

It runs on a node of the cluster, where only this program has to be installed. What it is told comes in the arguments
of its methods, which travel from the driver to the actor and are kept nowhere on the way. A runtime environment would
be written down in Ray's control store, its logs and its dashboard, with the keys that it holds; a constructor's
arguments, in the control store.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import omnidetective
from omnidetective.config import Config
from omnidetective.engine.logs import send_logs
from omnidetective.engine.permit_talk import PermitTalk
from omnidetective.engine.wire import Finished, Message, Ready, StartFailed, WorkerSetup
from omnidetective.engine.workshop import Workshop, start_failed
from omnidetective.errors import ConfigError
from omnidetective.model_sets import ModelSet
from omnidetective.observers.slots import share_slots
from omnidetective.records import InputRow

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What an actor is told before it builds its pipeline.

    Attributes:
        setup: as any worker's.
        environ: what the variables that the model set names are for the driver; ``None``: it has none of that name.
            They hold keys, so they are never shown.
        cwd: the driver's working directory, which relative paths of the configuration start from.
        cache_on_node: keep the answers of models on the node, not beside the output: see :func:`cache_of_node`.
    """

    setup: WorkerSetup
    environ: Mapping[str, str | None] = field(repr=False)
    cwd: Path
    cache_on_node: bool


class WorkerActor:
    """One worker on one node. Its methods are called by :class:`omnidetective.engine.ray_worker.RayWorker`."""

    def __init__(self) -> None:
        self._unsent: deque[Message] = deque()
        self._has_news = asyncio.Event()

    async def hello(self) -> tuple[str, str]:
        """The version of this program here, and the name of the node."""
        return omnidetective.__version__, socket.gethostname()

    async def start(self, parcel: Parcel) -> Ready | StartFailed:
        """Build the pipeline."""
        loop = asyncio.get_running_loop()

        def send(message: Message) -> None:  # From any thread.
            self._unsent.append(message)
            with suppress(RuntimeError):  # The loop has ended: there is nobody to tell.
                loop.call_soon_threadsafe(self._has_news.set)

        setup = parcel.setup
        send_logs(send, setup.log_level)
        try:
            _settle_in(parcel)
            config = _with_cache_of_node(setup.config) if parcel.cache_on_node else setup.config
            self._workshop = Workshop(replace(setup, config=config), send)
        except Exception as error:  # noqa: BLE001 - whatever it is, the driver has to be told
            return start_failed(error)
        return Ready()

    async def work(self, row: InputRow) -> Finished:
        """Do a clip."""
        return await self._workshop.do(row)

    async def hear(self, talk: PermitTalk) -> None:
        """What the driver answers about permits."""
        self._workshop.heard(talk)

    async def listen(self) -> list[Message]:
        """What there is to tell since the last time, in order; waits until there is something.

        An actor cannot call its driver, so the driver always waits here.
        """
        await self._has_news.wait()
        return self._take()

    async def finish(self) -> list[Message]:
        """Close the pipeline; what is left to be told."""
        await self._workshop.close()
        return self._take()

    def _take(self) -> list[Message]:
        self._has_news.clear()
        return [self._unsent.popleft() for _ in range(len(self._unsent))]  # Other threads may be adding to it.


def named_variables(model_set: ModelSet, environ: Mapping[str, str]) -> dict[str, str | None]:
    """The environment variables that a model set names, with their values; no others leave the driver's machine."""
    names = set(model_set.needs_env)
    for spec in model_set.models.values():
        names.update(filter(None, (spec.model_env, spec.base_url_env, spec.api_key_env)))
    return {name: environ.get(name) for name in sorted(names)}


def cache_of_node(beside: Path) -> Path:
    """Where a node keeps the answers of models for a run whose own place for them, ``beside`` its output, is on a disk
    that several nodes share: SQLite's shared memory does not work over a network.

    All actors of one run on one node share it, and so does a later run on the same output.

    Raises:
        ConfigError: the folder for it belongs to somebody else.
    """
    folder = _folder_of_node()
    if not _is_ours(folder):
        raise ConfigError(
            f"{folder} on {socket.gethostname()} belongs to somebody else",
            hint="set cache.path to a file on a disk of the node, or cache.enabled=false",
        )
    digest = hashlib.blake2b(str(beside).encode(), digest_size=6).hexdigest()
    return folder / f"{beside.name.removesuffix('.cache.sqlite')}-{digest}.cache.sqlite"


def _folder_of_node() -> Path:
    """A folder on this node, the same for all actors of this user there."""
    folder = Path(tempfile.gettempdir()) / f"omnidetective-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _is_ours(folder: Path) -> bool:
    return not folder.is_symlink() and folder.stat().st_uid == os.getuid()


def _with_cache_of_node(config: Config) -> Config:
    cache = config.settings.cache
    assert cache.path is not None
    here = cache.model_copy(update={"path": cache_of_node(cache.path)})
    return replace(config, settings=config.settings.model_copy(update={"cache": here}))


def _settle_in(parcel: Parcel) -> None:
    """Make this process work as one on the driver's machine would."""
    with suppress(OSError):  # Without a folder each actor keeps to `observers.NAME.at_once` by itself.
        if _is_ours(folder := _folder_of_node()):
            share_slots(folder / "slots")
    for name, value in parcel.environ.items():
        if value is None:
            os.environ.pop(name, None)  # So that a node's own key or address does not make its clips different.
        else:
            os.environ[name] = value
    try:
        os.chdir(parcel.cwd)
    except OSError:
        _log.warning(
            "the working directory %s is not on %s: relative paths of the configuration do not work there",
            parcel.cwd,
            socket.gethostname(),
        )
    if not parcel.setup.base_dir.is_dir():
        _log.warning(
            "the input's folder %s is not on %s: clips given by a path fail there, those given by a URL do not",
            parcel.setup.base_dir,
            socket.gethostname(),
        )
