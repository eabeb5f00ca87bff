"""What lies in DashScope's temporary store: each content is sent there once for as long as the store keeps it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from omnidetective.llm.dashscope_session import OwnSession, error_in_session
from omnidetective.llm.dashscope_upload import upload
from omnidetective.llm.dashscope_wire import MediaPart
from omnidetective.llm.endpoint import Endpoint

RESOLVE: Mapping[str, str] = {"X-DashScope-OssResourceResolve": "enable"}
"""Header of a call that names what lies in the store."""

_KEPT_S = 47 * 3600.0
"""The store keeps a file for 48 hours; a call that names it may wait a while for its turn."""
_COMPATIBLE = "/compatible-mode/v1"


class TemporaryStore:
    """The store, for one model of one account: files in it serve no other.

    What was uploaded is remembered by its hash, for later calls and for other attempts at the same call. Asked for the
    same content at the same time, it is uploaded once.

    Args:
        endpoint: of DashScope's own interface: see :func:`own_interface`.
        model: as the provider knows it; ``name`` is ``provider:model``, for messages.
        timeout_s: time for one upload.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        model: str,
        name: str,
        timeout_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._name = name
        self._timeout_s = timeout_s
        self._now = now
        self._session = OwnSession()
        self._stored: dict[str, tuple[str, float]] = {}
        self._turns: dict[tuple[int, str], asyncio.Lock] = {}

    async def addresses(self, parts: Iterable[MediaPart]) -> dict[str, str]:
        """Where these parts are, by their hash; what is not there yet is uploaded.

        Raises:
            ProviderError: an upload failed.
        """
        return {sha256: await self._address(part) for sha256, part in {part.sha256: part for part in parts}.items()}

    def forget(self, stored: Iterable[str]) -> None:
        """Upload the contents with these hashes anew when they are next needed: a call that named them was refused."""
        for sha256 in stored:
            self._stored.pop(sha256, None)

    async def aclose(self) -> None:
        """Gives back connections. Safe to call twice."""
        await self._session.aclose()

    async def _address(self, part: MediaPart) -> str:
        turn = (id(asyncio.get_running_loop()), part.sha256)
        lock = self._turns.setdefault(turn, asyncio.Lock())
        try:
            async with lock:
                return self._known(part.sha256) or await self._upload(part)
        finally:
            if not lock.locked():
                self._turns.pop(turn, None)

    def _known(self, sha256: str) -> str | None:
        address, until = self._stored.get(sha256, ("", 0.0))
        return address if address and self._now() < until else None

    async def _upload(self, part: MediaPart) -> str:
        # The store counts from when it has the file, which is later.
        until = self._now() + _KEPT_S
        try:
            address = await upload(
                part,
                session=self._session.open(),
                endpoint=self._endpoint,
                model=self._model,
                timeout_s=self._timeout_s,
            )
        except Exception as error:  # noqa: BLE001 - the border to the network: each failure becomes one of ours
            raise error_in_session(error, endpoint=self._endpoint, model=self._name) from None
        self._stored[part.sha256] = (address, until)
        return address


def own_interface(endpoint: Endpoint) -> Endpoint:
    """The endpoint of DashScope's own interface beside one of its OpenAI-compatible ones."""
    parts = urlsplit(endpoint.base_url)
    path = parts.path.rstrip("/")
    before = path.removesuffix(_COMPATIBLE) if path.endswith(_COMPATIBLE) else ""
    return replace(endpoint, base_url=urlunsplit((parts.scheme, parts.netloc, f"{before}/api/v1", "", "")))
